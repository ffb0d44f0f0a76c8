import { canonicalHeaderName, isKnownHeaderName } from './header-names.ts';
import type { SipHeader, SipMessage } from './message.ts';

/** Value of the first header of that name (any spelling, compact forms too), or null. */
export function headerValue(message: SipMessage, name: string): string | null {
  const canonical = canonicalHeaderName(name);
  for (const header of message.headers) if (header.name === canonical) return header.value;
  if (isKnownHeaderName(canonical)) return null;
  const lower = canonical.toLowerCase();
  for (const header of message.headers) if (header.name.toLowerCase() === lower) return header.value;
  return null;
}

/** Values of every header of that name, in order. Via, Route, Record-Route and Contact are one value an entry after parsing. */
export function headerValues(message: SipMessage, name: string): readonly string[] {
  const is = nameTest(name);
  const values: string[] = [];
  for (const header of message.headers) if (is(header)) values.push(header.value);
  return values;
}

/** Replaces the first header of that name by `value`, drops the others; appends it when there was none. */
export function withHeader<M extends SipMessage>(message: M, name: string, value: string): M {
  return withHeaders(message, name, [value]);
}

/** Replaces all headers of that name by `values`, at the place of the first; appended when there was none. */
export function withHeaders<M extends SipMessage>(message: M, name: string, values: readonly string[]): M {
  const is = nameTest(name);
  const replacement = values.map((value) => ({ name: canonicalHeaderName(name), value }));
  const headers: SipHeader[] = [];
  let placed = false;
  for (const header of message.headers) {
    if (!is(header)) headers.push(header);
    else if (!placed) {
      headers.push(...replacement);
      placed = true;
    }
  }
  if (!placed) headers.push(...replacement);
  return { ...message, headers };
}

export function withoutHeader<M extends SipMessage>(message: M, name: string): M {
  const is = nameTest(name);
  return { ...message, headers: message.headers.filter((header) => !is(header)) };
}

/** Puts the header in front of the first of the same name (a Via, a Route), or of everything when there is none. */
export function withPrependedHeader<M extends SipMessage>(message: M, name: string, value: string): M {
  const headers = [...message.headers];
  const first = headers.findIndex(nameTest(name));
  headers.splice(Math.max(first, 0), 0, { name: canonicalHeaderName(name), value });
  return { ...message, headers };
}

/** Adds one more header of that name at the end. */
export function withAppendedHeader<M extends SipMessage>(message: M, name: string, value: string): M {
  return { ...message, headers: [...message.headers, { name: canonicalHeaderName(name), value }] };
}

/** Replaces the first header of that name only (the top Via) and keeps the others. */
export function withFirstHeader<M extends SipMessage>(message: M, name: string, value: string): M {
  const first = message.headers.findIndex(nameTest(name));
  if (first < 0) return withAppendedHeader(message, name, value);
  const headers = [...message.headers];
  headers[first] = { name: canonicalHeaderName(name), value };
  return { ...message, headers };
}

/** Drops the first header of that name only. */
export function withoutFirstHeader<M extends SipMessage>(message: M, name: string): M {
  const first = message.headers.findIndex(nameTest(name));
  return first < 0 ? message : { ...message, headers: message.headers.filter((_, index) => index !== first) };
}

/** The body and its Content-Type; an empty body drops the Content-Type. */
export function withBody<M extends SipMessage>(message: M, contentType: string, body: string): M {
  const typed = body === '' ? withoutHeader(message, 'Content-Type') : withHeader(message, 'Content-Type', contentType);
  return { ...typed, body };
}

function nameTest(name: string): (header: SipHeader) => boolean {
  const canonical = canonicalHeaderName(name);
  if (isKnownHeaderName(canonical)) return (header) => header.name === canonical;
  const lower = canonical.toLowerCase();
  return (header) => header.name.toLowerCase() === lower;
}
