import type { Clock, Timer } from '../../base/index.ts';
import type { TimerValues } from './transaction.ts';

export interface RepeatOptions {
  readonly clock: Clock;
  readonly timers: TimerValues;
  /** True for a 2xx to INVITE (RFC 3261 §13.3.1.4); false for a reliable provisional response (RFC 3262 §3). */
  readonly capAtT2: boolean;
  /** Sends the response once more. */
  readonly send: () => void;
  /** 64·T1 passed without stop(): no ACK or PRACK came. */
  readonly giveUp: () => void;
}

/**
 * Repeats a response that the user, not the transaction, must see acknowledged. Made right after the response was first sent:
 * the first repetition comes T1 later, then at doubling intervals, up to T2 where capped.
 */
export class RepeatUntilAcknowledged {
  readonly #options: RepeatOptions;
  readonly #end: Timer;
  #repeat: Timer;
  #interval: number;

  constructor(options: RepeatOptions) {
    this.#options = options;
    this.#interval = options.timers.t1;
    this.#end = options.clock.setTimer(options.timers.t1x64, () => {
      this.#repeat.cancel();
      options.giveUp();
    });
    this.#repeat = options.clock.setTimer(this.#interval, () => this.#again());
  }

  /** The ACK or PRACK came, or the call ended. Harmless twice. */
  stop(): void {
    this.#repeat.cancel();
    this.#end.cancel();
  }

  #again(): void {
    const { clock, timers, capAtT2, send } = this.#options;
    this.#interval = capAtT2 ? Math.min(this.#interval * 2, timers.t2) : this.#interval * 2;
    this.#repeat = clock.setTimer(this.#interval, () => this.#again());
    send();
  }
}
