import { createSocket, type Socket } from 'node:dgram';
import type { Remote } from '../../tools/phone/user-agent.ts';
import { readSip, type SipText } from '../../tools/phone/wire.ts';

/** Messages kept for later waits; the oldest go first. */
const maximumKept = 5000;

export interface Received extends SipText {
  readonly from: Remote;
  /** `performance.now()` of its arrival. */
  readonly at: number;
}

interface Waiter {
  readonly matches: (message: Received) => boolean;
  readonly resolve: (message: Received) => void;
}

/** A UDP socket that sends text and waits for SIP messages. */
export class SipClient {
  readonly port: number;
  /** Everything received so far. */
  readonly received: Received[] = [];
  readonly #socket: Socket;
  readonly #waiters = new Set<Waiter>();
  readonly #taken = new WeakSet<Received>();
  #listener: (message: Received) => void = () => undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
    this.port = socket.address().port;
    socket.on('message', (bytes, from) => this.#receive(bytes, { ip: from.address, port: from.port }));
    socket.on('error', () => undefined);
  }

  /** Rejects with the system's error when the port is taken. */
  static open(port = 0): Promise<SipClient> {
    return new Promise((resolve, reject) => {
      const socket = createSocket('udp4');
      socket.once('error', reject);
      socket.bind(port, '127.0.0.1', () => {
        socket.removeListener('error', reject);
        resolve(new SipClient(socket));
      });
    });
  }

  send(bytes: Buffer | string, port: number): void {
    this.#socket.send(bytes, port, '127.0.0.1');
  }

  /** Called with every message, before any wait is served. */
  onMessage(listener: (message: Received) => void): void {
    this.#listener = listener;
  }

  /** The first message that matches and that no wait has had yet, already received or still to come. */
  wait(what: string, matches: (message: Received) => boolean, milliseconds = 5000): Promise<Received> {
    const present = this.received.find((message) => !this.#taken.has(message) && matches(message));
    if (present !== undefined) {
      this.#taken.add(present);
      return Promise.resolve(present);
    }
    return new Promise((resolve, reject) => {
      const bound = setTimeout(() => {
        this.#waiters.delete(waiter);
        const seen = this.received.slice(-12).map((message) => message.method ?? `${message.status} ${message.reason}`);
        reject(new Error(`no ${what} within ${milliseconds} ms; the last messages were: ${seen.join(', ') || 'none'}`));
      }, milliseconds);
      const waiter: Waiter = {
        matches,
        resolve: (message) => {
          clearTimeout(bound);
          resolve(message);
        },
      };
      this.#waiters.add(waiter);
    });
  }

  close(): void {
    this.#socket.close();
  }

  #receive(bytes: Uint8Array, from: Remote): void {
    const message = readSip(bytes);
    if (message === null) return;
    const received: Received = { ...message, from, at: performance.now() };
    this.received.push(received);
    if (this.received.length > maximumKept) this.received.shift();
    this.#listener(received);
    for (const waiter of this.#waiters) {
      if (!waiter.matches(received)) continue;
      this.#waiters.delete(waiter);
      this.#taken.add(received);
      waiter.resolve(received);
      return;
    }
  }
}
