import { randomBytes } from 'node:crypto';
import type { CallKind, CallReport, Side } from './report.ts';
import type { Stream } from './stream.ts';
import type { Remote, UserAgent } from './user-agent.ts';
import { cseqOf, header, headerList, hostOf, readSdp, type SipText, tagOf, uriOf, writeSip } from './wire.ts';

const T1 = 500;
const T2 = 4000;
const allowed = 'INVITE, ACK, BYE, CANCEL, OPTIONS, UPDATE, INFO';

/** One call of one simulated phone: its dialog (RFC 3261 section 12) and its stream. */
export class PhoneCall {
  readonly kind: CallKind;
  readonly side: Side;
  readonly number: string;
  readonly stream: Stream;
  state: CallReport['state'] = 'calling';
  endedBy: CallReport['endedBy'] = 'nobody';
  #agent: UserAgent;
  #callId: string;
  #localTag = randomBytes(6).toString('hex');
  #remoteTag = '';
  #localUri: string;
  #remoteUri: string;
  #remoteTarget: string;
  #routes: string[] = [];
  #localCseq = 1 + Math.floor(Math.random() * 1000);
  #remoteCseq = -1;
  #next: Remote;
  #status = 0;
  #reInvites = 0;
  #updates = 0;
  #sdpSession = String(1 + Math.floor(Math.random() * 1e9));
  #sdpVersion = 1;
  #lastRemoteSdp = '';
  /** ACKs of our INVITEs by CSeq, sent again when the 2xx comes again. */
  #acks = new Map<number, Buffer>();
  /** Stops the repetition of our 2xx. */
  #acknowledged: (() => void) | null = null;
  #ringTimer: NodeJS.Timeout | undefined;

  private constructor(
    agent: UserAgent,
    stream: Stream,
    place: {
      kind: CallKind;
      side: Side;
      number: string;
      callId: string;
      localUri: string;
      remoteUri: string;
      target: string;
      next: Remote;
    },
  ) {
    this.#agent = agent;
    this.stream = stream;
    this.kind = place.kind;
    this.side = place.side;
    this.number = place.number;
    this.#callId = place.callId;
    this.#localUri = place.localUri;
    this.#remoteUri = place.remoteUri;
    this.#remoteTarget = place.target;
    this.#next = place.next;
  }

  /** A phone that dials `number` at the switch. */
  static dial(agent: UserAgent, stream: Stream, kind: CallKind, number: string, switchAddress: Remote): PhoneCall {
    const target = `sip:${number}@${switchAddress.ip}:${switchAddress.port}`;
    const call = new PhoneCall(agent, stream, {
      kind,
      side: 'caller',
      number,
      callId: `${randomBytes(12).toString('hex')}@phone`,
      localUri: `sip:phone${stream.id}@127.0.0.1:${agent.port}`,
      remoteUri: target,
      target,
      next: switchAddress,
    });
    call.#sendInvite();
    return call;
  }

  /** A phone that the switch calls: rings, then answers. */
  static ring(agent: UserAgent, stream: Stream, invite: SipText, from: Remote, ringMilliseconds: number): PhoneCall {
    const call = new PhoneCall(agent, stream, {
      kind: 'bridge',
      side: 'callee',
      number: /^sips?:([^@;]+)@/.exec(invite.requestUri)?.[1] ?? '',
      callId: header(invite, 'call-id'),
      localUri: uriOf(header(invite, 'to')),
      remoteUri: uriOf(header(invite, 'from')),
      target: uriOf(headerList(invite, 'contact')[0] ?? ''),
      next: from,
    });
    call.#remoteTag = tagOf(header(invite, 'from'));
    call.#remoteCseq = cseqOf(invite).number;
    call.#routes = headerList(invite, 'record-route');
    call.state = 'ringing';
    if (call.#remoteTag === '') agent.anomaly(`${call.#callId}: INVITE without a From tag`);
    agent.answer(invite, from, 100, 'Trying', '', []);
    agent.answer(invite, from, 180, 'Ringing', call.#localTag, [['Contact', call.#contact()]]);
    call.#ringTimer = setTimeout(() => {
      call.state = 'answered';
      call.#applyRemote(invite.body);
      call.#answerInvite(invite, from);
    }, ringMilliseconds);
    return call;
  }

