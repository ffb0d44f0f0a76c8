import { trimBlanks } from './blanks.ts';
import { textOf } from './bytes.ts';
import { canonicalHeaderName } from './header-names.ts';
import { MAXIMUM_HEADER_LENGTH, MAXIMUM_HEADERS, MAXIMUM_MESSAGE_BYTES } from './limits.ts';
import type { SipHeader, SipMessage, SipRequest } from './message.ts';
import { isBalanced, splitCommaList } from './parameters.ts';
import { reasonPhrase } from './reason-phrase.ts';
import { parseCSeq, parseVia } from './via.ts';

export type ParseResult =
  | { readonly kind: 'message'; readonly message: SipMessage }
  /** Nothing but line ends (RFC 5626 §4.4.1) or the zero bytes that some phones send: no answer, no log. */
  | { readonly kind: 'keepAlive' }
  | {
      readonly kind: 'malformed';
      /** What was wrong, for the log and for the reason phrase or Warning of the answer. */
      readonly reason: string;
      /** The status that a request deserves: 400, 505 (version) or 513 (size). */
      readonly status: number;
      /** Enough of a request to answer it (Via, From, To, Call-ID, CSeq were readable), else null. Never an ACK. */
      readonly request: SipRequest | null;
    };

const LINE_FEED = 0x0a;
const RETURN = 0x0d;
const SPACE = 0x20;
const TAB = 0x09;
const LESS = 0x3c;

