import { trimBlanks } from './blanks.ts';
import type { NameAddress } from './message.ts';
import { formatParameterList, parseParameterList, quote, unquote } from './parameters.ts';
import { formatUri, parseUri } from './uri.ts';

/**
 * Where the address of a From, To, Contact, Route or Refer-To value lies: `"x" <uri>;p` or `x <uri>;p` or `uri;p`.
 * Without brackets every parameter belongs to the header (RFC 3261 §20). Null when a bracket or quote is not closed.
 */
function locate(value: string): { nameEnd: number; uriStart: number; uriEnd: number; parameters: number } | null {
  let open: number;
  if (value.charCodeAt(0) === 0x22) {
    const close = closingQuote(value);
    if (close < 0) return null;
    open = value.indexOf('<', close);
    if (open < 0) return null;
  } else open = value.indexOf('<');
  const semicolon = value.indexOf(';');
  if (open < 0 || (value.charCodeAt(0) !== 0x22 && semicolon >= 0 && semicolon < open && SCHEME_FIRST.test(value))) {
    const end = semicolon < 0 ? value.length : semicolon;
    return { nameEnd: 0, uriStart: 0, uriEnd: end, parameters: end };
  }
  const close = value.indexOf('>', open);
  return close < 0 ? null : { nameEnd: open, uriStart: open + 1, uriEnd: close, parameters: close + 1 };
}

const SCHEME_FIRST = /^[a-z][a-z0-9+.-]*:/i;

function closingQuote(value: string): number {
  for (let index = 1; index < value.length; index++) {
    const code = value.charCodeAt(index);
    if (code === 0x5c) index++;
    else if (code === 0x22) return index;
  }
  return -1;
}

/** Null when it is no name-addr or addr-spec with a sip:, sips: or tel: URI (RFC 3261 §20.10). `*` gives null. */
export function parseNameAddress(text: string): NameAddress | null {
  const value = trimBlanks(text);
  const place = locate(value);
  if (place === null) return null;
  const uri = parseUri(trimBlanks(value.slice(place.uriStart, place.uriEnd)));
  if (uri === null) return null;
  const name = unquote(trimBlanks(value.slice(0, place.nameEnd)));
  return { displayName: name === '' ? null : name, uri, parameters: parseParameterList(trimBlanks(value.slice(place.parameters))) };
}

/** Always with angle brackets, so that URI parameters stay the URI's. */
export function formatNameAddress(address: NameAddress): string {
  const name = address.displayName === null ? '' : `${quote(address.displayName)} `;
  return `${name}<${formatUri(address.uri)}>${formatParameterList(address.parameters)}`;
}

/** The tag of a From or To value, or null; works for every URI scheme. */
export function tagOf(headerValue: string): string | null {
  if (!/tag/i.test(headerValue)) return null;
  const place = locate(trimBlanks(headerValue));
  if (place === null) return null;
  const tag = parseParameterList(trimBlanks(headerValue).slice(place.parameters)).get('tag');
  return tag === undefined || tag === '' ? null : tag;
}
