import { randomBytes } from 'node:crypto';
import { createSocket, type Socket } from 'node:dgram';
import { branchOf, cseqOf, header, readSip, type SipText, writeSip } from './wire.ts';

const T1 = 500;
const T2 = 4000;
const largestAnomalyList = 200;
/** Answers kept for retransmitted requests; the oldest are forgotten. */
const largestAnswerTable = 20_000;

export interface Remote {
  readonly ip: string;
  readonly port: number;
}

export type OnAnswer = (answer: SipText | null) => void;

/** One SIP address on 127.0.0.1: sends, repeats and matches messages (RFC 3261 section 17), for all phones of a side. */
export class UserAgent {
  readonly anomalies: string[] = [];
  anomalyCount = 0;
  #socket: Socket;
  #port = 0;
  #closed = false;
  #clients = new Map<string, { readonly invite: boolean; readonly onAnswer: OnAnswer; stop(): void; proceed(): void }>();
  #answers = new Map<string, Buffer>();
  #onRequest: (request: SipText, from: Remote) => void;
  #onStrayAnswer: (answer: SipText, from: Remote) => void;

  constructor(onRequest: (request: SipText, from: Remote) => void, onStrayAnswer: (answer: SipText, from: Remote) => void) {
    this.#onRequest = onRequest;
    this.#onStrayAnswer = onStrayAnswer;
    this.#socket = createSocket({ type: 'udp4', recvBufferSize: 4 << 20 });
    this.#socket.on('error', (error) => this.anomaly(`socket: ${error.message}`));
    this.#socket.on('message', (datagram, from) => this.#receive(datagram, { ip: from.address, port: from.port }));
  }

  get port(): number {
    return this.#port;
  }

  async open(): Promise<void> {
    await new Promise<void>((resolve) => this.#socket.bind(0, '127.0.0.1', resolve));
    this.#port = this.#socket.address().port;
  }

  anomaly(text: string): void {
    this.anomalyCount += 1;
    if (this.anomalies.length < largestAnomalyList) this.anomalies.push(`${new Date().toISOString().slice(11, 23)} ${text}`);
  }

  newBranch(): string {
    return `z9hG4bK${randomBytes(9).toString('hex')}`;
  }

  /** Errors (a refused port while the switch is dead) are what retransmission is for. */
  transmit(bytes: Buffer, to: Remote): void {
    if (!this.#closed) this.#socket.send(bytes, to.port, to.ip, () => undefined);
  }

  /**
   * Sends a request and repeats it until answered (timers A and E; B and F end it with `null` after 64·T1).
   * `onAnswer` gets every provisional and the final answer; later 2xx to an INVITE go to the stray handler.
   */
  request(method: string, branch: string, bytes: Buffer, to: Remote, onAnswer: OnAnswer): void {
    const invite = method === 'INVITE';
    const key = `${branch} ${method}`;
    let interval = T1;
    let timer: NodeJS.Timeout | undefined;
    const repeat = (): void => {
      this.transmit(bytes, to);
      interval = invite ? interval * 2 : Math.min(interval * 2, T2);
      timer = setTimeout(repeat, interval);
    };
    const giveUp = setTimeout(() => {
      this.#clients.get(key)?.stop();
      onAnswer(null);
    }, 64 * T1);
    this.#clients.set(key, {
      invite,
      onAnswer,
      stop: () => {
        clearTimeout(timer);
        clearTimeout(giveUp);
        this.#clients.delete(key);
      },
      proceed: () => {
        if (!invite) {
          interval = T2;
          return;
        }
        clearTimeout(timer);
        clearTimeout(giveUp);
      },
    });
    this.transmit(bytes, to);
    timer = setTimeout(repeat, interval);
  }

  /**
   * Answers a request. The answer is kept for retransmissions; a 2xx to INVITE is repeated by the caller of this.
   * Top Via, From, Call-ID and CSeq are copied as RFC 3261 section 8.2.6 wants.
   */
  answer(
    request: SipText,
    from: Remote,
    status: number,
    reason: string,
    toTag: string,
    extra: readonly (readonly [string, string])[],
    body = '',
  ): Buffer {
    const headers: [string, string][] = [];
    for (const [name, value] of request.headers) if (name === 'via') headers.push(['Via', value]);
    if (status > 100) for (const [name, value] of request.headers) if (name === 'record-route') headers.push(['Record-Route', value]);
    const to = header(request, 'to');
    headers.push(['From', header(request, 'from')], ['To', /;\s*tag=/i.test(to) || status === 100 ? to : `${to};tag=${toTag}`]);
    headers.push(
      ['Call-ID', header(request, 'call-id')],
      ['CSeq', header(request, 'cseq')],
      ...extra.map(([n, v]): [string, string] => [n, v]),
    );
    const bytes = writeSip(`SIP/2.0 ${status} ${reason}`, headers, body);
    if (this.#answers.size >= largestAnswerTable) {
      const oldest = this.#answers.keys().next().value;
      if (oldest !== undefined) this.#answers.delete(oldest);
    }
    this.#answers.set(`${branchOf(request)} ${request.method ?? ''}`, bytes);
    this.transmit(bytes, from);
    return bytes;
  }

  #receive(datagram: Buffer, from: Remote): void {
    const message = readSip(datagram);
    if (message === null) {
      if (datagram.toString('latin1').trim() !== '') this.anomaly(`not SIP: ${datagram.toString('latin1', 0, 60)}`);
      return;
    }
    const length = header(message, 'content-length');
    if (length !== '' && Number(length) !== Buffer.byteLength(message.body)) {
      this.anomaly(`Content-Length ${length}, body of ${Buffer.byteLength(message.body)} bytes`);
    }
    if (message.method === null) this.#receiveAnswer(message, from);
    else this.#receiveRequest(message, from);
  }

  #receiveRequest(request: SipText, from: Remote): void {
    for (const name of ['via', 'from', 'to', 'call-id', 'cseq']) {
      if (header(request, name) === '') {
        this.anomaly(`${request.method} without ${name}`);
        return;
      }
    }
    if (cseqOf(request).method !== request.method) this.anomaly(`${request.method} with CSeq ${header(request, 'cseq')}`);
    if (request.method !== 'ACK') {
      const known = this.#answers.get(`${branchOf(request)} ${request.method ?? ''}`);
      if (known !== undefined) {
        this.transmit(known, from);
        return;
      }
    }
    this.#onRequest(request, from);
  }

  #receiveAnswer(answer: SipText, from: Remote): void {
    const client = this.#clients.get(`${branchOf(answer)} ${cseqOf(answer).method}`);
    if (client === undefined) {
      this.#onStrayAnswer(answer, from);
      return;
    }
    if (answer.status < 200) client.proceed();
    else client.stop();
    client.onAnswer(answer);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const client of [...this.#clients.values()]) client.stop();
    this.#socket.close();
  }
}
