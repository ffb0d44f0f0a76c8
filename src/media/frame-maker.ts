import { assert, type Clock } from '../base/index.ts';
import { ConferenceRoom } from './conference-room.ts';
import { CLOSED, type Endpoint, MODE_RELAY } from './endpoint.ts';
import type { EndpointOutput } from './endpoint-output.ts';
import { encodeFrame, FRAME_MILLISECONDS, FRAME_SAMPLES } from './g711-codec.ts';
import type { Journal } from './journal.ts';
import type { Playback } from './playback.ts';
import type { MediaEvent } from './protocol.ts';
import { RTP_HEADER_BYTES, writeHeader } from './rtp-bytes.ts';

/** Frames made up for after a late tick; beyond that time is skipped, since a burst would only fill jitter buffers. */
const MAX_CATCH_UP_FRAMES = 5;
/** While the partner's packets flow at least so often, digits take their place instead of a stream of our own. */
const RELAY_FLOW_MILLISECONDS = 100;

/** Makes the streams that come from us, a frame each 20 ms: playbacks, digits, conferences. */
export class FrameMaker {
  /** Monotonic milliseconds of the next frame; Infinity when nothing is made. */
  nextFrameAt = Number.POSITIVE_INFINITY;
  readonly #output: EndpointOutput;
  readonly #clock: Pick<Clock, 'now' | 'wallMicroseconds'>;
  readonly #journal: Journal;
  readonly #emit: (event: MediaEvent) => void;
  readonly #rooms = new Map<string, ConferenceRoom<Endpoint>>();
  /** Endpoints that play or send digits. */
  readonly #generators = new Set<Endpoint>();
  readonly #packet = new Uint8Array(RTP_HEADER_BYTES + FRAME_SAMPLES);
  readonly #samples = new Int16Array(FRAME_SAMPLES);
  readonly #sendMixed: (endpoint: Endpoint, payload: Uint8Array) => void;
  /** Nominal time of the frame that is made. */
  #frameNow = 0;

