import { aLawToMuLaw, muLawToALaw } from '../rtp/index.ts';
import type { AudioFormat } from './protocol.ts';

const DROPPED = 255;

/** How packets of one format become packets of another: payload types, and the payload between the two G.711 laws. */
export class RelayPath {
  /** Nothing has to be changed. */
  readonly transparent: boolean;
  readonly #payloadTypes = Uint8Array.from({ length: 128 }, (_, index) => index);
  readonly #translated: number = -1;
  readonly #table: Uint8Array | null = null;

  constructor(from: AudioFormat | null, to: AudioFormat | null) {
    if (from !== null && to !== null) {
      const table = translation(from, to);
      const usable = table !== null || from.name.toUpperCase() === to.name.toUpperCase();
      this.#payloadTypes[from.payloadType] = usable ? to.payloadType : DROPPED;
      if (usable && table !== null) {
        this.#table = table;
        this.#translated = from.payloadType;
      }
      if (from.telephoneEvent !== null) this.#payloadTypes[from.telephoneEvent] = to.telephoneEvent ?? DROPPED;
    }
    this.transparent = this.#table === null && this.#payloadTypes.every((mapped, index) => mapped === index);
  }

  /** Changes a packet in place; false when it cannot be sent on. */
  apply(bytes: Uint8Array, offset: number, length: number): boolean {
    if (this.transparent) return true;
    const second = bytes[offset + 1] as number;
    const payloadType = second & 127;
    const mapped = this.#payloadTypes[payloadType] as number;
    if (mapped === DROPPED) return false;
    bytes[offset + 1] = (second & 128) | mapped;
    const table = this.#table;
    if (table !== null && payloadType === this.#translated) {
      const start = payloadStart(bytes, offset, length);
      const end = payloadEnd(bytes, offset, length);
      for (let index = start; index < end; index++) bytes[index] = table[bytes[index] as number] as number;
    }
    return true;
  }
}

/** Index of the first payload byte, past CSRCs and extension (RFC 3550, 5.1); the packet's end when it is malformed. */
export function payloadStart(bytes: Uint8Array, offset: number, length: number): number {
  const first = bytes[offset] as number;
  const end = offset + length;
  let start = offset + 12 + (first & 15) * 4;
  if ((first & 16) !== 0) {
    if (start + 4 > end) return end;
    start += 4 + 4 * (((bytes[start + 2] as number) << 8) | (bytes[start + 3] as number));
  }
  return Math.min(start, end);
}

/** Index behind the last payload byte: padding is not payload. */
export function payloadEnd(bytes: Uint8Array, offset: number, length: number): number {
  const end = offset + length;
  if (((bytes[offset] as number) & 32) === 0) return end;
  const padding = bytes[end - 1] as number;
  return padding <= length - 12 ? end - padding : end;
}

function translation(from: AudioFormat, to: AudioFormat): Uint8Array | null {
  if (from.clockRate !== to.clockRate) return null;
  const [source, target] = [from.name.toUpperCase(), to.name.toUpperCase()];
  if (source === 'PCMU' && target === 'PCMA') return muLawToALaw;
  if (source === 'PCMA' && target === 'PCMU') return aLawToMuLaw;
  return null;
}
