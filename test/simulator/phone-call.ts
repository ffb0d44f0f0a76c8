import type { Address, Timer } from '../../src/base/index.ts';
import { formatAddress, sameAddress } from '../../src/base/index.ts';
import { readPayloadType, readSequence, readSsrc, sequenceDifference, writeHeader } from '../../src/rtp/index.ts';
import type { SipHeader, SipRequest, SipResponse } from '../../src/sip/index.ts';
import { createCancel, createResponse, headerValue, parseCSeq, parseNameAddress, serializeMessage, tagOf } from '../../src/sip/index.ts';
import { type PhoneDescription, readDescription, writeDescription } from './phone-sdp.ts';
import type { SimulatedPhone } from './simulated-phone.ts';

/** What a phone does in a call, milliseconds; `null` = not of its own accord. */
export interface CallPlan {
  /** Callee: ringing begins, with or without early media, and the answer or refusal comes. */
  readonly ringAfter: number;
  readonly early: boolean;
  readonly answerAfter: number | null;
  readonly rejectWith: number | null;
  /** After the answer. */
  readonly hangupAfter: number | null;
  /** Caller: after the INVITE. */
  readonly cancelAfter: number | null;
  readonly codecs: readonly number[];
  /** Within the call, after the answer. */
  readonly actions: readonly { readonly after: number; readonly act: (call: PhoneCall) => void }[];
  readonly headers: readonly SipHeader[];
  /** The INVITE goes out without an offer. */
  readonly lateOffer: boolean;
  /** The phone loses this many of its own ACKs to a 2xx. */
  readonly forgetAcknowledges: number;
  /** Dead from then on: says nothing any more. */
  readonly mute: boolean;
}

export const DEFAULT_PLAN: CallPlan = {
  ringAfter: 50,
  early: false,
  answerAfter: 1000,
  rejectWith: null,
  hangupAfter: null,
  cancelAfter: null,
  codecs: [0, 8, 101],
  actions: [],
  headers: [],
  lateOffer: false,
  forgetAcknowledges: 0,
  mute: false,
};

/** Sparser than a real phone's 20 ms, to keep simulations short. */
const RTP_INTERVAL = 100;
const UNTOLD = 200;
const RTP_TICKS = 800;
const T64 = 32_000;
/** A caller that heard 100 Trying and then nothing for so long gives up. */
const PATIENCE = 150_000;

/** One call of one phone: a strict user agent that notes everything a real one would have to refuse. */
export class PhoneCall {
  readonly phone: SimulatedPhone;
  readonly direction: 'caller' | 'callee';
  readonly plan: CallPlan;
  readonly callId: string;
  readonly localTag: string;
  readonly local: Address;
  readonly responses: number[] = [];
  readonly requests: string[] = [];
  readonly ssrcs = new Set<number>();
  readonly heard = new Set<number>();
  readonly heardPayloadTypes = new Set<number>();
  /** RFC 4733 events that came in. */
  readonly telephoneEvents = new Set<number>();
  state: 'calling' | 'ringing' | 'answered' | 'ended' = 'calling';
  /** Why it ended. */
  end: 'none' | 'byPeer' | 'byUs' | 'refused' | 'cancelled' | 'lost' | 'timeout' = 'none';
  finalStatus = 0;
  answeredAt = -1;
  endedAt = -1;
  lastHeardAt = -1;
  remoteTag: string | null = null;
  received = 0;
  /** What the switch last said of its side. */
  remote: PhoneDescription | null = null;
  soundDirection: PhoneDescription['direction'] = 'sendrecv';
  byeUnknown = false;
  acknowledged = false;
  answerSdp = '';
  inviteSdp = '';
  #remoteTarget: string;
  #localCSeq: number;
  #remoteCSeq = -1;
  #invite: SipRequest | null = null;
  #version = 1;
  #payloadTypes: readonly number[];
  /** Every type that was ever agreed to: packets of the time before may still be under way. */
  readonly #agreed: Set<number>;
  #sequence: number;
  #timestamp = 0;
  #ssrc: number;
  #lastSequence: number | null = null;
  #timers: Timer[] = [];
  readonly #reliable = new Map<string, number>();
  #talking = false;
  #pendingOffer = false;
  #forget: number;

