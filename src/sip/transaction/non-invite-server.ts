// The non-INVITE server transaction over an unreliable transport: RFC 3261 §17.2.2.
import { type Address, assert } from '../../base/index.ts';
import type { SipRequest } from '../message/index.ts';
import { type MachineContext, TransactionTimers } from './machine.ts';
import type { TransitionTable } from './table.ts';
import type { DatagramSender, ServerTransaction } from './transaction.ts';

type State = 'trying' | 'proceeding' | 'completed' | 'terminated';
type Input = 'request' | 'provisional' | 'final' | 'timerJ';
type Action = 'send' | 'startJ';

const TABLE: TransitionTable<State, Input, Action> = {
  // A retransmission before any response is dropped.
  trying: {
    provisional: ['proceeding', 'send'],
    final: ['completed', 'startJ', 'send'],
  },
  proceeding: {
    request: ['proceeding', 'send'],
    provisional: ['proceeding', 'send'],
    final: ['completed', 'startJ', 'send'],
  },
  completed: {
    request: ['completed', 'send'],
    timerJ: ['terminated'],
  },
  terminated: {},
};

export class NonInviteServerTransaction implements ServerTransaction {
  readonly key: string;
  readonly method: string;
  readonly request: SipRequest;
  readonly source: Address;
  readonly #destination: Address;
  readonly #sender: DatagramSender;
  readonly #context: MachineContext;
  readonly #timers: TransactionTimers;
  #state: State = 'trying';
  #last: Uint8Array | null = null;
  #answered = false;

  constructor(options: {
    key: string;
    request: SipRequest;
    source: Address;
    destination: Address;
    sender: DatagramSender;
    context: MachineContext;
  }) {
    this.key = options.key;
    this.method = options.request.method;
    this.request = options.request;
    this.source = options.source;
    this.#destination = options.destination;
    this.#sender = options.sender;
    this.#context = options.context;
    this.#timers = new TransactionTimers(options.context.clock);
  }

  get state(): State {
    return this.#state;
  }

  get answered(): boolean {
    return this.#answered;
  }

  get terminated(): boolean {
    return this.#state === 'terminated';
  }

  respond(status: number, responseBytes: Uint8Array): void {
    if (this.#state === 'terminated') return;
    assert(status >= 100 && status < 700, 'a response has a status of 100 to 699');
    assert(!this.#answered, 'a request gets one final response');
    this.#last = responseBytes;
    if (status < 200) {
      this.#input('provisional');
      return;
    }
    this.#answered = true;
    this.#input('final');
  }

  /** After a crash: a final response is sent again, a provisional one is kept for retransmissions of the request. */
  resume(status: number, responseBytes: Uint8Array): void {
    if (status >= 200) {
      this.respond(status, responseBytes);
      return;
    }
    this.#last = responseBytes;
    this.#state = 'proceeding';
  }

  receiveRetransmission(): void {
    this.#input('request');
  }

  close(): void {
    this.#state = 'terminated';
    this.#timers.stop();
  }

  #input(input: Input): void {
    const transition = TABLE[this.#state][input];
    if (transition === undefined) return;
    const [next, ...actions] = transition;
    this.#state = next;
    if (next === 'terminated') {
      this.#timers.stop();
      this.#context.terminated(this.key);
    }
    for (const action of actions) this.#act(action);
  }

  #act(action: Action): void {
    switch (action) {
      case 'send':
        if (this.#last !== null) this.#sender.send(this.#last, this.#destination);
        return;
      case 'startJ':
        this.#timers.startEnd(this.#context.timers.t1x64, () => this.#input('timerJ'));
        return;
    }
  }
}
