import type { Address } from '../base/index.ts';
import type { AudioFormat, EndpointMode, EndpointState, PlaySource } from './protocol.ts';

/** Longest text that a record has room for, in UTF-8 bytes. */
export const MAX_ID_BYTES = 64;
export const MAX_ROOM_BYTES = 128;
export const MAX_SOURCE_BYTES = 255;
/** Room for one encoded endpoint. */
export const MAX_RECORD_BYTES = 692;

/** How an echoed stream is derived from the peer's: SSRC ours, sequence and timestamp the peer's plus a constant. */
export interface EchoConstants {
  readonly peerSsrc: number;
  readonly sequenceOffset: number;
  readonly timestampOffset: number;
}

/** What changes rarely, written as a whole. */
export interface SavedEndpoint {
  readonly state: EndpointState;
  readonly learned: Address | null;
  readonly learnedRtcp: Address | null;
  readonly echo: EchoConstants | null;
  /** The playback in `state.mode` has come to its end. */
  readonly playFinished: boolean;
}

const RECORD_VERSION = 1;

/** Encodes into `into` from `at`; returns the number of bytes. Throws `RangeError` when it does not fit. */
export function encodeRecord(saved: SavedEndpoint, into: Uint8Array, at: number): number {
  const writer = new Writer(into, at, at + MAX_RECORD_BYTES);
  const { state } = saved;
  writer.uint8(RECORD_VERSION);
  writer.uint8((state.send ? 1 : 0) | (state.receive ? 2 : 0) | (saved.playFinished ? 4 : 0));
  writer.text(state.id, MAX_ID_BYTES);
  writer.text(state.localIp, MAX_ID_BYTES);
  writer.uint32(state.localPort);
  writer.address(state.remote);
  writer.address(state.remoteRtcp);
  writer.address(state.learned);
  writer.address(saved.learned);
  writer.address(saved.learnedRtcp);
  writer.uint32(state.ssrc);
  writer.float64(state.rtpTimeout);
  writer.format(state.format);
  writer.uint8(saved.echo === null ? 0 : 1);
  if (saved.echo !== null) {
    writer.uint32(saved.echo.peerSsrc);
    writer.uint32(saved.echo.sequenceOffset);
    writer.uint32(saved.echo.timestampOffset);
  }
  writer.mode(state.mode);
  return writer.position - at;
}

/** Reads back what `encodeRecord` wrote; null for a version or shape that this release does not know. */
export function decodeRecord(bytes: Uint8Array, at: number, length: number): SavedEndpoint | null {
  try {
    return decode(new Reader(bytes, at, at + length));
  } catch (error) {
    if (error instanceof RangeError) return null;
    throw error;
  }
}

