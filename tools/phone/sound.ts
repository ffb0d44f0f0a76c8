/**
 * The sound that the simulated phones make: a G.711 µ-law tone whose first bytes name the stream and count its frames,
 * so that a receiver can tell whose sound it hears and how many frames never arrived.
 */

/** Bytes of one 20 ms PCMU frame. */
export const frameBytes = 160;

const magic = [0x55, 0x64, 0x50, 0x68] as const;
const framesPerSecond = 50;
const largestCounter = 1 << 24;

/** One linear 16-bit sample to µ-law (ITU-T G.711). */
function toMuLaw(sample: number): number {
  const sign = sample < 0 ? 0x80 : 0;
  const magnitude = Math.min(Math.abs(sample), 32635) + 132;
  const exponent = Math.max(0, 31 - Math.clz32(magnitude) - 7);
  const mantissa = (magnitude >> (exponent + 3)) & 0x0f;
  return ~(sign | (exponent << 4) | mantissa) & 0xff;
}

const linear = new Int16Array(256);
for (let byte = 0; byte < 256; byte += 1) {
  const inverted = ~byte & 0xff;
  const magnitude = ((((inverted & 0x0f) << 3) + 132) << ((inverted >> 4) & 0x07)) - 132;
  linear[byte] = (inverted & 0x80) === 0 ? magnitude : -magnitude;
}

/** One second of a tone, as 50 frames in a row; the frequency is a whole number of Hz so that it repeats without a click. */
function toneSecond(frequency: number, amplitude: number): Uint8Array {
  const samples = new Uint8Array(frameBytes * framesPerSecond);
  for (let index = 0; index < samples.length; index += 1) {
    samples[index] = toMuLaw(Math.round(amplitude * Math.sin((2 * Math.PI * frequency * index) / 8000)));
  }
  return samples;
}

export class Voice {
  readonly id: number;
  readonly #second: Uint8Array;
  readonly #marked: boolean;

  /** `marked` is false for conferences, where frames are mixed and a marker would be noise. */
  constructor(id: number, marked: boolean) {
    this.id = id;
    this.#marked = marked;
    this.#second = toneSecond(300 + ((id * 37) % 1500), 1500);
  }

  /** Writes frame number `counter` at `offset` of `target`. */
  writeFrame(target: Uint8Array, offset: number, counter: number): void {
    const from = (counter % framesPerSecond) * frameBytes;
    target.set(this.#second.subarray(from, from + frameBytes), offset);
    if (!this.#marked) return;
    for (let index = 0; index < 4; index += 1) target[offset + index] = magic[index as 0 | 1 | 2 | 3];
    writeSixBits(target, offset + 4, this.id, 3);
    writeSixBits(target, offset + 7, counter % largestCounter, 4);
  }
}

/** Six bits a byte plus one: never 0x7F or 0xFF, the two zeros of µ-law that a decoder may exchange. */
function writeSixBits(target: Uint8Array, offset: number, value: number, bytes: number): void {
  for (let index = 0; index < bytes; index += 1) target[offset + index] = ((value >> (6 * index)) & 0x3f) + 1;
}

function readSixBits(source: Uint8Array, offset: number, bytes: number): number {
  let value = 0;
  for (let index = 0; index < bytes; index += 1) value |= ((source[offset + index] ?? 0) - 1) << (6 * index);
  return value;
}

/** Stream and frame number of a marked frame, or `null` when it carries no marker. */
export function readMarker(packet: Uint8Array, offset: number): { id: number; counter: number } | null {
  for (let index = 0; index < 4; index += 1) if (packet[offset + index] !== magic[index as 0 | 1 | 2 | 3]) return null;
  return { id: readSixBits(packet, offset + 4, 3), counter: readSixBits(packet, offset + 7, 4) };
}

/** Root mean square of a µ-law frame in linear units (0…32767); below about 20 nothing is heard. */
export function loudness(packet: Uint8Array, offset: number, length: number): number {
  let sum = 0;
  for (let index = offset; index < offset + length; index += 1) {
    const sample = linear[packet[index] ?? 0xff] ?? 0;
    sum += sample * sample;
  }
  return length === 0 ? 0 : Math.sqrt(sum / length);
}
