import { UndropError } from '../base/index.ts';
import { decodeALaw, decodeMuLaw } from './g711.ts';
import { resample } from './resample.ts';

/** Half an hour of mono at 8 kHz, 16 bit, is 29 MB. */
export const MAXIMUM_WAV_BYTES = 256 * 1024 * 1024;

const FORMAT_PCM = 1;
const FORMAT_A_LAW = 6;
const FORMAT_MU_LAW = 7;
const FORMAT_EXTENSIBLE = 0xfffe;

interface WavFormat {
  readonly encoding: number;
  readonly channels: number;
  readonly sampleRate: number;
  readonly bitsPerSample: number;
}

/**
 * Reads a RIFF/WAVE file as mono samples at `sampleRate` Hz: PCM of 8, 16, 24 or 32 bits, A-law, µ-law; several
 * channels are mixed to one. A `data` chunk that ends early (a recording cut off by a crash) is read as far as it goes.
 * Throws `UndropError` (`WAV_DAMAGED`, `WAV_UNSUPPORTED`).
 */
export function readWav(bytes: Uint8Array, sampleRate: number): Int16Array {
  if (bytes.length > MAXIMUM_WAV_BYTES) throw unsupported(`${bytes.length} bytes are more than ${MAXIMUM_WAV_BYTES}`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < 12 || tag(bytes, 0) !== 'RIFF' || tag(bytes, 8) !== 'WAVE') throw damaged('it does not start with RIFF…WAVE');

  let format: WavFormat | null = null;
  let offset = 12;
  while (offset + 8 <= bytes.length) {
    const name = tag(bytes, offset);
    const size = view.getUint32(offset + 4, true);
    const start = offset + 8;
    if (name === 'fmt ') {
      format = readFormat(view, start, size);
    } else if (name === 'data') {
      if (format === null) throw damaged('its data chunk comes before the fmt chunk');
      const end = Math.min(bytes.length, start + size);
      return resample(readSamples(view, start, end, format), format.sampleRate, sampleRate);
    }
    // Chunks are padded to an even length.
    offset = start + size + (size & 1);
  }
  throw damaged(format === null ? 'it has no fmt chunk' : 'it has no data chunk');
}

function readFormat(view: DataView, start: number, size: number): WavFormat {
  if (size < 16 || start + 16 > view.byteLength) throw damaged('its fmt chunk is cut short');
  const declared = view.getUint16(start, true);
  const extensible = declared === FORMAT_EXTENSIBLE;
  if (extensible && (size < 26 || start + 26 > view.byteLength)) throw damaged('its extensible fmt chunk is cut short');
  const encoding = extensible ? view.getUint16(start + 24, true) : declared;
  const channels = view.getUint16(start + 2, true);
  const sampleRate = view.getUint32(start + 4, true);
  const bitsPerSample = view.getUint16(start + 14, true);
  if (channels < 1 || channels > 8) throw unsupported(`${channels} channels (1 to 8 are read)`);
  if (sampleRate < 4000 || sampleRate > 192_000) throw unsupported(`sample rate ${sampleRate} Hz (4000 to 192000 are read)`);
  const known =
    (encoding === FORMAT_PCM && [8, 16, 24, 32].includes(bitsPerSample)) ||
    ((encoding === FORMAT_A_LAW || encoding === FORMAT_MU_LAW) && bitsPerSample === 8);
  if (!known) throw unsupported(`encoding ${encoding} with ${bitsPerSample} bits (PCM of 8, 16, 24, 32 bits, A-law and µ-law are read)`);
  return { encoding, channels, sampleRate, bitsPerSample };
}

function readSamples(view: DataView, start: number, end: number, format: WavFormat): Int16Array {
  const width = format.bitsPerSample / 8;
  const frameLength = width * format.channels;
  const frames = Math.max(0, Math.floor((end - start) / frameLength));
  const sampleAt = sampleReader(view, format);
  const samples = new Int16Array(frames);
  for (let frame = 0; frame < frames; frame++) {
    let sum = 0;
    for (let channel = 0; channel < format.channels; channel++) sum += sampleAt(start + frame * frameLength + channel * width);
    samples[frame] = Math.round(sum / format.channels);
  }
  return samples;
}

function sampleReader(view: DataView, format: WavFormat): (offset: number) => number {
  if (format.encoding === FORMAT_A_LAW) return (offset) => decodeALaw[view.getUint8(offset)] ?? 0;
  if (format.encoding === FORMAT_MU_LAW) return (offset) => decodeMuLaw[view.getUint8(offset)] ?? 0;
  switch (format.bitsPerSample) {
    case 8:
      return (offset) => (view.getUint8(offset) - 128) << 8;
    case 16:
      return (offset) => view.getInt16(offset, true);
    // Little endian: the upper 16 of 24 or 32 bits are the last two bytes.
    case 24:
      return (offset) => view.getInt16(offset + 1, true);
    default:
      return (offset) => view.getInt16(offset + 2, true);
  }
}

function tag(bytes: Uint8Array, offset: number): string {
  return String.fromCharCode(...bytes.subarray(offset, offset + 4));
}

function damaged(problem: string): UndropError {
  return new UndropError('WAV_DAMAGED', `the WAV file is damaged: ${problem}`, { fix: 'write the file again as 16-bit PCM' });
}

function unsupported(problem: string): UndropError {
  return new UndropError('WAV_UNSUPPORTED', `the WAV file cannot be played: ${problem}`, {
    fix: 'convert it to 16-bit PCM, mono, 8000 Hz',
  });
}
