import type { Address, Clock, HostResolver, Random, Timer } from '../base/index.ts';
import type { ClientTransactionUser, LocalParty, SipRequest } from '../sip/index.ts';
import { ALLOW } from '../sip/index.ts';
import { outOfDialogRequest } from './request.ts';
import { addressOfRecord, formatHostPort, type GatewaySettings } from './settings.ts';

export interface PingOptions {
  readonly settings: GatewaySettings;
  readonly party: LocalParty;
  readonly contact: string;
  readonly routes: readonly string[];
  readonly clock: Clock;
  readonly random: Random;
  readonly resolver: HostResolver;
  send(request: SipRequest, destination: Address, user: ClientTransactionUser): void;
  /** Whether a ping makes sense now: FreeSWITCH asks registered gateways, and those that do not register. */
  wanted(): boolean;
  /** That address answered (null: none does now), of those that were looked up. */
  reached(address: Address | null, addresses: readonly Address[]): void;
  changed(): void;
}

/** OPTIONS to the far end; the gateway is down when too many stay without an answer (sofia.c, sofia_handle_sip_r_options). */
export class GatewayPing {
  readonly #options: PingOptions;
  /** Between 0 and ping-max: up with each answer, down with each silence. */
  count: number;
  up = true;
  /** Milliseconds of the last round trip. */
  roundTrip = 0;
  /** Wall microseconds of the next ping, 0 = none. */
  nextAt = 0;
  /** Silences in a row; each sends the next ping to the next address of the name. */
  #silences = 0;
  #timer: Timer | null = null;
  #stopped = false;

  constructor(options: PingOptions) {
    this.#options = options;
    this.count = options.settings.pingMaximum;
  }

  start(): void {
    if (this.#options.settings.pingSeconds > 0 && !this.#stopped) this.#ping();
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
    this.nextAt = 0;
  }

  #schedule(): void {
    const { clock, settings } = this.#options;
    if (this.#stopped) return;
    this.#timer?.cancel();
    this.nextAt = clock.wallMicroseconds() + settings.pingSeconds * 1_000_000;
    this.#timer = clock.setTimer(settings.pingSeconds * 1000, () => this.#ping());
  }

  #ping(): void {
    const { settings, resolver, clock, random, party } = this.#options;
    if (!this.#options.wanted()) {
      this.#schedule();
      return;
    }
    const next = settings.outboundProxy ?? settings.proxy;
    resolver.resolve(next.host, next.port, (resolution) => {
      if (this.#stopped) return;
      const addresses = resolution.kind === 'addresses' ? resolution.addresses : [];
      const destination = addresses[this.#silences % Math.max(1, addresses.length)];
      if (destination === undefined) {
        this.#result(false);
        return;
      }
      const uri = `sip:${formatHostPort(settings.proxy)}`;
      const request = outOfDialogRequest(party, {
        method: 'OPTIONS',
        uri,
        branch: `z9hG4bK${random.token(16)}`,
        from: `<${addressOfRecord(settings)}>`,
        fromTag: random.token(13),
        to: `<${uri}>`,
        callId: random.uuid(),
        cseq: 1,
        contact: this.#options.contact,
        routes: this.#options.routes,
        headers: [{ name: 'Allow', value: ALLOW }],
      });
      const sentAt = clock.now();
      this.#options.send(request, destination, {
        response: (response) => {
          if (response.status < 200) return;
          const alive = isAlive(response.status);
          this.roundTrip = clock.now() - sentAt;
          this.#options.reached(alive ? destination : null, addresses);
          this.#result(alive);
        },
        timeout: () => {
          this.#options.reached(null, addresses);
          this.#result(false);
        },
      });
    });
  }

  #result(alive: boolean): void {
    if (this.#stopped) return;
    const { pingMinimum, pingMaximum } = this.#options.settings;
    const was = this.up;
    this.#silences = alive ? 0 : this.#silences + 1;
    this.count = alive ? Math.min(this.count + 1, pingMaximum) : Math.max(this.count - 1, 0);
    if (alive && this.count >= pingMinimum) this.up = true;
    if (!alive && this.count < pingMinimum) this.up = false;
    this.#schedule();
    if (was !== this.up) this.#options.changed();
  }
}

/** Whoever refuses OPTIONS is there; only silence and a broken server are not (408, 5xx but 501). */
function isAlive(status: number): boolean {
  return status !== 408 && (status < 500 || status === 501 || status >= 600);
}