  get callId(): string {
    return this.#callId;
  }

  get localTag(): string {
    return this.#localTag;
  }

  report(): CallReport {
    return {
      kind: this.kind,
      side: this.side,
      number: this.number,
      callId: this.#callId,
      state: this.state,
      endedBy: this.endedBy,
      status: this.#status,
      reInvitesReceived: this.#reInvites,
      updatesReceived: this.#updates,
    };
  }

  /** A request for this Call-ID. */
  receiveRequest(request: SipText, from: Remote): void {
    const method = request.method ?? '';
    const { number } = cseqOf(request);
    const toTag = tagOf(header(request, 'to'));
    const fromTag = tagOf(header(request, 'from'));
    if (method === 'CANCEL') {
      this.#receiveCancel(request, from);
      return;
    }
    if (toTag !== this.#localTag || fromTag !== this.#remoteTag) {
      this.#agent.anomaly(
        `${this.#callId}: ${method} with tags to=${toTag} from=${fromTag}, expected to=${this.#localTag} from=${this.#remoteTag}`,
      );
      if (method !== 'ACK') this.#agent.answer(request, from, 481, 'Call/Transaction Does Not Exist', this.#localTag, []);
      return;
    }
    if (method === 'ACK') {
      this.#acknowledged?.();
      if (request.body !== '') this.#applyRemote(request.body);
      return;
    }
    if (this.state === 'ended' || this.state === 'failed') {
      if (method !== 'BYE') this.#agent.anomaly(`${this.#callId}: ${method} after the call had ended`);
      this.#agent.answer(
        request,
        from,
        method === 'BYE' ? 200 : 481,
        method === 'BYE' ? 'OK' : 'Call/Transaction Does Not Exist',
        this.#localTag,
        [],
      );
      return;
    }
    if (number <= this.#remoteCseq) {
      this.#agent.anomaly(`${this.#callId}: ${method} with CSeq ${number} after ${this.#remoteCseq}`);
      this.#agent.answer(request, from, 500, 'Server Internal Error', this.#localTag, [['Retry-After', '1']]);
      return;
    }
    this.#remoteCseq = number;
    this.#dispatch(method, request, from);
  }

  #dispatch(method: string, request: SipText, from: Remote): void {
    switch (method) {
      case 'INVITE':
        this.#reInvites += 1;
        this.#refreshTarget(request);
        this.#applyRemote(request.body);
        this.#answerInvite(request, from);
        return;
      case 'UPDATE':
        this.#updates += 1;
        this.#refreshTarget(request);
        if (request.body !== '') this.#applyRemote(request.body);
        this.#agent.answer(
          request,
          from,
          200,
          'OK',
          this.#localTag,
          this.#answerHeaders(request, request.body !== ''),
          request.body === '' ? '' : this.#sdp(),
        );
        return;
      case 'BYE':
        this.#agent.answer(request, from, 200, 'OK', this.#localTag, []);
        this.#end('switch');
        return;
      case 'OPTIONS':
      case 'INFO':
        this.#agent.answer(request, from, 200, 'OK', this.#localTag, [['Allow', allowed]]);
        return;
      default:
        this.#agent.answer(request, from, 501, 'Not Implemented', this.#localTag, [['Allow', allowed]]);
    }
  }

  /** A 2xx that no transaction waits for: our ACK was lost, send it again. */
  receiveStrayAnswer(answer: SipText): void {
    const { number, method } = cseqOf(answer);
    if (method !== 'INVITE' || answer.status < 200 || answer.status > 299) return;
    const ack = this.#acks.get(number);
    if (ack === undefined) this.#agent.anomaly(`${this.#callId}: 2xx to an INVITE that was never sent (CSeq ${number})`);
    else this.#agent.transmit(ack, this.#next);
  }

  /** Says BYE, until it is answered. */
  hangUp(): void {
    if (this.state !== 'answered') return;
    this.state = 'hanging up';
    this.stream.sending = false;
    const branch = this.#agent.newBranch();
    this.#localCseq += 1;
    const bytes = this.#request('BYE', branch, this.#localCseq, [], '');
    this.#agent.request('BYE', branch, bytes, this.#next, (answer) => {
      if (answer === null) {
        this.#agent.anomaly(`${this.#callId}: no answer to BYE`);
        this.state = 'failed';
        return;
      }
      if (answer.status < 200) return;
      this.#status = answer.status;
      if (answer.status !== 200) this.#agent.anomaly(`${this.#callId}: BYE answered ${answer.status} ${answer.reason}`);
      if (this.state === 'hanging up') this.#end('phone');
    });
  }

  /** Sends a re-INVITE with our unchanged SDP, as a phone that refreshes its session does. */
  reInvite(): void {
    if (this.state === 'answered') this.#sendInvite();
  }

  close(): void {
    clearTimeout(this.#ringTimer);
    this.#acknowledged?.();
    this.stream.close();
  }

  #sendInvite(): void {
    const branch = this.#agent.newBranch();
    if (this.#remoteTag !== '') this.#localCseq += 1;
    const cseq = this.#localCseq;
    const headers: [string, string][] = [
      ['Contact', this.#contact()],
      ['Allow', allowed],
      ['Supported', 'timer'],
      ['Content-Type', 'application/sdp'],
    ];
    const bytes = this.#request('INVITE', branch, cseq, headers, this.#sdp());
    this.#agent.request('INVITE', branch, bytes, this.#next, (answer) => this.#receiveInviteAnswer(answer, branch, cseq));
  }

  #receiveInviteAnswer(answer: SipText | null, branch: string, cseq: number): void {
    const initial = this.state === 'calling' || this.state === 'ringing';
    if (answer === null) {
      this.#agent.anomaly(`${this.#callId}: no answer to INVITE`);
      if (initial) this.state = 'failed';
      return;
    }
    if (answer.status < 200) {
      if (answer.status > 100 && initial) this.state = 'ringing';
      return;
    }
    this.#status = answer.status;
    if (answer.status >= 300) {
      const to = header(answer, 'to');
      const ack = writeSip(`ACK ${this.#remoteTarget} SIP/2.0`, [
        ['Via', this.#via(branch)],
        ['Max-Forwards', '70'],
        ['From', this.#from()],
        ['To', to],
        ['Call-ID', this.#callId],
        ['CSeq', `${cseq} ACK`],
      ]);
      this.#agent.transmit(ack, this.#next);
      this.#agent.anomaly(`${this.#callId}: INVITE ${this.number} answered ${answer.status} ${answer.reason}`);
      if (initial) this.state = 'failed';
      return;
    }
    const tag = tagOf(header(answer, 'to'));
    if (initial) {
      this.#remoteTag = tag;
      this.#routes = headerList(answer, 'record-route').reverse();
      this.state = 'answered';
    } else if (tag !== this.#remoteTag) {
      this.#agent.anomaly(`${this.#callId}: re-INVITE answered with To tag ${tag}, expected ${this.#remoteTag}`);
    }
    this.#refreshTarget(answer);
    this.#applyRemote(answer.body);
    const ack = this.#request('ACK', this.#agent.newBranch(), cseq, [], '');
    this.#acks.set(cseq, ack);
    this.#agent.transmit(ack, this.#next);
  }

  /** 200 with our SDP, repeated until its ACK (RFC 3261 section 13.3.1.4). */
  #answerInvite(invite: SipText, from: Remote): void {
    this.#acknowledged?.();
    const bytes = this.#agent.answer(invite, from, 200, 'OK', this.#localTag, this.#answerHeaders(invite, true), this.#sdp());
    let interval = T1;
    let timer: NodeJS.Timeout | undefined;
    const giveUp = setTimeout(() => {
      clearTimeout(timer);
      this.#acknowledged = null;
      this.#agent.anomaly(`${this.#callId}: no ACK to our 200`);
    }, 64 * T1);
    const repeat = (): void => {
      this.#agent.transmit(bytes, from);
      interval = Math.min(interval * 2, T2);
      timer = setTimeout(repeat, interval);
    };
    timer = setTimeout(repeat, interval);
    this.#acknowledged = () => {
      clearTimeout(timer);
      clearTimeout(giveUp);
      this.#acknowledged = null;
    };
  }

  #answerHeaders(request: SipText, withBody: boolean): [string, string][] {
    const headers: [string, string][] = [
      ['Contact', this.#contact()],
      ['Allow', allowed],
      ['Supported', 'timer'],
    ];
    const expires = header(request, 'session-expires');
    if (expires !== '')
      headers.push(['Require', 'timer'], ['Session-Expires', /refresher=/i.test(expires) ? expires : `${expires};refresher=uac`]);
    if (withBody) headers.push(['Content-Type', 'application/sdp']);
    return headers;
  }

  #receiveCancel(request: SipText, from: Remote): void {
    this.#agent.answer(request, from, 200, 'OK', this.#localTag, []);
    if (this.state !== 'ringing') return;
    clearTimeout(this.#ringTimer);
    this.#end('switch');
    const invite: SipText = {
      ...request,
      method: 'INVITE',
      headers: request.headers.map(([name, value]) => [name, name === 'cseq' ? value.replace('CANCEL', 'INVITE') : value] as const),
    };
    this.#agent.answer(invite, from, 487, 'Request Terminated', this.#localTag, []);
  }

  #end(by: 'phone' | 'switch'): void {
    this.state = 'ended';
    this.endedBy = by;
    this.#acknowledged?.();
    this.stream.close();
  }

  #refreshTarget(message: SipText): void {
    const contact = headerList(message, 'contact')[0];
    if (contact === undefined) {
      this.#agent.anomaly(`${this.#callId}: ${message.method ?? message.status} without Contact`);
      return;
    }
    this.#remoteTarget = uriOf(contact);
    this.#next = hostOf(this.#routes[0] === undefined ? this.#remoteTarget : uriOf(this.#routes[0]));
  }

  #applyRemote(body: string): void {
    if (body === '' || body === this.#lastRemoteSdp) return;
    this.#lastRemoteSdp = body;
    const description = readSdp(body);
    if (description === null) {
      this.#agent.anomaly(`${this.#callId}: SDP without audio`);
      return;
    }
    if (!description.payloadTypes.includes(0)) this.#agent.anomaly(`${this.#callId}: SDP without PCMU`);
    this.stream.setRemote(description.ip, description.port, description.direction === 'sendrecv' || description.direction === 'recvonly');
  }

  #sdp(): string {
    return [
      'v=0',
      `o=phone ${this.#sdpSession} ${this.#sdpVersion} IN IP4 127.0.0.1`,
      's=phone',
      'c=IN IP4 127.0.0.1',
      't=0 0',
      `m=audio ${this.stream.socket.port} RTP/AVP 0 101`,
      'a=rtpmap:0 PCMU/8000',
      'a=rtpmap:101 telephone-event/8000',
      'a=fmtp:101 0-15',
      'a=ptime:20',
      'a=sendrecv',
      '',
    ].join('\r\n');
  }

  #via(branch: string): string {
    return `SIP/2.0/UDP 127.0.0.1:${this.#agent.port};rport;branch=${branch}`;
  }

  #contact(): string {
    return `<sip:phone${this.stream.id}@127.0.0.1:${this.#agent.port}>`;
  }

  #from(): string {
    return `<${this.#localUri}>;tag=${this.#localTag}`;
  }

  #request(method: string, branch: string, cseq: number, extra: readonly (readonly [string, string])[], body: string): Buffer {
    return writeSip(
      `${method} ${this.#remoteTarget} SIP/2.0`,
      [
        ['Via', this.#via(branch)],
        ['Max-Forwards', '70'],
        ...this.#routes.map((route): [string, string] => ['Route', route]),
        ['From', this.#from()],
        ['To', this.#remoteTag === '' ? `<${this.#remoteUri}>` : `<${this.#remoteUri}>;tag=${this.#remoteTag}`],
        ['Call-ID', this.#callId],
        ['CSeq', `${cseq} ${method}`],
        ['User-Agent', 'undrop simulated phone'],
        ...extra,
      ],
      body,
    );
  }
}
