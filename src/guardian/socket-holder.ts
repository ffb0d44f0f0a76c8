import { readFileSync } from 'node:fs';
import { UndropError } from '../base/index.ts';
import { closeDescriptor, openSocket, replaceFile } from '../io/index.ts';
import { bestEffort } from './best-effort.ts';
import { parseSocketKey } from './messages.ts';

/** More sockets than profiles could sensibly have. */
export const maximumHeldSockets = 1024;

/** The SIP sockets, held open and never read, so that a dead switch refuses no datagram. Their keys outlive the guardian in a file. */
export class SocketHolder {
  readonly #path: string;
  readonly #held = new Map<string, number>();
  #wanted = new Set<string>();

  constructor(path: string) {
    this.#path = path;
  }

  /** Opens what the last guardian held, before any switch asks for it; what cannot be opened is left for then. */
  reopen(): void {
    let keys: unknown;
    try {
      keys = JSON.parse(readFileSync(this.#path, 'utf8'));
    } catch {
      return;
    }
    if (!Array.isArray(keys)) return;
    for (const key of keys.slice(0, maximumHeldSockets)) {
      try {
        if (typeof key === 'string') this.open(key);
      } catch {
        // The switch is told when it asks.
      }
    }
    this.#wanted.clear();
  }

  /** The descriptor of a key, opened now if it was not. Throws UndropError. */
  open(key: string): number {
    const held = this.#held.get(key);
    this.#wanted.add(key);
    if (held !== undefined) return held;
    const parsed = parseSocketKey(key);
    if (parsed === null)
      throw new UndropError('SOCKET_KEY', `"${key}" is not a socket`, { fix: 'Use udp:ADDRESS:PORT or tcp:ADDRESS:PORT.' });
    if (this.#held.size >= maximumHeldSockets) throw new UndropError('SOCKET_LIMIT', `more than ${maximumHeldSockets} sockets`);
    const fd = openSocket(parsed.transport, parsed);
    this.#held.set(key, fd);
    this.#save();
    return fd;
  }

  has(key: string): boolean {
    return this.#held.has(key);
  }

  /** Takes over a descriptor that a switch gave back. */
  adopt(key: string, fd: number): void {
    if (this.#held.has(key) || parseSocketKey(key) === null || this.#held.size >= maximumHeldSockets) {
      closeDescriptor(fd);
      return;
    }
    this.#held.set(key, fd);
    this.#wanted.add(key);
    this.#save();
  }

  release(keys: Iterable<string>): void {
    for (const key of keys) {
      const fd = this.#held.get(key);
      if (fd !== undefined) closeDescriptor(fd);
      this.#held.delete(key);
      this.#wanted.delete(key);
    }
    this.#save();
  }

  /** A new switch has not asked for anything yet. */
  forgetWishes(): void {
    this.#wanted = new Set();
  }

  /** Closes what the switch, being ready, has not asked for: its configuration has changed. */
  releaseUnwanted(): void {
    const unwanted = [...this.#held.keys()].filter((key) => !this.#wanted.has(key));
    if (unwanted.length > 0) this.release(unwanted);
  }

  want(key: string): void {
    this.#wanted.add(key);
  }

  #save(): void {
    bestEffort(() => replaceFile(this.#path, `${JSON.stringify([...this.#held.keys()])}\n`));
  }
}
