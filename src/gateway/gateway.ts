import { type Address, assert, type Clock, type HostResolver, type LogLevel, type Random, type Timer, unreachable } from '../base/index.ts';
import type { ClientTransactionUser, DigestAccount, LocalParty, SipHeader, SipRequest, SipResponse } from '../sip/index.ts';
import { ALLOW, answerChallenge, headerValue, headerValues, parseNameAddress, parseUri } from '../sip/index.ts';
import type { RegistrationMemory } from './memory.ts';
import { GatewayPing } from './ping.ts';
import { outOfDialogRequest, sayAgain } from './request.ts';
import { contactUri, contactUser, formatHostPort, type GatewaySettings } from './settings.ts';
import { GATEWAY_TABLE, type GatewayAction, type GatewayInput, type GatewayState } from './table.ts';

/** Challenges answered and intervals raised in one attempt to register. */
const MAXIMUM_CORRECTIONS = 5;
/** The longest wait between two attempts, seconds. */
const LONGEST_RETRY = 3600;
const LONGEST_EXPIRY = 31_536_000;
/** CSeq numbers left out after a crash: the last one sent may not have been remembered (gaps are legal). */
const CSEQ_GAP = 100;
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

interface Attempt {
  readonly removal: boolean;
  readonly addresses: readonly Address[];
  index: number;
  corrections: number;
}

/** One trunk: keeps us registered there and knows whether calls may go to it. States: `table.ts`. */
export class Gateway {
  readonly settings: GatewaySettings;
  readonly contact: string;
  readonly account: DigestAccount;
  /** Route headers of requests through it. */
  readonly routes: readonly string[];
  readonly calls = { inbound: 0, failedInbound: 0, outbound: 0, failedOutbound: 0 };
  readonly ping: GatewayPing;
  readonly #options: GatewayOptions;
  readonly #callId: string;
  readonly #fromTag: string;
  readonly #about: string;
  #state: GatewayState;
  #cseq: number;
  /** On the monotonic clock, milliseconds; 0 = no binding. */
  #boundUntil: number;
  #expires: number;
  #failures = 0;
  #retryDelay = 0;
  #attempt: Attempt | null = null;
  #lastResponse: SipResponse | null = null;
  #timer: Timer | null = null;
  #dueAt = 0;
  #upSince: number;
  #wasUp = false;
  /** The address that answered last, where it is the one that calls go to as well. */
  #reached: Address | null = null;
  /** By what was looked up: where calls of the trunk come from. */
  #known: readonly Address[] = [];
  #knownRegistrar: readonly Address[] = [];

