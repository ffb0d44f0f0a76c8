import { createHash, randomBytes } from 'node:crypto';
import { cseqOf, header, headerList, hostOf, readSdp, tagOf, uriOf, writeSip } from '../../tools/phone/wire.ts';
import { Audio } from './audio.ts';
import { type Received, SipClient } from './sip-client.ts';

type Headers = readonly (readonly [string, string])[];

const allowed = 'INVITE, ACK, BYE, CANCEL, OPTIONS, UPDATE, INFO';

function token(): string {
  return randomBytes(8).toString('hex');
}

/** One dialog of a scripted phone. */
export class Dialog {
  readonly phone: Phone;
  readonly callId: string;
  readonly localTag: string;
  readonly localUri: string;
  readonly remoteUri: string;
  remoteTag = '';
  remoteTarget: string;
  localCseq = 1;
  /** CSeq of the last request from the switch. */
  remoteCseq = 0;
  remoteSdp = '';
  ended = false;

  constructor(phone: Phone, parts: { callId: string; localTag: string; localUri: string; remoteUri: string; remoteTarget: string }) {
    this.phone = phone;
    this.callId = parts.callId;
    this.localTag = parts.localTag;
    this.localUri = parts.localUri;
    this.remoteUri = parts.remoteUri;
    this.remoteTarget = parts.remoteTarget;
  }

  /** Port of the switch that this dialog's audio goes to. */
  get remoteAudioPort(): number {
    return readSdp(this.remoteSdp)?.port ?? 0;
  }

  /** Takes the SDP of the switch and talks to where it says. */
  takeSdp(sdp: string): void {
    if (sdp === '') return;
    this.remoteSdp = sdp;
    const { audio } = this.phone;
    if (audio !== null && this.phone.talks) audio.talk(this.remoteAudioPort);
  }

  /** Sends a request within the dialog; returns its branch. */
  send(method: string, headers: Headers = [], body = '', cseq = method === 'ACK' ? this.localCseq : this.nextCseq()): string {
    const branch = `z9hG4bK${token()}`;
    this.phone.client.send(this.bytes(method, branch, cseq, headers, body), hostOf(this.remoteTarget).port);
    return branch;
  }

  bytes(method: string, branch: string, cseq: number, headers: Headers, body: string): Buffer {
    const to = this.remoteTag === '' ? `<${this.remoteUri}>` : `<${this.remoteUri}>;tag=${this.remoteTag}`;
    return writeSip(
      `${method} ${this.remoteTarget} SIP/2.0`,
      [
        ['Via', `SIP/2.0/UDP 127.0.0.1:${this.phone.client.port};rport;branch=${branch}`],
        ['Max-Forwards', '70'],
        ['From', `<${this.localUri}>;tag=${this.localTag}`],
        ['To', to],
        ['Call-ID', this.callId],
        ['CSeq', `${cseq} ${method}`],
        ['Contact', this.phone.contact],
        ...headers,
      ],
      body,
    );
  }

  nextCseq(): number {
    this.localCseq += 1;
    return this.localCseq;
  }

  /** A final response to the request of ours with that CSeq. */
  answer(method: string, milliseconds = 5000): Promise<Received> {
    const cseq = this.localCseq;
    return this.phone.client.wait(
      `final response to ${method}`,
      (message) =>
        message.method === null &&
        message.status >= 200 &&
        header(message, 'call-id') === this.callId &&
        cseqOf(message).method === method &&
        cseqOf(message).number === cseq,
      milliseconds,
    );
  }

  /** The next request of the switch in this dialog. */
  request(method: string | readonly string[], milliseconds = 5000): Promise<Received> {
    const methods = typeof method === 'string' ? [method] : method;
    return this.phone.client.wait(
      methods.join(' or '),
      (message) => message.method !== null && methods.includes(message.method) && header(message, 'call-id') === this.callId,
      milliseconds,
    );
  }

  /** BYE, and the status of its answer. */
  async hangUp(milliseconds = 5000): Promise<number> {
    this.send('BYE');
    const answer = await this.answer('BYE', milliseconds);
    this.ended = true;
    this.phone.audio?.hush();
    return answer.status;
  }
}

/** A scripted phone: answers what a switch asks within its dialogs, and does what the test says. */
export class Phone {
  readonly client: SipClient;
  /** null: a phone without sound. */
  readonly audio: Audio | null;
  readonly switchPort: number;
  readonly user: string;
  readonly dialogs: Dialog[] = [];
  /** Requests that no dialog of ours expected. */
  readonly unexpected: string[] = [];
  /** False: sends no RTP. */
  talks = true;
  /** Milliseconds that it rings before it answers a call; null: the test answers. */
  answersAfter: number | null = 0;
  readonly #timers = new Set<NodeJS.Timeout>();

