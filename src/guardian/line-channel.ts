import type { Socket } from 'node:net';

/** A line beyond this is not ours; the connection is closed. */
const maximumLineCharacters = 256 * 1024;

/** JSON objects, one a line, over a stream socket. */
export class LineChannel<Incoming, Outgoing> {
  readonly #socket: Socket;
  #rest = '';

  /** `onMessage` gets each object (of which only `kind` is certain), `onClose` is called once. */
  constructor(socket: Socket, onMessage: (message: Incoming) => void, onClose: () => void) {
    this.#socket = socket;
    socket.setEncoding('utf8');
    socket.on('data', (text: string) => this.#read(text, onMessage));
    socket.on('error', () => undefined);
    socket.once('close', onClose);
  }

  send(message: Outgoing): void {
    if (this.#socket.writable) this.#socket.write(`${JSON.stringify(message)}\n`);
  }

  close(): void {
    this.#socket.end();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  #read(text: string, onMessage: (message: Incoming) => void): void {
    const lines = (this.#rest + text).split('\n');
    this.#rest = lines.pop() ?? '';
    if (this.#rest.length > maximumLineCharacters) {
      this.#socket.destroy();
      return;
    }
    for (const line of lines) {
      const message = parse(line);
      if (message === null) {
        this.#socket.destroy();
        return;
      }
      onMessage(message as Incoming);
    }
  }
}

function parse(line: string): object | null {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null && 'kind' in value ? value : null;
  } catch {
    return null;
  }
}

/** The strings of an array that came over a channel; anything else is left out. */
export function strings(value: unknown, maximum: number): string[] {
  return Array.isArray(value) ? value.filter((item): item is string => typeof item === 'string').slice(0, maximum) : [];
}
