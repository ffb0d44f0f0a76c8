import { createSocket, type Socket } from 'node:dgram';

/** What a faulty switch does to the packets it sends back: `null` drops one. */
export type Fault = (packet: Buffer, count: number) => Buffer | readonly Buffer[] | null;

/** The smallest thing that answers calls: every INVITE gets 200, every packet comes back through `fault`. */
export class EchoServer {
  fault: Fault = (packet) => packet;
  readonly #sip: Socket = createSocket('udp4');
  readonly #rtp: Socket = createSocket('udp4');
  #count = 0;
  #dialog = '';
  #from: { port: number; address: string } | null = null;

  async open(): Promise<number> {
    await new Promise<void>((resolve) => this.#rtp.bind(0, '127.0.0.1', resolve));
    await new Promise<void>((resolve) => this.#sip.bind(0, '127.0.0.1', resolve));
    this.#rtp.on('message', (packet, from) => {
      this.#count += 1;
      const out = this.fault(packet, this.#count);
      for (const one of out === null ? [] : Buffer.isBuffer(out) ? [out] : out) this.#rtp.send(one, from.port, from.address);
    });
    this.#sip.on('message', (datagram, from) => this.#answer(datagram.toString(), from));
    return this.#sip.address().port;
  }

  /** Sends a request within the dialog of the last INVITE, as a switch would: its own tag in From. */
  sendInDialog(method: string, cseq: number, toTag?: string): void {
    const line = (name: string): string =>
      this.#dialog
        .split('\r\n')
        .find((candidate) => candidate.startsWith(`${name}: `))
        ?.slice(name.length + 2) ?? '';
    const to = toTag === undefined ? line('From') : line('From').replace(/tag=\w+/, `tag=${toTag}`);
    const text = [
      `${method} sip:phone@127.0.0.1 SIP/2.0`,
      `Via: SIP/2.0/UDP 127.0.0.1:${this.#sip.address().port};branch=z9hG4bK${method}${cseq}${toTag ?? ''}`,
      `From: ${line('To')};tag=switch`,
      `To: ${to}`,
      `Call-ID: ${line('Call-ID')}`,
      `CSeq: ${cseq} ${method}`,
      'Content-Length: 0',
      '',
      '',
    ].join('\r\n');
    if (this.#from !== null) this.#sip.send(text, this.#from.port, this.#from.address);
  }

  close(): void {
    this.#sip.close();
    this.#rtp.close();
  }

  #answer(text: string, from: { port: number; address: string }): void {
    const method = text.split(' ')[0] ?? '';
    if (method === 'ACK' || method.startsWith('SIP/')) return;
    if (method === 'INVITE') {
      this.#dialog = text;
      this.#from = from;
    }
    const lines = text.split('\r\n');
    const copy = (name: string): string[] => lines.filter((line) => line.startsWith(`${name}: `));
    const to = copy('To')[0] ?? '';
    const body =
      method === 'INVITE'
        ? `v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio ${this.#rtp.address().port} RTP/AVP 0\r\n`
        : '';
    const headers = [...copy('Via'), ...copy('From'), to.includes('tag=') ? to : `${to};tag=switch`, ...copy('Call-ID'), ...copy('CSeq')];
    const contact = `Contact: <sip:echo@127.0.0.1:${this.#sip.address().port}>`;
    this.#sip.send(
      ['SIP/2.0 200 OK', ...headers, contact, `Content-Length: ${body.length}`, '', body].join('\r\n'),
      from.port,
      from.address,
    );
  }
}
