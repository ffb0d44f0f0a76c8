import { createRequire } from 'node:module';
import { constants } from 'node:os';
import type koffiModule from 'koffi';

/**
 * The few system calls that Node.js does not offer: file locks, sockets opened by hand, descriptors passed between processes.
 * Linux only. Loaded on first use, since loading the library costs 7 ms that a starting process may need for something else.
 */
export interface Native {
  flock(fd: number, operation: number): number;
  socket(domain: number, type: number, protocol: number): number;
  bind(fd: number, address: Uint8Array, length: number): number;
  listen(fd: number, backlog: number): number;
  close(fd: number): number;
  setsockopt(fd: number, level: number, option: number, value: Uint8Array, length: number): number;
  getsockname(fd: number, address: Uint8Array, length: number[]): number;
  sendmsg(fd: number, message: MessageHeader, flags: number): number;
  recvmsg(fd: number, message: MessageHeader, flags: number): number;
  /** Error number of the call before, e.g. 98. */
  errno(): number;
}

interface MessageHeader {
  name: Uint8Array | null;
  namelen: number;
  iov: { base: Uint8Array; len: number };
  iovlen: number;
  control: Uint8Array;
  controllen: number;
  flags: number;
}

let loaded: Native | undefined;

/** The system calls, loaded once. Throws where the library has no build for the platform. */
export function native(): Native {
  loaded ??= load();
  return loaded;
}

function load(): Native {
  const koffi = createRequire(import.meta.url)('koffi') as typeof koffiModule;
  const library = koffi.load(null);
  koffi.struct('UndropIoVector', { base: 'void *', len: 'size_t' });
  koffi.struct('UndropMessageHeader', {
    name: 'void *',
    namelen: 'uint32_t',
    iov: 'UndropIoVector *',
    iovlen: 'size_t',
    control: 'void *',
    controllen: 'size_t',
    flags: 'int',
  });
  return {
    flock: library.func('int flock(int fd, int operation)'),
    socket: library.func('int socket(int domain, int type, int protocol)'),
    bind: library.func('int bind(int fd, void *address, uint32_t length)'),
    listen: library.func('int listen(int fd, int backlog)'),
    close: library.func('int close(int fd)'),
    setsockopt: library.func('int setsockopt(int fd, int level, int option, void *value, uint32_t length)'),
    getsockname: library.func('int getsockname(int fd, void *address, _Inout_ uint32_t *length)'),
    sendmsg: library.func('long sendmsg(int fd, UndropMessageHeader *message, int flags)'),
    recvmsg: library.func('long recvmsg(int fd, _Inout_ UndropMessageHeader *message, int flags)'),
    errno: () => koffi.errno(),
  };
}

const errorNames = new Map<number, string>(Object.entries(constants.errno).map(([name, number]) => [number, name]));

/** `EADDRINUSE` for 98. */
export function errorName(errno: number): string {
  return errorNames.get(errno) ?? `errno ${errno}`;
}

const lockExclusive = 2;
const lockWithoutWaiting = 4;

/** Takes an exclusive lock on an open file, which the kernel drops when the process dies (flock(2)). False when another holds it. */
export function lockFile(fd: number): boolean {
  const result = native().flock(fd, lockExclusive | lockWithoutWaiting);
  if (result === 0) return true;
  const code = errorName(native().errno());
  if (code === 'EAGAIN' || code === 'EWOULDBLOCK') return false;
  throw new Error(`the lock file cannot be locked: ${code}`);
}
