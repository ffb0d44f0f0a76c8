import type { Clock, Timer } from '../../src/base/index.ts';

interface Entry {
  readonly at: number;
  readonly order: number;
  readonly fire: () => void;
  /** Promises may hang on it: they are settled before the next event. */
  readonly settles: boolean;
  cancelled: boolean;
}

/** 2023-11-14, so that what is stored looks like a date. */
const EPOCH_MICROSECONDS = 1_700_000_000_000_000;

/** Virtual time: one queue of events for phones, network, store and switch; equal times fire in the order they were set. */
export class Schedule implements Clock {
  readonly #heap: Entry[] = [];
  #now = 0;
  #order = 0;

  now(): number {
    return this.#now;
  }

  wallMicroseconds(): number {
    return EPOCH_MICROSECONDS + Math.round(this.#now * 1000);
  }

  setTimer(delayMilliseconds: number, fire: () => void): Timer {
    return this.at(this.#now + Math.max(0, delayMilliseconds), fire, true);
  }

  /** An event at which nothing asynchronous can begin, such as a packet of sound. */
  setPlainTimer(delayMilliseconds: number, fire: () => void): Timer {
    return this.at(this.#now + Math.max(0, delayMilliseconds), fire, false);
  }

  at(at: number, fire: () => void, settles: boolean): Timer {
    const entry: Entry = { at: Math.max(at, this.#now), order: this.#order++, fire, settles, cancelled: false };
    this.#push(entry);
    return {
      cancel: () => {
        entry.cancelled = true;
      },
    };
  }

  /** Runs events until `done` says so or virtual time passes `limit`. True when it was done. */
  async run(limit: number, done: () => boolean): Promise<boolean> {
    await settlePromises();
    for (;;) {
      const entry = this.#pop();
      if (entry === null) return done();
      if (entry.at > limit) {
        this.#push(entry);
        this.#now = limit;
        return false;
      }
      this.#now = entry.at;
      entry.fire();
      if (!entry.settles) continue;
      await settlePromises();
      if (done()) return true;
    }
  }

  #push(entry: Entry): void {
    const heap = this.#heap;
    let index = heap.length;
    heap.push(entry);
    while (index > 0) {
      const parent = (index - 1) >> 1;
      const above = heap[parent] as Entry;
      if (!before(entry, above)) break;
      heap[index] = above;
      index = parent;
    }
    heap[index] = entry;
  }

  #pop(): Entry | null {
    for (;;) {
      const top = this.#popAny();
      if (top === null || !top.cancelled) return top;
    }
  }

  #popAny(): Entry | null {
    const heap = this.#heap;
    const top = heap[0];
    const last = heap.pop();
    if (top === undefined || last === undefined) return null;
    if (heap.length === 0) return top;
    let index = 0;
    for (;;) {
      let child = 2 * index + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && before(heap[child + 1] as Entry, heap[child] as Entry)) child += 1;
      if (!before(heap[child] as Entry, last)) break;
      heap[index] = heap[child] as Entry;
      index = child;
    }
    heap[index] = last;
    return top;
  }
}

function before(left: Entry, right: Entry): boolean {
  return left.at < right.at || (left.at === right.at && left.order < right.order);
}

/** All microtasks, however deep their chains, run before an immediate does. */
function settlePromises(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** The clock of one process life: after its death nothing fires any more. */
export class LifeClock implements Clock {
  readonly #schedule: Schedule;
  #isDead = false;

  constructor(schedule: Schedule) {
    this.#schedule = schedule;
  }

  now(): number {
    return this.#schedule.now();
  }

  wallMicroseconds(): number {
    return this.#schedule.wallMicroseconds();
  }

  setTimer(delayMilliseconds: number, fire: () => void): Timer {
    return this.#schedule.setTimer(delayMilliseconds, () => {
      if (!this.#isDead) fire();
    });
  }

  die(): void {
    this.#isDead = true;
  }
}
