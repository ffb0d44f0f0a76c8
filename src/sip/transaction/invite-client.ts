// The INVITE client transaction over an unreliable transport: RFC 3261 §17.1.1, with the Accepted state of RFC 6026 §7.2.
import type { Address } from '../../base/index.ts';
import { createAcknowledge, type SipRequest, type SipResponse, serializeMessage } from '../message/index.ts';
import { type MachineContext, TransactionTimers } from './machine.ts';
import type { TransitionTable } from './table.ts';
import type { ClientTransaction, ClientTransactionUser, DatagramSender } from './transaction.ts';

type State = 'calling' | 'proceeding' | 'accepted' | 'completed' | 'terminated';
/** success: 2xx; failure: 300–699; cancelled: a CANCEL for it was sent; the timers by their letters, X being §9.1's 64·T1. */
type Input = 'provisional' | 'success' | 'failure' | 'cancelled' | 'timerA' | 'timerB' | 'timerD' | 'timerM' | 'timerX';
type Action =
  | 'send'
  | 'doubleA'
  | 'stopTimers'
  | 'startD'
  | 'startM'
  | 'startX'
  | 'acknowledge'
  | 'repeatAcknowledge'
  | 'response'
  | 'timeout';

const TABLE: TransitionTable<State, Input, Action> = {
  calling: {
    provisional: ['proceeding', 'stopTimers', 'response'],
    success: ['accepted', 'stopTimers', 'startM', 'response'],
    failure: ['completed', 'stopTimers', 'startD', 'acknowledge', 'response'],
    timerA: ['calling', 'doubleA', 'send'],
    timerB: ['terminated', 'timeout'],
  },
  proceeding: {
    provisional: ['proceeding', 'response'],
    success: ['accepted', 'stopTimers', 'startM', 'response'],
    failure: ['completed', 'stopTimers', 'startD', 'acknowledge', 'response'],
    cancelled: ['proceeding', 'startX'],
    timerX: ['terminated', 'timeout'],
  },
  // Every retransmission and every fork of the 2xx goes up: its ACK is the user's (RFC 6026 §7.2).
  accepted: {
    success: ['accepted', 'response'],
    timerM: ['terminated'],
  },
  completed: {
    failure: ['completed', 'repeatAcknowledge'],
    timerD: ['terminated'],
  },
  terminated: {},
};

export class InviteClientTransaction implements ClientTransaction {
  readonly key: string;
  readonly branch: string;
  readonly method = 'INVITE';
  readonly #request: SipRequest;
  readonly #requestBytes: Uint8Array;
  readonly #destination: Address;
  readonly #sender: DatagramSender;
  readonly #user: ClientTransactionUser;
  readonly #context: MachineContext;
  readonly #timers: TransactionTimers;
  #state: State = 'calling';
  #intervalA: number;
  #acknowledge: Uint8Array | null = null;

  constructor(options: {
    key: string;
    branch: string;
    request: SipRequest;
    requestBytes: Uint8Array;
    destination: Address;
    sender: DatagramSender;
    user: ClientTransactionUser;
    context: MachineContext;
  }) {
    this.key = options.key;
    this.branch = options.branch;
    this.#request = options.request;
    this.#requestBytes = options.requestBytes;
    this.#destination = options.destination;
    this.#sender = options.sender;
    this.#user = options.user;
    this.#context = options.context;
    this.#timers = new TransactionTimers(options.context.clock);
    this.#intervalA = options.context.timers.t1;
  }

  get state(): State {
    return this.#state;
  }

  get terminated(): boolean {
    return this.#state === 'terminated';
  }

  /** Sends the request and starts timers A and B. */
  start(): void {
    const { t1x64 } = this.#context.timers;
    this.#timers.startRepeat(this.#intervalA, () => this.#input('timerA'));
    this.#timers.startEnd(t1x64, () => this.#input('timerB'));
    this.#send();
  }

  /** After a crash in Proceeding: only listens. */
  resumeProceeding(): void {
    this.#state = 'proceeding';
  }

  receive(response: SipResponse, source: Address): void {
    this.#input(response.status < 200 ? 'provisional' : response.status < 300 ? 'success' : 'failure', response, source);
  }

  /** A CANCEL was sent: without a final response within 64·T1 the INVITE counts as ended (RFC 3261 §9.1). */
  cancelled(): void {
    this.#input('cancelled');
  }

  close(): void {
    this.#state = 'terminated';
    this.#timers.stop();
  }

  #input(input: Input, response?: SipResponse, source?: Address): void {
    const transition = TABLE[this.#state][input];
    if (transition === undefined) return;
    const [next, ...actions] = transition;
    this.#state = next;
    if (next === 'terminated') {
      this.#timers.stop();
      this.#context.terminated(this.key);
    }
    for (const action of actions) this.#act(action, response, source);
  }

  #act(action: Action, response?: SipResponse, source?: Address): void {
    const { t1x64 } = this.#context.timers;
    switch (action) {
      case 'send':
        this.#send();
        return;
      case 'doubleA':
        this.#intervalA *= 2;
        this.#timers.startRepeat(this.#intervalA, () => this.#input('timerA'));
        return;
      case 'stopTimers':
        this.#timers.stop();
        return;
      case 'startD':
        this.#timers.startEnd(t1x64, () => this.#input('timerD'));
        return;
      case 'startM':
        this.#timers.startEnd(t1x64, () => this.#input('timerM'));
        return;
      case 'startX':
        this.#timers.startEnd(t1x64, () => this.#input('timerX'));
        return;
      case 'acknowledge':
        if (response !== undefined) this.#acknowledge = serializeMessage(createAcknowledge(this.#request, response));
        this.#sendAcknowledge();
        return;
      case 'repeatAcknowledge':
        this.#sendAcknowledge();
        return;
      case 'response':
        if (response !== undefined && source !== undefined) this.#user.response(response, source);
        return;
      case 'timeout':
        this.#user.timeout();
        return;
    }
  }

  #send(): void {
    this.#sender.send(this.#requestBytes, this.#destination);
  }

  #sendAcknowledge(): void {
    if (this.#acknowledge !== null) this.#sender.send(this.#acknowledge, this.#destination);
  }
}
