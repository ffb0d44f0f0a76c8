import type { Clock, Timer } from '../../src/base/index.ts';

/** A clock that goes on only when told to. */
export class SimulatedClock implements Clock {
  #now = 0;
  readonly #timers = new Set<{ at: number; fire: () => void }>();

  now(): number {
    return this.#now;
  }

  wallMicroseconds(): number {
    return 1_795_536_000_000_000 + this.#now * 1_000;
  }

  setTimer(delayMilliseconds: number, fire: () => void): Timer {
    const timer = { at: this.#now + delayMilliseconds, fire };
    this.#timers.add(timer);
    return { cancel: () => void this.#timers.delete(timer) };
  }

  /** Lets so many milliseconds pass; promises settle between the timers. */
  async advance(milliseconds: number): Promise<void> {
    const end = this.#now + milliseconds;
    await settle();
    for (;;) {
      const next = [...this.#timers].filter((timer) => timer.at <= end).sort((left, right) => left.at - right.at)[0];
      if (next === undefined) break;
      this.#timers.delete(next);
      this.#now = Math.max(this.#now, next.at);
      next.fire();
      await settle();
    }
    this.#now = end;
  }
}

export async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
}
