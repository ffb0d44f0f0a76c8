import { unlinkSync } from 'node:fs';
import { ControlInput } from './control-input.ts';
import { formatIpv6, type IpNumber, IpTable, isIpv6Number, UNKNOWN_IP } from './ip-table.ts';
import * as linux from './linux-libc.ts';
import { MessageHeaders, writeSocketAddress } from './linux-message.ts';
import type { ConnectionHandle, PacketIo, PacketIoHandlers, SocketHandle } from './packet-io.ts';
import {
  MAX_CONTROL_CONNECTIONS,
  MAX_CONTROL_LINE_BYTES,
  MAX_CONTROL_PENDING_BYTES,
  MAX_DATAGRAM_BYTES,
  PacketIoError,
  SOCKET_RECEIVE_BUFFER_BYTES,
} from './packet-io.ts';

/** Datagrams taken from one socket by one system call. */
const RECEIVE_BATCH = 16;
/** Datagrams that wait for a flush. */
const SEND_BATCH = 64;
const EVENT_BATCH = 256;
const CONTROL_READ_BYTES = 65_536;
/** Longest sleep: bounds what a clock error or a missed wake-up can cost. */
const MAX_SLEEP_MILLISECONDS = 1_000;
const SUN_PATH_BYTES = 108;

interface Connection {
  readonly fd: number;
  readonly input: ControlInput;
  output: Buffer[];
  outputBytes: number;
  closed: boolean;
}

/**
 * One epoll set over all sockets, one thread, no allocation for a packet.
 * Sockets are named by their file descriptor.
 */
export class LinuxPacketIo implements PacketIo {
  readonly ips = new IpTable();
  readonly #libc: linux.Libc;
  readonly #now: () => number;
  readonly #epoll: number;
  /** Index: file descriptor. 4 or 6 for UDP sockets, 0 for what is not one. */
  readonly #families: number[] = [];
  readonly #connections = new Map<ConnectionHandle, Connection>();
  #listener = -1;

  readonly #receiveArena = Buffer.allocUnsafeSlow(RECEIVE_BATCH * MAX_DATAGRAM_BYTES);
  readonly #sendArena = Buffer.allocUnsafeSlow(SEND_BATCH * MAX_DATAGRAM_BYTES);
  readonly #receiveHeaders: MessageHeaders;
  readonly #sendHeaders: MessageHeaders;
  readonly #sendSockets = new Int32Array(SEND_BATCH);
  readonly #receiveArenaAddress: number;
  readonly #sendArenaAddress: number;
  #sendCount = 0;

  readonly #events = Buffer.allocUnsafeSlow(EVENT_BATCH * linux.EPOLL_EVENT_BYTES);
  readonly #eventsAddress: number;
  readonly #scratch = Buffer.allocUnsafeSlow(128);
  readonly #scratchAddress: number;
  readonly #controlRead = Buffer.allocUnsafeSlow(CONTROL_READ_BYTES);
  readonly #controlReadAddress: number;
  #lastIpv6Text = '';
  readonly #lastIpv6 = new Uint32Array(4);
  #lastIpv6Number: IpNumber = 0;

  /** Datagrams that the system refused to send (no route, firewall, full buffer). */
  sendErrors = 0;

