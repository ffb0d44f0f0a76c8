import { type PacketIo, type RtpSocket, wallMilliseconds } from './packet-io.ts';
import type { CallKind, Side, StreamReport } from './report.ts';
import { frameBytes, loudness, readMarker, Voice } from './sound.ts';

const headerBytes = 12;
const audibleLoudness = 30;
const timestampLeadLimit = 200;
const flowingWithin = 500;

function signed16(value: number): number {
  return (value << 16) >> 16;
}

/** One phone's RTP in both directions. */
export class Stream {
  readonly id: number;
  readonly kind: CallKind;
  readonly side: Side;
  readonly socket: RtpSocket;
  /** Whose sound must arrive; -1 while unknown, and always in conferences. */
  expectedId: number;
  remotePort = 0;
  sending = false;
  #io: PacketIo;
  #voice: Voice;
  #packet = new Uint8Array(headerBytes + frameBytes);
  #sequence: number;
  #timestamp: number;
  #frame = 0;

  #packetsOut = 0;
  #packetsIn = 0;
  #lostFrames = 0;
  #lostSequence = 0;
  #longestSilence = 0;
  #longestSilenceAt = 0;
  #lastArrival = 0;
  #ssrc = -1;
  #ssrcChanges = 0;
  #lastSequence = -1;
  #backward = 0;
  #duplicates = 0;
  #largestJump = 0;
  #lastTimestamp = 0;
  #timestampBackward = 0;
  #timestampAhead = 0;
  #largestLead = 0;
  #leadBase = Number.NaN;
  #unwrapped = 0;
  #lastCounter = -1;
  #wrongSound = 0;
  #silent = 0;
  #wrongPayloadType = 0;
  #wrongSource = 0;

