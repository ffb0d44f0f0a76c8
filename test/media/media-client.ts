import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import type { MediaCommand, MediaEvent, MediaMessage, MediaReply } from '../../src/media/index.ts';

/** A real media process. */
export function spawnMedia(stateDirectory: string, variant: string): ChildProcess {
  const script = join(import.meta.dirname, 'run-media.ts');
  return spawn(process.execPath, [script, stateDirectory, variant], {
    stdio: ['ignore', 'ignore', 'inherit'],
    env: { ...process.env, NODE_COMPILE_CACHE: join(stateDirectory, 'cache') },
  });
}

/** Ends a process by SIGKILL and waits until it is gone. */
export async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill('SIGKILL');
  await exited;
}

type WithoutRequest<Command> = Command extends MediaCommand ? Omit<Command, 'request'> : never;

/** The switch's end of the control socket. */
export class MediaClient {
  readonly events: MediaEvent[] = [];
  readonly #socket: Socket;
  readonly #waiting = new Map<number, (reply: MediaReply) => void>();
  #request = 0;

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('error', () => undefined);
    createInterface({ input: socket }).on('line', (line) => {
      const message = JSON.parse(line) as MediaMessage;
      if ('request' in message) this.#waiting.get(message.request)?.(message);
      else this.events.push(message);
    });
  }

  static async connect(stateDirectory: string): Promise<MediaClient> {
    for (let attempt = 0; attempt < 200; attempt++) {
      const socket = connect(join(stateDirectory, 'run', 'media.sock'));
      const [event] = await Promise.race([
        once(socket, 'connect').then(() => ['connect']),
        once(socket, 'error').then(() => ['error']),
      ]).catch(() => ['error']);
      if (event === 'connect') return new MediaClient(socket);
      await delay(25);
    }
    throw new Error('media offers no control socket');
  }

  command(command: WithoutRequest<MediaCommand>): Promise<MediaReply> {
    const request = ++this.#request;
    return new Promise((resolve) => {
      this.#waiting.set(request, resolve);
      this.#socket.write(`${JSON.stringify({ ...command, request })}\n`);
    });
  }

  close(): void {
    this.#socket.destroy();
  }
}