function decode(reader: Reader): SavedEndpoint | null {
  if (reader.uint8() !== RECORD_VERSION) return null;
  const flags = reader.uint8();
  const id = reader.text();
  const localIp = reader.text();
  const localPort = reader.uint32();
  const remote = reader.address();
  const remoteRtcp = reader.address();
  const givenLearned = reader.address();
  const learned = reader.address();
  const learnedRtcp = reader.address();
  const ssrc = reader.uint32();
  const rtpTimeout = reader.float64();
  const format = reader.format();
  const echo =
    reader.uint8() === 0 ? null : { peerSsrc: reader.uint32(), sequenceOffset: reader.uint32(), timestampOffset: reader.uint32() };
  const mode = reader.mode();
  const state: EndpointState = {
    id,
    localIp,
    localPort,
    remote,
    remoteRtcp,
    learned: givenLearned,
    format,
    ssrc,
    send: (flags & 1) !== 0,
    receive: (flags & 2) !== 0,
    rtpTimeout,
    mode,
  };
  return { state, learned, learnedRtcp, echo, playFinished: (flags & 4) !== 0 };
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

class Writer {
  position: number;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #end: number;

  constructor(bytes: Uint8Array, position: number, end: number) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.position = position;
    this.#end = end;
  }

  uint8(value: number): void {
    this.#view.setUint8(this.#take(1), value);
  }

  uint32(value: number): void {
    this.#view.setUint32(this.#take(4), value);
  }

  float64(value: number): void {
    this.#view.setFloat64(this.#take(8), value);
  }

  text(value: string, maxBytes: number): void {
    const encoded = encoder.encode(value);
    if (encoded.length > maxBytes) throw new RangeError(`"${value.slice(0, 40)}" is longer than ${maxBytes} bytes`);
    this.uint8(encoded.length);
    this.#bytes.set(encoded, this.#take(encoded.length));
  }

  address(value: Address | null): void {
    this.text(value === null ? '' : value.ip, MAX_ID_BYTES);
    if (value !== null) this.uint32(value.port);
  }

  format(value: AudioFormat | null): void {
    this.text(value === null ? '' : value.name, 32);
    if (value === null) return;
    this.uint8(value.payloadType);
    this.uint32(value.clockRate);
    this.uint8(value.packetTime);
    this.uint8(value.telephoneEvent ?? 255);
  }

  mode(mode: EndpointMode): void {
    switch (mode.kind) {
      case 'idle':
        this.uint8(0);
        return;
      case 'relay':
        this.uint8(1);
        this.text(mode.partner, MAX_ID_BYTES);
        return;
      case 'echo':
        this.uint8(2);
        return;
      case 'conference':
        this.uint8(3);
        this.text(mode.room, MAX_ROOM_BYTES);
        this.float64(mode.memberId);
        this.uint8((mode.muted ? 1 : 0) | (mode.deaf ? 2 : 0));
        return;
      case 'play':
        this.uint8(4);
        this.text(mode.playId, MAX_ID_BYTES);
        this.float64(mode.loops);
        this.float64(mode.position);
        this.uint8(mode.source.kind === 'tone' ? 0 : 1);
        this.text(mode.source.kind === 'tone' ? mode.source.script : mode.source.path, MAX_SOURCE_BYTES);
    }
  }

  #take(count: number): number {
    const at = this.position;
    if (at + count > this.#end) throw new RangeError('the endpoint does not fit into a journal record');
    this.position = at + count;
    return at;
  }
}

class Reader {
  #position: number;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #end: number;

  constructor(bytes: Uint8Array, position: number, end: number) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#position = position;
    this.#end = end;
  }

  uint8(): number {
    return this.#view.getUint8(this.#take(1));
  }

  uint32(): number {
    return this.#view.getUint32(this.#take(4));
  }

  float64(): number {
    return this.#view.getFloat64(this.#take(8));
  }

  text(): string {
    const length = this.uint8();
    const at = this.#take(length);
    return decoder.decode(this.#bytes.subarray(at, at + length));
  }

  address(): Address | null {
    const ip = this.text();
    return ip === '' ? null : { ip, port: this.uint32() };
  }

  format(): AudioFormat | null {
    const name = this.text();
    if (name === '') return null;
    const payloadType = this.uint8();
    const clockRate = this.uint32();
    const packetTime = this.uint8();
    const telephoneEvent = this.uint8();
    return { payloadType, name, clockRate, packetTime, telephoneEvent: telephoneEvent === 255 ? null : telephoneEvent };
  }

  mode(): EndpointMode {
    const kind = this.uint8();
    switch (kind) {
      case 0:
        return { kind: 'idle' };
      case 1:
        return { kind: 'relay', partner: this.text() };
      case 2:
        return { kind: 'echo' };
      case 3: {
        const room = this.text();
        const memberId = this.float64();
        const flags = this.uint8();
        return { kind: 'conference', room, memberId, muted: (flags & 1) !== 0, deaf: (flags & 2) !== 0 };
      }
      case 4: {
        const playId = this.text();
        const loops = this.float64();
        const position = this.float64();
        const tone = this.uint8() === 0;
        const text = this.text();
        const source: PlaySource = tone ? { kind: 'tone', script: text } : { kind: 'file', path: text };
        return { kind: 'play', playId, source, loops, position };
      }
      default:
        throw new RangeError(`unknown mode ${kind}`);
    }
  }

  #take(count: number): number {
    const at = this.#position;
    if (at + count > this.#end) throw new RangeError('record too short');
    this.#position = at + count;
    return at;
  }
}
