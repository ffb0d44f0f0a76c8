import type { SipUri } from './message.ts';

const SCHEME = /^(sips?|tel):/i;
const HOST_PORT = /^(?:\[([0-9a-fA-F:.]+)\]|([A-Za-z0-9._-]+))(?::(\d{1,5}))?$/;
const PRINTABLE = /^[\u0021-\u007e\u0080-\u00ff]+$/;

/**
 * Parses sip:, sips: and tel: URIs (RFC 3261 §19.1, RFC 3966); null for anything else. The user part is unescaped, a password
 * stays in it after its colon. Parameter values and the header part stay as written.
 */
export function parseUri(text: string): SipUri | null {
  const match = SCHEME.exec(text);
  if (match === null || !PRINTABLE.test(text)) return null;
  const scheme = match[0].slice(0, -1).toLowerCase();
  const rest = text.slice(match[0].length);
  if (scheme === 'tel') return parseTelephone(rest);
  if (scheme !== 'sip' && scheme !== 'sips') return null;

  const at = endOfUser(rest);
  const hostEnd = endOfHost(rest, at + 1);
  const host = HOST_PORT.exec(rest.slice(at + 1, hostEnd));
  if (host === null) return null;
  const port = host[3] === undefined ? null : Number(host[3]);
  if (port !== null && port > 65_535) return null;
  const question = rest.indexOf('?', hostEnd);
  return {
    scheme,
    user: at < 0 ? null : unescapeText(rest.slice(0, at)),
    host: host[1] ?? host[2] ?? '',
    port,
    parameters: parseUriParameters(rest.slice(hostEnd, question < 0 ? rest.length : question)),
    headers: question < 0 ? null : rest.slice(question + 1),
  };
}

function parseTelephone(rest: string): SipUri | null {
  const semicolon = rest.indexOf(';');
  const number = semicolon < 0 ? rest : rest.slice(0, semicolon);
  if (!/^[+0-9A-Fa-f*#().-]+$/.test(number)) return null;
  const parameters = parseUriParameters(semicolon < 0 ? '' : rest.slice(semicolon));
  return { scheme: 'tel', user: number, host: '', port: null, parameters, headers: null };
}

/**
 * Index of the @ after the user part, -1 without one. The header part is often not escaped, so an @ in it
 * (`host?Replaces=1234@other`) must not count; one @ too many before the host is taken as the user's.
 */
function endOfUser(rest: string): number {
  const first = rest.indexOf('@');
  if (first < 0) return -1;
  const question = rest.indexOf('?');
  if (question >= 0 && question < first && rest.slice(question, first).includes('=') && HOST_PORT.test(rest.slice(0, endOfHost(rest, 0)))) {
    return -1;
  }
  return rest.lastIndexOf('@', endOfHost(rest, first + 1) - 1);
}

function endOfHost(text: string, start: number): number {
  for (let index = start; index < text.length; index++) {
    const code = text.charCodeAt(index);
    if (code === 0x3b || code === 0x3f) return index;
  }
  return text.length;
}

const NO_PARAMETERS: ReadonlyMap<string, string> = new Map();

function parseUriParameters(text: string): ReadonlyMap<string, string> {
  if (text.length < 2) return NO_PARAMETERS;
  const parameters = new Map<string, string>();
  for (const part of text.split(';')) {
    const equals = part.indexOf('=');
    const name = (equals < 0 ? part : part.slice(0, equals)).toLowerCase();
    if (name !== '' && !parameters.has(name)) parameters.set(name, equals < 0 ? '' : part.slice(equals + 1));
  }
  return parameters;
}

export function formatUri(uri: SipUri): string {
  let text = `${uri.scheme}:`;
  if (uri.scheme === 'tel') text += uri.user ?? '';
  else {
    if (uri.user !== null) text += `${escapeUser(uri.user)}@`;
    text += uri.host.includes(':') ? `[${uri.host}]` : uri.host;
    if (uri.port !== null) text += `:${uri.port}`;
  }
  for (const [name, value] of uri.parameters) text += value === '' ? `;${name}` : `;${name}=${value}`;
  return uri.headers === null ? text : `${text}?${uri.headers}`;
}

function unescapeText(text: string): string {
  if (!text.includes('%')) return text;
  return text.replace(/%([0-9A-Fa-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}

/** unreserved and user-unreserved of RFC 3261 §25.1, and the colon before a password. */
const ESCAPED_IN_USER = /[^A-Za-z0-9\-_.!~*'()&=+$,;?/:]/gu;

function escapeUser(user: string): string {
  return user.replace(ESCAPED_IN_USER, (character) => {
    const bytes = (character.codePointAt(0) ?? 0) < 0x100 ? Buffer.from(character, 'latin1') : Buffer.from(character, 'utf8');
    let text = '';
    for (const byte of bytes) text += `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
    return text;
  });
}

/** Parameters that may not stand in one URI only: RFC 3261 §19.1.4, and transport, whose absence may resolve differently. */
const NEVER_OPTIONAL = ['user', 'ttl', 'method', 'maddr', 'transport'];

/** URI comparison of RFC 3261 §19.1.4. It is not transitive. */
export function sameUri(left: SipUri, right: SipUri): boolean {
  if (left.scheme !== right.scheme || left.user !== right.user || left.port !== right.port) return false;
  if (left.host.toLowerCase() !== right.host.toLowerCase()) return false;
  for (const name of NEVER_OPTIONAL) if (left.parameters.has(name) !== right.parameters.has(name)) return false;
  for (const [name, value] of left.parameters) {
    const other = right.parameters.get(name);
    if (other !== undefined && unescapeText(other).toLowerCase() !== unescapeText(value).toLowerCase()) return false;
  }
  return headerSet(left.headers) === headerSet(right.headers);
}

function headerSet(headers: string | null): string {
  if (headers === null || headers === '') return '';
  const fields = headers.split('&').map((field) => {
    const equals = field.indexOf('=');
    const name = equals < 0 ? field : field.slice(0, equals);
    return `${unescapeText(name).toLowerCase()}=${equals < 0 ? '' : unescapeText(field.slice(equals + 1))}`;
  });
  return fields.sort().join('&');
}
