import { type Address, assert, type Clock, type HostResolver, type LogLevel, type Random, type Timer, unreachable } from '../base/index.ts';
import type { ClientTransactionUser, DigestAccount, LocalParty, SipRequest, SipResponse } from '../sip/index.ts';
import { ALLOW, answerChallenge, headerValue, headerValues, parseNameAddress } from '../sip/index.ts';
import type { RegistrationMemory } from './memory.ts';
import { outOfDialogRequest, sayAgain } from './request.ts';
import { addressOfRecord, contactUser, type GatewaySettings, registrarUri } from './settings.ts';
import { GATEWAY_TABLE, type GatewayAction, type GatewayInput, type GatewayState } from './table.ts';

/** Challenges answered and intervals raised in one attempt to register. */
const MAXIMUM_CORRECTIONS = 5;
/** The longest wait between two attempts, seconds. */
const LONGEST_RETRY = 3600;
const LONGEST_EXPIRY = 31_536_000;
/** CSeq numbers left out after a crash: the last one sent may not have been remembered (gaps are legal). */
const CSEQ_GAP = 100;

export interface RegistrationOptions {
  readonly settings: GatewaySettings;
  readonly party: LocalParty;
  readonly account: DigestAccount;
  readonly contact: string;
  readonly routes: readonly string[];
  readonly clock: Clock;
  readonly random: Random;
  readonly resolver: HostResolver;
  /** Of an earlier life, or null. */
  readonly memory: RegistrationMemory | null;
  send(request: SipRequest, destination: Address, user: ClientTransactionUser): void;
  /** The state changed; with the response that was the reason, if one was. */
  changed(response: SipResponse | null): void;
  /** That address of the registrar accepted us; null: none does. */
  reached(address: Address | null): void;
  remember(memory: RegistrationMemory): void;
  log(level: LogLevel, message: string): void;
}

interface Attempt {
  readonly removal: boolean;
  readonly addresses: readonly Address[];
  index: number;
  corrections: number;
}

/** Our registration at one trunk (RFC 3261 §10.2), by the states of `table.ts`. */
export class Registration {
  /** Addresses of the registrar, as last looked up. */
  addresses: readonly Address[] = [];
  readonly #options: RegistrationOptions;
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

  constructor(options: RegistrationOptions) {
    const { settings, random, memory, clock } = options;
    this.#options = options;
    this.#about = `${options.contact} ${registrarUri(settings)} ${addressOfRecord(settings)}`;
    const known = memory?.about === this.#about ? memory : null;
    this.#callId = known?.callId ?? random.uuid();
    this.#fromTag = known?.fromTag ?? random.token(13);
    this.#cseq = known === null ? 1 + (random.uint32() & 0xff_ffff) : known.cseq + CSEQ_GAP;
    const left = Math.min((known?.boundUntil ?? 0) / 1000 - clock.wallMicroseconds() / 1000, LONGEST_EXPIRY * 1000);
    this.#boundUntil = settings.register && left > 0 ? clock.now() + left : 0;
    this.#expires = settings.expireSeconds;
    this.#state = settings.register ? 'UNREGED' : 'NOREG';
  }

  get state(): GatewayState {
    return this.#state;
  }

