import { readWav, ToneScript } from '../rtp/index.ts';
import type { PlaySource } from './protocol.ts';

const SAMPLE_RATE = 8000;
/** Largest WAV file that is played; reading blocks the packet loop for about a millisecond a megabyte. */
export const MAX_PLAY_FILE_BYTES = 32 * 1024 * 1024;
/** Decoded WAV files kept for the next playback. */
export const MAX_CACHED_SAMPLES = 8 * 1024 * 1024;

/** Decoded WAV files, the least recently used dropped first. */
export class WavCache {
  readonly #readFile: (path: string, maxBytes: number) => Uint8Array;
  readonly #files = new Map<string, Int16Array>();
  #samples = 0;

  constructor(readFile: (path: string, maxBytes: number) => Uint8Array) {
    this.#readFile = readFile;
  }

  /** Throws what reading or decoding threw. */
  load(path: string): Int16Array {
    const known = this.#files.get(path);
    if (known !== undefined) {
      this.#files.delete(path);
      this.#files.set(path, known);
      return known;
    }
    const samples = readWav(this.#readFile(path, MAX_PLAY_FILE_BYTES), SAMPLE_RATE);
    this.#files.set(path, samples);
    this.#samples += samples.length;
    for (const [oldest, old] of this.#files) {
      if (this.#samples <= MAX_CACHED_SAMPLES || oldest === path) break;
      this.#files.delete(oldest);
      this.#samples -= old.length;
    }
    return samples;
  }
}

/** A tone or a file that is played, at 8 kHz. */
export class Playback {
  readonly #samples: Int16Array | null;
  readonly #tone: ToneScript | null;
  /** Samples of one loop; Infinity for an endless tone. */
  readonly #length: number;
  readonly #loops: number;
  #position: number;

  /** Throws when the source cannot be read. `loops` −1 is endless, 0 and 1 are once. */
  constructor(source: PlaySource, loops: number, positionMilliseconds: number, cache: WavCache) {
    this.#samples = source.kind === 'file' ? cache.load(source.path) : null;
    this.#tone = source.kind === 'tone' ? new ToneScript(source.script, SAMPLE_RATE) : null;
    this.#length = this.#samples?.length ?? this.#tone?.lengthSamples ?? Number.POSITIVE_INFINITY;
    this.#loops = loops < 0 ? Number.POSITIVE_INFINITY : Math.max(1, loops);
    this.#position = Math.max(0, Math.round((positionMilliseconds * SAMPLE_RATE) / 1000));
  }

  get positionMilliseconds(): number {
    return (this.#position * 1000) / SAMPLE_RATE;
  }

  /** Fills `into` (silence behind the end); false when the end was reached before it. */
  read(into: Int16Array): boolean {
    let filled = 0;
    while (filled < into.length) {
      if (this.#length === 0 || this.#position >= this.#length * this.#loops) break;
      const at = this.#length === Number.POSITIVE_INFINITY ? this.#position : this.#position % this.#length;
      const wanted = Math.min(into.length - filled, this.#length - at);
      const part = into.subarray(filled, filled + wanted);
      if (this.#samples !== null) part.set(this.#samples.subarray(at, at + wanted));
      else this.#tone?.read(part, at);
      filled += wanted;
      this.#position += wanted;
    }
    into.fill(0, filled);
    return filled > 0;
  }
}