  private constructor(client: SipClient, audio: Audio | null, switchPort: number, user: string) {
    this.client = client;
    this.audio = audio;
    this.switchPort = switchPort;
    this.user = user;
    client.onMessage((message) => this.#receive(message));
  }

  static async open(options: {
    readonly switchPort: number;
    readonly user?: string;
    readonly port?: number;
    readonly audioPort?: number;
    readonly sound?: boolean;
  }): Promise<Phone> {
    const client = await SipClient.open(options.port ?? 0);
    const audio = options.sound === false ? null : await Audio.open(options.audioPort ?? 0);
    return new Phone(client, audio, options.switchPort, options.user ?? `phone${client.port}`);
  }

  get contact(): string {
    return `<sip:${this.user}@127.0.0.1:${this.client.port}>`;
  }

  sdp(): string {
    return [
      'v=0',
      'o=phone 1 1 IN IP4 127.0.0.1',
      's=phone',
      'c=IN IP4 127.0.0.1',
      't=0 0',
      `m=audio ${this.audio?.port ?? 9} RTP/AVP 0 101`,
      'a=rtpmap:0 PCMU/8000',
      'a=rtpmap:101 telephone-event/8000',
      'a=fmtp:101 0-15',
      'a=ptime:20',
      '',
    ].join('\r\n');
  }

  /** Sends an INVITE and returns at once. */
  dial(number: string, headers: Headers = []): Dialog {
    const target = `sip:${number}@127.0.0.1:${this.switchPort}`;
    const dialog = new Dialog(this, {
      callId: `${token()}@test`,
      localTag: token(),
      localUri: `sip:${this.user}@127.0.0.1`,
      remoteUri: target,
      remoteTarget: target,
    });
    this.dialogs.push(dialog);
    dialog.send('INVITE', [['Allow', allowed], ['Content-Type', 'application/sdp'], ...headers], this.sdp(), dialog.localCseq);
    return dialog;
  }

  /** Waits for the answer to `dial` and acknowledges it; throws when it is no 2xx. */
  async connect(dialog: Dialog, milliseconds = 8000): Promise<Dialog> {
    const answer = await this.finalOf(dialog, milliseconds);
    if (answer.status >= 300) throw new Error(`INVITE answered ${answer.status} ${answer.reason}`);
    return dialog;
  }

  /** The final response to the INVITE, acknowledged. */
  async finalOf(dialog: Dialog, milliseconds = 8000): Promise<Received> {
    const answer = await dialog.answer('INVITE', milliseconds);
    dialog.remoteTag = tagOf(header(answer, 'to'));
    if (answer.status >= 300) return answer;
    const contact = headerList(answer, 'contact')[0];
    if (contact !== undefined) dialog.remoteTarget = uriOf(contact);
    dialog.takeSdp(answer.body);
    dialog.send('ACK');
    return answer;
  }

  call(number: string, headers: Headers = []): Promise<Dialog> {
    return this.connect(this.dial(number, headers));
  }

  /** The dialog of the next call that comes in. */
  async called(milliseconds = 8000): Promise<Dialog> {
    const invite = await this.client.wait(
      'INVITE',
      (message) => message.method === 'INVITE' && tagOf(header(message, 'to')) === '',
      milliseconds,
    );
    const callId = header(invite, 'call-id');
    const dialog = this.dialogs.find((candidate) => candidate.callId === callId);
    if (dialog === undefined) throw new Error(`no dialog for ${callId}`);
    return dialog;
  }

  /** REGISTER with digest; the status of the last answer. */
  async register(user: string, password: string, domain = '127.0.0.1', expires = 600): Promise<number> {
    const callId = `${token()}@register`;
    const tag = token();
    const uri = `sip:${domain}`;
    let authorization: Headers = [];
    for (let cseq = 1; ; cseq += 1) {
      this.client.send(
        writeSip(`REGISTER ${uri} SIP/2.0`, [
          ['Via', `SIP/2.0/UDP 127.0.0.1:${this.client.port};rport;branch=z9hG4bK${token()}`],
          ['Max-Forwards', '70'],
          ['From', `<sip:${user}@${domain}>;tag=${tag}`],
          ['To', `<sip:${user}@${domain}>`],
          ['Call-ID', callId],
          ['CSeq', `${cseq} REGISTER`],
          ['Contact', `<sip:${user}@127.0.0.1:${this.client.port}>`],
          ['Expires', String(expires)],
          ...authorization,
        ]),
        this.switchPort,
      );
      const answer = await this.client.wait(
        'answer to REGISTER',
        (message) => message.method === null && header(message, 'call-id') === callId && cseqOf(message).number === cseq,
      );
      if (answer.status !== 401 || cseq > 1) return answer.status;
      authorization = [['Authorization', digest(header(answer, 'www-authenticate'), { user, password, method: 'REGISTER', uri })]];
    }
  }

  /** The value of an Authorization header for a challenge, by password. */
  credentials(challenge: string, method: string, uri: string): (password: string) => string {
    return (password) => digest(challenge, { user: this.user, password, method, uri });
  }

  close(): void {
    for (const timer of this.#timers) clearTimeout(timer);
    this.audio?.close();
    this.client.close();
  }

  respond(request: Received, status: number, reason: string, toTag: string, headers: Headers = [], body = ''): void {
    const copied = request.headers.filter(([name]) => ['via', 'from', 'call-id', 'cseq', 'record-route'].includes(name));
    const to = header(request, 'to');
    const bytes = writeSip(
      `SIP/2.0 ${status} ${reason}`,
      [...copied, ['to', tagOf(to) === '' && toTag !== '' ? `${to};tag=${toTag}` : to], ...headers],
      body,
    );
    this.client.send(bytes, request.from.port);
  }

  /** Answers a call that came in, with 200 and our SDP. */
  pickUp(invite: Received, dialog: Dialog): void {
    dialog.takeSdp(invite.body);
    this.respond(invite, 200, 'OK', dialog.localTag, this.#sdpHeaders(), this.sdp());
  }

  #sdpHeaders(): Headers {
    return [
      ['Contact', this.contact],
      ['Allow', allowed],
      ['Content-Type', 'application/sdp'],
    ];
  }

  #receive(message: Received): void {
    if (message.method === null || message.method === 'ACK') {
      const sdp = message.method === 'ACK' ? message.body : '';
      if (sdp !== '') this.#dialogOf(message)?.takeSdp(sdp);
      return;
    }
    const dialog = this.#dialogOf(message);
    if (message.method === 'INVITE' && tagOf(header(message, 'to')) === '') {
      if (dialog === undefined) this.#ring(message);
      return;
    }
    if (dialog === undefined) {
      this.unexpected.push(`${message.method} ${header(message, 'call-id')}`);
      this.respond(message, 481, 'Call/Transaction Does Not Exist', token());
      return;
    }
    dialog.remoteCseq = cseqOf(message).number;
    switch (message.method) {
      case 'INVITE':
      case 'UPDATE': {
        if (message.body !== '') dialog.takeSdp(message.body);
        const withBody = message.method === 'INVITE' || message.body !== '';
        const headers: Headers = withBody
          ? this.#sdpHeaders()
          : [
              ['Contact', this.contact],
              ['Allow', allowed],
            ];
        this.respond(message, 200, 'OK', dialog.localTag, headers, withBody ? this.sdp() : '');
        return;
      }
      case 'BYE':
        dialog.ended = true;
        this.audio?.hush();
        this.respond(message, 200, 'OK', dialog.localTag);
        return;
      default:
        this.respond(message, 200, 'OK', dialog.localTag, [['Allow', allowed]]);
    }
  }

  #dialogOf(message: Received): Dialog | undefined {
    const callId = header(message, 'call-id');
    return this.dialogs.find((dialog) => dialog.callId === callId);
  }

