import type { Address, Clock, Logger, Random } from '../base/index.ts';
import type { CallInput, DirectoryMatch, Leg, ServerTransactionRecord } from '../call/index.ts';
import type { SipProfile } from '../config/index.ts';
import type { InboundGateway } from '../gateway/index.ts';
import type { Verification } from '../registrar/index.ts';
import type { ClientTransactionUser, ServerTransaction, SipRequest, SipResponse } from '../sip/index.ts';
import {
  ALLOW,
  bytesOf,
  createResponse,
  headerValue,
  messageText,
  parseMessage,
  parseVia,
  RepeatUntilAcknowledged,
  serializeMessage,
  stampReceived,
  TransactionLayer,
  tagOf,
} from '../sip/index.ts';

/** Live transactions of one profile; beyond it new requests get 503. */
const MAXIMUM_TRANSACTIONS = 50_000;

export interface SipFrontOptions {
  readonly profile: SipProfile;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly send: (bytes: Uint8Array, destination: Address) => void;
  /** Without `remoteTag`: any fork of it. */
  findLeg(callId: string, localTag: string, remoteTag?: string | null): Leg | null;
  /** The leg of an unanswered INVITE, for its CANCEL (which has no tag of ours). */
  findByInvite(callId: string, key: string): Leg | null;
  input(input: CallInput): void;
  /** Why a new call cannot be taken, or null. */
  refusal(): { readonly status: number; readonly reason: string } | null;
  /** The trunk that an INVITE comes from. */
  gateway(request: SipRequest, source: Address): InboundGateway | null;
  authenticate(request: SipRequest): Verification;
  challenge(request: SipRequest, stale: boolean): SipResponse;
  /** What `apply-inbound-acl` says of an address: null without one; allowed, perhaps as a directory user; or not. */
  access(ip: string): { readonly allowed: boolean; readonly user: DirectoryMatch | null } | null;
  /** Answers a REGISTER when what it changed is durable. */
  register(request: SipRequest, source: Address, reply: (response: SipResponse) => void): void;
  /** False until recovery has read everything: an unknown dialog may still come back, so nothing is said about it. */
  recoveryComplete(): boolean;
  /** The call of that Call-ID lies saved until a recover command: nothing is said about it either. */
  awaitsRecovery(callId: string): boolean;
  /** Every message in and out, while a trace is wanted. */
  trace: ((direction: 'recv' | 'send', peer: Address, bytes: Uint8Array) => void) | null;
}

export interface SipCounters {
  received: number;
  malformed: number;
  /** Requests in dialogs that were unknown while recovery ran. */
  heldBack: number;
  callsIn: number;
  failedCallsIn: number;
  callsOut: number;
  failedCallsOut: number;
}

/** One profile's SIP: parses, keeps its transactions, finds the leg, and admits or refuses what begins something new. */
export class SipFront {
  readonly profile: SipProfile;
  readonly counters: SipCounters = { received: 0, malformed: 0, heldBack: 0, callsIn: 0, failedCallsIn: 0, callsOut: 0, failedCallsOut: 0 };
  readonly #options: SipFrontOptions;
  readonly #layer: TransactionLayer;
  readonly #servers = new Map<string, ServerTransaction>();
  readonly #repeats = new Map<string, RepeatUntilAcknowledged>();
  /** INVITE transactions: what is repeated until its ACK goes through them. */
  readonly #answered = new Map<string, ServerTransaction>();
  #trace: SipFrontOptions['trace'];

