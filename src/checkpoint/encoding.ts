/** What `switch_url_encode` (switch_utils.h, SWITCH_URL_UNSAFE) leaves as it is. `%` is always encoded, so that decoding gives the value back. */
const NEEDS_ENCODING = /[^!$'()*,\-./0-9A-Z_a-z~]/;
const LEFT_BY_FREESWITCH = /%2C|%2F|%24/g;

/** URL-encodes a variable's value as FreeSWITCH does in its CDR XML; the result holds no character special to XML. */
export function urlEncode(value: string): string {
  if (!NEEDS_ENCODING.test(value)) return value;
  return encodeURIComponent(value.isWellFormed() ? value : value.toWellFormed()).replace(LEFT_BY_FREESWITCH, (code) =>
    code === '%2C' ? ',' : code === '%2F' ? '/' : '$',
  );
}

/** Decodes `%XX` as bytes of UTF-8; a `%` that begins no code stays, as in FreeSWITCH. */
export function urlDecode(value: string): string {
  if (!value.includes('%')) return value;
  try {
    return decodeURIComponent(value);
  } catch {
    const bytes: number[] = [];
    const source = Buffer.from(value, 'utf8');
    for (let index = 0; index < source.length; index += 1) {
      const byte = source[index] ?? 0;
      const digits = byte === 0x25 ? source.toString('latin1', index + 1, index + 3) : '';
      if (/^[0-9A-Fa-f]{2}$/.test(digits)) {
        bytes.push(Number.parseInt(digits, 16));
        index += 2;
      } else {
        bytes.push(byte);
      }
    }
    return Buffer.from(bytes).toString('utf8');
  }
}

// Not allowed in XML 1.0 at all, not even as a reference.
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const FORBIDDEN = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g;
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const SPECIAL = /[&<>"\u0000-\u001f\ufffe\uffff\ud800-\udfff]/;

/** Escapes text or an attribute's value; characters that XML cannot hold are removed. */
export function xmlEscape(value: string): string {
  if (!SPECIAL.test(value)) return value;
  return value
    .toWellFormed()
    .replace(FORBIDDEN, '')
    .replace(/[&<>"\t\r\n]/g, (character) => ESCAPES[character] ?? '');
}

const ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  '\t': '&#9;',
  '\r': '&#13;',
  '\n': '&#10;',
};

const SPECIAL_IN_JSON = /[&<>\ufffe\uffff]/;

/** JSON inside an XML element. JSON.stringify has escaped control characters and lone surrogates already. */
export function jsonToXml(json: string): string {
  if (!SPECIAL_IN_JSON.test(json)) return json;
  return json.replace(/[&<>\ufffe\uffff]/g, (character) =>
    character === '\ufffe' ? '\\ufffe' : character === '\uffff' ? '\\uffff' : (ESCAPES[character] ?? ''),
  );
}

export function xmlToJson(text: string): string {
  if (!text.includes('&')) return text;
  return text.replace(/&(lt|gt|amp);/g, (_match, name) => (name === 'lt' ? '<' : name === 'gt' ? '>' : '&'));
}
