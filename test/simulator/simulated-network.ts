import type { Address } from '../../src/base/index.ts';
import { formatAddress } from '../../src/base/index.ts';
import type { Schedule } from './schedule.ts';
import type { SeededRandom } from './seeded-random.ts';

/** What a network does to datagrams: probabilities, and milliseconds of latency. */
export interface NetworkFaults {
  readonly loss: number;
  readonly duplication: number;
  /** Probability that a datagram is held back for up to `heldBackMilliseconds`, so that later ones overtake it. */
  readonly reordering: number;
  readonly heldBackMilliseconds: number;
}

export const NO_FAULTS: NetworkFaults = { loss: 0, duplication: 0, reordering: 0, heldBackMilliseconds: 0 };
const LATENCY_LOW = 2;
const LATENCY_HIGH = 6;

type Receive = (bytes: Uint8Array, source: Address, local: Address) => void;

/** Datagrams between addresses; without faults they keep their order between any two addresses. */
export class SimulatedNetwork {
  readonly #schedule: Schedule;
  readonly #random: SeededRandom;
  readonly #faults: NetworkFaults;
  readonly #settles: boolean;
  readonly #hosts = new Map<string, Receive>();
  readonly #lastArrival = new Map<string, number>();

  constructor(schedule: Schedule, random: SeededRandom, faults: NetworkFaults, settles: boolean) {
    this.#schedule = schedule;
    this.#random = random;
    this.#faults = faults;
    this.#settles = settles;
  }

  /** Everything sent to that IP address, whatever the port, arrives there. */
  attach(ip: string, receive: Receive): void {
    this.#hosts.set(ip, receive);
  }

  send(source: Address, destination: Address, bytes: Uint8Array): void {
    const { loss, duplication } = this.#faults;
    if (loss > 0 && this.#random.chance(loss)) return;
    this.#deliver(source, destination, bytes);
    if (duplication > 0 && this.#random.chance(duplication)) this.#deliver(source, destination, bytes);
  }

  #deliver(source: Address, destination: Address, bytes: Uint8Array): void {
    const { reordering, heldBackMilliseconds } = this.#faults;
    const path = `${formatAddress(source)} ${formatAddress(destination)}`;
    let at = this.#schedule.now() + this.#random.between(LATENCY_LOW, LATENCY_HIGH);
    if (reordering > 0 && this.#random.chance(reordering)) at += this.#random.between(0, heldBackMilliseconds);
    else at = Math.max(at, this.#lastArrival.get(path) ?? 0);
    if (reordering === 0) this.#lastArrival.set(path, at);
    const copy = Uint8Array.from(bytes);
    this.#schedule.at(at, () => this.#hosts.get(destination.ip)?.(copy, source, destination), this.#settles);
  }
}
