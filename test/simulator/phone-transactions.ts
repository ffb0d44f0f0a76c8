import type { Address, Clock, Timer } from '../../src/base/index.ts';
import type { SipRequest, SipResponse } from '../../src/sip/index.ts';
import { createAcknowledge, headerValue, parseVia, serializeMessage } from '../../src/sip/index.ts';

const T1 = 500;
const T2 = 4000;
const T64 = 32_000;

interface Client {
  readonly request: SipRequest;
  readonly response: (response: SipResponse) => void;
  readonly timeout: () => void;
  proceeding: boolean;
  final: SipResponse | null;
  repeat: Timer | null;
  end: Timer | null;
}

export function branchOf(message: SipRequest | SipResponse): string {
  return parseVia(headerValue(message, 'Via') ?? '')?.parameters.get('branch') ?? '';
}

/** A phone's transactions, written anew and simply, so that a mistake of the switch's own layer has no twin here. */
export class PhoneTransactions {
  readonly #clock: Clock;
  readonly #send: (bytes: Uint8Array) => void;
  readonly #clients = new Map<string, Client>();
  readonly #acknowledged = new Set<string>();
  readonly #servers = new Map<string, Uint8Array | null>();

  constructor(clock: Clock, send: (bytes: Uint8Array, destination?: Address) => void) {
    this.#clock = clock;
    this.#send = send;
  }

  request(request: SipRequest, response: (response: SipResponse) => void, timeout: () => void): void {
    const key = `${branchOf(request)} ${request.method}`;
    const client: Client = { request, response, timeout, proceeding: false, final: null, repeat: null, end: null };
    this.#clients.set(key, client);
    const bytes = serializeMessage(request);
    let interval = T1;
    const again = (): void => {
      this.#send(bytes);
      client.repeat = this.#clock.setTimer(interval, again);
      interval = request.method === 'INVITE' ? interval * 2 : Math.min(interval * 2, T2);
    };
    again();
    client.end = this.#clock.setTimer(T64, () => {
      client.repeat?.cancel();
      if (client.final === null) client.timeout();
    });
  }

  receiveResponse(response: SipResponse): void {
    const method = (headerValue(response, 'CSeq') ?? '').split(' ')[1] ?? '';
    const client = this.#clients.get(`${branchOf(response)} ${method}`);
    if (client === undefined) return;
    if (method === 'INVITE' && response.status >= 300) this.#send(serializeMessage(createAcknowledge(client.request, response)));
    if (response.status < 200) {
      if (client.final !== null) return;
      client.proceeding = true;
      if (method === 'INVITE') {
        client.repeat?.cancel();
        client.end?.cancel();
      }
      client.response(response);
      return;
    }
    const first = client.final === null;
    client.final ??= response;
    client.repeat?.cancel();
    client.end?.cancel();
    // Each 2xx to an INVITE goes up: its ACK is the phone's.
    if (first || (method === 'INVITE' && response.status < 300)) client.response(response);
  }

  /** True for a new request; a retransmission gets the same answer as before. */
  isNew(request: SipRequest): boolean {
    const key = `${branchOf(request)} ${request.method}`;
    const last = this.#servers.get(key);
    if (last === undefined) {
      this.#servers.set(key, null);
      return true;
    }
    if (last !== null) this.#send(last);
    return false;
  }

  respond(request: SipRequest, response: SipResponse): void {
    const bytes = serializeMessage(response);
    const key = `${branchOf(request)} ${request.method}`;
    this.#servers.set(key, bytes);
    this.#send(bytes);
    if (request.method === 'INVITE' && response.status >= 300) this.#repeatRefusal(key, bytes);
  }

  /** RFC 3261 §17.2.1, timer G. */
  #repeatRefusal(key: string, bytes: Uint8Array): void {
    let interval = T1;
    const end = this.#clock.now() + T64;
    const again = (): void => {
      if (this.#acknowledged.has(key) || this.#clock.now() >= end) return;
      this.#send(bytes);
      interval = Math.min(interval * 2, T2);
      this.#clock.setTimer(interval, again);
    };
    this.#clock.setTimer(interval, again);
  }

  /** The ACK to a refusal has the INVITE's branch. */
  receiveAcknowledge(request: SipRequest): void {
    this.#acknowledged.add(`${branchOf(request)} INVITE`);
  }

  /** Sends the last response to a request again: a 2xx that got no ACK. */
  repeat(request: SipRequest): void {
    const bytes = this.#servers.get(`${branchOf(request)} ${request.method}`);
    if (bytes != null) this.#send(bytes);
  }
}