  constructor(io: PacketIo, id: number, kind: CallKind, side: Side) {
    this.#io = io;
    this.id = id;
    this.kind = kind;
    this.side = side;
    this.socket = io.open();
    this.expectedId = kind === 'echo' ? id : -1;
    this.#voice = new Voice(id, kind !== 'conference');
    this.#sequence = Math.floor(Math.random() * 65536);
    this.#timestamp = Math.floor(Math.random() * 2 ** 32);
    this.#packet[0] = 0x80;
    new DataView(this.#packet.buffer).setUint32(8, Math.floor(Math.random() * 2 ** 32));
  }

  /** Where the switch wants our sound. */
  setRemote(ip: string, port: number, sending: boolean): void {
    this.#io.setRemote(this.socket, ip, port);
    this.remotePort = port;
    this.sending = sending && port !== 0;
  }

  sendFrame(): void {
    this.#sequence = (this.#sequence + 1) & 0xffff;
    this.#timestamp = (this.#timestamp + frameBytes) >>> 0;
    this.#frame += 1;
    if (!this.sending) return;
    const view = new DataView(this.#packet.buffer);
    view.setUint16(2, this.#sequence);
    view.setUint32(4, this.#timestamp);
    this.#voice.writeFrame(this.#packet, headerBytes, this.#frame);
    if (this.#io.send(this.socket, this.#packet)) this.#packetsOut += 1;
  }

  /** True when the packet was RTP (RTCP and noise are not counted). */
  hear(packet: Uint8Array, length: number, sourcePort: number, arrivedAt: number): boolean {
    const second = packet[1] ?? 0;
    if (length < headerBytes || (packet[0] ?? 0) >> 6 !== 2 || (second >= 192 && second <= 223)) return false;
    this.#packetsIn += 1;
    if (sourcePort !== this.remotePort) this.#wrongSource += 1;
    this.#measureSilence(arrivedAt);
    const view = new DataView(packet.buffer, packet.byteOffset, length);
    this.#checkNumbers(view.getUint32(8), view.getUint16(2), view.getUint32(4), arrivedAt);
    if ((second & 0x7f) !== 0) this.#wrongPayloadType += 1;
    else this.#checkSound(packet, length);
    return true;
  }

  #measureSilence(now: number): void {
    if (this.#lastArrival > 0 && now - this.#lastArrival > this.#longestSilence) {
      this.#longestSilence = now - this.#lastArrival;
      this.#longestSilenceAt = this.#lastArrival;
    }
    this.#lastArrival = now;
  }

  #checkNumbers(ssrc: number, sequence: number, timestamp: number, arrivedAt: number): void {
    if (this.#ssrc !== ssrc) {
      if (this.#ssrc >= 0) this.#ssrcChanges += 1;
      this.#ssrc = ssrc;
      this.#lastSequence = -1;
      this.#leadBase = Number.NaN;
    }
    if (this.#lastSequence < 0) {
      this.#lastSequence = sequence;
      this.#lastTimestamp = timestamp;
      this.#unwrapped = 0;
      this.#leadBase = arrivedAt;
      return;
    }
    const step = signed16(sequence - this.#lastSequence);
    if (step === 0) this.#duplicates += 1;
    if (step < 0) this.#backward += 1;
    if (step <= 0) return;
    this.#lostSequence += step - 1;
    this.#largestJump = Math.max(this.#largestJump, step);
    this.#lastSequence = sequence;
    const advance = (timestamp - this.#lastTimestamp) | 0;
    if (advance < 0) this.#timestampBackward += 1;
    this.#unwrapped += advance;
    this.#lastTimestamp = timestamp;
    const lead = this.#unwrapped / 8 - (arrivedAt - this.#leadBase);
    this.#largestLead = Math.max(this.#largestLead, lead);
    if (lead > timestampLeadLimit) this.#timestampAhead += 1;
  }

  #checkSound(packet: Uint8Array, length: number): void {
    if (length !== headerBytes + frameBytes) {
      this.#wrongSound += 1;
      return;
    }
    if (this.kind === 'conference') {
      if (loudness(packet, headerBytes, frameBytes) < audibleLoudness) this.#silent += 1;
      return;
    }
    const marker = readMarker(packet, headerBytes);
    if (marker === null || (this.expectedId >= 0 && marker.id !== this.expectedId)) {
      this.#wrongSound += 1;
      return;
    }
    if (this.#lastCounter >= 0 && marker.counter > this.#lastCounter) this.#lostFrames += marker.counter - this.#lastCounter - 1;
    if (this.#lastCounter >= 0 && marker.counter <= this.#lastCounter) this.#wrongSound += 1;
    this.#lastCounter = Math.max(this.#lastCounter, marker.counter);
  }

  /** What happened since the last call; a silence that still goes on counts. */
  report(): StreamReport {
    const now = wallMilliseconds();
    const open = this.#lastArrival === 0 ? 0 : now - this.#lastArrival;
    const running = open > this.#longestSilence;
    return {
      id: this.id,
      kind: this.kind,
      side: this.side,
      remotePort: this.remotePort,
      packetsOut: this.#packetsOut,
      packetsIn: this.#packetsIn,
      lostFrames: this.#lostFrames,
      lostSequenceNumbers: this.#lostSequence,
      longestSilenceMilliseconds: running ? open : this.#longestSilence,
      longestSilenceStartedAt: running ? this.#lastArrival : this.#longestSilenceAt,
      ssrc: this.#ssrc,
      ssrcChanges: this.#ssrcChanges,
      sequenceBackward: this.#backward,
      duplicates: this.#duplicates,
      largestSequenceJump: this.#largestJump,
      timestampBackward: this.#timestampBackward,
      timestampAhead: this.#timestampAhead,
      largestTimestampLeadMilliseconds: this.#largestLead,
      wrongSound: this.#wrongSound,
      silentFrames: this.#silent,
      wrongPayloadType: this.#wrongPayloadType,
      wrongSource: this.#wrongSource,
      flowing: this.#lastArrival > 0 && open < flowingWithin,
    };
  }

  /** Starts a new window; sequence, timestamp and SSRC are followed across windows. */
  resetWindow(): void {
    this.#packetsOut = 0;
    this.#packetsIn = 0;
    this.#lostFrames = 0;
    this.#lostSequence = 0;
    this.#longestSilence = 0;
    this.#longestSilenceAt = 0;
    this.#ssrcChanges = 0;
    this.#backward = 0;
    this.#duplicates = 0;
    this.#largestJump = 0;
    this.#timestampBackward = 0;
    this.#timestampAhead = 0;
    this.#largestLead = 0;
    this.#wrongSound = 0;
    this.#silent = 0;
    this.#wrongPayloadType = 0;
    this.#wrongSource = 0;
  }

  close(): void {
    this.sending = false;
    this.#io.close(this.socket);
  }
}
