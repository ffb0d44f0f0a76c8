import { trimBlanks } from './blanks.ts';
import type { CSeq, Via } from './message.ts';
import { formatParameterList, parseParameterList } from './parameters.ts';

const VIA =
  /^SIP\s*\/\s*2\.0\s*\/\s*([A-Za-z0-9\-.!%*_+`'~]+)\s+(?:\[([0-9a-fA-F:.]+)\]|([A-Za-z0-9._-]+))\s*(?::\s*(\d{1,5})\s*)?(?=;|$)/i;

/** One Via value (RFC 3261 §20.42), blanks around its slashes and colon allowed. Null when it is none. */
export function parseVia(text: string): Via | null {
  const value = trimBlanks(text);
  const match = VIA.exec(value);
  if (match === null) return null;
  const port = match[4] === undefined ? null : Number(match[4]);
  if (port !== null && port > 65_535) return null;
  return {
    transport: (match[1] ?? '').toUpperCase(),
    host: match[2] ?? match[3] ?? '',
    port,
    parameters: parseParameterList(value.slice(match[0].length)),
  };
}

export function formatVia(via: Via): string {
  const host = via.host.includes(':') ? `[${via.host}]` : via.host;
  const port = via.port === null ? '' : `:${via.port}`;
  return `SIP/2.0/${via.transport} ${host}${port}${formatParameterList(via.parameters)}`;
}

const CSEQ = /^(\d{1,32})\s+([A-Za-z0-9\-.!%*_+`'~]+)$/;

/** Null when malformed or when the number is not below 2^31 (RFC 3261 §8.1.1.5). */
export function parseCSeq(text: string): CSeq | null {
  const match = CSEQ.exec(trimBlanks(text));
  if (match === null) return null;
  const number = Number(match[1]);
  return number < 0x8000_0000 ? { number, method: match[2] ?? '' } : null;
}
