import type { Address, Clock, HostResolver, LogLevel, Random, Timer } from '../base/index.ts';
import type { ClientTransactionUser, DigestAccount, LocalParty, SipHeader, SipRequest, SipResponse } from '../sip/index.ts';
import { parseUri } from '../sip/index.ts';
import type { RegistrationMemory } from './memory.ts';
import { GatewayPing } from './ping.ts';
import { Registration } from './registration.ts';
import { contactUri, contactUser, formatHostPort, type GatewaySettings } from './settings.ts';
import type { GatewayState } from './table.ts';

/** A name that nothing else looks up is looked up this often, so that calls from its address are known, milliseconds. */
const LEARN_INTERVAL = 300_000;

export interface GatewayOptions {
  readonly settings: GatewaySettings;
  readonly party: LocalParty;
  readonly clock: Clock;
  readonly random: Random;
  readonly resolver: HostResolver;
  /** Of an earlier life, or null. */
  readonly memory: RegistrationMemory | null;
  /** Sends a request outside of any dialog and follows it to its final response. */
  send(request: SipRequest, destination: Address, user: ClientTransactionUser): void;
  /** The state or the up/down status changed; with the response that was the reason, if one was. */
  changed(gateway: Gateway, response: SipResponse | null): void;
  /** To be kept for the next life. */
  remember(memory: RegistrationMemory): void;
  log(level: LogLevel, message: string): void;
}

/** One trunk: keeps us registered there, knows whether calls may go to it, and how they look. */
export class Gateway {
  readonly settings: GatewaySettings;
  readonly contact: string;
  readonly account: DigestAccount;
  /** Route headers of requests through it. */
  readonly routes: readonly string[];
  readonly calls = { inbound: 0, failedInbound: 0, outbound: 0, failedOutbound: 0 };
  readonly registration: Registration;
  readonly ping: GatewayPing;
  readonly #options: GatewayOptions;
  #learnTimer: Timer | null = null;
  #closed = false;
  #upSince: number;
  #wasUp: boolean;
  /** The address that answered last, where it is the one that calls go to as well. */
  #reached: Address | null = null;
  /** Addresses of the proxy, where calls of the trunk come from. */
  #known: readonly Address[] = [];

  constructor(options: GatewayOptions) {
    const { settings, party, clock } = options;
    const { outboundProxy, registerProxy, proxy } = settings;
    this.#options = options;
    this.settings = settings;
    this.contact = contactUri(settings, party.advertised);
    this.account = { username: settings.authUsername, password: settings.password };
    this.routes = outboundProxy === null ? [] : [`<sip:${formatHostPort(outboundProxy)};lr>`];
    this.#upSince = clock.wallMicroseconds();
    const common = { ...options, contact: this.contact, routes: this.routes, account: this.account };
    const sameHop = outboundProxy !== null || (registerProxy.host === proxy.host && registerProxy.port === proxy.port);
    this.registration = new Registration({
      ...common,
      changed: (response) => this.#changed(response),
      reached: (address) => {
        if (sameHop) this.#reached = address;
      },
    });
    this.ping = new GatewayPing({
      ...common,
      wanted: () => this.state === 'NOREG' || this.state === 'REGED',
      reached: (address, addresses) => {
        this.#known = addresses;
        this.#reached = address;
      },
      changed: () => this.#changed(null),
    });
    this.#wasUp = this.up;
  }

  get name(): string {
    return this.settings.name;
  }

  get profile(): string {
    return this.settings.profile;
  }

  get state(): GatewayState {
    return this.registration.state;
  }

  /** Whether calls may go out through it: registered or in no need of it, and answering pings. */
  get up(): boolean {
    return this.ping.up && this.registration.serves;
  }

