import type { Socket as UdpSocket } from 'node:dgram';
import { unlinkSync } from 'node:fs';
import type { Socket } from 'node:net';
import { ControlInput } from './control-input.ts';
import { type IpNumber, IpTable, isIpv6Number } from './ip-table.ts';
import type { ConnectionHandle, PacketIo, PacketIoHandlers, SocketHandle } from './packet-io.ts';
import {
  MAX_CONTROL_CONNECTIONS,
  MAX_CONTROL_LINE_BYTES,
  MAX_CONTROL_PENDING_BYTES,
  MAX_DATAGRAM_BYTES,
  PacketIoError,
  SOCKET_RECEIVE_BUFFER_BYTES,
} from './packet-io.ts';

/** The same over node:dgram and node:net, for systems without koffi: about half the packets a core. */
export class PortablePacketIo implements PacketIo {
  readonly ips = new IpTable();
  readonly #now: () => number;
  readonly #dgram = process.getBuiltinModule('node:dgram');
  readonly #net = process.getBuiltinModule('node:net');
  readonly #sockets = new Map<SocketHandle, UdpSocket>();
  readonly #connections = new Map<ConnectionHandle, Socket>();
  #nextHandle = 1;
  #handlers: PacketIoHandlers | null = null;
  #controlPath: string | null = null;
  #timer: NodeJS.Timeout | null = null;
  #timerAt = Number.POSITIVE_INFINITY;

  /** Datagrams that the system refused to send. */
  sendErrors = 0;

  constructor(now: () => number) {
    this.#now = now;
  }

  open(localIp: string, port: number): SocketHandle {
    const family = localIp.includes(':') ? 6 : 4;
    // A lookup that answers at once makes bind synchronous; the address is one already.
    const socket = this.#dgram.createSocket({
      type: family === 6 ? 'udp6' : 'udp4',
      ipv6Only: family === 6,
      lookup: (host, _options, callback) => callback(null, host, family),
    });
    let failure: Error | null = null;
    socket.on('error', (error) => {
      failure ??= error;
    });
    socket.bind({ address: localIp, port, exclusive: true });
    const error = failure as NodeJS.ErrnoException | null;
    if (error !== null) {
      throw new PacketIoError(error.code ?? 'EIO', `bind ${localIp}:${port}: ${error.code ?? error.message}`);
    }
    try {
      socket.setRecvBufferSize(SOCKET_RECEIVE_BUFFER_BYTES);
    } catch {
      // The system's default buffer serves as well.
    }
    const handle = this.#nextHandle++;
    this.#sockets.set(handle, socket);
    socket.on('message', (bytes, source) => {
      if (bytes.length > MAX_DATAGRAM_BYTES) return;
      this.#handlers?.onPacket(handle, bytes, 0, bytes.length, this.ips.toNumber(source.address), source.port);
      this.#schedule();
    });
    return handle;
  }

  close(handle: SocketHandle): void {
    this.#sockets.get(handle)?.close();
    this.#sockets.delete(handle);
  }

  send(handle: SocketHandle, bytes: Uint8Array, offset: number, length: number, ip: IpNumber, port: number): void {
    const socket = this.#sockets.get(handle);
    if (socket === undefined) return;
    if (isIpv6Number(ip) !== (socket.address().family === 'IPv6')) {
      this.sendErrors++;
      return;
    }
    const copy = Buffer.from(bytes.subarray(offset, offset + length));
    socket.send(copy, port, this.ips.toText(ip), (error) => {
      if (error !== null) this.sendErrors++;
    });
  }

  flush(): void {
    // dgram sends at once.
  }

  listenControl(path: string): void {
    this.#controlPath = path;
  }

  sendLine(handle: ConnectionHandle, line: string): boolean {
    const socket = this.#connections.get(handle);
    if (socket === undefined) return false;
    socket.write(`${line}\n`);
    if (socket.writableLength <= MAX_CONTROL_PENDING_BYTES) return true;
    this.disconnect(handle);
    return false;
  }

  disconnect(handle: ConnectionHandle): void {
    this.#connections.get(handle)?.destroy();
  }

  run(handlers: PacketIoHandlers): void {
    this.#handlers = handlers;
    if (this.#controlPath !== null) this.#listen(this.#controlPath, handlers);
    this.#schedule();
  }

  #listen(path: string, handlers: PacketIoHandlers): void {
    try {
      unlinkSync(path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
    const server = this.#net.createServer((socket) => {
      if (this.#connections.size >= MAX_CONTROL_CONNECTIONS) {
        socket.destroy();
        return;
      }
      const handle = this.#nextHandle++;
      const input = new ControlInput(MAX_CONTROL_LINE_BYTES);
      this.#connections.set(handle, socket);
      socket.on('error', () => undefined);
      socket.on('close', () => {
        this.#connections.delete(handle);
        handlers.onDisconnect(handle);
      });
      socket.on('data', (bytes) => {
        if (!input.push(bytes)) socket.destroy();
        for (let line = input.next(); line !== null && !socket.destroyed; line = input.next()) handlers.onLine(handle, line);
        this.#schedule();
      });
      handlers.onConnection(handle);
    });
    server.listen(path);
  }

  #schedule(): void {
    const handlers = this.#handlers;
    if (handlers === null) return;
    const at = handlers.nextTickAt();
    if (this.#timer !== null && this.#timerAt <= at) return;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    if (at === Number.POSITIVE_INFINITY) return;
    this.#timerAt = at;
    this.#timer = setTimeout(
      () => {
        this.#timer = null;
        if (handlers.nextTickAt() <= this.#now()) handlers.onTick();
        this.#schedule();
      },
      Math.max(0, at - this.#now()),
    );
  }
}
