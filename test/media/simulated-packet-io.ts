import { IpTable, PacketIoError, type PacketOutput, type SocketHandle } from '../../src/media/index.ts';

export interface SentPacket {
  readonly fromIp: string;
  readonly fromPort: number;
  readonly toIp: string;
  readonly toPort: number;
  readonly bytes: Uint8Array;
}

/** Sockets without a network: what is sent goes to `deliver`, what shall arrive is looked up with `socketAt`. */
export class SimulatedPacketIo implements PacketOutput {
  readonly ips = new IpTable();
  /** Ports that some other process holds, as `ip:port`. */
  readonly taken = new Set<string>();
  readonly #deliver: (packet: SentPacket) => void;
  readonly #open = new Map<SocketHandle, { ip: string; port: number }>();
  readonly #handles = new Map<string, SocketHandle>();
  #next = 1;

  constructor(deliver: (packet: SentPacket) => void) {
    this.#deliver = deliver;
  }

  open(localIp: string, port: number): SocketHandle {
    const name = `${localIp}:${port}`;
    if (this.taken.has(name) || this.#handles.has(name)) throw new PacketIoError('EADDRINUSE', `bind ${name}: EADDRINUSE`);
    const handle = this.#next++;
    this.#open.set(handle, { ip: localIp, port });
    this.#handles.set(name, handle);
    return handle;
  }

  close(socket: SocketHandle): void {
    const local = this.#open.get(socket);
    if (local === undefined) return;
    this.#open.delete(socket);
    this.#handles.delete(`${local.ip}:${local.port}`);
  }

  send(socket: SocketHandle, bytes: Uint8Array, offset: number, length: number, ip: number, port: number): void {
    const local = this.#open.get(socket);
    if (local === undefined) return;
    const copy = Uint8Array.from(bytes.subarray(offset, offset + length));
    this.#deliver({ fromIp: local.ip, fromPort: local.port, toIp: this.ips.toText(ip), toPort: port, bytes: copy });
  }

  flush(): void {
    // Sent at once.
  }

  /** The open socket at an address, for `MediaPlane.handlePacket`; undefined when nobody listens. */
  socketAt(ip: string, port: number): SocketHandle | undefined {
    return this.#handles.get(`${ip}:${port}`);
  }

  get openPorts(): string[] {
    return [...this.#handles.keys()];
  }
}
