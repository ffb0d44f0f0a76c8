import { openSync, readFileSync, statSync } from 'node:fs';
import { createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { lockFile } from '../io/index.ts';
import type { StateLayout } from './layout.ts';

const retryMilliseconds = 50;

/**
 * One guardian a state directory. Two locks, both dropped by the kernel when the process dies and inherited by no child:
 * on Linux first an abstract Unix socket (unix(7)), which needs no library to be loaded, so that the audio can be started
 * at once; then, everywhere, flock(2) on `run/guardian.lock`, which also holds between network namespaces.
 */
export class GuardianLock {
  readonly #layout: StateLayout;
  #quick = false;
  #file: number | undefined;

  constructor(layout: StateLayout) {
    this.#layout = layout;
  }

  /** The quick lock; false when another guardian has it. */
  takeQuickly(): boolean {
    if (this.#quick) return true;
    if (process.platform !== 'linux') return this.confirm();
    const { dev, ino } = statSync(this.#layout.run);
    const server = createServer((socket) => socket.destroy());
    server.on('error', () => undefined);
    server.listen(`\0undrop-guardian-${dev}-${ino}`);
    // Binding is done before `listen` returns; only the events come later.
    if (!server.listening) return false;
    server.unref();
    this.#quick = true;
    return true;
  }

  /** The lasting lock; false when another guardian has it. */
  confirm(): boolean {
    this.#file ??= openSync(this.#layout.lock, 'a', 0o640);
    return lockFile(this.#file);
  }

  async waitQuickly(): Promise<void> {
    while (!this.takeQuickly()) await sleep(retryMilliseconds);
  }

  /** Who holds it, for a message. */
  holder(): string {
    try {
      return readFileSync(`${this.#layout.run}/guardian.pid`, 'utf8').trim();
    } catch {
      return 'unknown';
    }
  }
}
