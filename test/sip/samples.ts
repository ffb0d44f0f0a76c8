import assert from 'node:assert/strict';
import { bytesOf, parseMessage, type SipMessage, type SipRequest, type SipResponse } from '../../src/sip/index.ts';

/** A request as a softphone sends it: 15 headers, SDP body. */
export const INVITE_TEXT = crlf(`INVITE sip:9196@192.0.2.10;transport=udp SIP/2.0
Via: SIP/2.0/UDP 192.0.2.20:5062;rport;branch=z9hG4bKPjc7f3a1b2e5d94
Max-Forwards: 70
From: "Alice Example" <sip:1000@192.0.2.10>;tag=8f3c2d1e
To: <sip:9196@192.0.2.10>
Contact: "Alice" <sip:1000@192.0.2.20:5062;ob>
Call-ID: 4f2a9c1e-77aa-4d0b-9d7e-2c0f6d8f1a11
CSeq: 21543 INVITE
Route: <sip:192.0.2.10;lr>
Allow: PRACK, INVITE, ACK, BYE, CANCEL, UPDATE, INFO, SUBSCRIBE, NOTIFY, REFER, MESSAGE, OPTIONS
Supported: replaces, 100rel, timer, norefersub
Session-Expires: 1800
Min-SE: 90
User-Agent: Phone 5.4.1
Content-Type: application/sdp
Content-Length: 221

v=0
o=- 3911234567 3911234567 IN IP4 192.0.2.20
s=-
c=IN IP4 192.0.2.20
t=0 0
m=audio 4002 RTP/AVP 8 0 101
a=rtpmap:8 PCMA/8000
a=rtpmap:0 PCMU/8000
a=rtpmap:101 telephone-event/8000
a=fmtp:101 0-16
a=sendrecv
`);

export function crlf(text: string): string {
  return text.replace(/\r?\n/g, '\r\n');
}

export function parsed(text: string): SipMessage {
  const result = parseMessage(bytesOf(text));
  assert.equal(result.kind, 'message', result.kind === 'malformed' ? result.reason : result.kind);
  return (result as { message: SipMessage }).message;
}

export function parsedRequest(text: string): SipRequest {
  const message = parsed(text);
  assert.equal(message.kind, 'request');
  return message as SipRequest;
}

export function parsedResponse(text: string): SipResponse {
  const message = parsed(text);
  assert.equal(message.kind, 'response');
  return message as SipResponse;
}