  #ring(invite: Received): void {
    const dialog = new Dialog(this, {
      callId: header(invite, 'call-id'),
      localTag: token(),
      localUri: uriOf(header(invite, 'to')),
      remoteUri: uriOf(header(invite, 'from')),
      remoteTarget: uriOf(headerList(invite, 'contact')[0] ?? ''),
    });
    dialog.remoteTag = tagOf(header(invite, 'from'));
    dialog.remoteCseq = cseqOf(invite).number;
    this.dialogs.push(dialog);
    this.respond(invite, 180, 'Ringing', dialog.localTag, [['Contact', this.contact]]);
    if (this.answersAfter === null) return;
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      this.pickUp(invite, dialog);
    }, this.answersAfter);
    this.#timers.add(timer);
  }
}

function md5(text: string): string {
  return createHash('md5').update(text).digest('hex');
}

/** Answers a digest challenge (RFC 2617, MD5, qop auth). */
function digest(
  challenge: string,
  parts: { readonly user: string; readonly password: string; readonly method: string; readonly uri: string },
): string {
  const field = (name: string): string => new RegExp(`${name}="([^"]*)"`).exec(challenge)?.[1] ?? '';
  const [realm, nonce] = [field('realm'), field('nonce')];
  const cnonce = token();
  const a1 = md5(`${parts.user}:${realm}:${parts.password}`);
  const a2 = md5(`${parts.method}:${parts.uri}`);
  const response = md5(`${a1}:${nonce}:00000001:${cnonce}:auth:${a2}`);
  return `Digest username="${parts.user}", realm="${realm}", nonce="${nonce}", uri="${parts.uri}", response="${response}", algorithm=MD5, qop=auth, nc=00000001, cnonce="${cnonce}"`;
}
