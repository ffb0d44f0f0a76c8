import { isIPv4, isIPv6 } from 'node:net';
import { type Address, assert, formatAddress, UndropError } from '../base/index.ts';
import { errorName, native } from './native.ts';

const familyUnix = 1;
const familyIpv4 = 2;
const familyIpv6 = 10;
const typeStream = 1;
const typeDatagram = 2;
const closeOnExec = 0o2000000;
const nonBlocking = 0o4000;
const levelSocket = 1;
const optionReuseAddress = 2;
const optionReceiveBuffer = 8;
const optionReceiveBufferForce = 33;
const levelIpv6 = 41;
const optionIpv6Only = 26;

/** What the kernel may keep for a socket whose reader is dead: some ten thousand SIP messages. */
const receiveBufferBytes = 8 * 1024 * 1024;
const listenBacklog = 511;

export type TransportName = 'udp' | 'tcp';

/** A bound socket (TCP: listening), not read from; closed on exec, non-blocking. Throws UndropError `SOCKET_<errno name>`. Linux. */
export function openSocket(transport: TransportName, address: Address): number {
  const sockaddr = encodeAddress(address);
  const family = isIPv6(address.ip) ? familyIpv6 : familyIpv4;
  const type = transport === 'udp' ? typeDatagram : typeStream;
  const fd = native().socket(family, type | closeOnExec | nonBlocking, 0);
  if (fd < 0) throw socketError(transport, address, 'cannot be created');
  const fail = (what: string): never => {
    const error = socketError(transport, address, what);
    native().close(fd);
    throw error;
  };
  const one = integer(1);
  if (family === familyIpv6 && native().setsockopt(fd, levelIpv6, optionIpv6Only, one, 4) !== 0) fail('cannot be limited to IPv6');
  // For a listener only: on UDP it would let a second process take the datagrams.
  if (transport === 'tcp' && native().setsockopt(fd, levelSocket, optionReuseAddress, one, 4) !== 0) fail('cannot reuse its address');
  if (transport === 'udp') {
    const size = integer(receiveBufferBytes);
    // FORCE goes past net.core.rmem_max and needs CAP_NET_ADMIN; without it the kernel gives what it allows.
    if (native().setsockopt(fd, levelSocket, optionReceiveBufferForce, size, 4) !== 0) {
      native().setsockopt(fd, levelSocket, optionReceiveBuffer, size, 4);
    }
  }
  if (native().bind(fd, sockaddr, sockaddr.length) !== 0) fail('cannot be bound');
  if (transport === 'tcp' && native().listen(fd, listenBacklog) !== 0) fail('cannot listen');
  return fd;
}

/** The local address of a bound IP socket, by its descriptor. */
export function socketAddress(fd: number): Address {
  const bytes = Buffer.alloc(28);
  const result = native().getsockname(fd, bytes, [bytes.length]);
  if (result !== 0) throw new UndropError('SOCKET_NO_ADDRESS', `descriptor ${fd} has no address: ${errorName(native().errno())}`);
  const port = bytes.readUInt16BE(2);
  const family = bytes.readUInt16LE(0);
  if (family === familyIpv4) return { ip: bytes.subarray(4, 8).join('.'), port };
  assert(family === familyIpv6, 'a SIP socket is IPv4 or IPv6');
  const groups = Array.from({ length: 8 }, (_, index) => bytes.readUInt16BE(8 + 2 * index).toString(16));
  return { ip: new URL(`http://[${groups.join(':')}]/`).hostname.slice(1, -1), port };
}

export function closeDescriptor(fd: number): void {
  native().close(fd);
}

function socketError(transport: TransportName, address: Address, what: string): UndropError {
  const code = errorName(native().errno());
  const place = `${transport}:${formatAddress(address)}`;
  const fixes: Readonly<Record<string, string>> = {
    EADDRINUSE: `Another process has this address; find it with: ss -lnp 'sport = :${address.port}'`,
    EADDRNOTAVAIL: 'The address is not on this host; see: ip address',
    EACCES: 'Ports below 1024 need the capability CAP_NET_BIND_SERVICE.',
  };
  const fix = fixes[code];
  return new UndropError(code, `the socket ${what}: ${code}`, fix === undefined ? { where: place } : { where: place, fix });
}

function integer(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32LE(value);
  return bytes;
}