  constructor(options: SipFrontOptions) {
    this.#options = options;
    this.profile = options.profile;
    this.#trace = options.trace;
    const { timerT1, timerT2, timerT4, timerT1X64 } = options.profile;
    this.#layer = new TransactionLayer({
      clock: options.clock,
      timers: { t1: timerT1, t2: timerT2, t4: timerT4, t1x64: timerT1X64 },
      sender: { send: (bytes, destination) => this.send(bytes, destination) },
      maximumTransactions: MAXIMUM_TRANSACTIONS,
      user: {
        request: (transaction) => this.#receiveRequest(transaction),
        acknowledge: (request) => this.#receiveAcknowledge(request),
        strayResponse: (response, source) => this.#strayResponse(response, source),
        acknowledgeTimeout: () => undefined,
      },
    });
  }

  setTrace(trace: SipFrontOptions['trace']): void {
    this.#trace = trace;
  }

  /** A datagram from the network. */
  receive(bytes: Uint8Array, source: Address): void {
    this.counters.received += 1;
    this.#trace?.('recv', source, bytes);
    const parsed = parseMessage(bytes);
    switch (parsed.kind) {
      case 'keepAlive':
        return;
      case 'malformed':
        this.counters.malformed += 1;
        this.#options.logger.log('debug', `malformed SIP from ${source.ip}:${source.port}: ${parsed.reason}`);
        if (parsed.request !== null && parsed.request.method !== 'ACK') {
          this.send(
            serializeMessage(createResponse(parsed.request, 400, { reason: 'Bad Request', toTag: this.#options.random.token(10) })),
            source,
          );
        }
        return;
      case 'message': {
        const { message } = parsed;
        if (message.kind === 'request' && this.#isHeldBack(message)) {
          // Without a transaction, so that its retransmission is a new request to the recovered call.
          this.counters.heldBack += 1;
          return;
        }
        this.#layer.receive(message.kind === 'request' ? stampReceived(message, source) : message, source);
        return;
      }
    }
  }

  send(bytes: Uint8Array, destination: Address): void {
    this.#trace?.('send', destination, bytes);
    this.#options.send(bytes, destination);
  }

  respond(key: string, status: number, bytes: Uint8Array): void {
    const transaction = this.#servers.get(key);
    if (transaction === undefined) return;
    transaction.respond(status, bytes);
    if (status >= 200) this.#servers.delete(key);
    if (transaction.method !== 'INVITE' || status < 300) return;
    this.#answered.delete(key);
    this.counters.failedCallsIn += 1;
  }

  request(leg: string, branch: string, request: SipRequest, bytes: Uint8Array, destination: Address): void {
    const first = request.method === 'INVITE' && tagOf(headerValue(request, 'To') ?? '') === null;
    if (first && !hasCredentials(request)) this.counters.callsOut += 1;
    this.#layer.startClient(request, bytes, destination, this.#clientUser(leg, branch, request.method));
  }

  /** A request outside of any dialog that no call sends: REGISTER and OPTIONS to trunks. */
  requestOutOfDialog(request: SipRequest, destination: Address, user: ClientTransactionUser): void {
    this.#layer.startClient(request, serializeMessage(request), destination, user);
  }

  restoreClient(leg: string, branch: string, request: SipRequest, bytes: Uint8Array, destination: Address, provisional: number): void {
    this.#layer.restoreClient(request, bytes, destination, provisional, this.#clientUser(leg, branch, request.method));
  }

  restoreServer(_leg: string, record: ServerTransactionRecord, request: SipRequest): void {
    const bytes = record.response === null ? null : bytesOf(record.response);
    const transaction = this.#layer.restoreServer(request, record.source, record.responseStatus, bytes);
    this.#servers.set(record.key, transaction);
    if (record.method === 'INVITE') this.#answered.set(record.key, transaction);
  }

  /** Repeats a 2xx until its ACK, or a reliable provisional until its PRACK. */
  repeat(leg: string, key: string, bytes: Uint8Array, reliable: boolean): void {
    this.#repeats.get(key)?.stop();
    const transaction = this.#transactionFor(key);
    if (transaction === null) return;
    const { timerT1, timerT2, timerT4, timerT1X64 } = this.profile;
    const status = reliable ? 183 : 200;
    const repeat = new RepeatUntilAcknowledged({
      clock: this.#options.clock,
      timers: { t1: timerT1, t2: timerT2, t4: timerT4, t1x64: timerT1X64 },
      capAtT2: !reliable,
      send: () => transaction.respond(status, bytes),
      giveUp: () => {
        this.#repeats.delete(key);
        this.#answered.delete(key);
        this.#options.input({ kind: 'acknowledgeTimeout', leg, key, reliable });
      },
    });
    this.#repeats.set(key, repeat);
  }

  #transactionFor(key: string): ServerTransaction | null {
    return this.#servers.get(key) ?? this.#answered.get(key) ?? null;
  }

  stopRepeating(key: string): void {
    this.#repeats.get(key)?.stop();
    this.#repeats.delete(key);
    // A reliable provisional that was acknowledged leaves an INVITE whose 2xx is still to be repeated.
    if (this.#answered.get(key)?.answered === true) this.#answered.delete(key);
  }

  close(): void {
    for (const repeat of this.#repeats.values()) repeat.stop();
    this.#repeats.clear();
    this.#layer.close();
  }

  #clientUser(leg: string, branch: string, method: string): { response(response: SipResponse, source: Address): void; timeout(): void } {
    return {
      response: (response, source) => {
        const challenge = response.status === 401 || response.status === 407;
        if (method === 'INVITE' && response.status >= 300 && !challenge) this.counters.failedCallsOut += 1;
        this.#options.input({ kind: 'response', leg, branch, method, response, source });
      },
      timeout: () => this.#options.input({ kind: 'requestTimeout', leg, branch, method }),
    };
  }

  #receiveRequest(transaction: ServerTransaction): void {
    const { request, source } = transaction;
    if (request.method === 'CANCEL') {
      this.#receiveCancel(transaction);
      return;
    }
    if (Number(headerValue(request, 'Max-Forwards') ?? '70') <= 0) {
      this.#answer(transaction, 483);
      return;
    }
    const localTag = tagOf(headerValue(request, 'To') ?? '');
    if (localTag === null) {
      this.#receiveOutOfDialog(transaction);
      return;
    }
    const leg = this.#options.findLeg(headerValue(request, 'Call-ID') ?? '', localTag, tagOf(headerValue(request, 'From') ?? ''));
    if (leg !== null) {
      this.#servers.set(transaction.key, transaction);
      if (request.method === 'INVITE') this.#answered.set(transaction.key, transaction);
      this.#options.input({ kind: 'request', leg: leg.uuid, key: transaction.key, request, source });
      return;
    }
    this.#answer(transaction, 481);
  }

  /** A request of a call that may still come back; it will be sent again. */
  #isHeldBack(request: SipRequest): boolean {
    const callId = headerValue(request, 'Call-ID') ?? '';
    if (this.#options.awaitsRecovery(callId)) return true;
    if (this.#options.recoveryComplete()) return false;
    const localTag = tagOf(headerValue(request, 'To') ?? '');
    return localTag !== null && this.#options.findLeg(callId, localTag, tagOf(headerValue(request, 'From') ?? '')) === null;
  }

  #receiveOutOfDialog(transaction: ServerTransaction): void {
    const { request, source } = transaction;
    switch (request.method) {
      case 'INVITE':
        this.#receiveInvite(transaction);
        return;
      case 'OPTIONS':
        this.#answer(transaction, 200, [
          { name: 'Accept', value: 'application/sdp' },
          { name: 'Supported', value: '100rel' },
        ]);
        return;
      case 'REGISTER':
        this.#options.register(request, source, (response) => this.#send(transaction, response));
        return;
      case 'SUBSCRIBE':
        this.#answer(transaction, 489);
        return;
      case 'BYE':
      case 'UPDATE':
      case 'PRACK':
      case 'INFO':
      case 'NOTIFY':
        this.#answer(transaction, 481);
        return;
      default:
        this.#answer(transaction, 405);
    }
  }

  #receiveInvite(transaction: ServerTransaction): void {
    const { request, source } = transaction;
    this.counters.callsIn += 1;
    const refusal = this.#options.refusal();
    if (refusal !== null) {
      this.counters.failedCallsIn += 1;
      this.#answer(transaction, refusal.status, [{ name: 'Retry-After', value: '10' }], refusal.reason);
      return;
    }
    let user: DirectoryMatch | null = null;
    const gateway = this.#options.gateway(request, source);
    const access = this.#options.access(source.ip);
    if (access?.allowed === false && !this.profile.authCalls) {
      this.counters.failedCallsIn += 1;
      this.#options.logger.log('warning', `a call from ${source.ip} is refused by apply-inbound-acl of profile ${this.profile.name}`);
      this.#answer(transaction, 403);
      return;
    }
    if (access?.allowed === true) user = access.user;
    else if (this.profile.authCalls && gateway?.trusted !== true) {
      const verification = this.#options.authenticate(request);
      if (verification.kind === 'missing' || verification.kind === 'stale') {
        this.#send(transaction, this.#options.challenge(request, verification.kind === 'stale'));
        return;
      }
      if (verification.kind === 'wrong') {
        this.counters.failedCallsIn += 1;
        this.#answer(transaction, 403);
        return;
      }
      user = verification.user;
    }
    this.#servers.set(transaction.key, transaction);
    this.#answered.set(transaction.key, transaction);
    this.#options.input({ kind: 'invite', profile: this.profile.name, key: transaction.key, request, source, user, gateway });
  }

  #receiveCancel(transaction: ServerTransaction): void {
    const invite = this.#layer.inviteServerFor(transaction.request);
    const callId = headerValue(transaction.request, 'Call-ID') ?? '';
    const leg = invite === null ? null : this.#options.findByInvite(callId, invite.key);
    if (invite === null || leg === null) {
      this.#answer(transaction, invite === null ? 481 : 200);
      return;
    }
    // The call answers it, behind its save: a caller that got the 200 says its CANCEL no more.
    this.#servers.set(transaction.key, transaction);
    this.#options.input({ kind: 'cancel', leg: leg.uuid, key: invite.key, cancelKey: transaction.key, request: transaction.request });
  }

  #receiveAcknowledge(request: SipRequest): void {
    const localTag = tagOf(headerValue(request, 'To') ?? '');
    if (localTag === null) return;
    const leg = this.#options.findLeg(headerValue(request, 'Call-ID') ?? '', localTag, tagOf(headerValue(request, 'From') ?? ''));
    if (leg !== null) this.#options.input({ kind: 'acknowledge', leg: leg.uuid, request });
  }

  /** A 2xx to INVITE whose transaction is over, or was lost with an earlier life: its ACK is said again. */
  #strayResponse(response: SipResponse, source: Address): void {
    const method = (headerValue(response, 'CSeq') ?? '').split(/\s+/)[1] ?? '';
    const localTag = tagOf(headerValue(response, 'From') ?? '');
    if (method !== 'INVITE' || response.status < 200 || response.status > 299 || localTag === null) return;
    const branch = parseVia(headerValue(response, 'Via') ?? '')?.parameters.get('branch') ?? '';
    const leg = this.#options.findLeg(headerValue(response, 'Call-ID') ?? '', localTag);
    if (leg !== null) this.#options.input({ kind: 'response', leg: leg.uuid, branch, method, response, source });
  }

  /** Answers outside dialogs wait for nothing. */
  #answer(transaction: ServerTransaction, status: number, headers: readonly { name: string; value: string }[] = [], reason?: string): void {
    const response = createResponse(transaction.request, status, {
      ...(reason === undefined ? {} : { reason }),
      toTag: this.#options.random.token(10),
      headers: [{ name: 'User-Agent', value: this.profile.userAgent }, { name: 'Allow', value: ALLOW }, ...headers],
    });
    this.#send(transaction, response);
  }

  #send(transaction: ServerTransaction, response: SipResponse): void {
    transaction.respond(response.status, bytesOf(messageText(response)));
  }
}

/** An INVITE said again after a challenge is no further call. */
function hasCredentials(request: SipRequest): boolean {
  return headerValue(request, 'Authorization') !== null || headerValue(request, 'Proxy-Authorization') !== null;
}
