import { readFileSync } from 'node:fs';
import { UndropError } from '../base/index.ts';
import { closeDescriptor, openSocket, replaceFile } from '../io/index.ts';
import { bestEffort } from './best-effort.ts';
import { strings } from './line-channel.ts';
import { parseSocketKey } from './messages.ts';

/** More sockets than profiles could sensibly have. */
export const maximumHeldSockets = 1024;

/** The SIP sockets, held open and never read, so that a dead switch refuses no datagram. Their keys outlive the guardian in a file. */
export class SocketHolder {
  readonly #path: string;
  readonly #held = new Map<string, number>();
  /** What should be held; the content of the file. */
  readonly #keys: Set<string>;
  #wanted = new Set<string>();

  constructor(path: string) {
    this.#path = path;
    this.#keys = readKeys(path);
  }

  /** Opens what should be held and is not: after a start, or when a switch died that had the only copy. What fails is left for the switch to ask. */
  reopen(): void {
    const wanted = new Set(this.#wanted);
    for (const key of [...this.#keys]) {
      try {
        this.open(key);
      } catch {
        // The switch is told when it asks.
      }
    }
    this.#wanted = wanted;
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
    this.#keys.add(key);
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
    this.want(key);
    this.#save();
  }

  release(keys: Iterable<string>): void {
    for (const key of keys) {
      const fd = this.#held.get(key);
      if (fd !== undefined) closeDescriptor(fd);
      this.#held.delete(key);
      this.#keys.delete(key);
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
    const unwanted = [...this.#keys].filter((key) => !this.#wanted.has(key));
    if (unwanted.length > 0) this.release(unwanted);
  }

  /** The switch uses this one, whoever has it open. */
  want(key: string): void {
    if (parseSocketKey(key) === null || this.#keys.size >= maximumHeldSockets) return;
    this.#wanted.add(key);
    this.#keys.add(key);
  }

  #save(): void {
    bestEffort(() => replaceFile(this.#path, `${JSON.stringify([...this.#keys])}\n`));
  }
}

function readKeys(path: string): Set<string> {
  try {
    const keys: unknown = JSON.parse(readFileSync(path, 'utf8'));
    return new Set(strings(keys, maximumHeldSockets));
  } catch {
    return new Set();
  }
}