  constructor(options: GatewayOptions) {
    const { settings, party, random, memory, clock } = options;
    this.#options = options;
    this.settings = settings;
    this.contact = contactUri(settings, party.advertised);
    this.account = { username: settings.authUsername, password: settings.password };
    this.routes = settings.outboundProxy === null ? [] : [`<sip:${formatHostPort(settings.outboundProxy)};lr>`];
    this.#about = `${this.contact} ${this.registrarUri} ${this.addressOfRecord}`;
    const known = memory?.about === this.#about ? memory : null;
    this.#callId = known?.callId ?? random.uuid();
    this.#fromTag = known?.fromTag ?? random.token(13);
    this.#cseq = known === null ? 1 + (random.uint32() & 0xff_ffff) : known.cseq + CSEQ_GAP;
    const left = Math.min((known?.boundUntil ?? 0) / 1000 - clock.wallMicroseconds() / 1000, LONGEST_EXPIRY * 1000);
    this.#boundUntil = settings.register && left > 0 ? clock.now() + left : 0;
    this.#expires = settings.expireSeconds;
    this.#state = settings.register ? 'UNREGED' : 'NOREG';
    this.#upSince = clock.wallMicroseconds();
    this.ping = new GatewayPing({
      settings,
      party,
      contact: this.contact,
      routes: this.routes,
      clock,
      random,
      resolver: options.resolver,
      send: (request, destination, user) => options.send(request, destination, user),
      wanted: () => this.#state === 'NOREG' || this.#state === 'REGED',
      reached: (address, addresses) => {
        this.#known = addresses;
        this.#reached = address;
      },
      changed: () => this.#changed(),
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
    return this.#state;
  }

  /** Whether calls may go out through it: registered or in no need of it, and answering pings. */
  get up(): boolean {
    if (!this.ping.up) return false;
    switch (this.#state) {
      case 'NOREG':
        return true;
      case 'UNREGED':
      case 'TRYING':
      case 'REGISTER':
      case 'REGED':
      case 'EXPIRED':
        return this.#boundUntil > this.#options.clock.now();
      case 'UNREGISTER':
      case 'FAILED':
      case 'FAIL_WAIT':
      case 'DOWN':
        return false;
      default:
        return unreachable(this.#state);
    }
  }

  /** Seconds since it went up, 0 when down. */
  get uptimeSeconds(): number {
    return this.up ? Math.floor((this.#options.clock.wallMicroseconds() - this.#upSince) / 1_000_000) : 0;
  }

  /** Seconds to the next attempt, null when none is planned. */
  get retrySeconds(): number | null {
    if (this.#dueAt === 0) return null;
    return Math.max(0, Math.round((this.#dueAt - this.#options.clock.now()) / 1000));
  }

  /** Seconds that the registrar granted or shall grant. */
  get expires(): number {
    return this.#expires;
  }

  get addressOfRecord(): string {
    return `sip:${encodeURIComponent(this.settings.fromUser)}@${this.settings.fromDomain}`;
  }

  get registrarUri(): string {
    return `sip:${formatHostPort(this.settings.registerProxy)}`;
  }

  /** Begins: registers at once, also when a binding of an earlier life is still good. */
  start(): void {
    if (this.settings.register) this.#handle('settled');
    else this.#learn();
    this.ping.start();
  }

  /** `sofia profile X register`. */
  register(): void {
    this.#failures = 0;
    this.#handle('start');
  }

  /** `sofia profile X unregister`, and the end of the switch. */
  unregister(): void {
    this.#handle('leave');
  }

  /** `killgw`: its binding is taken back, without waiting for the answer. */
  kill(): void {
    if (this.#boundUntil > 0) this.#begin(true);
    this.#attempt = null;
    this.ping.stop();
    this.#handle('kill');
  }

  /** Nothing is sent or timed any more. */
  close(): void {
    this.#timer?.cancel();
    this.#attempt = null;
    this.#state = 'DOWN';
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
    const addresses = [...this.#known, ...this.#knownRegistrar];
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

  #handle(input: GatewayInput): void {
    const row = GATEWAY_TABLE[this.#state][input];
    if (row === undefined) return;
    const [state, action] = row;
    this.#timer?.cancel();
    this.#dueAt = 0;
    this.#state = state;
    this.#changed();
    this.#act(action);
  }

  #act(action: GatewayAction): void {
    switch (action) {
      case 'settle':
        this.#handle('settled');
        return;
      case 'sendRegister':
        this.#begin(false);
        return;
      case 'sendRemoval':
        this.#begin(true);
        return;
      case 'waitForRefresh':
        this.#wait(refreshAfter(this.#expires));
        return;
      case 'waitForRetry':
        this.#wait(this.#retryDelay);
        return;
      case 'rest':
        this.#attempt = null;
        this.#boundUntil = 0;
        return;
      default:
        unreachable(action);
    }
  }

  #wait(seconds: number): void {
    const { clock } = this.#options;
    this.#dueAt = clock.now() + seconds * 1000;
    this.#timer = clock.setTimer(seconds * 1000, () => this.#handle('due'));
  }

  #changed(): void {
    const { up } = this;
    if (up && !this.#wasUp) this.#upSince = this.#options.clock.wallMicroseconds();
    this.#wasUp = up;
    const response = this.#lastResponse;
    this.#lastResponse = null;
    this.#options.changed(this, response);
  }

  /** Looks the registrar up and sends the first REGISTER, or the one that takes the binding back. */
  #begin(removal: boolean): void {
    const next = this.settings.outboundProxy ?? this.settings.registerProxy;
    const marker: Attempt = { removal, addresses: [], index: 0, corrections: 0 };
    this.#attempt = marker;
    if (!removal) this.#expires = this.settings.expireSeconds;
    this.#options.resolver.resolve(next.host, next.port, (resolution) => {
      if (this.#attempt !== marker) return;
      if (resolution.kind === 'failed') {
        this.#options.log('warning', `gateway ${this.name}: ${next.host} cannot be looked up: ${resolution.reason}`);
        this.#failed(null);
        return;
      }
      this.#knownRegistrar = resolution.addresses;
      this.#attempt = { ...marker, addresses: resolution.addresses };
      this.#send(this.#request());
    });
    if (!removal) this.#learn();
  }

  #request(): SipRequest {
    const { party, random } = this.#options;
    this.#cseq += 1;
    return outOfDialogRequest(party, {
      method: 'REGISTER',
      uri: this.registrarUri,
      branch: `z9hG4bK${random.token(16)}`,
      from: `<${this.addressOfRecord}>`,
      fromTag: this.#fromTag,
      to: `<${this.addressOfRecord}>`,
      callId: this.#callId,
      cseq: this.#cseq,
      contact: this.contact,
      routes: this.routes,
      headers: [
        { name: 'Expires', value: String(this.#attempt?.removal === true ? 0 : this.#expires) },
        { name: 'Allow', value: ALLOW },
      ],
    });
  }

  #send(request: SipRequest): void {
    const attempt = this.#attempt;
    const destination = attempt?.addresses[attempt.index];
    assert(attempt !== null && destination !== undefined, `gateway ${this.name} knows where to register`);
    this.#remember();
    this.#options.send(request, destination, {
      response: (response) => {
        if (this.#attempt === attempt && response.status >= 200) this.#answered(attempt, request, response);
      },
      timeout: () => {
        if (this.#attempt === attempt) this.#nextAddress(attempt, null);
      },
    });
  }

  #answered(attempt: Attempt, request: SipRequest, response: SipResponse): void {
    this.#lastResponse = response;
    if (response.status < 300) {
      this.#succeeded(attempt, response);
      return;
    }
    const corrected = attempt.corrections < MAXIMUM_CORRECTIONS ? this.#corrected(request, response) : null;
    if (corrected !== null) {
      attempt.corrections += 1;
      this.#send(corrected);
    } else if (response.status === 503) this.#nextAddress(attempt, response);
    else this.#failed(response);
  }

  /** The request as the registrar wants it, or null when its refusal is the last word. */
  #corrected(request: SipRequest, response: SipResponse): SipRequest | null {
    const { party, random } = this.#options;
    if (response.status === 401 || response.status === 407) {
      const answer = answerChallenge(request, response, this.account, random.token(16));
      if (answer.kind !== 'answered') {
        this.#options.log(
          'warning',
          `gateway ${this.name}: ${answer.kind === 'refused' ? 'the password is refused' : 'no challenge that can be answered'}`,
        );
        return null;
      }
      const again = sayAgain(answer.request, party, `z9hG4bK${random.token(16)}`);
      this.#cseq = again.cseq;
      return again.request;
    }
    // RFC 3261 §10.2.8: the interval is too brief.
    const minimum = Number(headerValue(response, 'Min-Expires') ?? Number.NaN);
    if (response.status !== 423 || !Number.isInteger(minimum) || minimum <= this.#expires || minimum > LONGEST_EXPIRY) return null;
    this.#expires = minimum;
    return this.#request();
  }

  #succeeded(attempt: Attempt, response: SipResponse): void {
    this.#attempt = null;
    if (attempt.removal) {
      this.#boundUntil = 0;
      this.#remember();
      this.#handle('removed');
      return;
    }
    const granted = this.#granted(response);
    if (granted <= 0) {
      this.#failed(response);
      return;
    }
    this.#failures = 0;
    this.#expires = granted;
    this.#boundUntil = this.#options.clock.now() + granted * 1000;
    const { outboundProxy, registerProxy, proxy } = this.settings;
    const same = outboundProxy !== null || (registerProxy.host === proxy.host && registerProxy.port === proxy.port);
    this.#reached = same ? (attempt.addresses[attempt.index] ?? null) : null;
    this.#remember();
    this.#handle('accepted');
  }

  /** RFC 3261 §10.2.4: the interval of our own Contact, else the Expires header, else what we asked for. */
  #granted(response: SipResponse): number {
    const mine = headerValues(response, 'Contact')
      .map(parseNameAddress)
      .find((contact) => contact?.uri.user === contactUser(this.settings) && contact.uri.port === this.#options.party.advertised.port);
    for (const text of [mine?.parameters.get('expires'), headerValue(response, 'Expires')]) {
      if (text !== undefined && text !== null && /^\d{1,10}$/.test(text)) return Math.min(Number(text), LONGEST_EXPIRY);
    }
    return this.#expires;
  }

  /** No answer, or an overloaded server: the next address of the name (RFC 3263 §4.3). */
  #nextAddress(attempt: Attempt, response: SipResponse | null): void {
    if (attempt.index + 1 >= attempt.addresses.length) {
      this.#failed(response);
      return;
    }
    this.#attempt = { ...attempt, index: attempt.index + 1, corrections: 0 };
    this.#send(this.#request());
  }

  #failed(response: SipResponse | null): void {
    const removal = this.#attempt?.removal ?? false;
    this.#attempt = null;
    this.#reached = null;
    this.#boundUntil = 0;
    this.#remember();
    if (removal) {
      this.#handle('removed');
      return;
    }
    this.#failures += 1;
    const { retrySeconds } = this.settings;
    // FreeSWITCH: an unreachable registrar is tried at the same pace, one that refuses us more and more seldom.
    const unreachable = response === null || response.status === 503 || response.status === 408;
    const wanted = Number.parseInt(headerValue(response ?? NOTHING, 'Retry-After') ?? '0', 10) || 0;
    this.#retryDelay = Math.min(LONGEST_RETRY, Math.max(wanted, unreachable ? retrySeconds : retrySeconds * this.#failures));
    const why = response === null ? 'no answer' : `${response.status} ${response.reason}`;
    this.#options.log('warning', `gateway ${this.name}: registration failed: ${why}; again in ${this.#retryDelay} s`);
    this.#handle('refused');
  }

  /** The addresses of the proxy, by which its calls are known. */
  #learn(): void {
    const { resolver, clock } = this.#options;
    const next = this.settings.outboundProxy ?? this.settings.proxy;
    resolver.resolve(next.host, next.port, (resolution) => {
      if (this.#state === 'DOWN') return;
      if (resolution.kind === 'addresses') this.#known = resolution.addresses;
      if (this.#state === 'NOREG' && this.settings.pingSeconds === 0) this.#timer = clock.setTimer(LEARN_INTERVAL, () => this.#learn());
    });
  }

  #remember(): void {
    const { clock } = this.#options;
    const left = this.#boundUntil - clock.now();
    this.#options.remember({
      callId: this.#callId,
      fromTag: this.#fromTag,
      cseq: this.#cseq,
      boundUntil: left > 0 ? Math.round(clock.wallMicroseconds() + left * 1000) : 0,
      about: this.#about,
    });
  }
}

const NOTHING: SipResponse = { kind: 'response', status: 408, reason: '', headers: [], body: '' };

/** Early enough that a REGISTER that gets lost (32 s) can be said again before the binding ends. Seconds. */
function refreshAfter(granted: number): number {
  return Math.max(1, granted - Math.min(60, granted / 2));
}

function quoted(name: string): string {
  return `"${name.replace(/["\\]/g, '\\$&').replace(/[\r\n]/g, ' ')}"`;
}
