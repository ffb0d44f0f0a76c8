import { encodeFrame, FRAME_SAMPLES, type G711Codec } from './g711-codec.ts';

/** What a member's jitter buffer holds at most. A power of two. */
const RING_SAMPLES = 2048;
/** Playout delay after the first packet: two frames. */
const DELAY_SAMPLES = 2 * FRAME_SAMPLES;
/** More than this waiting is too late to be a conversation: one frame is skipped. */
const MAX_WAITING_SAMPLES = 5 * FRAME_SAMPLES;
/** Mean amplitude of speech (of 32767). */
const SPEECH_LEVEL = 300;
/** A louder speaker takes the floor when the holder is this much quieter. */
const FLOOR_RATIO = 2;
/** Weight of the newest frame in a member's level: about 200 ms. */
const LEVEL_WEIGHT = 0.1;

/** One member's jitter buffer: a ring of samples addressed by RTP timestamp. */
export class MemberInput {
  readonly #ring = new Int16Array(RING_SAMPLES);
  readonly frame = new Int16Array(FRAME_SAMPLES);
  #readAt = 0;
  #writtenTo = 0;
  #started = false;
  #ssrc = 0;

  /** Takes the payload of one packet. */
  push(codec: G711Codec, bytes: Uint8Array, start: number, end: number, ssrc: number, timestamp: number): void {
    const count = end - start;
    if (count <= 0 || count > RING_SAMPLES / 2) return;
    const ahead = (timestamp - this.#readAt) | 0;
    if (!this.#started || ssrc !== this.#ssrc || ahead < -RING_SAMPLES || ahead + count > RING_SAMPLES) {
      this.#ring.fill(0);
      this.#readAt = (timestamp - DELAY_SAMPLES) >>> 0;
      this.#writtenTo = timestamp;
      this.#ssrc = ssrc;
      this.#started = true;
    }
    const decode = codec.decode;
    for (let index = 0; index < count; index++) {
      const at = (timestamp + index) >>> 0;
      if (((at - this.#readAt) | 0) < 0) continue;
      this.#ring[at & (RING_SAMPLES - 1)] = decode[bytes[start + index] as number] as number;
    }
    const end32 = (timestamp + count) >>> 0;
    if (((end32 - this.#writtenTo) | 0) > 0) this.#writtenTo = end32;
  }

  /** Takes the next 20 ms into `frame`; false when nothing was there. */
  pull(): boolean {
    if (!this.#started) return false;
    const waiting = (this.#writtenTo - this.#readAt) | 0;
    if (waiting <= 0) {
      // Starved: the next packet starts again with the full delay.
      this.#started = false;
      return false;
    }
    if (waiting > MAX_WAITING_SAMPLES) this.#skip();
    const ring = this.#ring;
    for (let index = 0; index < FRAME_SAMPLES; index++) {
      const at = (this.#readAt + index) & (RING_SAMPLES - 1);
      this.frame[index] = ring[at] as number;
      ring[at] = 0;
    }
    this.#readAt = (this.#readAt + FRAME_SAMPLES) >>> 0;
    return true;
  }

  #skip(): void {
    for (let index = 0; index < FRAME_SAMPLES; index++) this.#ring[(this.#readAt + index) & (RING_SAMPLES - 1)] = 0;
    this.#readAt = (this.#readAt + FRAME_SAMPLES) >>> 0;
  }
}

/** A member as the mixer sees it. */
export interface RoomMember {
  readonly memberId: number;
  readonly muted: boolean;
  readonly deaf: boolean;
  readonly codec: G711Codec | null;
  readonly input: MemberInput | null;
}

interface Seat<Member extends RoomMember> {
  readonly member: Member;
  level: number;
  speaking: boolean;
}

/** Mixes a room, 20 ms at a time: each member hears the sum of the others. */
export class ConferenceRoom<Member extends RoomMember> {
  readonly name: string;
  readonly #seats = new Map<Member, Seat<Member>>();
  readonly #sum = new Int32Array(FRAME_SAMPLES);
  readonly #own = new Int32Array(FRAME_SAMPLES);
  readonly #payload = new Uint8Array(FRAME_SAMPLES);
  readonly #shared = new Map<G711Codec, Uint8Array>();
  readonly #sharedPayloads = [new Uint8Array(FRAME_SAMPLES), new Uint8Array(FRAME_SAMPLES)];
  #floor: Member | null = null;
  #toldFloor: number | null = null;

  constructor(name: string) {
    this.name = name;
  }

  get size(): number {
    return this.#seats.size;
  }

  join(member: Member): void {
    this.#seats.set(member, { member, level: 0, speaking: false });
  }

  leave(member: Member): void {
    this.#seats.delete(member);
    if (this.#floor === member) this.#floor = null;
  }

  /** The holder of the floor if it changed since the last call, else undefined. */
  floorChange(): number | null | undefined {
    const floor = this.#floor?.memberId ?? null;
    if (floor === this.#toldFloor) return undefined;
    this.#toldFloor = floor;
    return floor;
  }

  /** One frame for each member that listens; the payload is lent for the time of the call. */
  mix(send: (member: Member, payload: Uint8Array) => void): void {
    const sum = this.#sum.fill(0);
    for (const seat of this.#seats.values()) {
      const { member } = seat;
      const { input } = member;
      const heard = input?.pull() === true && !member.muted;
      seat.speaking = heard;
      const level = heard && input !== null ? add(sum, input.frame) : 0;
      seat.level += (level - seat.level) * LEVEL_WEIGHT;
    }
    this.#giveFloor();
    this.#shared.clear();
    for (const seat of this.#seats.values()) {
      const { member } = seat;
      if (member.codec === null || member.deaf) continue;
      send(member, seat.speaking && member.input !== null ? this.#without(member.input, member.codec) : this.#whole(member.codec));
    }
  }

  #without(input: MemberInput, codec: G711Codec): Uint8Array {
    const own = this.#own;
    for (let index = 0; index < FRAME_SAMPLES; index++) own[index] = (this.#sum[index] as number) - (input.frame[index] as number);
    encodeFrame(codec, own, this.#payload, 0);
    return this.#payload;
  }

  /** Those who say nothing all hear the same. */
  #whole(codec: G711Codec): Uint8Array {
    let payload = this.#shared.get(codec);
    if (payload === undefined) {
      payload = this.#sharedPayloads[this.#shared.size] ?? new Uint8Array(FRAME_SAMPLES);
      encodeFrame(codec, this.#sum, payload, 0);
      this.#shared.set(codec, payload);
    }
    return payload;
  }

  /** The loudest speaker takes the floor; its holder keeps it through pauses until another speaks. */
  #giveFloor(): void {
    let loudest: Seat<Member> | null = null;
    for (const seat of this.#seats.values()) {
      if (!seat.member.muted && seat.level > SPEECH_LEVEL && (loudest === null || seat.level > loudest.level)) loudest = seat;
    }
    const holder = this.#floor === null ? undefined : this.#seats.get(this.#floor);
    if (holder?.member.muted) this.#floor = null;
    if (loudest === null || loudest.member === this.#floor) return;
    if (this.#floor === null || holder === undefined || holder.level * FLOOR_RATIO < loudest.level) this.#floor = loudest.member;
  }
}

/** Adds a frame to the sum; returns its mean amplitude. */
function add(sum: Int32Array, frame: Int16Array): number {
  let amplitude = 0;
  for (let index = 0; index < FRAME_SAMPLES; index++) {
    const sample = frame[index] as number;
    sum[index] = (sum[index] as number) + sample;
    amplitude += sample < 0 ? -sample : sample;
  }
  return amplitude / FRAME_SAMPLES;
}
