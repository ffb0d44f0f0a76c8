import { bytesOf } from './bytes.ts';
import type { SipMessage } from './message.ts';

const LINE_BREAK = /[\r\n\0]+/g;
const HAS_LINE_BREAK = /[\r\n\0]/;

/** A value set from outside (a channel variable, a display name) must not be able to begin a header of its own. */
function oneLine(text: string): string {
  return HAS_LINE_BREAK.test(text) ? text.replace(LINE_BREAK, ' ') : text;
}

/** The message as wire text. Content-Length is always computed and stands last. */
export function messageText(message: SipMessage): string {
  const start = message.kind === 'request' ? `${message.method} ${message.uri} SIP/2.0` : `SIP/2.0 ${message.status} ${message.reason}`;
  let text = `${oneLine(start)}\r\n`;
  for (const header of message.headers) {
    if (header.name !== 'Content-Length') text += `${oneLine(header.name)}: ${oneLine(header.value)}\r\n`;
  }
  const length = message.body === '' ? 0 : bytesOf(message.body).length;
  return `${text}Content-Length: ${length}\r\n\r\n${message.body}`;
}

/** The message as bytes, latin-1 (see bytes.ts). */
export function serializeMessage(message: SipMessage): Uint8Array {
  return bytesOf(messageText(message));
}