function encodeAddress(address: Address): Buffer {
  if (isIPv4(address.ip)) {
    const bytes = Buffer.alloc(16);
    bytes.writeUInt16LE(familyIpv4, 0);
    bytes.writeUInt16BE(address.port, 2);
    bytes.set(address.ip.split('.').map(Number), 4);
    return bytes;
  }
  if (isIPv6(address.ip) && !address.ip.includes('%')) {
    const bytes = Buffer.alloc(28);
    bytes.writeUInt16LE(familyIpv6, 0);
    bytes.writeUInt16BE(address.port, 2);
    for (const [index, group] of ipv6Groups(address.ip).entries()) bytes.writeUInt16BE(group, 8 + 2 * index);
    return bytes;
  }
  throw new UndropError('EINVAL', `"${address.ip}" is not an IP address`, { fix: 'Use a numeric IPv4 or IPv6 address of this host.' });
}

function ipv6Groups(ip: string): number[] {
  const canonical = new URL(`http://[${ip}]/`).hostname.slice(1, -1);
  const [head = '', tail] = canonical.split('::');
  const left = head === '' ? [] : head.split(':');
  const right = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros = Array<string>(8 - left.length - right.length).fill('0');
  return [...left, ...zeros, ...right].map((group) => Number.parseInt(group, 16));
}

/** Bytes of a Unix socket's path, with its ending zero (unix(7)). */
const unixPathBytes = 108;

function encodeUnixAddress(path: string): Buffer {
  const text = Buffer.from(path);
  assert(text.length < unixPathBytes, 'the path of a Unix socket fits');
  const bytes = Buffer.alloc(2 + text.length + 1);
  bytes.writeUInt16LE(familyUnix, 0);
  text.copy(bytes, 2);
  return bytes;
}

/** Descriptors are sent at most so many at once: the kernel queues as few as ten datagrams for a Unix socket. */
export const maximumDescriptorsAtOnce = 8;

const socketsLevel = 1;
const rightsType = 1;
const controlBytes = 24;
const controlLength = 20;
const keyBytes = 256;
const dontWait = 0x40;
const receiveCloseOnExec = 0x40000000;

/** Receives descriptors that other processes send to its path (SCM_RIGHTS, unix(7)). The path is free again after `close`. */
export class DescriptorReceiver {
  readonly #fd: number;

  /** `path` must not exist and be at most 107 bytes. */
  constructor(path: string) {
    this.#fd = native().socket(familyUnix, typeDatagram | closeOnExec | nonBlocking, 0);
    const address = encodeUnixAddress(path);
    if (this.#fd < 0 || native().bind(this.#fd, address, address.length) !== 0) {
      throw new UndropError('DESCRIPTOR_SOCKET', `no socket for descriptors at ${path}: ${errorName(native().errno())}`);
    }
  }

  /** All that are waiting, each with the key it was sent with; never waits. */
  take(): { key: string; fd: number }[] {
    const received: { key: string; fd: number }[] = [];
    for (;;) {
      const base = Buffer.alloc(keyBytes);
      const control = Buffer.alloc(controlBytes);
      const header = { name: null, namelen: 0, iov: { base, len: keyBytes }, iovlen: 1, control, controllen: controlBytes, flags: 0 };
      const length = native().recvmsg(this.#fd, header, dontWait | receiveCloseOnExec);
      if (length < 0) return received;
      const carries =
        control.readInt32LE(0) === controlLength && control.readInt32LE(8) === socketsLevel && control.readInt32LE(12) === rightsType;
      if (carries) received.push({ key: base.toString('utf8', 0, length), fd: control.readInt32LE(16) });
    }
  }

  close(): void {
    native().close(this.#fd);
  }
}

/** Sends a copy of a descriptor to the receiver at `path`. Throws UndropError when nobody is there or its queue is full. */
export function sendDescriptor(path: string, key: string, fd: number): void {
  const sender = native().socket(familyUnix, typeDatagram | closeOnExec | nonBlocking, 0);
  if (sender < 0) throw new UndropError('DESCRIPTOR_SEND', `no socket: ${errorName(native().errno())}`);
  try {
    const control = Buffer.alloc(controlBytes);
    control.writeBigUInt64LE(BigInt(controlLength), 0);
    control.writeInt32LE(socketsLevel, 8);
    control.writeInt32LE(rightsType, 12);
    control.writeInt32LE(fd, 16);
    const base = Buffer.from(key);
    assert(base.length <= keyBytes, 'the key of a socket fits');
    const name = encodeUnixAddress(path);
    const header = { name, namelen: name.length, iov: { base, len: base.length }, iovlen: 1, control, controllen: controlBytes, flags: 0 };
    if (native().sendmsg(sender, header, dontWait) < 0) {
      throw new UndropError('DESCRIPTOR_SEND', `${key} cannot be passed on: ${errorName(native().errno())}`, { where: path });
    }
  } finally {
    native().close(sender);
  }
}
