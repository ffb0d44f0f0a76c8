import type { IpNumber, IpTable } from './ip-table.ts';

/** Names an open UDP socket: a small integer that may be used again after `close`. */
export type SocketHandle = number;
/** Names an accepted control connection. */
export type ConnectionHandle = number;

/** Longest datagram taken; longer ones are cut and dropped (an RTP packet never exceeds an Ethernet frame by design). */
export const MAX_DATAGRAM_BYTES = 2048;
/** Receive buffer asked for each RTP socket: about a second of 20 ms packets, so that a restart's first read loses nothing. */
export const SOCKET_RECEIVE_BUFFER_BYTES = 65_536;
export const MAX_CONTROL_CONNECTIONS = 8;
/** Output that waits for one slow control client; beyond it the client is dropped and connects again. */
export const MAX_CONTROL_PENDING_BYTES = 16 * 1024 * 1024;
/** Longest command line; the switch splits larger sets. */
export const MAX_CONTROL_LINE_BYTES = 8 * 1024 * 1024;

/** A socket that could not be opened; `code` is the system's name, EADDRINUSE or EADDRNOTAVAIL for example. */
export class PacketIoError extends Error {
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.name = 'PacketIoError';
    this.code = code;
  }
}

/** What the media plane needs from the network. Simulated in tests. */
export interface PacketOutput {
  readonly ips: IpTable;
  /** Binds a UDP socket. Throws `PacketIoError`. */
  open(localIp: string, port: number): SocketHandle;
  close(socket: SocketHandle): void;
  /**
   * Sends at the next `flush` at the latest. `bytes` may be changed by the caller after this returns, unless it is
   * the very buffer that `onPacket` handed out: that one may be changed until its handler returns, and is sent without a copy.
   */
  send(socket: SocketHandle, bytes: Uint8Array, offset: number, length: number, ip: IpNumber, port: number): void;
  flush(): void;
}

export interface PacketIoHandlers {
  /** `bytes` is lent for the time of the call. */
  onPacket(socket: SocketHandle, bytes: Uint8Array, offset: number, length: number, ip: IpNumber, port: number): void;
  onConnection(connection: ConnectionHandle): void;
  /** One line without its newline. */
  onLine(connection: ConnectionHandle, line: string): void;
  onDisconnect(connection: ConnectionHandle): void;
  onTick(): void;
  /** Monotonic milliseconds of the wanted next `onTick`; Infinity for never. */
  nextTickAt(): number;
}

/** UDP sockets, the control socket and the loop around them. */
export interface PacketIo extends PacketOutput {
  /** Listens on a Unix socket; a stale path is removed. Throws `PacketIoError`. */
  listenControl(path: string): void;
  /** Queues one line (a newline is added). False when the client had to be dropped. */
  sendLine(connection: ConnectionHandle, line: string): boolean;
  disconnect(connection: ConnectionHandle): void;
  /** Runs the loop; on Linux this call never returns. */
  run(handlers: PacketIoHandlers): void;
}
