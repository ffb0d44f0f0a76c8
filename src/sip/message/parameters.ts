import { trimBlanks } from './blanks.ts';

const COMMA = 0x2c;
const SEMICOLON = 0x3b;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const LESS = 0x3c;
const GREATER = 0x3e;

/**
 * Index of the first `separator` outside quoted strings and angle brackets, from `start` on; the text's length when there is
 * none. An unclosed quote or bracket reaches to the end.
 */
function nextSeparator(text: string, separator: number, start: number): number {
  let inQuotes = false;
  let inBrackets = false;
  for (let index = start; index < text.length; index++) {
    const code = text.charCodeAt(index);
    if (inQuotes) {
      if (code === BACKSLASH) index++;
      else if (code === QUOTE) inQuotes = false;
    } else if (inBrackets) {
      if (code === GREATER) inBrackets = false;
    } else if (code === separator) return index;
    else if (code === QUOTE) inQuotes = true;
    else if (code === LESS) inBrackets = true;
  }
  return text.length;
}

/** Splits at commas outside quoted strings and angle brackets (RFC 3261 §7.3.1); parts are trimmed, empty parts dropped. */
export function splitCommaList(text: string): string[] {
  return splitOutside(text, COMMA);
}

function splitOutside(text: string, separator: number): string[] {
  const parts: string[] = [];
  let start = 0;
  while (start <= text.length) {
    const end = nextSeparator(text, separator, start);
    const part = trimBlanks(text.slice(start, end));
    if (part !== '') parts.push(part);
    start = end + 1;
  }
  return parts;
}

/** True when every quoted string and every angle bracket is closed. */
export function isBalanced(text: string): boolean {
  let inQuotes = false;
  let inBrackets = false;
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    if (inQuotes) {
      if (code === BACKSLASH) index++;
      else if (code === QUOTE) inQuotes = false;
    } else if (code === QUOTE && !inBrackets) inQuotes = true;
    else if (code === LESS) {
      if (inBrackets) return false;
      inBrackets = true;
    } else if (code === GREATER) {
      if (!inBrackets) return false;
      inBrackets = false;
    }
  }
  return !inQuotes && !inBrackets;
}

/** A header value with parameters, such as `1800;refresher=uas` or `application/sdp;charset=utf-8`. */
export interface ParameterizedValue {
  /** What stands before the first semicolon, trimmed. */
  readonly value: string;
  /** Names in lower case, values unquoted; a parameter without value maps to ''. The first of a repeated name counts. */
  readonly parameters: ReadonlyMap<string, string>;
}

/** Splits a value from its parameters (RFC 3261 §7.3.1). */
export function parseParameters(text: string): ParameterizedValue {
  const end = nextSeparator(text, SEMICOLON, 0);
  return { value: trimBlanks(text.slice(0, end)), parameters: parseParameterList(text.slice(end)) };
}

const NO_PARAMETERS: ReadonlyMap<string, string> = new Map();

/** `;a=1;b="x y";c` → map. */
export function parseParameterList(text: string): ReadonlyMap<string, string> {
  if (text.length < 2) return NO_PARAMETERS;
  const parameters = new Map<string, string>();
  for (const part of splitOutside(text, SEMICOLON)) {
    const equals = part.indexOf('=');
    const name = trimBlanks(equals < 0 ? part : part.slice(0, equals)).toLowerCase();
    if (name === '' || parameters.has(name)) continue;
    parameters.set(name, equals < 0 ? '' : unquote(trimBlanks(part.slice(equals + 1))));
  }
  return parameters;
}

const PLAIN_PARAMETER = /^[A-Za-z0-9\-.!%*_+`'~:[\]/@&$?#^{}|()]+$/;

/** `;a=1;b="x y";c`; a value that is no token or host is quoted. */
export function formatParameterList(parameters: ReadonlyMap<string, string>): string {
  let text = '';
  for (const [name, value] of parameters) {
    if (value === '') text += `;${name}`;
    else text += PLAIN_PARAMETER.test(value) ? `;${name}=${value}` : `;${name}=${quote(value)}`;
  }
  return text;
}

/** A quoted string, RFC 3261 §25.1. */
export function quote(text: string): string {
  return `"${text.replace(/["\\]/g, '\\$&')}"`;
}

/** The text of a quoted string; text that is not quoted stays as it is. */
export function unquote(text: string): string {
  if (text.length < 2 || text.charCodeAt(0) !== QUOTE || text.charCodeAt(text.length - 1) !== QUOTE) return text;
  const inner = text.slice(1, -1);
  return inner.includes('\\') ? inner.replace(/\\([\s\S])/g, '$1') : inner;
}
