import { type Address, assert, type Clock } from '../../base/index.ts';
import {
  createResponse,
  headerValue,
  parseMessage,
  responseDestination,
  type SipMessage,
  type SipRequest,
  type SipResponse,
  serializeMessage,
  tagOf,
} from '../message/index.ts';
import { InviteClientTransaction } from './invite-client.ts';
import { InviteServerTransaction } from './invite-server.ts';
import type { MachineContext } from './machine.ts';
import { branchOf, clientKey, hasMagicCookie, responseKey, serverKey } from './matching.ts';
import { NonInviteClientTransaction } from './non-invite-client.ts';
import { NonInviteServerTransaction } from './non-invite-server.ts';
import type {
  ClientTransaction,
  ClientTransactionUser,
  DatagramSender,
  ServerTransaction,
  TimerValues,
  TransactionUser,
} from './transaction.ts';

export interface TransactionLayerContract {
  /** Every parsed message of one profile. Requests already carry received/rport in their top Via. */
  receive(message: SipMessage, source: Address): void;
  /** Sends `request` (bytes as stored) and follows it to its final response. */
  startClient(request: SipRequest, requestBytes: Uint8Array, destination: Address, user: ClientTransactionUser): ClientTransaction;
  /**
   * After a crash. `provisional` is the highest provisional status seen before it. INVITE: with no provisional it is sent
   * again at once, else the transaction is in Proceeding and only listens. Non-INVITE: sent again at once.
   */
  restoreClient(
    request: SipRequest,
    requestBytes: Uint8Array,
    destination: Address,
    provisional: number,
    user: ClientTransactionUser,
  ): ClientTransaction;
  /**
   * After a crash. Rebuilds the server transaction of a request received in an earlier life, with its last response
   * (null: none yet). A final response is sent again at once; a provisional one only on a retransmission.
   */
  restoreServer(request: SipRequest, source: Address, responseStatus: number, responseBytes: Uint8Array | null): ServerTransaction;
  /** The INVITE server transaction that a CANCEL refers to (RFC 3261 §9.2), or null. */
  inviteServerFor(cancel: SipRequest): ServerTransaction | null;
  /** Number of live transactions, for the console and for limits. */
  readonly size: number;
  /** Ends all timers; nothing is sent any more. */
  close(): void;
}

export interface LayerOptions {
  readonly clock: Clock;
  readonly timers: TimerValues;
  readonly sender: DatagramSender;
  readonly user: TransactionUser;
  /** Live transactions, both kinds; a new request beyond it gets 503. Our own requests are never refused. */
  readonly maximumTransactions: number;
}

export type LayerFactory = (options: LayerOptions) => TransactionLayerContract;

/** Counts since the start, for the console and metrics. */
export interface LayerCounters {
  /** Requests answered 503 because of maximumTransactions. */
  readonly refused: number;
  /** Requests that were retransmissions and went no further. */
  readonly retransmissions: number;
  /** Responses that belong to no client transaction. */
  readonly strayResponses: number;
}

type Server = InviteServerTransaction | NonInviteServerTransaction;
type Client = InviteClientTransaction | NonInviteClientTransaction;

/** The transactions of one profile over UDP: RFC 3261 §17 with RFC 6026. Holds a timer only for a transaction that needs one. */
export class TransactionLayer implements TransactionLayerContract {
  readonly #servers = new Map<string, Server>();
  readonly #clients = new Map<string, Client>();
  readonly #sender: DatagramSender;
  readonly #user: TransactionUser;
  readonly #maximumTransactions: number;
  readonly #serverContext: MachineContext;
  readonly #clientContext: MachineContext;
  readonly #counters = { refused: 0, retransmissions: 0, strayResponses: 0 };
  #closed = false;

  constructor(options: LayerOptions) {
    const { clock, timers } = options;
    this.#sender = {
      send: (bytes, destination) => {
        if (!this.#closed) options.sender.send(bytes, destination);
      },
    };
    this.#user = options.user;
    this.#maximumTransactions = options.maximumTransactions;
    this.#serverContext = { clock, timers, terminated: (key) => this.#servers.delete(key) };
    this.#clientContext = { clock, timers, terminated: (key) => this.#clients.delete(key) };
  }

  get size(): number {
    return this.#servers.size + this.#clients.size;
  }

