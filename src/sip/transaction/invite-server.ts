// The INVITE server transaction over an unreliable transport: RFC 3261 §17.2.1, with the Accepted state of RFC 6026 §7.1.
import { type Address, assert } from '../../base/index.ts';
import type { SipRequest } from '../message/index.ts';
import { type MachineContext, TransactionTimers } from './machine.ts';
import type { TransitionTable } from './table.ts';
import type { DatagramSender, ServerTransaction } from './transaction.ts';

type State = 'proceeding' | 'accepted' | 'completed' | 'confirmed' | 'terminated';
/** invite: a retransmission; acknowledge: an ACK; the others are the user's responses, and the timers by their letters. */
type Input = 'invite' | 'acknowledge' | 'provisional' | 'success' | 'failure' | 'timerG' | 'timerH' | 'timerI' | 'timerL';
type Action = 'send' | 'startG' | 'doubleG' | 'startH' | 'startI' | 'startL' | 'stopTimers' | 'acknowledgeTimeout';

const TABLE: TransitionTable<State, Input, Action> = {
  proceeding: {
    // Nothing before the user gave a response: its 100 waits until the call is durable.
    invite: ['proceeding', 'send'],
    provisional: ['proceeding', 'send'],
    success: ['accepted', 'startL', 'send'],
    failure: ['completed', 'startG', 'startH', 'send'],
  },
  // Retransmissions of the INVITE are absorbed; the user repeats its 2xx until the ACK (RFC 3261 §13.3.1.4).
  accepted: {
    success: ['accepted', 'send'],
    timerL: ['terminated'],
  },
  completed: {
    invite: ['completed', 'send'],
    acknowledge: ['confirmed', 'stopTimers', 'startI'],
    timerG: ['completed', 'doubleG', 'send'],
    timerH: ['terminated', 'acknowledgeTimeout'],
  },
  // Further ACKs end here.
  confirmed: {
    timerI: ['terminated'],
  },
  terminated: {},
};

export class InviteServerTransaction implements ServerTransaction {
  readonly key: string;
  readonly method = 'INVITE';
  readonly request: SipRequest;
  readonly source: Address;
  readonly #destination: Address;
  readonly #sender: DatagramSender;
  readonly #acknowledgeTimeout: (transaction: ServerTransaction) => void;
  readonly #context: MachineContext;
  readonly #timers: TransactionTimers;
  #state: State = 'proceeding';
  #intervalG: number;
  #last: Uint8Array | null = null;
  #answered = false;

  constructor(options: {
    key: string;
    request: SipRequest;
    source: Address;
    destination: Address;
    sender: DatagramSender;
    acknowledgeTimeout: (transaction: ServerTransaction) => void;
    context: MachineContext;
  }) {
    this.key = options.key;
    this.request = options.request;
    this.source = options.source;
    this.#destination = options.destination;
    this.#sender = options.sender;
    this.#acknowledgeTimeout = options.acknowledgeTimeout;
    this.#context = options.context;
    this.#timers = new TransactionTimers(options.context.clock);
    this.#intervalG = options.context.timers.t1;
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

  /** The response sent last, for matching an RFC 2543 ACK by its To tag. */
  get lastResponse(): Uint8Array | null {
    return this.#last;
  }

  respond(status: number, responseBytes: Uint8Array): void {
    // Timer L or H, or the layer's end, may come between the user's decision and its save barrier.
    if (this.#state === 'terminated') return;
    assert(status >= 100 && status < 700, 'a response has a status of 100 to 699');
    const again = status >= 200 && status < 300 && this.#state === 'accepted';
    assert(!this.#answered || again, 'an INVITE gets one final response');
    this.#last = responseBytes;
    if (status < 200) {
      this.#input('provisional');
      return;
    }
    this.#answered = true;
    this.#input(status < 300 ? 'success' : 'failure');
  }

  /** After a crash: a final response is sent again, a provisional one is kept for retransmissions of the INVITE. */
  resume(status: number, responseBytes: Uint8Array): void {
    if (status >= 200) {
      this.respond(status, responseBytes);
      return;
    }
    this.#last = responseBytes;
  }

  receiveRetransmission(): void {
    this.#input('invite');
  }

  /** False when the ACK does not belong here but to a 2xx. */
  receiveAcknowledge(): boolean {
    if (this.#state !== 'completed' && this.#state !== 'confirmed') return false;
    this.#input('acknowledge');
    return true;
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
    const { t2, t4, t1x64 } = this.#context.timers;
    switch (action) {
      case 'send':
        this.#send();
        return;
      case 'doubleG':
        this.#intervalG = Math.min(this.#intervalG * 2, t2);
        this.#startG();
        return;
      case 'startG':
        this.#startG();
        return;
      case 'startH':
        this.#timers.startEnd(t1x64, () => this.#input('timerH'));
        return;
      case 'startI':
        this.#timers.startEnd(t4, () => this.#input('timerI'));
        return;
      case 'startL':
        this.#timers.startEnd(t1x64, () => this.#input('timerL'));
        return;
      case 'stopTimers':
        this.#timers.stop();
        return;
      case 'acknowledgeTimeout':
        this.#acknowledgeTimeout(this);
        return;
    }
  }

  #startG(): void {
    this.#timers.startRepeat(this.#intervalG, () => this.#input('timerG'));
  }

  #send(): void {
    if (this.#last !== null) this.#sender.send(this.#last, this.#destination);
  }
}
