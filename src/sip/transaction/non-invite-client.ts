// The non-INVITE client transaction over an unreliable transport: RFC 3261 §17.1.2.
import type { Address } from '../../base/index.ts';
import type { SipResponse } from '../message/index.ts';
import { type MachineContext, TransactionTimers } from './machine.ts';
import type { TransitionTable } from './table.ts';
import type { ClientTransaction, ClientTransactionUser, DatagramSender } from './transaction.ts';

type State = 'trying' | 'proceeding' | 'completed' | 'terminated';
type Input = 'provisional' | 'final' | 'timerE' | 'timerF' | 'timerK';
type Action = 'send' | 'doubleE' | 'startEAtT2' | 'stopTimers' | 'startK' | 'response' | 'timeout';

const TABLE: TransitionTable<State, Input, Action> = {
  trying: {
    provisional: ['proceeding', 'response'],
    final: ['completed', 'stopTimers', 'startK', 'response'],
    timerE: ['trying', 'doubleE', 'send'],
    timerF: ['terminated', 'timeout'],
  },
  proceeding: {
    provisional: ['proceeding', 'response'],
    final: ['completed', 'stopTimers', 'startK', 'response'],
    timerE: ['proceeding', 'startEAtT2', 'send'],
    timerF: ['terminated', 'timeout'],
  },
  // Retransmissions of the final response end here.
  completed: {
    timerK: ['terminated'],
  },
  terminated: {},
};

export class NonInviteClientTransaction implements ClientTransaction {
  readonly key: string;
  readonly branch: string;
  readonly method: string;
  readonly #requestBytes: Uint8Array;
  readonly #destination: Address;
  readonly #sender: DatagramSender;
  readonly #user: ClientTransactionUser;
  readonly #context: MachineContext;
  readonly #timers: TransactionTimers;
  #state: State = 'trying';
  #intervalE: number;

  constructor(options: {
    key: string;
    branch: string;
    method: string;
    requestBytes: Uint8Array;
    destination: Address;
    sender: DatagramSender;
    user: ClientTransactionUser;
    context: MachineContext;
  }) {
    this.key = options.key;
    this.branch = options.branch;
    this.method = options.method;
    this.#requestBytes = options.requestBytes;
    this.#destination = options.destination;
    this.#sender = options.sender;
    this.#user = options.user;
    this.#context = options.context;
    this.#timers = new TransactionTimers(options.context.clock);
    this.#intervalE = options.context.timers.t1;
  }

  get state(): State {
    return this.#state;
  }

  get terminated(): boolean {
    return this.#state === 'terminated';
  }

  /** Sends the request and starts timers E and F; `proceeding` when a provisional response was seen before a crash. */
  start(proceeding: boolean): void {
    const { t2, t1x64 } = this.#context.timers;
    if (proceeding) {
      this.#state = 'proceeding';
      this.#intervalE = t2;
    }
    this.#startE();
    this.#timers.startEnd(t1x64, () => this.#input('timerF'));
    this.#send();
  }

  receive(response: SipResponse, source: Address): void {
    this.#input(response.status < 200 ? 'provisional' : 'final', response, source);
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
    const { t2, t4 } = this.#context.timers;
    switch (action) {
      case 'send':
        this.#send();
        return;
      case 'doubleE':
        this.#intervalE = Math.min(this.#intervalE * 2, t2);
        this.#startE();
        return;
      case 'startEAtT2':
        this.#intervalE = t2;
        this.#startE();
        return;
      case 'stopTimers':
        this.#timers.stop();
        return;
      case 'startK':
        this.#timers.startEnd(t4, () => this.#input('timerK'));
        return;
      case 'response':
        if (response !== undefined && source !== undefined) this.#user.response(response, source);
        return;
      case 'timeout':
        this.#user.timeout();
        return;
    }
  }

  #startE(): void {
    this.#timers.startRepeat(this.#intervalE, () => this.#input('timerE'));
  }

  #send(): void {
    this.#sender.send(this.#requestBytes, this.#destination);
  }
}
