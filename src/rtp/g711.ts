/**
 * ITU-T G.711. Samples are 16-bit linear; the codecs work on the upper 14 (µ-law) or 13 (A-law) bits.
 * Tables, because one is read for every sample of every call.
 */

const MU_LAW_BIAS = 0x84;
const MU_LAW_CLIP = 0x7fff - MU_LAW_BIAS;

function expandMuLaw(code: number): number {
  const inverted = ~code & 0xff;
  const magnitude = ((((inverted & 0x0f) << 3) + MU_LAW_BIAS) << ((inverted & 0x70) >> 4)) - MU_LAW_BIAS;
  return (inverted & 0x80) === 0 ? magnitude : -magnitude;
}

function expandALaw(code: number): number {
  const toggled = code ^ 0x55;
  const segment = (toggled & 0x70) >> 4;
  const mantissa = (toggled & 0x0f) << 4;
  const magnitude = segment === 0 ? mantissa + 8 : (mantissa + 0x108) << (segment - 1);
  return (toggled & 0x80) === 0 ? -magnitude : magnitude;
}

/** Position of the highest set bit; −1 for 0. */
function highestBit(value: number): number {
  return 31 - Math.clz32(value);
}

function saturate(sample: number): number {
  return sample > 32767 ? 32767 : sample < -32768 ? -32768 : sample | 0;
}

/** One linear sample (clipped to 16 bits) as µ-law. */
export function encodeMuLaw(sample: number): number {
  const linear = saturate(sample);
  const sign = linear < 0 ? 0x80 : 0;
  const biased = Math.min(linear < 0 ? -linear : linear, MU_LAW_CLIP) + MU_LAW_BIAS;
  const segment = highestBit(biased) - 7;
  return ~(sign | (segment << 4) | ((biased >> (segment + 3)) & 0x0f)) & 0xff;
}

/** One linear sample (clipped to 16 bits) as A-law. */
export function encodeALaw(sample: number): number {
  const linear = saturate(sample);
  const mask = linear < 0 ? 0x55 : 0xd5;
  const magnitude = (linear < 0 ? -linear - 1 : linear) >> 4;
  const segment = Math.max(0, highestBit(magnitude) - 3);
  const mantissa = segment < 2 ? magnitude & 0x0f : (magnitude >> (segment - 1)) & 0x0f;
  return ((segment << 4) | mantissa) ^ mask;
}

function table<Table extends Int16Array | Uint8Array>(result: Table, of: (code: number) => number): Table {
  for (let code = 0; code < 256; code++) result[code] = of(code);
  return result;
}

/** Linear 16-bit sample of each µ-law code. */
export const decodeMuLaw: Int16Array = table(new Int16Array(256), expandMuLaw);
/** Linear 16-bit sample of each A-law code. */
export const decodeALaw: Int16Array = table(new Int16Array(256), expandALaw);
/** A-law code nearest to each µ-law code. */
export const muLawToALaw: Uint8Array = table(new Uint8Array(256), (code) => encodeALaw(expandMuLaw(code)));
/** µ-law code nearest to each A-law code. */
export const aLawToMuLaw: Uint8Array = table(new Uint8Array(256), (code) => encodeMuLaw(expandALaw(code)));
