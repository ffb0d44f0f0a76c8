import type { SessionDescription } from 'sdp-transform';
import sdpTransform from 'sdp-transform';

export type { SessionDescription };

export const MAXIMUM_SDP_LENGTH = 32_768;
export const MAXIMUM_SDP_LINES = 1024;
export const MAXIMUM_SDP_LINE_LENGTH = 2048;
export const MAXIMUM_MEDIA_SECTIONS = 16;

export type ParsedSdp =
  | { readonly kind: 'session'; readonly session: SessionDescription }
  | { readonly kind: 'invalid'; readonly reason: string };

/**
 * RFC 8866 through sdp-transform's grammar. Attributes it does not know stay in `invalid` and are written back.
 * Never throws; `reason` says what was wrong.
 */
export function parseSdp(text: string): ParsedSdp {
  const invalid = (reason: string): ParsedSdp => ({ kind: 'invalid', reason });
  if (text.length > MAXIMUM_SDP_LENGTH) return invalid(`longer than ${MAXIMUM_SDP_LENGTH} characters`);
  const lines = text.split(/\r\n|\r|\n/);
  if (lines.length > MAXIMUM_SDP_LINES) return invalid(`more than ${MAXIMUM_SDP_LINES} lines`);
  if (lines.some((line) => line.length > MAXIMUM_SDP_LINE_LENGTH))
    return invalid(`a line is longer than ${MAXIMUM_SDP_LINE_LENGTH} characters`);
  if (!(lines[0] ?? '').startsWith('v=0')) return invalid('it does not begin with v=0');
  const mediaLines = lines.filter((line) => line.startsWith('m='));
  if (mediaLines.length > MAXIMUM_MEDIA_SECTIONS) return invalid(`more than ${MAXIMUM_MEDIA_SECTIONS} media sections`);

  const session = sdpTransform.parse(text);
  for (const [index, line] of mediaLines.entries()) {
    // Read here, not by the library: it knows no port count (`5000/2`) and turns a single payload type into a number.
    const match = /^m=(\S+) (\d{1,5})(?:\/\d{1,5})? (\S+)(?: +(.*))?$/.exec(line);
    const section = session.media[index];
    if (match === null || section === undefined || Number(match[2]) > 65_535) return invalid(`"${line.slice(0, 80)}" is not a media line`);
    section.type = (match[1] ?? '').toLowerCase();
    section.port = Number(match[2]);
    section.protocol = match[3] ?? '';
    section.payloads = (match[4] ?? '').trim();
  }
  return { kind: 'session', session };
}

/** The text of a session, lines ended by CRLF. */
export function writeSdp(session: SessionDescription): string {
  return sdpTransform.write(session);
}
