import { eventOfDigit, MAXIMUM_TELEPHONE_EVENT_DURATION, TELEPHONE_EVENT_END_REPEATS, writeTelephoneEvent } from '../rtp/index.ts';

/** Digits that wait to be sent through one endpoint. */
export const MAX_QUEUED_DIGITS = 64;
/** Silence between two digits. */
const PAUSE_MILLISECONDS = 60;
const PACKET_MILLISECONDS = 20;
const VOLUME = 10;

/** Makes the packets of queued digits, one each 20 ms (RFC 4733, 2.5.1). */
export class TelephoneEventSender {
  readonly #queue: { event: number; ticks: number }[] = [];
  #elapsed = 0;
  #ends = 0;
  #pause = 0;
  /** RTP timestamp of the digit that is sent. */
  timestamp = 0;
  /** The packet written last is the first of its digit. */
  first = false;

  get idle(): boolean {
    return this.#queue.length === 0 && this.#pause <= 0;
  }

  /** False when the digits are not sendable or too many wait. */
  add(digits: string, durationMilliseconds: number): boolean {
    const events: number[] = [];
    for (const digit of digits) {
      const event = eventOfDigit(digit);
      if (event === null) return false;
      events.push(event);
    }
    if (this.#queue.length + events.length > MAX_QUEUED_DIGITS) return false;
    const ticks = Math.max(2, Math.min(500, Math.round(durationMilliseconds / PACKET_MILLISECONDS)));
    for (const event of events) this.#queue.push({ event, ticks });
    return true;
  }

  /** Writes the four payload bytes of the next packet; false when this frame carries none. */
  next(into: Uint8Array, offset: number, clockRate: number): boolean {
    if (this.#pause > 0) {
      this.#pause -= PACKET_MILLISECONDS;
      return false;
    }
    const digit = this.#queue[0];
    if (digit === undefined) return false;
    this.first = this.#elapsed === 0;
    if (this.#elapsed < digit.ticks) this.#elapsed++;
    const end = this.#elapsed >= digit.ticks;
    const duration = Math.min(MAXIMUM_TELEPHONE_EVENT_DURATION, Math.round((this.#elapsed * PACKET_MILLISECONDS * clockRate) / 1000));
    writeTelephoneEvent(into, offset, { event: digit.event, end, volume: VOLUME, duration });
    if (end && ++this.#ends >= TELEPHONE_EVENT_END_REPEATS) {
      this.#queue.shift();
      this.#elapsed = 0;
      this.#ends = 0;
      this.#pause = PAUSE_MILLISECONDS;
    }
    return true;
  }
}