const TOKEN = /^[A-Za-z0-9\-.!%*_+`'~]+$/;
const REQUEST_LINE = /^([A-Za-z0-9\-.!%*_+`'~]+) ([\u0021-\u007e\u0080-\u00ff]+) (SIP\/\d+\.\d+)$/i;
const STATUS_LINE = /^SIP\/(\d+\.\d+) ([1-6]\d\d)(?: (.*))?$/i;
/** Headers whose comma lists become entries of their own: the order among them matters (RFC 3261 §7.3.1). */
const SPLIT = new Set(['Via', 'Route', 'Record-Route', 'Contact']);

/**
 * Parses one datagram (RFC 3261 §7, tolerant as RFC 4475 §3.1 asks). Never throws. Bytes map to characters one to one
 * (latin-1), so a body or a UTF-8 display name is kept byte by byte. Lines may end with LF alone; folded lines are joined by
 * one blank; compact names become long ones. Bytes after Content-Length are dropped, a shorter body is malformed (§18.3).
 */
export function parseMessage(bytes: Uint8Array): ParseResult {
  if (isKeepAlive(bytes)) return { kind: 'keepAlive' };
  const tooLarge = bytes.length > MAXIMUM_MESSAGE_BYTES;
  const text = textOf(tooLarge ? bytes.subarray(0, MAXIMUM_MESSAGE_BYTES) : bytes);

  // Line ends before the start line are to be ignored (§7.5).
  let position = 0;
  while (text.charCodeAt(position) === RETURN || text.charCodeAt(position) === LINE_FEED) position++;
  let lineEnd = text.indexOf('\n', position);
  if (lineEnd < 0) return { kind: 'malformed', reason: 'no line end after the start line', status: 400, request: null };
  const startLine = lineOf(text, position, lineEnd);
  position = lineEnd + 1;

  const headers: SipHeader[] = [];
  let fault: Fault | null = tooLarge ? { reason: 'message too large', status: 513 } : null;
  let ended = false;
  while (position < text.length) {
    lineEnd = text.indexOf('\n', position);
    if (lineEnd < 0) break;
    let line = lineOf(text, position, lineEnd);
    position = lineEnd + 1;
    if (line === '') {
      ended = true;
      break;
    }
    let next = text.charCodeAt(position);
    if (next === SPACE || next === TAB) {
      const folded = [line];
      while (next === SPACE || next === TAB) {
        lineEnd = text.indexOf('\n', position);
        if (lineEnd < 0) break;
        folded.push(trimBlanks(lineOf(text, position, lineEnd)));
        position = lineEnd + 1;
        next = text.charCodeAt(position);
      }
      line = folded.join(' ');
    }
    fault = addHeader(headers, line) ?? fault;
    if (headers.length > MAXIMUM_HEADERS) {
      fault = { reason: `more than ${MAXIMUM_HEADERS} headers`, status: 400 };
      break;
    }
  }
  if (!ended) fault ??= { reason: 'no empty line after the headers', status: 400 };
  return assemble(startLine, headers, text, position, fault);
}

interface Fault {
  readonly reason: string;
  readonly status: number;
}

/** A keep-alive is short; a longer run of blanks is no message either, but is worth a count as malformed. */
function isKeepAlive(bytes: Uint8Array): boolean {
  if (bytes.length > 16) return false;
  for (const byte of bytes) if (byte !== RETURN && byte !== LINE_FEED && byte !== 0 && byte !== SPACE) return false;
  return true;
}

function lineOf(text: string, start: number, lineFeed: number): string {
  return text.slice(start, lineFeed > start && text.charCodeAt(lineFeed - 1) === RETURN ? lineFeed - 1 : lineFeed);
}

function addHeader(headers: SipHeader[], line: string): Fault | null {
  if (line.length > MAXIMUM_HEADER_LENGTH) return { reason: `header longer than ${MAXIMUM_HEADER_LENGTH}`, status: 400 };
  const colon = line.indexOf(':');
  if (colon <= 0 || line.charCodeAt(0) === SPACE || line.charCodeAt(0) === TAB)
    return { reason: 'header line without a name', status: 400 };
  const written = line.slice(0, colon);
  let name = canonicalHeaderName(written);
  if (name === written && !TOKEN.test(name)) {
    name = canonicalHeaderName(trimBlanks(written));
    if (!TOKEN.test(name)) return { reason: 'header name is not a token', status: 400 };
  }
  const value = trimBlanks(line.slice(colon + 1));
  if (SPLIT.has(name) && value.includes(',')) {
    if (!isBalanced(value)) return { reason: `unclosed quote or bracket in ${name}`, status: 400 };
    for (const part of splitCommaList(value)) headers.push({ name, value: part });
  } else headers.push({ name, value });
  return null;
}

/** The headers that occur once in every message (§8.1.1, §20 table 2). */
interface Mandatory {
  via: string | null;
  from: string | null;
  to: string | null;
  callId: string | null;
  cseq: string | null;
  contentLength: string | null;
  /** Name of one that came twice. */
  repeated: string | null;
}

function mandatoryOf(headers: readonly SipHeader[]): Mandatory {
  const found: Mandatory = { via: null, from: null, to: null, callId: null, cseq: null, contentLength: null, repeated: null };
  for (const { name, value } of headers) {
    switch (name) {
      case 'Via':
        found.via ??= value;
        break;
      case 'From':
        if (found.from !== null) found.repeated = name;
        else found.from = value;
        break;
      case 'To':
        if (found.to !== null) found.repeated = name;
        else found.to = value;
        break;
      case 'Call-ID':
        if (found.callId !== null) found.repeated = name;
        else found.callId = value;
        break;
      case 'CSeq':
        if (found.cseq !== null) found.repeated = name;
        else found.cseq = value;
        break;
      case 'Content-Length':
        if (found.contentLength !== null && found.contentLength !== value) found.repeated = name;
        else found.contentLength = value;
        break;
      default:
    }
  }
  return found;
}

function assemble(startLine: string, headers: SipHeader[], text: string, bodyStart: number, earlier: Fault | null): ParseResult {
  const found = mandatoryOf(headers);
  const bodyEnd = endOfBody(found.contentLength, bodyStart, text.length);
  const body = bodyEnd === null ? '' : text.slice(bodyStart, bodyEnd);
  const common =
    earlier ?? headerFault(found) ?? (bodyEnd === null ? { reason: 'Content-Length does not fit the datagram', status: 400 } : null);

  const status = STATUS_LINE.exec(startLine);
  if (status !== null) {
    const fault = common ?? (status[1] === '2.0' ? null : { reason: 'version is not SIP/2.0', status: 505 });
    if (fault !== null) return { kind: 'malformed', ...fault, request: null };
    const code = Number(status[2]);
    return { kind: 'message', message: { kind: 'response', status: code, reason: status[3] ?? reasonPhrase(code), headers, body } };
  }

  const line = startLine.length <= MAXIMUM_HEADER_LENGTH ? REQUEST_LINE.exec(startLine) : null;
  const fault = common ?? requestFault(line, found);
  const method = line?.[1] ?? parseCSeq(found.cseq ?? '')?.method ?? '';
  const request: SipRequest = { kind: 'request', method, uri: line?.[2] ?? '', headers, body };
  if (fault === null) return { kind: 'message', message: request };
  return { kind: 'malformed', ...fault, request: isAnswerable(startLine, request, found) ? request : null };
}

function headerFault(found: Mandatory): Fault | null {
  if (found.repeated !== null) return { reason: `more than one ${found.repeated}`, status: 400 };
  if (found.via === null) return { reason: 'no Via', status: 400 };
  if (found.from === null) return { reason: 'no From', status: 400 };
  if (found.to === null) return { reason: 'no To', status: 400 };
  if (found.callId === null || found.callId === '') return { reason: 'no Call-ID', status: 400 };
  if (found.cseq === null) return { reason: 'no CSeq', status: 400 };
  if (parseVia(found.via) === null) return { reason: 'top Via is malformed', status: 400 };
  if (parseCSeq(found.cseq) === null) return { reason: 'CSeq is malformed', status: 400 };
  if (found.from === '' || !isBalanced(found.from)) return { reason: 'From is malformed', status: 400 };
  if (found.to === '' || !isBalanced(found.to)) return { reason: 'To is malformed', status: 400 };
  return null;
}

function requestFault(line: RegExpExecArray | null, found: Mandatory): Fault | null {
  if (line === null) return { reason: 'start line is malformed', status: 400 };
  if (line[3]?.toUpperCase() !== 'SIP/2.0') return { reason: 'version is not SIP/2.0', status: 505 };
  if (line[2]?.charCodeAt(0) === LESS) return { reason: 'Request-URI in angle brackets', status: 400 };
  if (parseCSeq(found.cseq ?? '')?.method !== line[1]) return { reason: 'CSeq method differs from the request method', status: 400 };
  return null;
}

/** RFC 3261 §8.2.6.2 copies these headers into the answer; without a readable Via nobody knows where it goes. */
function isAnswerable(startLine: string, request: SipRequest, found: Mandatory): boolean {
  if (request.method === 'ACK' || request.method === '' || /^SIP\//i.test(startLine)) return false;
  if (found.via === null || parseVia(found.via) === null) return false;
  return found.from !== null && found.to !== null && found.callId !== null && found.cseq !== null;
}

/** Null when Content-Length is no number or announces more than came. Without it the body ends with the datagram (§18.3). */
function endOfBody(contentLength: string | null, bodyStart: number, available: number): number | null {
  if (contentLength === null) return available;
  if (!/^\d{1,10}$/.test(contentLength)) return null;
  const end = bodyStart + Number(contentLength);
  return end <= available ? end : null;
}
