import { createHash, randomBytes } from 'node:crypto';
import { branchOf, cseqOf, header, tagOf, uriOf, writeSip } from '../../tools/phone/wire.ts';
import { type Received, SipClient } from '../system/sip-client.ts';

type Headers = readonly (readonly [string, string])[];

const realm = 'trunk.example';
const user = 'alice';
const password = 'secret';
/** Timer I of RFC 3261: so long an acknowledged INVITE transaction swallows retransmissions. */
const confirmedMilliseconds = 5000;

function md5(text: string): string {
  return createHash('md5').update(text).digest('hex');
}

interface Answered {
  bytes: Buffer | null;
  acknowledgedAt: number;
}

/** A registrar and trunk that asks for a password. It shares no code with the switch. */
export class Trunk {
  readonly client: SipClient;
  readonly localTag = randomBytes(6).toString('hex');
  /** Methods that it challenges, and with which status. */
  readonly challenges = new Map<string, 401 | 407>([
    ['REGISTER', 401],
    ['INVITE', 407],
  ]);
  /** Every request that came with right credentials, in order, retransmissions not counted. */
  readonly admitted: Received[] = [];
  /** Every challenge that was sent. */
  readonly challenged: Received[] = [];
  /** What was wrong with credentials. */
  readonly faults: string[] = [];
  contact = '';
  /** Called when a challenge has just been sent. */
  onChallenge: (request: Received) => void = () => undefined;
  /** False: an admitted INVITE gets no answer until `pickUp`. */
  answers = true;
  /** True: it says nothing at all. */
  silent = false;
  invite: Received | null = null;
  readonly #transactions = new Map<string, Answered>();
  readonly #nonces = new Set<string>();

  private constructor(client: SipClient) {
    this.client = client;
    client.onMessage((message) => this.#receive(message));
  }

  static async open(): Promise<Trunk> {
    return new Trunk(await SipClient.open());
  }

  get port(): number {
    return this.client.port;
  }

  close(): void {
    this.client.close();
  }

  admittedOf(method: string): Received[] {
    return this.admitted.filter((message) => message.method === method);
  }

  respond(request: Received, status: number, reason: string, headers: Headers = [], body = ''): void {
    const copied = request.headers.filter(([name]) => ['via', 'from', 'call-id', 'cseq', 'record-route'].includes(name));
    const to = header(request, 'to');
    const tagged = tagOf(to) === '' && status > 100 ? `${to};tag=${this.localTag}` : to;
    const bytes = writeSip(`SIP/2.0 ${status} ${reason}`, [...copied, ['To', tagged], ...headers], body);
    const transaction = this.#transactions.get(`${branchOf(request)} ${request.method}`);
    if (transaction !== undefined) transaction.bytes = bytes;
    this.client.send(bytes, request.from.port);
  }

  sdp(): string {
    return [
      'v=0',
      'o=t 1 1 IN IP4 127.0.0.1',
      's=t',
      'c=IN IP4 127.0.0.1',
      't=0 0',
      'm=audio 9 RTP/AVP 0',
      'a=rtpmap:0 PCMU/8000',
      '',
    ].join('\r\n');
  }

  /** 200 to the INVITE that it took. */
  pickUp(): void {
    if (this.invite === null) throw new Error('no INVITE was admitted');
    this.respond(this.invite, 200, 'OK', this.#sessionHeaders(), this.sdp());
  }

  /** A BYE in the dialog of the INVITE that it took. */
  sendBye(cseq = 1): void {
    const { invite } = this;
    if (invite === null) throw new Error('there is no call');
    const target = uriOf(header(invite, 'contact'));
    this.client.send(
      writeSip(`BYE ${target} SIP/2.0`, [
        ['Via', `SIP/2.0/UDP 127.0.0.1:${this.port};rport;branch=z9hG4bK${randomBytes(8).toString('hex')}`],
        ['Max-Forwards', '70'],
        ['From', `${header(invite, 'to')};tag=${this.localTag}`],
        ['To', header(invite, 'from')],
        ['Call-ID', header(invite, 'call-id')],
        ['CSeq', `${cseq} BYE`],
      ]),
      invite.from.port,
    );
  }

  #sessionHeaders(): Headers {
    return [
      ['Contact', `<sip:trunk@127.0.0.1:${this.port}>`],
      ['Allow', 'INVITE, ACK, BYE, CANCEL, OPTIONS, UPDATE'],
      ['Content-Type', 'application/sdp'],
    ];
  }

  #receive(message: Received): void {
    if (message.method === null || this.silent) return;
    if (message.method === 'ACK') {
      const transaction = this.#transactions.get(`${branchOf(message)} INVITE`);
      if (transaction !== undefined) transaction.acknowledgedAt = performance.now();
      return;
    }
    const key = `${branchOf(message)} ${message.method}`;
    const known = this.#transactions.get(key);
    const forgotten = known !== undefined && known.acknowledgedAt > 0 && performance.now() - known.acknowledgedAt > confirmedMilliseconds;
    if (known !== undefined && !forgotten) {
      if (known.bytes !== null && known.acknowledgedAt === 0) this.client.send(known.bytes, message.from.port);
      return;
    }
    this.#transactions.set(key, { bytes: null, acknowledgedAt: 0 });
    if (message.method === 'INVITE') this.respond(message, 100, 'Trying');
    const status = this.challenges.get(message.method);
    if (status !== undefined && !this.#authorized(message, status)) {
      const nonce = randomBytes(8).toString('hex');
      this.#nonces.add(nonce);
      const name = status === 401 ? 'WWW-Authenticate' : 'Proxy-Authenticate';
      this.respond(message, status, 'Who Are You', [[name, `Digest realm="${realm}", nonce="${nonce}", algorithm=MD5, qop="auth"`]]);
      this.challenged.push(message);
      this.onChallenge(message);
      return;
    }
    this.admitted.push(message);
    this.#admit(message);
  }