  constructor(libc: linux.Libc, now: () => number) {
    this.#libc = libc;
    this.#now = now;
    this.#receiveArenaAddress = libc.addressOf(this.#receiveArena);
    this.#sendArenaAddress = libc.addressOf(this.#sendArena);
    this.#eventsAddress = libc.addressOf(this.#events);
    this.#scratchAddress = libc.addressOf(this.#scratch);
    this.#controlReadAddress = libc.addressOf(this.#controlRead);
    this.#receiveHeaders = new MessageHeaders(libc, RECEIVE_BATCH);
    this.#sendHeaders = new MessageHeaders(libc, SEND_BATCH);
    for (let slot = 0; slot < RECEIVE_BATCH; slot++) {
      this.#receiveHeaders.setData(slot, this.#receiveArenaAddress + slot * MAX_DATAGRAM_BYTES, MAX_DATAGRAM_BYTES);
    }
    this.#epoll = libc.epollCreate1(linux.EPOLL_CLOEXEC);
    if (this.#epoll < 0) throw this.#error('epoll_create1');
  }

  open(localIp: string, port: number): SocketHandle {
    const ip = this.ips.toNumber(localIp);
    if (ip === 0 || ip === UNKNOWN_IP) throw new PacketIoError('EINVAL', `${localIp} is not an address to bind media to`);
    const ipv6 = isIpv6Number(ip);
    const family = ipv6 ? linux.AF_INET6 : linux.AF_INET;
    const fd = this.#libc.socket(family, linux.SOCK_DGRAM | linux.SOCK_NONBLOCK | linux.SOCK_CLOEXEC, 0);
    if (fd < 0) throw this.#error(`socket for ${localIp}:${port}`);
    this.#setOption(fd, linux.SOL_SOCKET, linux.SO_RCVBUF, SOCKET_RECEIVE_BUFFER_BYTES);
    if (ipv6) this.#setOption(fd, linux.IPPROTO_IPV6, linux.IPV6_V6ONLY, 1);
    const length = writeSocketAddress(this.#scratch, 0, this.ips, ip, port);
    if (this.#libc.bind(fd, this.#scratchAddress, length) < 0) {
      const error = this.#error(`bind ${localIp}:${port}`);
      this.#libc.close(fd);
      throw error;
    }
    this.#watch(linux.EPOLL_CTL_ADD, fd, linux.EPOLLIN);
    this.#families[fd] = ipv6 ? 6 : 4;
    return fd;
  }

  close(socket: SocketHandle): void {
    if (!this.#families[socket]) return;
    this.flush();
    this.#families[socket] = 0;
    this.#libc.close(socket);
  }

  send(socket: SocketHandle, bytes: Uint8Array, offset: number, length: number, ip: IpNumber, port: number): void {
    const family = this.#families[socket];
    if (!family || length > MAX_DATAGRAM_BYTES) return;
    if ((family === 6) !== isIpv6Number(ip)) {
      this.sendErrors++;
      return;
    }
    const slot = this.#sendCount;
    let address: number;
    if (bytes === this.#receiveArena) {
      address = this.#receiveArenaAddress + offset;
    } else {
      const start = slot * MAX_DATAGRAM_BYTES;
      for (let index = 0; index < length; index++) this.#sendArena[start + index] = bytes[offset + index] as number;
      address = this.#sendArenaAddress + start;
    }
    this.#sendHeaders.setData(slot, address, length);
    this.#sendHeaders.setAddress(slot, this.ips, ip, port);
    this.#sendSockets[slot] = socket;
    this.#sendCount = slot + 1;
    if (this.#sendCount === SEND_BATCH) this.flush();
  }

  flush(): void {
    const count = this.#sendCount;
    if (count === 0) return;
    this.#sendCount = 0;
    const sockets = this.#sendSockets;
    let start = 0;
    while (start < count) {
      const socket = sockets[start] as number;
      let end = start + 1;
      while (end < count && sockets[end] === socket) end++;
      while (start < end) {
        const sent = this.#libc.sendmmsg(socket, this.#sendHeaders.addressOf(start), end - start, linux.MSG_DONTWAIT);
        if (sent > 0) {
          start += sent;
        } else {
          // The first one was refused: it is lost like any datagram, the rest goes on.
          this.sendErrors++;
          start++;
        }
      }
    }
  }

  listenControl(path: string): void {
    const bytes = Buffer.from(path);
    if (bytes.length >= SUN_PATH_BYTES) {
      throw new PacketIoError(
        'ENAMETOOLONG',
        `control socket path ${path} is longer than ${SUN_PATH_BYTES - 1} bytes; use a shorter state directory`,
      );
    }
    removeStale(path);
    const fd = this.#libc.socket(linux.AF_UNIX, linux.SOCK_STREAM | linux.SOCK_NONBLOCK | linux.SOCK_CLOEXEC, 0);
    if (fd < 0) throw this.#error('socket for control');
    this.#scratch.fill(0);
    this.#scratch.writeUInt16LE(linux.AF_UNIX, 0);
    bytes.copy(this.#scratch, 2);
    if (this.#libc.bind(fd, this.#scratchAddress, bytes.length + 3) < 0) throw this.#error(`bind ${path}`);
    if (this.#libc.listen(fd, MAX_CONTROL_CONNECTIONS) < 0) throw this.#error(`listen ${path}`);
    this.#watch(linux.EPOLL_CTL_ADD, fd, linux.EPOLLIN);
    this.#listener = fd;
  }

  sendLine(handle: ConnectionHandle, line: string): boolean {
    const connection = this.#connections.get(handle);
    if (connection === undefined || connection.closed) return false;
    let bytes = Buffer.from(`${line}\n`);
    if (connection.outputBytes === 0) {
      const sent = this.#sendBytes(connection.fd, bytes);
      if (sent < 0) return this.#fail(connection);
      if (sent === bytes.length) return true;
      bytes = bytes.subarray(sent);
      this.#watch(linux.EPOLL_CTL_MOD, connection.fd, linux.EPOLLIN | linux.EPOLLOUT);
    }
    connection.output.push(bytes);
    connection.outputBytes += bytes.length;
    return connection.outputBytes > MAX_CONTROL_PENDING_BYTES ? this.#fail(connection) : true;
  }

  disconnect(handle: ConnectionHandle): void {
    const connection = this.#connections.get(handle);
    if (connection !== undefined) connection.closed = true;
  }

  run(handlers: PacketIoHandlers): never {
    const libc = this.#libc;
    const events = new DataView(this.#events.buffer, this.#events.byteOffset, this.#events.byteLength);
    for (;;) {
      const wait = handlers.nextTickAt() - this.#now();
      const timeout = wait <= 0 ? 0 : Math.min(MAX_SLEEP_MILLISECONDS, Math.ceil(wait));
      const count = libc.epollWait(this.#epoll, this.#eventsAddress, EVENT_BATCH, timeout);
      if (count < 0 && libc.errno() !== linux.EINTR) throw this.#error('epoll_wait');
      if (handlers.nextTickAt() <= this.#now()) {
        handlers.onTick();
        this.flush();
      }
      for (let index = 0; index < count; index++) {
        const at = index * linux.EPOLL_EVENT_BYTES;
        const fd = events.getInt32(at + linux.EPOLL_EVENT_DATA_OFFSET, true);
        if (this.#families[fd]) this.#receive(fd, handlers);
        else if (fd === this.#listener) this.#accept(handlers);
        else this.#serve(fd, events.getUint32(at, true), handlers);
      }
      this.#reap(handlers);
    }
  }

  #receive(socket: SocketHandle, handlers: PacketIoHandlers): void {
    const headers = this.#receiveHeaders;
    const count = this.#libc.recvmmsg(socket, headers.addressOf(0), RECEIVE_BATCH, linux.MSG_DONTWAIT, 0);
    for (let slot = 0; slot < count; slot++) {
      const length = headers.length(slot);
      if (!headers.truncated(slot)) {
        const ip = headers.ipv6(slot) ? this.#sourceIpv6(slot) : headers.ipv4(slot);
        handlers.onPacket(socket, this.#receiveArena, slot * MAX_DATAGRAM_BYTES, length, ip, headers.port(slot));
      }
      headers.resetAddress(slot);
    }
    this.flush();
  }

  #sourceIpv6(slot: number): IpNumber {
    const words = this.#receiveHeaders.ipv6Words(slot);
    const last = this.#lastIpv6;
    if (words[0] === last[0] && words[1] === last[1] && words[2] === last[2] && words[3] === last[3] && this.#lastIpv6Text !== '') {
      return this.#lastIpv6Number;
    }
    last.set(words);
    const bytes = new DataView(last.buffer);
    this.#lastIpv6Text = formatIpv6(Uint16Array.from({ length: 8 }, (_, group) => bytes.getUint16(group * 2)));
    this.#lastIpv6Number = this.ips.toNumber(this.#lastIpv6Text);
    return this.#lastIpv6Number;
  }

  #accept(handlers: PacketIoHandlers): void {
    const fd = this.#libc.accept4(this.#listener, 0, 0, linux.SOCK_NONBLOCK | linux.SOCK_CLOEXEC);
    if (fd < 0) return;
    if (this.#connections.size >= MAX_CONTROL_CONNECTIONS) {
      this.#libc.close(fd);
      return;
    }
    this.#watch(linux.EPOLL_CTL_ADD, fd, linux.EPOLLIN);
    this.#connections.set(fd, { fd, input: new ControlInput(MAX_CONTROL_LINE_BYTES), output: [], outputBytes: 0, closed: false });
    handlers.onConnection(fd);
  }

  #serve(fd: number, events: number, handlers: PacketIoHandlers): void {
    const connection = this.#connections.get(fd);
    if (connection === undefined || connection.closed) return;
    if ((events & linux.EPOLLOUT) !== 0) this.#drain(connection);
    if ((events & ~linux.EPOLLOUT) === 0) return;
    const count = this.#libc.read(fd, this.#controlReadAddress, CONTROL_READ_BYTES);
    if (count < 0 && this.#libc.errno() === linux.EAGAIN) return;
    if (count <= 0 || !connection.input.push(this.#controlRead.subarray(0, count))) {
      connection.closed = true;
      return;
    }
    for (let line = connection.input.next(); line !== null && !connection.closed; line = connection.input.next()) {
      handlers.onLine(fd, line);
    }
    this.flush();
  }

  #drain(connection: Connection): void {
    while (connection.output.length > 0) {
      const bytes = connection.output[0] as Buffer;
      const sent = this.#sendBytes(connection.fd, bytes);
      if (sent < 0) {
        connection.closed = true;
        return;
      }
      connection.outputBytes -= sent;
      if (sent < bytes.length) {
        connection.output[0] = bytes.subarray(sent);
        return;
      }
      connection.output.shift();
    }
    this.#watch(linux.EPOLL_CTL_MOD, connection.fd, linux.EPOLLIN);
  }

  /** Bytes that the system took, 0 when it would block, −1 when the connection is broken. */
  #sendBytes(fd: number, bytes: Buffer): number {
    // A copy: only memory outside Node's pool has an address that koffi may be given as a number.
    const chunk = Buffer.allocUnsafeSlow(bytes.length);
    bytes.copy(chunk);
    const sent = this.#libc.send(fd, this.#libc.addressOf(chunk), chunk.length, linux.MSG_DONTWAIT | linux.MSG_NOSIGNAL);
    if (sent >= 0) return sent;
    return this.#libc.errno() === linux.EAGAIN ? 0 : -1;
  }

  #fail(connection: Connection): false {
    connection.closed = true;
    return false;
  }

  /** Closes what was marked, outside of any handler, so that a descriptor is never used again within one round. */
  #reap(handlers: PacketIoHandlers): void {
    if (this.#connections.size === 0) return;
    for (const connection of this.#connections.values()) {
      if (!connection.closed) continue;
      this.#connections.delete(connection.fd);
      this.#libc.close(connection.fd);
      handlers.onDisconnect(connection.fd);
    }
  }

  #watch(operation: number, fd: number, events: number): void {
    this.#scratch.fill(0, 0, linux.EPOLL_EVENT_BYTES);
    this.#scratch.writeUInt32LE(events, 0);
    this.#scratch.writeInt32LE(fd, linux.EPOLL_EVENT_DATA_OFFSET);
    if (this.#libc.epollCtl(this.#epoll, operation, fd, this.#scratchAddress) < 0) throw this.#error('epoll_ctl');
  }

  #setOption(fd: number, level: number, option: number, value: number): void {
    this.#scratch.writeInt32LE(value, 0);
    this.#libc.setsockopt(fd, level, option, this.#scratchAddress, 4);
  }

  #error(action: string): PacketIoError {
    const name = this.#libc.errnoName(this.#libc.errno());
    return new PacketIoError(name, `${action}: ${name}`);
  }
}

function removeStale(path: string): void {
  try {
    unlinkSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}
