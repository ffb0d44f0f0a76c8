import type { Address } from '../../base/index.ts';
import type { SipRequest, SipResponse } from '../message/message.ts';

/** RFC 3261 §17 timers, milliseconds. */
export interface TimerValues {
  readonly t1: number;
  readonly t2: number;
  readonly t4: number;
  /** Timeout of a transaction; RFC: 64·T1. */
  readonly t1x64: number;
}

/** What the layer sends through. UDP for now; `send` never throws, a failure comes back by `transportError`. */
export interface DatagramSender {
  send(bytes: Uint8Array, destination: Address): void;
}

export interface ServerTransaction {
  readonly key: string;
  readonly method: string;
  readonly request: SipRequest;
  readonly source: Address;
  /** True once a final response was given. */
  readonly answered: boolean;
  readonly terminated: boolean;
  /**
   * Sends a provisional or final response. The bytes are kept and said again on retransmissions, as the state machine
   * demands. `responseBytes` must be what the store holds. A second final response breaks an invariant, unless it is a 2xx
   * to an INVITE being retransmitted by its user (RFC 6026 Accepted state).
   */
  respond(status: number, responseBytes: Uint8Array): void;
}

export interface ClientTransaction {
  readonly branch: string;
  readonly method: string;
  readonly terminated: boolean;
}

export interface ClientTransactionUser {
  /** Provisional and final responses, each once, but for 2xx to INVITE: every retransmission and every fork. */
  response(response: SipResponse, source: Address): void;
  /** Timer B or F: RFC 3261 §8.1.3.1, to be treated as 408. */
  timeout(): void;
}

export interface TransactionUser {
  /** A request that opened a new server transaction (never ACK, never a retransmission). */
  request(transaction: ServerTransaction): void;
  /** An ACK that belongs to no INVITE server transaction in state Completed: the one to a 2xx. */
  acknowledge(request: SipRequest, source: Address): void;
  /** A CANCEL is a server transaction of its own (already passed to `request`); this names the INVITE it means, if any. */
  strayResponse(response: SipResponse, source: Address): void;
  /** A reliable failure: the INVITE server transaction's final non-2xx got no ACK (timer H). */
  acknowledgeTimeout(transaction: ServerTransaction): void;
}