  /** Seconds since it went up, 0 when down. */
  get uptimeSeconds(): number {
    return this.up ? Math.floor((this.#options.clock.wallMicroseconds() - this.#upSince) / 1_000_000) : 0;
  }

  start(): void {
    this.registration.start();
    this.#learn();
    this.ping.start();
  }

  /** `killgw`. */
  kill(): void {
    this.#stop();
    this.registration.kill();
  }

  /** Nothing is sent or timed any more. */
  close(): void {
    this.#stop();
    this.registration.close();
  }

  #stop(): void {
    this.#closed = true;
    this.#learnTimer?.cancel();
    this.ping.stop();
  }

  /** Request-URI for a dialled `number[;parameters]`, `user@host` or whole URI. */
  requestUri(number: string): string {
    if (/^sips?:/i.test(number)) return number;
    if (number.includes('@')) return `sip:${number}`;
    const semicolon = number.indexOf(';');
    const [user, parameters] = semicolon < 0 ? [number, ''] : [number.slice(0, semicolon), number.slice(semicolon)];
    return `sip:${user.replaceAll('#', '%23')}@${formatHostPort(this.settings.proxy)}${parameters}`;
  }

  /** Where a call to that Request-URI is sent: the address that answered last, or null when its name has to be looked up. */
  nextHop(uri: string): Address | null {
    const { proxy } = this.settings;
    const target = parseUri(uri);
    const viaProxy = this.routes.length > 0 || (target?.host === proxy.host && target.port === proxy.port);
    return viaProxy ? this.#reached : null;
  }

  /** From of a call, without tag: the trunk's own identity, or with `caller-id-in-from` the caller's number. */
  from(callerName: string, callerNumber: string): string {
    const user = this.settings.callerIdInFrom && callerNumber !== '' ? callerNumber : this.settings.fromUser;
    return `${quoted(callerName)} <sip:${encodeURIComponent(user).replaceAll('%2B', '+')}@${this.settings.fromDomain}>`;
  }

  /** Headers that tell the caller's number to a trunk whose From cannot (`cid-type`). */
  identityHeaders(callerName: string, callerNumber: string): readonly SipHeader[] {
    const { callerIdType, fromDomain } = this.settings;
    if (callerIdType === 'none' || callerNumber === '') return [];
    const address = `${quoted(callerName)} <sip:${encodeURIComponent(callerNumber).replaceAll('%2B', '+')}@${fromDomain}>`;
    return callerIdType === 'pid'
      ? [{ name: 'P-Asserted-Identity', value: address }]
      : [{ name: 'Remote-Party-ID', value: `${address};party=calling;screen=yes;privacy=off` }];
  }

  /** How surely a request from there, to that user with that `gw` parameter, is the trunk's. */
  recognizes(
    user: string | null,
    parameter: string | null,
    source: Address,
  ): { readonly named: boolean; readonly host: boolean; readonly exact: boolean } {
    const addresses = [...this.#known, ...this.registration.addresses];
    return {
      named:
        parameter === encodeURIComponent(this.name) || parameter === this.name || (user !== null && user === contactUser(this.settings)),
      host: addresses.some((address) => address.ip === source.ip),
      exact: addresses.some((address) => address.ip === source.ip && address.port === source.port),
    };
  }

  /** Where a call from the trunk goes; FreeSWITCH's `auto_to_user` takes the user of To. */
  dialled(requested: string, toUser: string | null, named: boolean): string {
    const { extension, extensionGiven } = this.settings;
    if (extension === 'auto_to_user') return toUser ?? requested;
    if (extension === 'auto') return named ? (toUser ?? requested) : requested;
    return extensionGiven || named ? extension : requested;
  }

  #changed(response: SipResponse | null): void {
    const { up } = this;
    if (up && !this.#wasUp) this.#upSince = this.#options.clock.wallMicroseconds();
    this.#wasUp = up;
    this.#options.changed(this, response);
  }

  #learn(): void {
    const { resolver, clock } = this.#options;
    const next = this.settings.outboundProxy ?? this.settings.proxy;
    resolver.resolve(next.host, next.port, (resolution) => {
      if (this.#closed) return;
      if (resolution.kind === 'addresses') this.#known = resolution.addresses;
      // Pings look it up often enough.
      if (this.settings.pingSeconds === 0) this.#learnTimer = clock.setTimer(LEARN_INTERVAL, () => this.#learn());
    });
  }
}

function quoted(name: string): string {
  return `"${name.replace(/["\\]/g, '\\$&').replace(/[\r\n]/g, ' ')}"`;
}
