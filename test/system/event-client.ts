import { connect, type Socket } from 'node:net';

export type EventHeaders = Readonly<Record<string, string>>;

/** A plain client of the event socket. */
export class EventClient {
  readonly events: EventHeaders[] = [];
  readonly #socket: Socket;
  readonly #replies: ((text: string) => void)[] = [];
  #buffer = Buffer.alloc(0);

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('error', () => undefined);
    socket.on('data', (bytes) => {
      this.#buffer = Buffer.concat([this.#buffer, bytes]);
      this.#read();
    });
  }

  /** Connects, authenticates, and subscribes when `subscription` is given (`event json ALL`). */
  static async open(port: number, subscription?: string): Promise<EventClient> {
    const socket = connect(port, '127.0.0.1');
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve);
      socket.once('error', reject);
    });
    const client = new EventClient(socket);
    await client.command('auth ClueCon');
    if (subscription !== undefined) await client.command(subscription);
    return client;
  }

  /** Sends a command and gives the reply's text (`api` replies: the body). */
  command(line: string): Promise<string> {
    return new Promise((resolve, reject) => {
      const bound = setTimeout(() => reject(new Error(`no reply to ${line}`)), 10_000);
      this.#replies.push((text) => {
        clearTimeout(bound);
        resolve(text);
      });
      this.#socket.write(`${line}\n\n`);
    });
  }

  /** The first event that matches, already here or still to come. */
  async wait(what: string, matches: (event: EventHeaders) => boolean, milliseconds = 5000): Promise<EventHeaders> {
    const deadline = performance.now() + milliseconds;
    for (;;) {
      const found = this.events.find(matches);
      if (found !== undefined) return found;
      if (performance.now() > deadline) {
        throw new Error(`no event ${what} within ${milliseconds} ms; seen: ${this.events.map((event) => event['Event-Name']).join(', ')}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  close(): void {
    this.#socket.destroy();
  }

  #read(): void {
    for (;;) {
      const end = this.#buffer.indexOf('\n\n');
      if (end < 0) return;
      const head = this.#buffer.subarray(0, end).toString('utf8');
      const length = Number(/^Content-Length: *(\d+)/im.exec(head)?.[1] ?? 0);
      if (this.#buffer.length < end + 2 + length) return;
      const body = this.#buffer.subarray(end + 2, end + 2 + length).toString('utf8');
      this.#buffer = this.#buffer.subarray(end + 2 + length);
      const type = /^Content-Type: *(.*)$/im.exec(head)?.[1]?.trim() ?? '';
      if (type === 'text/event-json') this.events.push(JSON.parse(body) as EventHeaders);
      else if (type === 'command/reply') this.#replies.shift()?.(/^Reply-Text: *(.*)$/im.exec(head)?.[1] ?? '');
      else if (type === 'api/response') this.#replies.shift()?.(body);
    }
  }
}
