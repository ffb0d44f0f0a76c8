import { connect, type Socket } from 'node:net';

const RECONNECT_MILLISECONDS = 20;
/** A peer that sends more than this without a line break is not the one we mean. */
const MAXIMUM_LINE_CHARACTERS = 64 * 1024 * 1024;

/** JSON lines over a Unix socket whose other end may die and come back: reconnects for ever. */
export class LineClient<In, Out> {
  readonly #path: string;
  #socket: Socket | null = null;
  #receive: (message: In) => void = () => undefined;
  #connected: () => void = () => undefined;
  #closed = false;

  constructor(path: string) {
    this.#path = path;
  }

  /** Begins to connect; after each connection `onConnect` is called. */
  start(): void {
    this.#dial();
  }

  onMessage(receive: (message: In) => void): void {
    this.#receive = receive;
  }

  onConnect(connected: () => void): void {
    this.#connected = connected;
  }

  /** Lost when there is no connection. */
  send(message: Out): void {
    this.#socket?.write(`${JSON.stringify(message)}\n`);
  }

  close(): void {
    this.#closed = true;
    this.#socket?.destroy();
  }

  #dial(): void {
    if (this.#closed) return;
    const socket = connect(this.#path);
    let parts: string[] = [];
    let length = 0;
    socket.setEncoding('utf8');
    socket.on('connect', () => {
      this.#socket = socket;
      this.#connected();
    });
    socket.on('data', (chunk: string) => {
      const lines = chunk.split('\n');
      const last = lines.pop() ?? '';
      for (const line of lines) {
        parts.push(line);
        this.#line(parts.join(''));
        parts = [];
        length = 0;
      }
      parts.push(last);
      length += last.length;
      if (length > MAXIMUM_LINE_CHARACTERS) socket.destroy();
    });
    socket.on('error', () => undefined);
    socket.on('close', () => {
      if (this.#socket === socket) this.#socket = null;
      if (!this.#closed) setTimeout(() => this.#dial(), RECONNECT_MILLISECONDS);
    });
  }

  #line(line: string): void {
    if (line === '') return;
    let message: In;
    try {
      message = JSON.parse(line) as In;
    } catch {
      return;
    }
    this.#receive(message);
  }
}
