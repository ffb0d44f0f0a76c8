/** A caller that streams `tone.ul`, hangs up after `talkMilliseconds` and wants its BYE answered. */
export function callerScenario(talkMilliseconds: number): string {
  const inDialog = (method: string, cseq: number): string => `
${method} [next_url] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
[routes]
From: <sip:sipp@[local_ip]:[local_port]>;tag=[pid]c[call_number]
[last_To:]
Call-ID: [call_id]
CSeq: ${cseq} ${method}
Max-Forwards: 70
Content-Length: 0

`;
  return `<?xml version="1.0" encoding="ISO-8859-1" ?>
<scenario name="caller">
  <send retrans="500"><![CDATA[
INVITE sip:[service]@[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: <sip:sipp@[local_ip]:[local_port]>;tag=[pid]c[call_number]
To: <sip:[service]@[remote_ip]:[remote_port]>
Call-ID: [call_id]
CSeq: 1 INVITE
Contact: <sip:sipp@[local_ip]:[local_port]>
Max-Forwards: 70
Content-Type: application/sdp
Content-Length: [len]

v=0
o=sipp 1 1 IN IP4 [local_ip]
s=-
c=IN IP4 [media_ip]
t=0 0
m=audio [rtpstream_audio_port] RTP/AVP 0
a=rtpmap:0 PCMU/8000
]]></send>
  <recv response="100" optional="true"/>
  <recv response="180" optional="true"/>
  <recv response="183" optional="true"/>
  <recv response="200" rrs="true"/>
  <send><![CDATA[${inDialog('ACK', 1)}]]></send>
  <nop><action><exec rtp_stream="tone.ul,-1,0"/></action></nop>
  <pause milliseconds="${talkMilliseconds}"/>
  <send retrans="500"><![CDATA[${inDialog('BYE', 2)}]]></send>
  <recv response="200"/>
</scenario>
`;
}

export const squareFrequency = 400;

/** A square wave of 400 Hz in µ-law: 0x9F and 0x1F are +/- the same value. */
export function muLawTone(seconds: number): Uint8Array {
  return Uint8Array.from({ length: seconds * 8000 }, (_, index) => (index % 20 < 10 ? 0x9f : 0x1f));
}