  #admit(message: Received): void {
    switch (message.method) {
      case 'REGISTER':
        this.contact = header(message, 'contact');
        this.respond(message, 200, 'OK', [['Contact', `${this.contact};expires=${header(message, 'expires')}`]]);
        return;
      case 'INVITE':
        if (tagOf(header(message, 'to')) !== '') {
          this.respond(message, 200, 'OK', this.#sessionHeaders(), this.sdp());
          return;
        }
        this.invite = message;
        if (!this.answers) return;
        this.respond(message, 180, 'Ringing', [['Contact', `<sip:trunk@127.0.0.1:${this.port}>`]]);
        this.pickUp();
        return;
      default:
        this.respond(message, 200, 'OK', [['Contact', `<sip:trunk@127.0.0.1:${this.port}>`]]);
    }
  }

  #authorized(message: Received, status: 401 | 407): boolean {
    const value = header(message, status === 401 ? 'authorization' : 'proxy-authorization');
    if (value === '') return false;
    const field = (name: string): string => new RegExp(`(?:^|[ ,])${name}="?([^",]*)"?`).exec(value)?.[1] ?? '';
    const [nonce, uri] = [field('nonce'), field('uri')];
    const a1 = md5(`${user}:${realm}:${password}`);
    const a2 = md5(`${message.method}:${uri}`);
    const expected = md5(`${a1}:${nonce}:${field('nc')}:${field('cnonce')}:${field('qop')}:${a2}`);
    const fault =
      field('username') !== user
        ? `username ${field('username')}`
        : uri !== message.requestUri
          ? `uri ${uri} for ${message.requestUri}`
          : !this.#nonces.delete(nonce)
            ? `nonce ${nonce} was not given, or was used before`
            : field('response') !== expected
              ? 'wrong response'
              : null;
    if (fault !== null) this.faults.push(`${message.method} ${cseqOf(message).number}: ${fault}`);
    return fault === null;
  }
}
