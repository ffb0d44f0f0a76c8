import { decodeALaw, decodeMuLaw, encodeALaw, encodeMuLaw } from '../rtp/index.ts';
import type { AudioFormat } from './protocol.ts';

/** Samples of a 20 ms frame at 8 kHz. */
export const FRAME_SAMPLES = 160;
export const FRAME_MILLISECONDS = 20;

export interface G711Codec {
  readonly decode: Int16Array;
  /** Index: sample + 32768. */
  readonly encode: Uint8Array;
}

const codecs = new Map<string, G711Codec>();

/** The G.711 law of a format, or null for any other codec. Tables are made when first needed. */
export function g711Of(format: AudioFormat | null): G711Codec | null {
  if (format === null || format.clockRate !== 8000) return null;
  const name = format.name.toUpperCase();
  if (name !== 'PCMU' && name !== 'PCMA') return null;
  let codec = codecs.get(name);
  if (codec === undefined) {
    const encodeSample = name === 'PCMU' ? encodeMuLaw : encodeALaw;
    codec = {
      decode: name === 'PCMU' ? decodeMuLaw : decodeALaw,
      encode: Uint8Array.from({ length: 65536 }, (_, index) => encodeSample(index - 32768)),
    };
    codecs.set(name, codec);
  }
  return codec;
}

/** Encodes `FRAME_SAMPLES` samples, saturated to 16 bits. */
export function encodeFrame(codec: G711Codec, samples: Int16Array | Int32Array, into: Uint8Array, offset: number): void {
  const { encode } = codec;
  for (let index = 0; index < FRAME_SAMPLES; index++) {
    const sample = samples[index] as number;
    into[offset + index] = encode[sample > 32767 ? 65535 : sample < -32768 ? 0 : sample + 32768] as number;
  }
}
