import { digitOfEvent } from '../rtp/index.ts';
import type { Journal, RestoredEndpoint } from './journal.ts';

/** A digit whose end packets were all lost is told after so long a silence. */
export const LOST_END_MILLISECONDS = 200;

/** Finds whole digits in telephone-event packets (RFC 4733), each told once, across crashes too. */
export class TelephoneEventReceiver {
  readonly #journal: Journal;
  readonly #slot: number;
  readonly #tell: (digit: string, durationTicks: number, ssrc: number, timestamp: number) => void;
  #event = -1;
  #ssrc = 0;
  #timestamp = 0;
  #duration = 0;
  #lastAt = 0;
  #handled = false;
  #handledSsrc = 0;
  #handledTimestamp = 0;

  constructor(journal: Journal, slot: number, tell: (digit: string, durationTicks: number, ssrc: number, timestamp: number) => void) {
    this.#journal = journal;
    this.#slot = slot;
    this.#tell = tell;
  }

  restore(found: RestoredEndpoint, now: number): void {
    if (found.handledDigit !== null) {
      this.#handled = true;
      this.#handledSsrc = found.handledDigit.ssrc;
      this.#handledTimestamp = found.handledDigit.timestamp;
    }
    if (found.pendingDigit !== null) {
      this.#event = found.pendingDigit.event;
      this.#ssrc = found.pendingDigit.ssrc;
      this.#timestamp = found.pendingDigit.timestamp;
      this.#duration = found.pendingDigit.duration;
      this.#lastAt = now;
    }
  }

  get pending(): boolean {
    return this.#event >= 0;
  }

  receive(event: number, end: boolean, duration: number, ssrc: number, timestamp: number, now: number): void {
    if (event > 15) return;
    if (this.#handled && ssrc === this.#handledSsrc && ((timestamp - this.#handledTimestamp) | 0) <= 0) return;
    if (this.#event >= 0 && (ssrc !== this.#ssrc || timestamp !== this.#timestamp)) {
      if (ssrc === this.#ssrc && ((timestamp - this.#timestamp) | 0) < 0) return;
      this.finish();
    }
    this.#event = event;
    this.#ssrc = ssrc;
    this.#timestamp = timestamp;
    this.#duration = Math.max(duration, this.#duration);
    this.#lastAt = now;
    this.#journal.writePendingDigit(this.#slot, event, ssrc, timestamp, this.#duration);
    if (end) this.finish();
  }

  /** Tells a digit whose end never came. */
  expire(now: number): void {
    if (this.#event >= 0 && now - this.#lastAt >= LOST_END_MILLISECONDS) this.finish();
  }

  /** Told first, then noted: a crash in between repeats the event, which its SSRC and timestamp give away. */
  finish(): void {
    if (this.#event < 0) return;
    const digit = digitOfEvent(this.#event);
    if (digit !== null) this.#tell(digit, this.#duration, this.#ssrc, this.#timestamp);
    this.#handled = true;
    this.#handledSsrc = this.#ssrc;
    this.#handledTimestamp = this.#timestamp;
    this.#event = -1;
    this.#duration = 0;
    this.#journal.writeHandledDigit(this.#slot, this.#handledSsrc, this.#handledTimestamp);
  }
}
