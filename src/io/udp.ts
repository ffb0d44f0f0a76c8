import { createSocket, type Socket } from 'node:dgram';
import { isIPv6 } from 'node:net';
import { type Address, UndropError } from '../base/index.ts';
import { socketAddress } from './raw-socket.ts';

/** Datagrams read before `start` (only when something had to be sent before it) are kept up to this many. */
const maximumHeldDatagrams = 4096;

export interface UdpCounters {
  received: number;
  sent: number;
  sendErrors: number;
  /** Read before `start` beyond the limit, and dropped. */
  dropped: number;
}

/**
 * A UDP socket, from a descriptor that another process opened, or by address. Nothing is read from it before `start`:
 * until then datagrams wait in the kernel.
 */
export class UdpSocket {
  readonly localAddress: Address;
  readonly counters: UdpCounters = { received: 0, sent: 0, sendErrors: 0, dropped: 0 };
  readonly #socket: Socket;
  #bound: boolean;
  readonly #fd: number | undefined;
  #started = false;
  #closed = false;
  #held: { bytes: Uint8Array; source: Address }[] = [];
  #onMessage: (bytes: Uint8Array, source: Address) => void = () => undefined;
  #onSendError: (error: Error, destination: Address) => void = () => undefined;

  private constructor(socket: Socket, localAddress: Address, fd: number | undefined) {
    this.#socket = socket;
    this.localAddress = localAddress;
    this.#fd = fd;
    this.#bound = fd === undefined;
    socket.on('message', (bytes, remote) => this.#receive(bytes, { ip: remote.address, port: remote.port }));
    // An ICMP error of an earlier datagram; the transaction layer learns of it by its own timeout.
    socket.on('error', () => {
      this.counters.sendErrors += 1;
    });
  }

  /** Takes over a bound UDP descriptor; it is closed with the socket. Linux. */
  static fromDescriptor(fd: number): UdpSocket {
    const address = socketAddress(fd);
    return new UdpSocket(createSocket(isIPv6(address.ip) ? 'udp6' : 'udp4'), address, fd);
  }

  /** Binds `address` itself (port 0: any). Rejects with UndropError, code as the system's, e.g. `EADDRINUSE`. */
  static open(address: Address): Promise<UdpSocket> {
    const socket = createSocket({ type: isIPv6(address.ip) ? 'udp6' : 'udp4', ipv6Only: isIPv6(address.ip) });
    return new Promise((resolve, reject) => {
      const fail = (error: NodeJS.ErrnoException): void => {
        socket.close();
        reject(
          new UndropError(error.code ?? 'SOCKET', `the UDP socket cannot be opened: ${error.message}`, {
            where: `udp:${address.ip}:${address.port}`,
          }),
        );
      };
      socket.once('error', fail);
      socket.bind({ address: address.ip, port: address.port, exclusive: true }, () => {
        socket.off('error', fail);
        const bound = socket.address();
        resolve(new UdpSocket(socket, { ip: bound.address, port: bound.port }, undefined));
      });
    });
  }

  /** The one receiver of datagrams. */
  onMessage(receive: (bytes: Uint8Array, source: Address) => void): void {
    this.#onMessage = receive;
  }

  /** Told of each datagram that could not be sent. */
  onSendError(report: (error: Error, destination: Address) => void): void {
    this.#onSendError = report;
  }

  /** Begins to deliver datagrams, those that have waited first. */
  start(): void {
    if (this.#started || this.#closed) return;
    this.#started = true;
    this.#bind();
    const held = this.#held;
    this.#held = [];
    for (const { bytes, source } of held) this.#onMessage(bytes, source);
  }

  /** Sends a datagram; never throws. The bytes must not be changed afterwards. */
  send(bytes: Uint8Array, destination: Address): void {
    if (this.#closed) return;
    try {
      this.#bind();
      this.#socket.send(bytes, destination.port, destination.ip, (error) => {
        if (error === null) this.counters.sent += 1;
        else this.#sendFailed(error, destination);
      });
    } catch (error) {
      this.#sendFailed(error instanceof Error ? error : new Error(String(error)), destination);
    }
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#held = [];
    this.#bind();
    this.#socket.close();
  }

  #bind(): void {
    if (this.#bound || this.#fd === undefined) return;
    this.#bound = true;
    this.#socket.bind({ fd: this.#fd });
  }

  #sendFailed(error: Error, destination: Address): void {
    this.counters.sendErrors += 1;
    this.#onSendError(error, destination);
  }

  #receive(bytes: Uint8Array, source: Address): void {
    if (this.#closed) return;
    if (this.#started) {
      this.counters.received += 1;
      this.#onMessage(bytes, source);
    } else if (this.#held.length < maximumHeldDatagrams) {
      this.#held.push({ bytes, source });
    } else {
      this.counters.dropped += 1;
    }
  }
}
