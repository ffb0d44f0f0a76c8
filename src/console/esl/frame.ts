/** One command of a client: its first line, the headers below it, and a body when Content-Length said so. */
export interface ClientCommand {
  readonly line: string;
  /** Lower-case names. */
  readonly headers: ReadonlyMap<string, string>;
  readonly headerList: readonly (readonly [string, string])[];
  readonly body: string | null;
}

/** Most bytes of one command before and after its blank line. */
export const MAXIMUM_HEAD_BYTES = 32_768;
export const MAXIMUM_BODY_BYTES = 262_144;

/** Cuts a client's byte stream into commands. Several in one segment, and one in many, are the normal case. */
export class CommandFramer {
  #buffer: Buffer = Buffer.alloc(0);

  /** Bytes kept. */
  get pending(): number {
    return this.#buffer.length;
  }

  push(data: Buffer): void {
    this.#buffer = this.#buffer.length === 0 ? data : Buffer.concat([this.#buffer, data]);
  }

  /** The next whole command, null when more bytes are needed, `too-long` when the client passed a limit. */
  next(maximumHead: number): ClientCommand | null | 'too-long' {
    let start = 0;
    while (this.#buffer[start] === 0x0a || this.#buffer[start] === 0x0d) start += 1;
    if (start > 0) this.#buffer = this.#buffer.subarray(start);
    const end = endOfHead(this.#buffer);
    if (end === null) return this.#buffer.length > maximumHead ? 'too-long' : null;
    if (end.at > maximumHead) return 'too-long';
    const [line = '', ...headerLines] = this.#buffer.toString('utf8', 0, end.at).split(/\r?\n/);
    const headerList: [string, string][] = [];
    for (const headerLine of headerLines) {
      const colon = headerLine.indexOf(':');
      if (colon > 0) headerList.push([headerLine.slice(0, colon).trim(), headerLine.slice(colon + 1).trim()]);
    }
    const headers = new Map(headerList.map(([name, value]) => [name.toLowerCase(), value]));
    const lengthText = headers.get('content-length') ?? '0';
    const length = /^\d{1,9}$/.test(lengthText) ? Number(lengthText) : 0;
    if (length > MAXIMUM_BODY_BYTES) return 'too-long';
    if (this.#buffer.length < end.next + length) return null;
    const body = length === 0 ? null : this.#buffer.toString('utf8', end.next, end.next + length);
    this.#buffer = this.#buffer.subarray(end.next + length);
    return { line, headers, headerList, body };
  }
}

/** LF LF or CRLF CRLF. */
function endOfHead(buffer: Buffer): { readonly at: number; readonly next: number } | null {
  const lf = buffer.indexOf('\n\n');
  const crlf = buffer.indexOf('\r\n\r\n');
  if (crlf >= 0 && (lf < 0 || crlf < lf)) return { at: crlf, next: crlf + 4 };
  return lf < 0 ? null : { at: lf, next: lf + 2 };
}
