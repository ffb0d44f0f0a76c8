import type { Clock, Timer } from '../../src/base/index.ts';

interface Pending {
  readonly at: number;
  readonly order: number;
  readonly fire: () => void;
}

/** A deterministic clock: time passes only in advance(); timers of the same instant fire in the order they were set. */
export class VirtualClock implements Clock {
  readonly #pending = new Set<Pending>();
  #now = 0;
  #order = 0;

  now(): number {
    return this.#now;
  }

  wallMicroseconds(): number {
    return 1_700_000_000_000_000 + this.#now * 1000;
  }

  setTimer(delayMilliseconds: number, fire: () => void): Timer {
    const pending = { at: this.#now + Math.max(0, delayMilliseconds), order: this.#order++, fire };
    this.#pending.add(pending);
    return { cancel: () => void this.#pending.delete(pending) };
  }

  /** Number of timers that have neither fired nor been cancelled. */
  get pendingTimers(): number {
    return this.#pending.size;
  }

  /** Lets `milliseconds` pass and fires, in order, what falls due, also what was set meanwhile. */
  advance(milliseconds: number): void {
    const end = this.#now + milliseconds;
    for (let next = this.#next(end); next !== null; next = this.#next(end)) {
      this.#now = next.at;
      this.#pending.delete(next);
      next.fire();
    }
    this.#now = end;
  }

  #next(end: number): Pending | null {
    let next: Pending | null = null;
    for (const pending of this.#pending) {
      if (pending.at > end) continue;
      if (next === null || pending.at < next.at || (pending.at === next.at && pending.order < next.order)) next = pending;
    }
    return next;
  }
}
