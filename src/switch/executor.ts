import type { Clock, Timer } from '../base/index.ts';
import { unreachable } from '../base/index.ts';
import type { CallInput, Effect, Leg, LegRecord, StepResult, TimerName } from '../call/index.ts';
import type { SaveOutcome } from '../checkpoint/index.ts';
import type { StoreOperation } from '../store/index.ts';
import type { MediaClient } from './media-client.ts';
import type { SipFront } from './sip-front.ts';

/** What waits for one save. */
interface Barrier {
  open: boolean;
}

type Item = Barrier | Effect;

export interface ExecutorOptions {
  readonly clock: Clock;
  readonly media: MediaClient;
  front(profile: string): SipFront | null;
  /** The save of a changed leg; null when its profile does not track calls. */
  saveOf(leg: Leg): readonly StoreOperation[] | null;
  save(operations: readonly StoreOperation[], whenDurable: (outcome: SaveOutcome) => void): void;
  /** Writes the CDR, then has the row deleted. */
  end(record: LegRecord): void;
  input(input: CallInput): void;
  /** Named failpoint before each effect; the simulator crashes here. */
  onEffect?: ((effect: Effect | { readonly kind: 'save' }) => void) | undefined;
}

/**
 * Carries out what steps ask for. Write before speaking: effects that a peer can notice wait, in order and call by call,
 * until the save of the step that asked for them is durable. Everything else is done at once.
 */
export class Executor {
  readonly #options: ExecutorOptions;
  /** By call: what waits, in order. */
  readonly #queues = new Map<string, Item[]>();
  /** Leg → call, for effects of legs that are gone. */
  readonly #callOf = new Map<string, string>();
  readonly #timers = new Map<string, Timer>();
  /** Leg → profile that it came in on. */
  readonly #profileOf = new Map<string, string>();
  #stopped = false;

  constructor(options: ExecutorOptions) {
    this.#options = options;
  }

  /** Effects that wait for a save, for the console. */
  get waiting(): number {
    let count = 0;
    for (const queue of this.#queues.values()) count += queue.length;
    return count;
  }

  apply(result: StepResult): void {
    const { changed, effects } = result;
    for (const leg of changed) {
      this.#callOf.set(leg.uuid, leg.record.callUuid);
      this.#profileOf.set(leg.uuid, leg.record.profileName);
    }
    const operations = changed.flatMap((leg) => this.#options.saveOf(leg) ?? []);
    const barrier: Barrier = { open: operations.length === 0 };
    const touched = new Set<string>();
    for (const effect of effects) {
      if (!waits(effect)) {
        this.#execute(effect);
        continue;
      }
      const call = this.#callOf.get(effect.leg) ?? effect.leg;
      const queue = this.#queues.get(call) ?? [];
      if (!touched.has(call)) queue.push(barrier);
      touched.add(call);
      queue.push(effect);
      this.#queues.set(call, queue);
    }
    this.#options.media.flush();
    if (operations.length > 0) {
      this.#options.onEffect?.({ kind: 'save' });
      if (this.#stopped) return;
      this.#options.save(operations, (outcome) => {
        // A fenced node falls silent: what waits is never sent.
        if (outcome === 'fenced' || barrier.open) return;
        barrier.open = true;
        for (const call of touched) this.#drain(call);
      });
    }
    for (const call of touched) this.#drain(call);
  }

  #drain(call: string): void {
    const queue = this.#queues.get(call);
    if (queue === undefined) return;
    for (let item = queue[0]; item !== undefined; item = queue[0]) {
      if ('open' in item) {
        if (!item.open) return;
        queue.shift();
        continue;
      }
      queue.shift();
      this.#execute(item);
      if (this.#stopped) return;
    }
    this.#queues.delete(call);
  }

  #execute(effect: Effect): void {
    if (this.#stopped) return;
    this.#options.onEffect?.(effect);
    if (this.#stopped) return;
    switch (effect.kind) {
      case 'respond':
        this.#frontOf(effect.leg)?.respond(effect.key, effect.status, effect.bytes);
        return;
      case 'request':
        this.#options.front(effect.profile)?.request(effect.leg, effect.branch, effect.request, effect.bytes, effect.destination);
        return;
      case 'datagram':
        this.#options.front(effect.profile)?.send(effect.bytes, effect.destination);
        return;
      case 'restoreServer':
        this.#options.front(effect.profile)?.restoreServer(effect.leg, effect.transaction, effect.request);
        return;
      case 'restoreClient':
        this.#options
          .front(effect.profile)
          ?.restoreClient(effect.leg, effect.branch, effect.request, effect.bytes, effect.destination, effect.provisional);
        return;
      case 'repeatUntilAcknowledged':
        this.#options.front(effect.profile)?.repeat(effect.leg, effect.key, effect.bytes, effect.reliable);
        return;
      case 'stopRepeating':
        this.#frontOf(effect.leg)?.stopRepeating(effect.key);
        return;
      case 'media':
        this.#options.media.set(effect.endpoint, effect.opening);
        return;
      case 'sendDtmf':
        this.#options.media.sendDtmf(effect.leg, effect.digits, effect.durationMilliseconds);
        return;
      case 'closeMedia':
        this.#options.media.closeEndpoint(effect.leg);
        return;
      case 'timer':
        this.#setTimer(effect.leg, effect.name, effect.delayMilliseconds);
        return;
      case 'end':
        this.#callOf.delete(effect.leg);
        this.#profileOf.delete(effect.leg);
        this.#options.end(effect.record);
        return;
      default:
        unreachable(effect);
    }
  }

  #frontOf(leg: string): SipFront | null {
    const profile = this.#profileOf.get(leg);
    return profile === undefined ? null : this.#options.front(profile);
  }

  #setTimer(leg: string, name: TimerName, delayMilliseconds: number | null): void {
    const key = `${leg} ${name}`;
    this.#timers.get(key)?.cancel();
    this.#timers.delete(key);
    if (delayMilliseconds === null) return;
    const timer = this.#options.clock.setTimer(delayMilliseconds, () => {
      this.#timers.delete(key);
      this.#options.input({ kind: 'timer', leg, name });
    });
    this.#timers.set(key, timer);
  }

  /** Nothing is done any more, as after a SIGKILL. */
  stop(): void {
    this.#stopped = true;
    for (const timer of this.#timers.values()) timer.cancel();
    this.#timers.clear();
    this.#queues.clear();
  }
}

/** Whether a peer, or a later life, could notice the effect before the save is durable. */
function waits(effect: Effect): boolean {
  switch (effect.kind) {
    case 'respond':
    case 'request':
    case 'datagram':
    case 'repeatUntilAcknowledged':
    // In order with what it stops.
    case 'stopRepeating':
    // A leg whose end is not durable comes back after a crash, and wants its port and its stream as they were.
    case 'closeMedia':
    case 'end':
      return true;
    case 'restoreServer':
    case 'restoreClient':
    case 'media':
    case 'sendDtmf':
    case 'timer':
      return false;
    default:
      return unreachable(effect);
  }
}
