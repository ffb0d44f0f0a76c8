/**
 * A small, tolerant reader and writer of SIP messages for the simulated phones.
 * It shares nothing with `src/sip`, so that a mistake there cannot hide here.
 */
export interface SipText {
  /** `null` in responses. */
  readonly method: string | null;
  readonly requestUri: string;
  /** 0 in requests. */
  readonly status: number;
  readonly reason: string;
  /** Long lower-case names, in order. */
  readonly headers: readonly (readonly [string, string])[];
  readonly body: string;
}

const longNames: Readonly<Record<string, string>> = {
  v: 'via',
  f: 'from',
  t: 'to',
  i: 'call-id',
  m: 'contact',
  c: 'content-type',
  l: 'content-length',
  k: 'supported',
  x: 'session-expires',
  e: 'content-encoding',
  r: 'refer-to',
  s: 'subject',
};

/** Reads one datagram; `null` for what is no SIP message (keep-alives, noise). */
export function readSip(datagram: Uint8Array): SipText | null {
  const text = Buffer.from(datagram.buffer, datagram.byteOffset, datagram.byteLength).toString('utf8');
  const end = text.indexOf('\r\n\r\n');
  if (end < 0) return null;
  const lines = text
    .slice(0, end)
    .replace(/\r\n[ \t]+/g, ' ')
    .split('\r\n');
  const start = lines.shift() ?? '';
  const headers: [string, string][] = [];
  for (const line of lines) {
    const colon = line.indexOf(':');
    if (colon < 1) continue;
    const name = line.slice(0, colon).trim().toLowerCase();
    headers.push([longNames[name] ?? name, line.slice(colon + 1).trim()]);
  }
  const body = text.slice(end + 4);
  const response = /^SIP\/2\.0 (\d{3}) ?(.*)$/.exec(start);
  if (response !== null) return { method: null, requestUri: '', status: Number(response[1]), reason: response[2] ?? '', headers, body };
  const request = /^([A-Z]+) (\S+) SIP\/2\.0$/.exec(start);
  if (request === null) return null;
  return { method: request[1] ?? '', requestUri: request[2] ?? '', status: 0, reason: '', headers, body };
}

/** First value of a header (lower-case long name), or an empty string. */
export function header(message: SipText, name: string): string {
  return message.headers.find(([candidate]) => candidate === name)?.[1] ?? '';
}

/** All values of a header, comma lists split outside of quotes and angle brackets. */
export function headerList(message: SipText, name: string): string[] {
  const values: string[] = [];
  for (const [candidate, value] of message.headers) {
    if (candidate !== name) continue;
    let depth = 0;
    let quoted = false;
    let from = 0;
    for (let index = 0; index < value.length; index += 1) {
      const character = value[index];
      if (character === '"') quoted = !quoted;
      else if (quoted) continue;
      else if (character === '<') depth += 1;
      else if (character === '>') depth -= 1;
      else if (character === ',' && depth === 0) {
        values.push(value.slice(from, index).trim());
        from = index + 1;
      }
    }
    values.push(value.slice(from).trim());
  }
  return values;
}

/** The `tag` of a From or To value, or an empty string. */
export function tagOf(value: string): string {
  return /;\s*tag=([^;>\s]+)/i.exec(value)?.[1] ?? '';
}

/** `branch` of the top Via, or an empty string. */
export function branchOf(message: SipText): string {
  return /;\s*branch=([^;,\s]+)/i.exec(header(message, 'via'))?.[1] ?? '';
}

/** Number and method of CSeq. */
export function cseqOf(message: SipText): { number: number; method: string } {
  const match = /^(\d+)\s+(\S+)/.exec(header(message, 'cseq'));
  return { number: Number(match?.[1] ?? -1), method: match?.[2] ?? '' };
}

/** The URI inside of `<…>`, or the bare value without its parameters. */
export function uriOf(value: string): string {
  return /<([^>]+)>/.exec(value)?.[1] ?? value.split(';')[0]?.trim() ?? '';
}

/** User part of a SIP URI. */
export function userOf(uri: string): string {
  return /^sips?:([^@;]+)@/.exec(uri)?.[1] ?? '';
}

/** Host and port of a SIP URI (IPv4 or a name; the port is 5060 when absent). */
export function hostOf(uri: string): { ip: string; port: number } {
  const match = /^sips?:(?:[^@]*@)?([^:;>?]+)(?::(\d+))?/.exec(uri);
  return { ip: match?.[1] ?? '127.0.0.1', port: Number(match?.[2] ?? 5060) };
}

/** The bytes of a message; Content-Length is added. */
export function writeSip(startLine: string, headers: readonly (readonly [string, string])[], body = ''): Buffer {
  const lines = [startLine, ...headers.map(([name, value]) => `${name}: ${value}`), `Content-Length: ${Buffer.byteLength(body)}`];
  return Buffer.from(`${lines.join('\r\n')}\r\n\r\n${body}`, 'utf8');
}

export interface AudioDescription {
  readonly ip: string;
  readonly port: number;
  readonly payloadTypes: readonly number[];
  readonly direction: 'sendrecv' | 'sendonly' | 'recvonly' | 'inactive';
  /** `sess-version` of the o= line. */
  readonly version: string;
}

/** What a phone needs of an SDP; `null` when there is no audio line. */
export function readSdp(body: string): AudioDescription | null {
  const audio = /^m=audio (\d+) \S+ ([\d ]+)/m.exec(body);
  if (audio === null) return null;
  const afterAudio = body.slice(audio.index);
  const nextMedia = afterAudio.indexOf('\nm=');
  const section = nextMedia < 0 ? afterAudio : afterAudio.slice(0, nextMedia);
  const sessionPart = body.slice(0, audio.index);
  const connection = /^c=IN IP[46] (\S+)/m.exec(section) ?? /^c=IN IP[46] (\S+)/m.exec(sessionPart);
  const direction =
    /^a=(sendrecv|sendonly|recvonly|inactive)\s*$/m.exec(section) ?? /^a=(sendrecv|sendonly|recvonly|inactive)\s*$/m.exec(sessionPart);
  return {
    ip: connection?.[1] ?? '0.0.0.0',
    port: Number(audio[1]),
    payloadTypes: (audio[2] ?? '').trim().split(/\s+/).map(Number),
    direction: (direction?.[1] ?? 'sendrecv') as AudioDescription['direction'],
    version: /^o=\S+ \S+ (\S+)/m.exec(body)?.[1] ?? '',
  };
}
