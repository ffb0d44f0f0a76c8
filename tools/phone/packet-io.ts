import koffi from 'koffi';

/**
 * UDP sockets for RTP through libc (Linux): one system call a packet, and the kernel's own arrival times, so that a late
 * wake-up of this process is not mistaken for a gap on the wire.
 */
const libc = koffi.load('libc.so.6');
const socket = libc.func('int socket(int, int, int)');
const bind = libc.func('int bind(int, const void *, uint32_t)');
const getsockname = libc.func('int getsockname(int, _Inout_ void *, _Inout_ uint32_t *)');
const sendto = libc.func('int64 sendto(int, const void *, size_t, int, const void *, uint32_t)');
const recvfrom = libc.func('int64 recvfrom(int, _Out_ void *, size_t, int, _Out_ void *, _Inout_ uint32_t *)');
const ioctl = libc.func('int ioctl(int, unsigned long, _Out_ void *)');
const close = libc.func('int close(int)');
const epollCreate = libc.func('int epoll_create1(int)');
const epollControl = libc.func('int epoll_ctl(int, int, int, const void *)');
const epollWait = libc.func('int epoll_wait(int, _Out_ void *, int, int)');

const AF_INET = 2;
const SOCK_DGRAM_NONBLOCK_CLOEXEC = 2 | 0o4000 | 0o2000000;
const SIOCGSTAMPNS = 0x8907;
const EPOLL_CTL_ADD = 1;
const EPOLLIN = 1;
/** `struct epoll_event` is packed on x86-64 only. */
const eventBytes = process.arch === 'x64' ? 12 : 16;
const eventDataOffset = process.arch === 'x64' ? 4 : 8;
const eventsPerWait = 256;
const largestDatagram = 2048;

function socketAddress(ip: string, port: number): Buffer {
  const address = Buffer.alloc(16);
  address.writeUInt16LE(AF_INET, 0);
  address.writeUInt16BE(port, 2);
  ip.split('.').forEach((part, index) => {
    address[4 + index] = Number(part);
  });
  return address;
}

/** Milliseconds since the Unix epoch with fractions, the kernel's clock. */
export function wallMilliseconds(): number {
  return performance.timeOrigin + performance.now();
}

export interface RtpSocket {
  readonly descriptor: number;
  readonly port: number;
  /** Ready-made `struct sockaddr_in` of where to send, `null` while unknown. */
  remote: Buffer | null;
}

export type OnPacket = (socket: RtpSocket, packet: Uint8Array, length: number, sourcePort: number, arrivedAt: number) => void;

export class PacketIo {
  readonly #epoll: number = epollCreate(0);
  readonly #sockets = new Map<number, RtpSocket>();
  readonly #events = Buffer.alloc(eventBytes * eventsPerWait);
  readonly #packet = new Uint8Array(largestDatagram);
  readonly #source = Buffer.alloc(16);
  readonly #sourceLength = new Uint32Array([16]);
  readonly #stamp = Buffer.alloc(16);

  /** Opens a socket on an even port of 127.0.0.1 (odd ones are left for RTCP). Throws when none is free. */
  open(): RtpSocket {
    for (let attempt = 0; attempt < 100; attempt += 1) {
      const descriptor: number = socket(AF_INET, SOCK_DGRAM_NONBLOCK_CLOEXEC, 0);
      if (descriptor < 0) throw new Error(`socket: errno ${koffi.errno()}`);
      const address = socketAddress('127.0.0.1', 0);
      if (bind(descriptor, address, 16) !== 0) throw new Error(`bind: errno ${koffi.errno()}`);
      getsockname(descriptor, address, new Uint32Array([16]));
      const port = address.readUInt16BE(2);
      if (port % 2 === 1) {
        close(descriptor);
        continue;
      }
      const event = Buffer.alloc(eventBytes);
      event.writeUInt32LE(EPOLLIN, 0);
      event.writeUInt32LE(descriptor, eventDataOffset);
      epollControl(this.#epoll, EPOLL_CTL_ADD, descriptor, event);
      ioctl(descriptor, SIOCGSTAMPNS, this.#stamp);
      const opened: RtpSocket = { descriptor, port, remote: null };
      this.#sockets.set(descriptor, opened);
      return opened;
    }
    throw new Error('no even port is free on 127.0.0.1');
  }

  setRemote(target: RtpSocket, ip: string, port: number): void {
    target.remote = port === 0 || ip === '0.0.0.0' ? null : socketAddress(ip, port);
  }

  /** False when the kernel refused the packet. */
  send(from: RtpSocket, packet: Uint8Array): boolean {
    return from.remote !== null && sendto(from.descriptor, packet, packet.length, 0, from.remote, 16) === packet.length;
  }

  /** Hands every waiting packet to `onPacket`. */
  receive(onPacket: OnPacket): void {
    for (;;) {
      const ready: number = epollWait(this.#epoll, this.#events, eventsPerWait, 0);
      if (ready <= 0) return;
      for (let index = 0; index < ready; index += 1) {
        const from = this.#sockets.get(this.#events.readUInt32LE(index * eventBytes + eventDataOffset));
        if (from === undefined) continue;
        this.#sourceLength[0] = 16;
        const length = Number(recvfrom(from.descriptor, this.#packet, largestDatagram, 0, this.#source, this.#sourceLength));
        if (length <= 0) continue;
        const stamped = ioctl(from.descriptor, SIOCGSTAMPNS, this.#stamp) === 0;
        const arrivedAt = stamped
          ? (this.#stamp.readUInt32LE(0) + this.#stamp.readUInt32LE(4) * 2 ** 32) * 1000 + this.#stamp.readUInt32LE(8) / 1e6
          : wallMilliseconds();
        onPacket(from, this.#packet, length, this.#source.readUInt16BE(2), arrivedAt);
      }
      if (ready < eventsPerWait) return;
    }
  }

  close(target: RtpSocket): void {
    if (this.#sockets.delete(target.descriptor)) close(target.descriptor);
  }

  closeAll(): void {
    for (const open of [...this.#sockets.values()]) this.close(open);
    close(this.#epoll);
  }
}
