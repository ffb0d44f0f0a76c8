// Wire text: a string in which every character stands for one byte (latin-1). Nothing is lost on the way in and out,
// whatever encoding a peer used; most peers use UTF-8 in display names and header values.

const BEYOND_LATIN1 = /[\u0100-\uffff]/;
const BEYOND_LATIN1_RUN = /[\u0100-\uffff]+/g;

/**
 * Bytes of wire text. A character above U+00FF, which no wire text has, is written as UTF-8: cutting it to its low byte
 * would let U+010A become a line feed.
 */
export function bytesOf(text: string): Uint8Array {
  return Buffer.from(BEYOND_LATIN1.test(text) ? text.replace(BEYOND_LATIN1_RUN, utf8AsLatin1) : text, 'latin1');
}

/** Wire text of bytes, one character a byte. */
export function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
}

/** Text for people (configuration, dialplan variables) → wire text in UTF-8. */
export function toWireText(unicode: string): string {
  return utf8AsLatin1(unicode);
}

/** Wire text → text for people, when it is valid UTF-8; else unchanged (a peer that wrote ISO 8859-1). */
export function fromWireText(wire: string): string {
  try {
    return STRICT_UTF8.decode(Buffer.from(wire, 'latin1'));
  } catch {
    return wire;
  }
}

const STRICT_UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function utf8AsLatin1(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1');
}
