/** Splits the bytes of a control connection into lines. */
export class ControlInput {
  readonly #maxLineBytes: number;
  #chunks: Buffer[] = [];
  #bytes = 0;
  #lines: string[] = [];

  constructor(maxLineBytes: number) {
    this.#maxLineBytes = maxLineBytes;
  }

  /** Takes a copy of `bytes`. False when a line is longer than allowed: the connection is of no more use. */
  push(bytes: Uint8Array): boolean {
    let start = 0;
    for (let end = bytes.indexOf(10); end >= 0; end = bytes.indexOf(10, start)) {
      this.#chunks.push(Buffer.from(bytes.subarray(start, end)));
      const line = Buffer.concat(this.#chunks);
      this.#chunks = [];
      this.#bytes = 0;
      if (line.length > this.#maxLineBytes) return false;
      this.#lines.push(line.toString('utf8'));
      start = end + 1;
    }
    if (start < bytes.length) {
      this.#chunks.push(Buffer.from(bytes.subarray(start)));
      this.#bytes += bytes.length - start;
    }
    return this.#bytes <= this.#maxLineBytes;
  }

  /** The next whole line, or null. */
  next(): string | null {
    return this.#lines.shift() ?? null;
  }
}
