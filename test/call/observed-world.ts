import type { Address } from '../../src/base/index.ts';
import type { SipMessage, SipRequest } from '../../src/sip/index.ts';
import { headerValue, parseMessage } from '../../src/sip/index.ts';
import { SWITCH_IP } from '../simulator/simulated-configuration.ts';
import { SimulatedWorld, type WorldOptions } from '../simulator/simulated-world.ts';

export interface Observed {
  readonly at: number;
  readonly message: SipMessage;
  readonly source: Address;
  readonly destination: Address;
}

/** A simulated world whose SIP is written down. */
export class ObservedWorld extends SimulatedWorld {
  readonly observed: Observed[] = [];

  constructor(options: Partial<WorldOptions> = {}) {
    super({ seed: 11, ...options });
    const send = this.sip.send.bind(this.sip);
    this.sip.send = (source, destination, bytes) => {
      const parsed = parseMessage(bytes);
      if (parsed.kind === 'message') this.observed.push({ at: this.schedule.now(), message: parsed.message, source, destination });
      send(source, destination, bytes);
    };
  }

  /** Statuses that the switch sent to a phone, with the method that each is about, in order. */
  statusesTo(digit: number): string[] {
    return this.#fromSwitchTo(digit).flatMap(({ message }) =>
      message.kind === 'response' ? [`${message.status} ${(headerValue(message, 'CSeq') ?? '').split(' ')[1] ?? ''}`] : [],
    );
  }

  requestsTo(digit: number): SipRequest[] {
    return this.#fromSwitchTo(digit).flatMap(({ message }) => (message.kind === 'request' ? [message] : []));
  }

  methodsTo(digit: number): string[] {
    return this.requestsTo(digit).map((request) => request.method);
  }

  #fromSwitchTo(digit: number): Observed[] {
    return this.observed.filter(({ source, destination }) => source.ip === SWITCH_IP && destination.ip === `10.0.1.${digit}`);
  }
}
