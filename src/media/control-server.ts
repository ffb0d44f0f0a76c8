import { parseCommand } from './command.ts';
import type { ConnectionHandle, PacketIo } from './packet-io.ts';
import type { MediaCommand, MediaEvent, MediaReply } from './protocol.ts';

/** Events kept while no switch is connected, told to the first that says hello; the oldest is dropped beyond. */
export const MAX_WAITING_EVENTS = 4096;

/** Serves every connected switch: an old one's connection may be half dead when the new one's opens. */
export class ControlServer {
  readonly #io: Pick<PacketIo, 'sendLine' | 'disconnect'>;
  readonly #handle: (command: MediaCommand) => MediaReply;
  readonly #complain: (message: string) => void;
  readonly #greeted = new Set<ConnectionHandle>();
  #waiting: MediaEvent[] = [];

  constructor(
    io: Pick<PacketIo, 'sendLine' | 'disconnect'>,
    handle: (command: MediaCommand) => MediaReply,
    complain: (message: string) => void,
  ) {
    this.#io = io;
    this.#handle = handle;
    this.#complain = complain;
  }

  onLine(connection: ConnectionHandle, line: string): void {
    const parsed = parseCommand(line);
    if ('problem' in parsed) {
      this.#complain(`control: ${parsed.problem}: ${line.slice(0, 80)}`);
      if (parsed.request === null) {
        this.#io.disconnect(connection);
        return;
      }
      const failed = [{ id: '', code: 'BAD_COMMAND', message: parsed.problem }];
      this.#io.sendLine(connection, JSON.stringify({ kind: 'done', request: parsed.request, failed } satisfies MediaReply));
      return;
    }
    this.#io.sendLine(connection, JSON.stringify(this.#handle(parsed.command)));
    if (parsed.command.kind === 'hello') this.#greet(connection);
  }

  onDisconnect(connection: ConnectionHandle): void {
    this.#greeted.delete(connection);
  }

  emit(event: MediaEvent): void {
    let told = false;
    if (this.#greeted.size > 0) {
      const line = JSON.stringify(event);
      for (const connection of this.#greeted) told = this.#io.sendLine(connection, line) || told;
    }
    if (told) return;
    if (this.#waiting.length >= MAX_WAITING_EVENTS) this.#waiting.shift();
    this.#waiting.push(event);
  }

  #greet(connection: ConnectionHandle): void {
    this.#greeted.add(connection);
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const event of waiting) this.#io.sendLine(connection, JSON.stringify(event));
  }
}
