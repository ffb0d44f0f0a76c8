import { createRequire } from 'node:module';
import type Koffi from 'koffi';

/** Linux constants, the same on x86-64 and arm64. */
export const AF_UNIX = 1;
export const AF_INET = 2;
export const AF_INET6 = 10;
export const SOCK_STREAM = 1;
export const SOCK_DGRAM = 2;
export const SOCK_NONBLOCK = 0o4000;
export const SOCK_CLOEXEC = 0o2000000;
export const SOL_SOCKET = 1;
export const SO_RCVBUF = 8;
export const IPPROTO_IPV6 = 41;
export const IPV6_V6ONLY = 26;
export const MSG_DONTWAIT = 0x40;
export const MSG_NOSIGNAL = 0x4000;
export const MSG_TRUNC = 0x20;
export const EPOLL_CLOEXEC = 0o2000000;
export const EPOLLIN = 1;
export const EPOLLOUT = 4;
export const EPOLL_CTL_ADD = 1;
export const EPOLL_CTL_MOD = 3;
export const PROT_READ_WRITE = 3;
export const MAP_SHARED = 1;
export const EINTR = 4;
export const EAGAIN = 11;

/** `struct epoll_event` is packed on x86-64 only. */
export const EPOLL_EVENT_BYTES = process.arch === 'x64' ? 12 : 16;
export const EPOLL_EVENT_DATA_OFFSET = process.arch === 'x64' ? 4 : 8;
/** `struct mmsghdr`: msghdr (56 bytes) + msg_len, padded. */
export const MMSGHDR_BYTES = 64;
export const MMSGHDR_LENGTH_OFFSET = 56;
export const MSGHDR_FLAGS_OFFSET = 48;
export const SOCKADDR_BYTES = 28;

type Call = (...values: number[]) => number;

/** The system calls that the media process makes. Pointers are passed as numbers (addresses stay below 2^53). */
export interface Libc {
  readonly socket: Call;
  readonly bind: Call;
  readonly listen: Call;
  readonly accept4: Call;
  readonly close: Call;
  readonly read: Call;
  readonly send: Call;
  readonly setsockopt: Call;
  readonly recvmmsg: Call;
  readonly sendmmsg: Call;
  readonly epollCreate1: Call;
  readonly epollCtl: Call;
  readonly epollWait: Call;
  readonly mmap: Call;
  readonly posixFallocate: Call;
  errno(): number;
  errnoName(errno: number): string;
  /** Address of a buffer's memory; the buffer must not be from Node's pool and must stay referenced. */
  addressOf(bytes: Uint8Array): number;
  /** Memory at an address, as bytes. */
  view(address: number, length: number): Uint8Array;
}

let loaded: Libc | null | undefined;

/** The C library through koffi, or null where that is not possible (not Linux, 32 bit, koffi not installed). */
export function loadLibc(): Libc | null {
  if (loaded === undefined) loaded = load();
  return loaded;
}

function load(): Libc | null {
  if (process.platform !== 'linux' || (process.arch !== 'x64' && process.arch !== 'arm64')) return null;
  let koffi: typeof Koffi;
  try {
    koffi = createRequire(import.meta.url)('koffi') as typeof Koffi;
  } catch {
    return null;
  }
  const library = koffi.load(null);
  const names = new Map(Object.entries(koffi.os.errno).map(([name, errno]) => [errno, name]));
  return {
    socket: library.func('int socket(int, int, int)'),
    bind: library.func('int bind(int, uintptr_t, uint)'),
    listen: library.func('int listen(int, int)'),
    accept4: library.func('int accept4(int, uintptr_t, uintptr_t, int)'),
    close: library.func('int close(int)'),
    read: library.func('intptr_t read(int, uintptr_t, size_t)'),
    send: library.func('intptr_t send(int, uintptr_t, size_t, int)'),
    setsockopt: library.func('int setsockopt(int, int, int, uintptr_t, uint)'),
    recvmmsg: library.func('int recvmmsg(int, uintptr_t, uint, int, uintptr_t)'),
    sendmmsg: library.func('int sendmmsg(int, uintptr_t, uint, int)'),
    epollCreate1: library.func('int epoll_create1(int)'),
    epollCtl: library.func('int epoll_ctl(int, int, int, uintptr_t)'),
    epollWait: library.func('int epoll_wait(int, uintptr_t, int, int)'),
    mmap: library.func('intptr_t mmap(uintptr_t, size_t, int, int, int, int64_t)'),
    posixFallocate: library.func('int posix_fallocate(int, int64_t, int64_t)'),
    errno: () => koffi.errno(),
    errnoName: (errno) => names.get(errno) ?? `errno ${errno}`,
    addressOf: (bytes) => Number(koffi.address(bytes)),
    view: (address, length) => new Uint8Array(koffi.view(BigInt(address), length)),
  };
}
