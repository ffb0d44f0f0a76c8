import { decodeMuLaw } from '../../src/rtp/index.ts';
import { missing, Program } from './program.ts';

const headerBytes = 12;

/** Records the PCMU that the wire carries, whatever the program at its end does with it. */
export class SoundCapture {
  static readonly missing = missing('tshark');
  readonly #tshark: Program;
  readonly #packets: { readonly at: number; readonly payload: Uint8Array }[] = [];

  private constructor(filter: string, directory: string) {
    const words = ['-i', 'lo', '-l', '-n', '-f', filter, '-T', 'fields', '-e', 'frame.time_epoch', '-e', 'udp.payload'];
    this.#tshark = new Program('tshark', words, directory, (line) => this.#take(line));
  }

  /** Begins to capture what a libpcap filter lets through on the loopback interface; give it `ready()` before the call. */
  static start(filter: string, directory: string): SoundCapture {
    return new SoundCapture(filter, directory);
  }

  async ready(): Promise<void> {
    await this.#tshark.waitOutput(/Capturing on/, 20_000);
  }

  async end(): Promise<void> {
    await this.#tshark.end();
  }

  /** Samples that arrived after that time (milliseconds since the epoch). */
  heardAfter(milliseconds: number): Int16Array {
    const samples: number[] = [];
    for (const { at, payload } of this.#packets) {
      if (at <= milliseconds) continue;
      for (const byte of payload) samples.push(decodeMuLaw[byte] ?? 0);
    }
    return Int16Array.from(samples);
  }

  #take(line: string): void {
    const [time, hex] = line.split('\t');
    const bytes = Buffer.from((hex ?? '').replaceAll(':', ''), 'hex');
    const isPcmu = bytes.length > headerBytes && (bytes[0] ?? 0) >> 6 === 2 && ((bytes[1] ?? 0xff) & 0x7f) === 0;
    if (isPcmu) this.#packets.push({ at: Number(time) * 1000, payload: bytes.subarray(headerBytes) });
  }
}