  get counters(): LayerCounters {
    return { ...this.#counters };
  }

  receive(message: SipMessage, source: Address): void {
    if (this.#closed) return;
    if (message.kind === 'response') this.#receiveResponse(message, source);
    else if (message.method === 'ACK') this.#receiveAcknowledge(message, source);
    else this.#receiveRequest(message, source);
  }

  startClient(request: SipRequest, requestBytes: Uint8Array, destination: Address, user: ClientTransactionUser): ClientTransaction {
    return this.#addClient(request, requestBytes, destination, 0, user);
  }

  restoreClient(
    request: SipRequest,
    requestBytes: Uint8Array,
    destination: Address,
    provisional: number,
    user: ClientTransactionUser,
  ): ClientTransaction {
    return this.#addClient(request, requestBytes, destination, provisional, user);
  }

  restoreServer(request: SipRequest, source: Address, responseStatus: number, responseBytes: Uint8Array | null): ServerTransaction {
    const key = serverKey(request, request.method);
    assert(!this.#servers.has(key), 'a server transaction is restored once');
    const transaction = this.#addServer(key, request, source);
    if (responseBytes !== null) transaction.resume(responseStatus, responseBytes);
    // The 100 may have been lost with the crash; the call is durable, so its caller may stop repeating the INVITE.
    else if (request.method === 'INVITE') transaction.respond(100, serializeMessage(createResponse(request, 100)));
    return transaction;
  }

  inviteServerFor(cancel: SipRequest): ServerTransaction | null {
    const transaction = this.#servers.get(serverKey(cancel, 'INVITE'));
    return transaction instanceof InviteServerTransaction ? transaction : null;
  }

  close(): void {
    this.#closed = true;
    for (const transaction of this.#servers.values()) transaction.close();
    for (const transaction of this.#clients.values()) transaction.close();
    this.#servers.clear();
    this.#clients.clear();
  }

  #receiveResponse(response: SipResponse, source: Address): void {
    const key = responseKey(response);
    const transaction = key === null ? undefined : this.#clients.get(key);
    if (transaction !== undefined) {
      transaction.receive(response, source);
      return;
    }
    this.#counters.strayResponses++;
    this.#user.strayResponse(response, source);
  }

  #receiveAcknowledge(request: SipRequest, source: Address): void {
    if (this.#inviteServerOfAcknowledge(request)?.receiveAcknowledge() !== true) this.#user.acknowledge(request, source);
  }

  #inviteServerOfAcknowledge(request: SipRequest): InviteServerTransaction | null {
    const own = this.#servers.get(serverKey(request, 'INVITE'));
    if (own instanceof InviteServerTransaction) return own;
    if (hasMagicCookie(request)) return null;
    // RFC 2543: the first INVITE had no To tag, its ACK has the one of our response (§17.2.3).
    const first = this.#servers.get(serverKey(request, 'INVITE', ''));
    if (!(first instanceof InviteServerTransaction) || first.lastResponse === null) return null;
    const response = parseMessage(first.lastResponse);
    if (response.kind !== 'message') return null;
    const answered = tagOf(headerValue(response.message, 'To') ?? '');
    return answered === tagOf(headerValue(request, 'To') ?? '') ? first : null;
  }

  #receiveRequest(request: SipRequest, source: Address): void {
    const key = serverKey(request, request.method);
    const known = this.#servers.get(key);
    if (known !== undefined) {
      this.#counters.retransmissions++;
      known.receiveRetransmission();
      return;
    }
    if (this.size >= this.#maximumTransactions) {
      this.#refuse(request, source);
      return;
    }
    this.#user.request(this.#addServer(key, request, source));
  }

  /** Statelessly (RFC 3261 §8.2.7): the same request gets the same To tag each time. */
  #refuse(request: SipRequest, source: Address): void {
    this.#counters.refused++;
    const toTag = `full-${stableNumber(serverKey(request, request.method)).toString(16)}`;
    const bytes = serializeMessage(createResponse(request, 503, { toTag }));
    this.#sender.send(bytes, responseDestination(request, source));
  }

  #addServer(key: string, request: SipRequest, source: Address): Server {
    const common = {
      key,
      request,
      source,
      destination: responseDestination(request, source),
      sender: this.#sender,
      context: this.#serverContext,
    };
    const transaction =
      request.method === 'INVITE'
        ? new InviteServerTransaction({ ...common, acknowledgeTimeout: (ended) => this.#user.acknowledgeTimeout(ended) })
        : new NonInviteServerTransaction(common);
    this.#servers.set(key, transaction);
    return transaction;
  }

  #addClient(
    request: SipRequest,
    requestBytes: Uint8Array,
    destination: Address,
    provisional: number,
    user: ClientTransactionUser,
  ): ClientTransaction {
    assert(!this.#closed, 'no request is sent through a closed layer');
    assert(request.method !== 'ACK', 'an ACK is no transaction of its own');
    const branch = branchOf(request);
    const key = clientKey(branch, request.method);
    assert(!this.#clients.has(key), 'a branch is used for one request only');
    const common = { key, branch, requestBytes, destination, sender: this.#sender, user, context: this.#clientContext };
    if (request.method === 'INVITE') {
      const invite = new InviteClientTransaction({ ...common, request });
      this.#clients.set(key, invite);
      if (provisional >= 100) invite.resumeProceeding();
      else invite.start();
      // Recovery may restore the CANCEL first.
      if (this.#clients.has(clientKey(branch, 'CANCEL'))) invite.cancelled();
      return invite;
    }
    const transaction = new NonInviteClientTransaction({ ...common, method: request.method });
    this.#clients.set(key, transaction);
    transaction.start(provisional >= 100);
    if (request.method === 'CANCEL') {
      const invite = this.#clients.get(clientKey(branch, 'INVITE'));
      if (invite instanceof InviteClientTransaction) invite.cancelled();
    }
    return transaction;
  }
}

/** FNV-1a, 32 bits. */
function stableNumber(text: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index++) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  return hash >>> 0;
}
