import type { Address } from '../../src/base/index.ts';
import type { SipRequest } from '../../src/sip/index.ts';
import { createResponse, headerValue, parseMessage, serializeMessage, tagOf } from '../../src/sip/index.ts';
import { type CallPlan, DEFAULT_PLAN, PhoneCall } from './phone-call.ts';
import { PhoneTransactions } from './phone-transactions.ts';
import { SWITCH_IP, SWITCH_PORT } from './simulated-configuration.ts';
import type { SimulatedWorld } from './simulated-world.ts';

/** Phone n: 200n at 10.0.1.n, one sound of its own by which it is known to the others. */
export class SimulatedPhone {
  readonly world: SimulatedWorld;
  readonly name: string;
  readonly address: Address;
  /** The µ-law byte that all its packets are made of. */
  readonly sound: number;
  readonly calls: PhoneCall[] = [];
  readonly transactions: PhoneTransactions;
  /** How it treats calls that come in. */
  plan: CallPlan = DEFAULT_PLAN;
  allow = 'INVITE, ACK, BYE, CANCEL, OPTIONS, INFO, UPDATE, PRACK';
  /** Unplugged: it hears nothing and says nothing. */
  #unplugged = false;
  #rtpPort = 4000;
  readonly #peers = new Map<PhoneCall, string>();

  constructor(world: SimulatedWorld, digit: number) {
    this.world = world;
    this.name = `200${digit}`;
    this.address = { ip: `10.0.1.${digit}`, port: 5060 };
    this.sound = 0x20 + digit;
    this.transactions = new PhoneTransactions(world.schedule, (bytes) => this.send(bytes));
    world.sip.attach(this.address.ip, (bytes) => this.#receive(bytes));
    world.rtp.attach(this.address.ip, (bytes, source, local) => {
      this.calls.find((call) => call.local.port === local.port)?.hear(bytes, source);
    });
  }

  nextRtpPort(): number {
    this.#rtpPort += 2;
    return this.#rtpPort;
  }

  peerUri(call: PhoneCall): string {
    return this.#peers.get(call) ?? 'sip:unknown@10.0.0.1';
  }

  rememberPeer(call: PhoneCall, uri: string): void {
    this.#peers.set(call, uri);
  }

  /** Calls a number of the switch. */
  call(number: string, plan: Partial<CallPlan> = {}): PhoneCall {
    const call = new PhoneCall(
      this,
      'caller',
      { ...DEFAULT_PLAN, ...plan },
      {
        callId: `${this.name}-${this.world.random.token(10)}`,
        target: `sip:${number}@${SWITCH_IP}:${SWITCH_PORT}`,
        remoteTag: null,
      },
    );
    this.calls.push(call);
    call.dial(number);
    return call;
  }

  /** Power off. Its calls are over for it, without a word. */
  unplug(): void {
    this.#unplugged = true;
    for (const call of this.calls) call.finish('lost');
  }

  /** Whatever the phone says goes to the switch. */
  send(bytes: Uint8Array): void {
    if (this.#unplugged) return;
    this.world.sip.send(this.address, { ip: SWITCH_IP, port: SWITCH_PORT }, bytes);
  }

  #receive(bytes: Uint8Array): void {
    if (this.#unplugged) return;
    const parsed = parseMessage(bytes);
    if (parsed.kind !== 'message') {
      this.world.violation(`${this.name}: the switch sent what is no SIP`);
      return;
    }
    if (parsed.message.kind === 'response') {
      this.transactions.receiveResponse(parsed.message);
      return;
    }
    this.#receiveRequest(parsed.message);
  }

  #receiveRequest(request: SipRequest): void {
    const callId = headerValue(request, 'Call-ID') ?? '';
    if (request.method === 'ACK') this.transactions.receiveAcknowledge(request);
    else if (!this.transactions.isNew(request)) return;
    const call = this.calls.find((candidate) => candidate.callId === callId);
    if (call !== undefined) {
      call.receive(request);
      return;
    }
    if (request.method === 'ACK') return;
    if (request.method !== 'INVITE' || tagOf(headerValue(request, 'To') ?? '') !== null) {
      // A CANCEL may overtake its INVITE; anything else is a call that this phone never had.
      if (request.method !== 'CANCEL') this.world.violation(`${this.name}: ${request.method} for a call that it does not have`);
      this.send(serializeMessage(createResponse(request, 481, { toTag: 'none' })));
      return;
    }
    const from = headerValue(request, 'From') ?? '';
    const created = new PhoneCall(this, 'callee', this.plan, {
      callId,
      target: (headerValue(request, 'Contact') ?? '').replace(/^.*<|>.*$/g, ''),
      remoteTag: tagOf(from),
    });
    this.#peers.set(created, from.replace(/^.*<|>.*$/g, ''));
    this.calls.push(created);
    created.ring(request);
  }
}
