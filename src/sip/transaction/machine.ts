import type { Clock, Timer } from '../../base/index.ts';
import type { TimerValues } from './transaction.ts';

/** What the layer gives each of its machines. */
export interface MachineContext {
  readonly clock: Clock;
  readonly timers: TimerValues;
  /** Takes the transaction out of the layer's table; called once, before its user hears of the end. */
  terminated(key: string): void;
}

/** The two timers that a transaction has at most: one that repeats a message and one that ends a state. */
export class TransactionTimers {
  readonly #clock: Clock;
  #repeat: Timer | null = null;
  #end: Timer | null = null;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  startRepeat(delayMilliseconds: number, fire: () => void): void {
    this.#repeat?.cancel();
    this.#repeat = this.#clock.setTimer(delayMilliseconds, fire);
  }

  startEnd(delayMilliseconds: number, fire: () => void): void {
    this.#end?.cancel();
    this.#end = this.#clock.setTimer(delayMilliseconds, fire);
  }

  stop(): void {
    this.#repeat?.cancel();
    this.#end?.cancel();
    this.#repeat = null;
    this.#end = null;
  }
}
