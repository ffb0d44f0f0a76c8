import type { Address, Clock, HostResolver, Logger, Random, Timer } from '../base/index.ts';
import type { Config, SipProfile } from '../config/index.ts';
import type { ClientTransactionUser, LocalParty, SipRequest, SipResponse } from '../sip/index.ts';
import { headerValue, parseNameAddress, parseUri } from '../sip/index.ts';
import { Gateway } from './gateway.ts';
import { formatMemory, parseMemory, type RegistrationMemory } from './memory.ts';
import { gatewaySettings } from './settings.ts';

/** Milliseconds in which changes are collected before they are written. */
const KEEP_DELAY = 50;

/** A call that comes in from a trunk. */
export interface InboundGateway {
  readonly name: string;
  readonly context: string;
  /** Number that the dialplan is asked for. */
  readonly destination: string;
  /** It came from an address of the trunk: what that asks a password for may get ours. */
  readonly fromTrunk: boolean;
  /** It came from the trunk's own address to the Contact that we gave there: nobody has to be asked for a password. */
  readonly trusted: boolean;
}

export interface GatewaysOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly resolver: HostResolver;
  readonly logger: Logger;
  party(profile: SipProfile): LocalParty;
  send(profile: string, request: SipRequest, destination: Address, user: ClientTransactionUser): void;
  /** A state or an up/down status changed. */
  changed(gateway: Gateway, response: SipResponse | null): void;
  /** What `keep` was last given, by an earlier life; null when there is nothing. */
  readonly kept: string | null;
  keep(text: string): void;
}

/** All trunks of a switch. */
export class Gateways {
  readonly #options: GatewaysOptions;
  /** `profile::name` → gateway, in the order of the configuration. */
  readonly #gateways = new Map<string, Gateway>();
  readonly #memories: Map<string, RegistrationMemory>;
  #keepTimer: Timer | null = null;
  #started = false;
  #whenLeft: (() => void) | null = null;

  constructor(options: GatewaysOptions) {
    this.#options = options;
    this.#memories = parseMemory(options.kept);
  }

  get all(): readonly Gateway[] {
    return [...this.#gateways.values()];
  }

  /** By name (the first profile that has it) or `profile::name`. */
  find(name: string): Gateway | null {
    return this.#gateways.get(name) ?? this.all.find((gateway) => gateway.name === name) ?? null;
  }

  /** Takes up gateways that the configuration has and we have not (FreeSWITCH's `rescan`); returns their number. */
  add(config: Config, only: string | null = null): number {
    let added = 0;
    for (const profile of config.profiles.values()) {
      if (only !== null && profile.name !== only) continue;
      for (const entry of profile.gateways?.values() ?? []) {
        const key = `${profile.name}::${entry.name}`;
        if (this.#gateways.has(key)) continue;
        const settings = gatewaySettings(entry, profile);
        const { clock, random, resolver, logger } = this.#options;
        const gateway = new Gateway({
          settings,
          party: this.#options.party(profile),
          clock,
          random,
          resolver,
          memory: this.#memories.get(key) ?? null,
          send: (request, destination, user) => this.#options.send(profile.name, request, destination, user),
          changed: (changed, response) => this.#changed(changed, response),
          remember: (memory) => this.#remember(key, memory),
          log: (level, message) => logger.log(level, message),
        });
        this.#gateways.set(key, gateway);
        added += 1;
        if (this.#started) gateway.start();
      }
    }
    return added;
  }

  /** Everything may be sent from now on. */
  start(): void {
    this.#started = true;
    for (const gateway of this.all) gateway.start();
  }

  /** Takes a gateway away; calls through it go on. */
  kill(gateway: Gateway): void {
    gateway.kill();
    const key = `${gateway.profile}::${gateway.name}`;
    this.#gateways.delete(key);
    this.#memories.delete(key);
    this.#keepSoon();
  }

  /** The trunk that an INVITE on a profile comes from, or null. */
  recognize(request: SipRequest, source: Address, profile: string): InboundGateway | null {
    const target = parseUri(request.uri);
    const parameter = target?.parameters.get('gw') ?? null;
    const toUser = parseNameAddress(headerValue(request, 'To') ?? '')?.uri.user ?? null;
    let bySource: Gateway | null = null;
    for (const gateway of this.#gateways.values()) {
      if (gateway.profile !== profile || gateway.state === 'DOWN') continue;
      const { named, host, exact } = gateway.recognizes(target?.user ?? null, parameter, source);
      if (named) return this.#inbound(gateway, target?.user ?? '', toUser, { named, host });
      if (exact) bySource ??= gateway;
    }
    return bySource === null ? null : this.#inbound(bySource, target?.user ?? '', toUser, { named: false, host: true });
  }

  #inbound(
    gateway: Gateway,
    requested: string,
    toUser: string | null,
    by: { readonly named: boolean; readonly host: boolean },
  ): InboundGateway {
    return {
      name: gateway.name,
      context: gateway.settings.context,
      destination: gateway.dialled(requested, toUser, by.named),
      fromTrunk: by.host,
      trusted: by.named && by.host,
    };
  }

  /** The switch ends for good: takes every binding back; resolves when each registrar has answered or is given up. */
  leave(): Promise<void> {
    return new Promise((resolve) => {
      this.#whenLeft = resolve;
      for (const gateway of this.all) if (gateway.settings.register) gateway.registration.unregister();
      this.#checkLeft();
    });
  }

  close(): void {
    if (this.#keepTimer !== null) this.#keep();
    for (const gateway of this.all) gateway.close();
  }

  #changed(gateway: Gateway, response: SipResponse | null): void {
    this.#options.changed(gateway, response);
    this.#checkLeft();
  }

  #checkLeft(): void {
    if (this.all.some((gateway) => gateway.state === 'UNREGISTER')) return;
    this.#whenLeft?.();
    this.#whenLeft = null;
  }

  #remember(key: string, memory: RegistrationMemory): void {
    if (!this.#gateways.has(key)) return;
    this.#memories.set(key, memory);
    this.#keepSoon();
  }

  /** Once for many changes; what a crash loses of it is covered by the gap in CSeq. */
  #keepSoon(): void {
    this.#keepTimer ??= this.#options.clock.setTimer(KEEP_DELAY, () => this.#keep());
  }

  #keep(): void {
    this.#keepTimer?.cancel();
    this.#keepTimer = null;
    this.#options.keep(formatMemory(this.#memories));
  }
}