  constructor(
    phone: SimulatedPhone,
    direction: 'caller' | 'callee',
    plan: CallPlan,
    dialog: { callId: string; target: string; remoteTag: string | null },
  ) {
    this.phone = phone;
    this.direction = direction;
    this.plan = plan;
    this.callId = dialog.callId;
    this.#remoteTarget = dialog.target;
    this.remoteTag = dialog.remoteTag;
    const { random } = phone.world;
    this.localTag = `${phone.name}-${random.token(8)}`;
    this.local = { ip: phone.address.ip, port: phone.nextRtpPort() };
    this.#localCSeq = 1 + (random.uint32() % 1000);
    this.#sequence = random.uint32() & 0xffff;
    this.#ssrc = random.uint32();
    this.#payloadTypes = plan.codecs;
    this.#agreed = new Set(plan.codecs);
    this.#forget = plan.forgetAcknowledges;
  }

  get up(): boolean {
    return this.state === 'answered';
  }

  #after(delay: number, work: () => void): void {
    this.#timers.push(
      this.phone.world.schedule.setTimer(delay, () => {
        if (this.state !== 'ended') work();
      }),
    );
  }

  #violation(text: string): void {
    this.phone.world.violation(`${this.phone.name} (${this.direction}): ${text}`);
  }

  // ---- caller ----

  /** Sends the INVITE. */
  dial(number: string): void {
    const body = this.plan.lateOffer ? '' : this.describe();
    const request = this.#build('INVITE', this.#localCSeq, body, this.plan.headers, `sip:${number}@10.0.0.1:5060`);
    this.#invite = request;
    this.inviteSdp = body;
    this.phone.transactions.request(
      request,
      (response) => this.#inviteResponse(response),
      () => this.finish('timeout'),
    );
    if (this.plan.cancelAfter !== null) this.#after(this.plan.cancelAfter, () => this.cancel());
    this.#after(PATIENCE, () => {
      if (this.state === 'answered') return;
      this.#violation('the INVITE got no final response');
      this.finish('timeout');
    });
  }

  cancel(): void {
    const invite = this.#invite;
    if (invite === null || this.state === 'answered') return;
    if (this.responses.length === 0) {
      this.#after(100, () => this.cancel());
      return;
    }
    this.phone.world.somebodyHungUp = true;
    this.phone.transactions.request(
      createCancel(invite),
      (response) => {
        // A lost 200 to the CANCEL, and a crash after the call's end: then the 481 is right.
        if (response.status === 481 && !this.phone.world.reorders) this.#violation('CANCEL got 481');
      },
      () => this.#violation('CANCEL got no answer'),
    );
    this.#after(T64, () => {
      if (this.state !== 'answered') {
        this.#violation('a cancelled INVITE got no final response');
        this.finish('timeout');
      }
    });
  }

  #inviteResponse(response: SipResponse): void {
    this.responses.push(response.status);
    if (response.status < 200) {
      if (this.state === 'calling') this.state = 'ringing';
      const tag = tagOf(headerValue(response, 'To') ?? '');
      if (response.status > 100) this.#checkTag(tag);
      if (response.body !== '') this.#takeDescription(response.body);
      if (/100rel/.test(headerValue(response, 'Require') ?? '')) {
        const sequence = headerValue(response, 'RSeq') ?? '0';
        // RFC 3262 §4: a repeated one must not be acknowledged again.
        const acknowledgedAt = this.#reliable.get(sequence);
        if (acknowledgedAt !== undefined) {
          const late = this.phone.world.schedule.now() - acknowledgedAt;
          if (late > 3000 && !this.phone.world.reorders) this.#violation('a provisional response is repeated after its PRACK');
          return;
        }
        this.#reliable.set(sequence, this.phone.world.schedule.now());
        this.request('PRACK', '', [
          { name: 'RAck', value: `${sequence} ${parseCSeq(headerValue(response, 'CSeq') ?? '')?.number} INVITE` },
        ]);
      }
      return;
    }
    if (response.status >= 300) {
      if (this.state === 'answered') {
        this.#violation(`${response.status} after the answer`);
        return;
      }
      this.finalStatus = response.status;
      if (!this.phone.world.mayEnd && response.status !== this.phone.world.expectedRefusal) {
        this.#violation(`the call was refused with ${response.status}`);
      }
      this.finish(response.status === 487 ? 'cancelled' : 'refused');
      return;
    }
    this.#checkTag(tagOf(headerValue(response, 'To') ?? ''));
    const contact = parseNameAddress(headerValue(response, 'Contact') ?? '');
    if (contact !== null) this.#remoteTarget = headerValue(response, 'Contact')?.replace(/^.*<|>.*$/g, '') ?? this.#remoteTarget;
    if (this.#forget > 0) {
      this.#forget -= 1;
      return;
    }
    this.#acknowledge(response, this.plan.lateOffer && response.body !== '' ? this.describe() : '');
    if (this.state === 'answered' || this.state === 'ended') return;
    this.finalStatus = response.status;
    this.answerSdp = response.body;
    this.#answered(response.body);
  }

  #checkTag(tag: string | null): void {
    if (this.remoteTag === null) this.remoteTag = tag;
    else if (tag !== this.remoteTag) this.#violation(`the To tag changed from ${this.remoteTag} to ${tag}`);
  }

  #acknowledge(response: SipResponse, body: string): void {
    const cseq = parseCSeq(headerValue(response, 'CSeq') ?? '')?.number ?? 0;
    this.phone.send(serializeMessage(this.#build('ACK', cseq, body)));
  }

  // ---- callee ----

  /** An INVITE came in. */
  ring(invite: SipRequest): void {
    this.#invite = invite;
    this.#remoteCSeq = parseCSeq(headerValue(invite, 'CSeq') ?? '')?.number ?? 0;
    this.inviteSdp = invite.body;
    if (invite.body !== '') this.#takeDescription(invite.body);
    const { ringAfter, early, answerAfter, rejectWith, mute } = this.plan;
    if (mute) return;
    this.respond(invite, 100);
    this.#after(ringAfter, () => {
      if (this.state !== 'calling') return;
      this.state = 'ringing';
      this.respond(invite, early ? 183 : 180, early ? this.describe() : '');
      if (early) this.#talk();
    });
    if (rejectWith !== null) {
      this.#after(answerAfter ?? ringAfter + 10, () => {
        this.phone.world.somebodyHungUp = true;
        this.respond(invite, rejectWith);
        this.finish('byUs');
      });
    } else if (answerAfter !== null) {
      this.#after(answerAfter, () => this.#answer(invite));
    }
  }

  #answer(invite: SipRequest): void {
    if (this.state === 'answered' || this.state === 'ended') return;
    this.respond(invite, 200, this.describe());
    this.#answered(invite.body);
    this.#repeatAnswer(invite);
  }

  /** RFC 3261 §13.3.1.4. */
  #repeatAnswer(invite: SipRequest): void {
    this.acknowledged = false;
    let interval = 500;
    const repeat = (): void => {
      if (this.acknowledged || this.state === 'ended') return;
      this.phone.transactions.repeat(invite);
      interval = Math.min(interval * 2, 4000);
      this.#after(interval, repeat);
    };
    this.#after(interval, repeat);
    this.#after(T64, () => {
      if (this.acknowledged) return;
      this.#violation('a 2xx got no ACK');
      this.hangup();
    });
  }

  // ---- both ----

  #answered(sdp: string): void {
    const { world } = this.phone;
    this.state = 'answered';
    this.answeredAt = world.schedule.now();
    if (sdp !== '') this.#takeDescription(sdp);
    this.#talk();
    if (this.plan.hangupAfter !== null) this.#after(this.plan.hangupAfter, () => this.hangup());
    for (const { after, act } of this.plan.actions) this.#after(after, () => act(this));
  }

  describe(direction: PhoneDescription['direction'] = this.soundDirection, connection = this.local.ip): string {
    return writeDescription({ address: this.local, payloadTypes: this.#payloadTypes, direction }, this.#version, connection);
  }

  /** Another description from now on. */
  redescribe(direction: PhoneDescription['direction'], codecs: readonly number[] = this.#payloadTypes, connection?: string): string {
    this.soundDirection = direction;
    this.#payloadTypes = codecs;
    for (const type of codecs) this.#agreed.add(type);
    this.#version += 1;
    return this.describe(direction, connection);
  }

  #takeDescription(sdp: string): void {
    const description = readDescription(sdp);
    if (description === null) this.#violation('a description without sound');
    else this.remote = description;
  }

  hangup(): void {
    if (this.state === 'ended') return;
    if (this.state !== 'answered') {
      this.cancel();
      return;
    }
    this.#checkSound();
    this.phone.world.somebodyHungUp = true;
    this.request('BYE', '', [], (response) => {
      if (response.status === 481) this.byeUnknown = true;
    });
    this.finish('byUs');
  }

  /** While a call is up, sound comes: unless a crash was just now, or one side holds. */
  #checkSound(): void {
    const { world } = this.phone;
    const now = world.schedule.now();
    const held = this.soundDirection !== 'sendrecv' || this.remote?.direction === 'inactive' || this.remote?.direction === 'recvonly';
    if (held || !world.expectsSound || world.somebodyHungUp || now - this.answeredAt < 3000) return;
    const lastCrash = world.node.crashes.at(-1) ?? Number.NEGATIVE_INFINITY;
    if (now - lastCrash < 3000) return;
    if (now - this.lastHeardAt > 1000) this.#violation(`no sound for ${Math.round(now - this.lastHeardAt)} ms`);
  }

  /** A request within the dialog. */
  request(
    method: string,
    body = '',
    headers: readonly SipHeader[] = [],
    done: (response: SipResponse) => void = () => undefined,
    tries = 0,
  ): void {
    this.#localCSeq += 1;
    const offers = method === 'INVITE' || (method === 'UPDATE' && body !== '');
    if (offers) this.#pendingOffer = true;
    const reoffer = (): void => this.#after(2000, () => this.request(method, body, headers, done, tries + 1));
    this.phone.transactions.request(
      this.#build(method, this.#localCSeq, body, headers),
      (response) => {
        if (response.status < 200) return;
        if (offers) this.#pendingOffer = false;
        if (response.status === 491 && tries < 5) {
          reoffer();
          return;
        }
        if (method === 'INVITE' && response.status < 300) this.#acknowledge(response, '');
        if (response.status < 300 && response.body !== '') this.#takeDescription(response.body);
        if (response.status === 481 && method !== 'BYE' && this.state !== 'ended' && !this.phone.world.mayEnd) {
          this.#violation(`${method} in an answered call got 481: it was forgotten`);
        }
        done(response);
      },
      () => {
        if (offers) this.#pendingOffer = false;
        this.#violation(`${method} in a call got no answer`);
      },
    );
  }

  /** A request with a CSeq of the caller's choice; `done` gets the status. */
  requestOutOfOrder(method: string, cseq: number, done: (status: number) => void): void {
    this.phone.transactions.request(
      this.#build(method, cseq, ''),
      (response) => done(response.status),
      () => done(408),
    );
  }

  hold(how: 'sendonly' | 'inactive' | '0.0.0.0'): void {
    if (how === '0.0.0.0') this.request('INVITE', this.redescribe('sendrecv', this.#payloadTypes, '0.0.0.0'));
    else this.request('INVITE', this.redescribe(how));
  }

  resume(): void {
    this.request('INVITE', this.redescribe('sendrecv'));
  }

  /** A request of the switch within this call. */
  receive(request: SipRequest): void {
    const { world } = this.phone;
    const cseq = parseCSeq(headerValue(request, 'CSeq') ?? '')?.number ?? 0;
    const toTag = tagOf(headerValue(request, 'To') ?? '');
    const fromTag = tagOf(headerValue(request, 'From') ?? '');
    if (request.method === 'ACK') {
      if (toTag === this.localTag && fromTag === this.remoteTag) {
        this.acknowledged = true;
        if (request.body !== '') this.#takeDescription(request.body);
      }
      return;
    }
    if (request.method === 'CANCEL') {
      this.#cancelled(request);
      return;
    }
    if (toTag !== this.localTag || (this.remoteTag !== null && fromTag !== this.remoteTag)) {
      this.#violation(`${request.method} with tags ${fromTag} ${toTag} instead of ${this.remoteTag} ${this.localTag}`);
      this.respond(request, 481);
      return;
    }
    if (cseq <= this.#remoteCSeq) {
      if (!world.reorders) this.#violation(`${request.method} with CSeq ${cseq} after ${this.#remoteCSeq}`);
      this.respond(request, 500);
      return;
    }
    this.#remoteCSeq = cseq;
    this.requests.push(request.method);
    if (request.method === 'BYE') this.byeUnknown = false;
    if (this.state === 'ended') {
      this.respond(request, request.method === 'BYE' ? 200 : 481);
      return;
    }
    switch (request.method) {
      case 'BYE':
        this.respond(request, 200);
        // Its CANCEL may cross our answer.
        if (!world.mayEnd && !(world.mayCancel && /LOSE_RACE|NO_ANSWER/.test(headerValue(request, 'Reason') ?? ''))) {
          this.#violation(`the switch ended the call: ${headerValue(request, 'Reason') ?? ''}`);
        }
        this.finish('byPeer');
        return;
      case 'INVITE':
        if (this.#pendingOffer) {
          this.respond(request, 491);
          return;
        }
        if (request.body !== '') this.#takeDescription(request.body);
        this.respond(request, 200, this.describe());
        this.#repeatAnswer(request);
        return;
      case 'UPDATE':
        if (this.#pendingOffer && request.body !== '') {
          this.respond(request, 491);
          return;
        }
        if (request.body !== '') this.#takeDescription(request.body);
        this.respond(request, 200, request.body === '' ? '' : this.describe());
        return;
      default:
        this.respond(request, 200);
    }
  }

  #cancelled(request: SipRequest): void {
    this.phone.transactions.respond(request, createResponse(request, 200, { toTag: this.localTag }));
    this.requests.push('CANCEL');
    const invite = this.#invite;
    if (invite === null || this.state === 'answered' || this.state === 'ended') return;
    if (!this.phone.world.mayEnd && !this.phone.world.mayCancel) this.#violation('the switch cancelled the call');
    this.respond(invite, 487);
    this.finish('cancelled');
  }

  respond(request: SipRequest, status: number, body = '', headers: readonly SipHeader[] = []): void {
    const all: SipHeader[] = [...headers];
    if (status > 100 && status < 300) {
      all.push({ name: 'Contact', value: `<sip:${this.phone.name}@${formatAddress(this.phone.address)}>` });
      all.push({ name: 'Allow', value: this.phone.allow });
    }
    if (body !== '') all.push({ name: 'Content-Type', value: 'application/sdp' });
    this.phone.transactions.respond(request, createResponse(request, status, { toTag: this.localTag, headers: all, body }));
  }

  #build(method: string, cseq: number, body: string, headers: readonly SipHeader[] = [], uri = this.#remoteTarget): SipRequest {
    const { phone } = this;
    const me = formatAddress(phone.address);
    const number = method === 'INVITE' && this.remoteTag === null ? uri : this.phone.peerUri(this);
    if (method === 'INVITE' && this.remoteTag === null) this.phone.rememberPeer(this, uri);
    return {
      kind: 'request',
      method,
      uri,
      headers: [
        { name: 'Via', value: `SIP/2.0/UDP ${me};rport;branch=z9hG4bK${phone.world.random.token(12)}` },
        { name: 'Max-Forwards', value: '70' },
        { name: 'From', value: `<sip:${phone.name}@${phone.address.ip}>;tag=${this.localTag}` },
        { name: 'To', value: `<${number}>${this.remoteTag === null ? '' : `;tag=${this.remoteTag}`}` },
        { name: 'Call-ID', value: this.callId },
        { name: 'CSeq', value: `${cseq} ${method}` },
        { name: 'Contact', value: `<sip:${phone.name}@${me}>` },
        { name: 'Allow', value: phone.allow },
        ...headers,
        ...(body === '' ? [] : [{ name: 'Content-Type', value: 'application/sdp' }]),
      ],
      body,
    };
  }

  finish(end: PhoneCall['end']): void {
    if (this.state === 'ended') return;
    this.state = 'ended';
    this.end = end;
    this.endedAt = this.phone.world.schedule.now();
    for (const timer of this.#timers) timer.cancel();
    this.#timers = [];
  }

  // ---- sound ----

  #talk(): void {
    if (this.#talking) return;
    this.#talking = true;
    const { world } = this.phone;
    const next = (): void => {
      if (this.state === 'ended') return;
      this.#sendSound();
      world.schedule.setPlainTimer(RTP_INTERVAL, next);
    };
    next();
  }

  #sendSound(): void {
    this.#sequence = (this.#sequence + 1) & 0xffff;
    this.#timestamp = (this.#timestamp + RTP_TICKS) >>> 0;
    const { remote } = this;
    const mayTalk = this.soundDirection === 'sendrecv' || this.soundDirection === 'sendonly';
    if (remote === null || remote.address.port === 0 || !mayTalk) return;
    const codec = remote.payloadTypes.find((type) => type !== 101 && this.#payloadTypes.includes(type));
    if (codec === undefined) return;
    const bytes = new Uint8Array(12 + 160);
    writeHeader(bytes, { marker: false, payloadType: codec, sequence: this.#sequence, timestamp: this.#timestamp, ssrc: this.#ssrc });
    bytes.fill(this.phone.sound, 12);
    this.phone.world.rtp.send(this.local, remote.address, bytes);
  }

  /** A packet for this call's port. */
  hear(bytes: Uint8Array, source: Address): void {
    if (this.state === 'ended' || this.remote === null) return;
    const { world } = this.phone;
    const type = readPayloadType(bytes);
    if (type === 101) {
      this.telephoneEvents.add(bytes[12] ?? 0);
      return;
    }
    const isRight = sameAddress(source, this.remote.address);
    // Sound of a leg that a crash undid before anybody was told of it: until its endpoint is closed, and no phone listens there.
    if (!isRight && world.schedule.now() - Math.max(this.answeredAt, 0) < UNTOLD) return;
    this.lastHeardAt = world.schedule.now();
    this.received += 1;
    this.heard.add(bytes[12] ?? 0);
    this.heardPayloadTypes.add(type);
    if (!isRight) {
      this.#violation(`sound from ${formatAddress(source)} instead of ${formatAddress(this.remote.address)}`);
    }
    if (!this.#agreed.has(type)) this.#violation(`payload type ${type}, which was never agreed to`);
    const ssrc = readSsrc(bytes);
    const sequence = readSequence(bytes);
    if (!this.ssrcs.has(ssrc)) {
      this.ssrcs.add(ssrc);
      this.#lastSequence = null;
    }
    if (this.#lastSequence !== null && !world.rtpReorders) {
      const difference = sequenceDifference(sequence, this.#lastSequence);
      if (difference <= 0) this.#violation(`the sequence of its sound went back by ${-difference}`);
      else if (difference > 3000) this.#violation(`the sequence of its sound jumped by ${difference}`);
    }
    this.#lastSequence = sequence;
  }
}