  /** Whether calls may go out: registered, or in no need of it. */
  get serves(): boolean {
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

  /** Seconds to the next attempt, null when none is planned. */
  get retrySeconds(): number | null {
    if (this.#dueAt === 0) return null;
    return Math.max(0, Math.round((this.#dueAt - this.#options.clock.now()) / 1000));
  }

  /** Seconds that the registrar granted or shall grant. */
  get expires(): number {
    return this.#expires;
  }

  /** Registers at once, also when a binding of an earlier life is still good. */
  start(): void {
    if (this.#options.settings.register) this.#handle('settled');
  }

  register(): void {
    this.#failures = 0;
    this.#handle('start');
  }

  unregister(): void {
    this.#handle('leave');
  }

  /** The binding is taken back, without waiting for the answer. */
  kill(): void {
    if (this.#boundUntil > 0) this.#begin(true);
    this.#attempt = null;
    this.#handle('kill');
  }

  /** Nothing is sent or timed any more. */
  close(): void {
    this.#timer?.cancel();
    this.#attempt = null;
    this.#state = 'DOWN';
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
    const response = this.#lastResponse;
    this.#lastResponse = null;
    this.#options.changed(response);
  }

  /** Looks the registrar up and sends the first REGISTER, or the one that takes the binding back. */
  #begin(removal: boolean): void {
    const next = this.#options.settings.outboundProxy ?? this.#options.settings.registerProxy;
    const marker: Attempt = { removal, addresses: [], index: 0, corrections: 0 };
    this.#attempt = marker;
    if (!removal) this.#expires = this.#options.settings.expireSeconds;
    this.#options.resolver.resolve(next.host, next.port, (resolution) => {
      if (this.#attempt !== marker) return;
      if (resolution.kind === 'failed') {
        this.#options.log('warning', `gateway ${this.#options.settings.name}: ${next.host} cannot be looked up: ${resolution.reason}`);
        this.#failed(null);
        return;
      }
      this.addresses = resolution.addresses;
      this.#attempt = { ...marker, addresses: resolution.addresses };
      this.#send(this.#request());
    });
  }

  #request(): SipRequest {
    const { party, random } = this.#options;
    this.#cseq += 1;
    return outOfDialogRequest(party, {
      method: 'REGISTER',
      uri: registrarUri(this.#options.settings),
      branch: `z9hG4bK${random.token(16)}`,
      from: `<${addressOfRecord(this.#options.settings)}>`,
      fromTag: this.#fromTag,
      to: `<${addressOfRecord(this.#options.settings)}>`,
      callId: this.#callId,
      cseq: this.#cseq,
      contact: this.#options.contact,
      routes: this.#options.routes,
      headers: [
        { name: 'Expires', value: String(this.#attempt?.removal === true ? 0 : this.#expires) },
        { name: 'Allow', value: ALLOW },
      ],
    });
  }

  #send(request: SipRequest): void {
    const attempt = this.#attempt;
    const destination = attempt?.addresses[attempt.index];
    assert(attempt !== null && destination !== undefined, `gateway ${this.#options.settings.name} knows where to register`);
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
      const answer = answerChallenge(request, response, this.#options.account, random.token(16));
      if (answer.kind !== 'answered') {
        this.#options.log(
          'warning',
          `gateway ${this.#options.settings.name}: ${answer.kind === 'refused' ? 'the password is refused' : 'no challenge that can be answered'}`,
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
    this.#options.reached(attempt.addresses[attempt.index] ?? null);
    this.#remember();
    this.#handle('accepted');
  }

  /** RFC 3261 §10.2.4: the interval of our own Contact, else the Expires header, else what we asked for. */
  #granted(response: SipResponse): number {
    const mine = headerValues(response, 'Contact')
      .map(parseNameAddress)
      .find(
        (contact) => contact?.uri.user === contactUser(this.#options.settings) && contact.uri.port === this.#options.party.advertised.port,
      );
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
    this.#options.reached(null);
    this.#boundUntil = 0;
    this.#remember();
    if (removal) {
      this.#handle('removed');
      return;
    }
    this.#failures += 1;
    const { retrySeconds } = this.#options.settings;
    // FreeSWITCH: an unreachable registrar is tried at the same pace, one that refuses us more and more seldom.
    const unreachable = response === null || response.status === 503 || response.status === 408;
    const wanted = Number.parseInt(headerValue(response ?? NOTHING, 'Retry-After') ?? '0', 10) || 0;
    this.#retryDelay = Math.min(LONGEST_RETRY, Math.max(wanted, unreachable ? retrySeconds : retrySeconds * this.#failures));
    const why = response === null ? 'no answer' : `${response.status} ${response.reason}`;
    this.#options.log('warning', `gateway ${this.#options.settings.name}: registration failed: ${why}; again in ${this.#retryDelay} s`);
    this.#handle('refused');
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