  constructor(output: EndpointOutput, clock: Pick<Clock, 'now' | 'wallMicroseconds'>, journal: Journal, emit: (event: MediaEvent) => void) {
    this.#output = output;
    this.#clock = clock;
    this.#journal = journal;
    this.#emit = emit;
    this.#sendMixed = (endpoint, payload) => {
      if (endpoint.sendingDigit) return;
      this.#packet.set(payload, RTP_HEADER_BYTES);
      this.#sendAudio(endpoint);
    };
  }

  /** Takes an endpoint in that has something to play or digits to send. */
  generate(endpoint: Endpoint): void {
    this.#generators.add(endpoint);
    this.#start();
  }

  join(endpoint: Endpoint, roomName: string): void {
    let room = this.#rooms.get(roomName);
    if (room === undefined) {
      room = new ConferenceRoom(roomName);
      this.#rooms.set(roomName, room);
    }
    room.join(endpoint);
    this.#start();
  }

  leave(endpoint: Endpoint, roomName: string): void {
    const room = this.#rooms.get(roomName);
    if (room === undefined) return;
    room.leave(endpoint);
    this.#tellFloor(room);
    if (room.size === 0) this.#rooms.delete(roomName);
  }

  forget(endpoint: Endpoint): void {
    this.#generators.delete(endpoint);
  }

  /** Makes the frames that are due at `now` (monotonic milliseconds). */
  make(now: number): void {
    let frames = 0;
    while (this.nextFrameAt <= now) {
      if (++frames > MAX_CATCH_UP_FRAMES) {
        this.nextFrameAt = now + FRAME_MILLISECONDS;
        break;
      }
      this.#frameNow = this.nextFrameAt;
      this.nextFrameAt += FRAME_MILLISECONDS;
      for (const endpoint of this.#generators) this.#generateFrame(endpoint);
      for (const room of this.#rooms.values()) {
        room.mix(this.#sendMixed);
        this.#tellFloor(room);
      }
    }
    if (this.#generators.size === 0 && this.#rooms.size === 0) this.nextFrameAt = Number.POSITIVE_INFINITY;
  }

  #generateFrame(endpoint: Endpoint): void {
    endpoint.sendingDigit = !endpoint.sender.idle && this.#sendDigitFrame(endpoint);
    if (endpoint.playback !== null) this.#play(endpoint, endpoint.playback);
    if (endpoint.playback === null && endpoint.sender.idle) {
      endpoint.sendingDigit = false;
      this.#generators.delete(endpoint);
    }
  }

  #play(endpoint: Endpoint, playback: Playback): void {
    if (!playback.read(this.#samples)) {
      this.#finishPlayback(endpoint);
      return;
    }
    this.#journal.writePlayPosition(endpoint.slot, playback.positionMilliseconds);
    if (endpoint.codec === null || endpoint.sendingDigit) return;
    encodeFrame(endpoint.codec, this.#samples, this.#packet, RTP_HEADER_BYTES);
    this.#sendAudio(endpoint);
  }

  #finishPlayback(endpoint: Endpoint): void {
    assert(endpoint.state.mode.kind === 'play', 'only an endpoint that plays has a playback');
    endpoint.playback = null;
    endpoint.playFinished = true;
    endpoint.spurt = true;
    this.#emit({ kind: 'played', id: endpoint.state.id, playId: endpoint.state.mode.playId });
    this.#output.save(endpoint);
  }

  #sendDigitFrame(endpoint: Endpoint): boolean {
    const { format } = endpoint.state;
    const flowing = endpoint.mode === MODE_RELAY && this.#frameNow - endpoint.relayedAt < RELAY_FLOW_MILLISECONDS;
    if (flowing || format === null || format.telephoneEvent === null) return false;
    if (!endpoint.sender.next(this.#packet, RTP_HEADER_BYTES, format.clockRate)) return false;
    if (endpoint.sender.first) endpoint.sender.timestamp = endpoint.stream.timestampAt(this.#frameNow);
    this.#sendOwn(endpoint, format.telephoneEvent, endpoint.sender.first, endpoint.sender.timestamp, 4);
    endpoint.spurt = true;
    return true;
  }

  /** Sends the G.711 frame that lies in `#packet`. */
  #sendAudio(endpoint: Endpoint): void {
    const { format } = endpoint.state;
    if (format === null) return;
    this.#sendOwn(endpoint, format.payloadType, endpoint.spurt, endpoint.stream.timestampAt(this.#frameNow), FRAME_SAMPLES);
    endpoint.spurt = false;
  }

  #sendOwn(endpoint: Endpoint, payloadType: number, marker: boolean, timestamp: number, payloadBytes: number): void {
    if (!endpoint.send || endpoint.source.port === 0 || endpoint.rtpSocket === CLOSED) {
      endpoint.spurt = true;
      return;
    }
    const { stream } = endpoint;
    const now = this.#clock.now();
    const wall = this.#clock.wallMicroseconds();
    if (stream.needsReserve()) this.#output.reserve(endpoint, timestamp, wall - (now - this.#frameNow) * 1000);
    const sequence = stream.advance(timestamp, this.#frameNow, payloadBytes);
    writeHeader(this.#packet, payloadType, marker, sequence, timestamp, stream.ssrc);
    this.#output.transmit(endpoint, this.#packet, 0, RTP_HEADER_BYTES + payloadBytes, wall);
  }

  #tellFloor(room: ConferenceRoom<Endpoint>): void {
    const memberId = room.floorChange();
    if (memberId !== undefined) this.#emit({ kind: 'floor', room: room.name, memberId });
  }

  #start(): void {
    if (this.nextFrameAt === Number.POSITIVE_INFINITY) this.nextFrameAt = this.#clock.now();
  }
}
