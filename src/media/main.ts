import { closeSync, fstatSync, mkdirSync, openSync, readFileSync, readSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { ControlServer } from './control-server.ts';
import { openJournal } from './journal-file.ts';
import { loadLibc } from './linux-libc.ts';
import { MediaPlane } from './media-plane.ts';
import type { PacketIo } from './packet-io.ts';
import { LinuxPacketIo } from './packet-io-linux.ts';
import { PortablePacketIo } from './packet-io-portable.ts';

/**
 * Runs the media process: restores what `run/media.journal` holds, then offers `run/media.sock`. On Linux this call
 * never returns. The caller sees to it that only one runs for a state directory.
 */
export function runMedia(options: { readonly stateDirectory: string; readonly portable?: boolean }): void {
  const directory = join(options.stateDirectory, 'run');
  mkdirSync(directory, { recursive: true });
  const now = (): number => performance.now();
  const libc = options.portable === true ? null : loadLibc();
  const io: PacketIo = libc === null ? new PortablePacketIo(now) : new LinuxPacketIo(libc, now);
  const plane = new MediaPlane({
    io,
    clock: { now, wallMicroseconds: () => Date.now() * 1000 },
    journal: openJournal(join(directory, 'media.journal'), libc),
    random: { uint32, uuid, token: (length) => Array.from({ length }, () => (uint32() % 36).toString(36)).join('') },
    emit: (event) => control.emit(event),
    readFile,
    pid: process.pid,
  });
  const control = new ControlServer(io, (command) => plane.handleCommand(command), complain);
  const result = plane.restore();
  if (result.failed + result.torn + result.lost > 0) complain(`restored ${JSON.stringify(result)}`);
  io.listenControl(join(directory, 'media.sock'));
  // The loop below never lets the process exit by itself, which is when the cache would be written.
  process.getBuiltinModule('node:module').flushCompileCache();
  io.run({
    onPacket: (socket, bytes, offset, length, ip, port) => plane.handlePacket(socket, bytes, offset, length, ip, port),
    onConnection: () => undefined,
    onLine: (connection, line) => control.onLine(connection, line),
    onDisconnect: (connection) => control.onDisconnect(connection),
    onTick: () => plane.tick(),
    nextTickAt: () => plane.nextTickAt,
  });
}

function complain(message: string): void {
  writeSync(2, `media: ${message}\n`);
}

function uint32(): number {
  return Math.floor(Math.random() * 2 ** 32);
}

/** From the kernel where possible: loading node:crypto would lengthen the start. */
function uuid(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/uuid', 'latin1').trim();
  } catch {
    return process.getBuiltinModule('node:crypto').randomUUID();
  }
}

function readFile(path: string, maxBytes: number): Uint8Array {
  const fd = openSync(path, 'r');
  try {
    const stat = fstatSync(fd);
    if (!stat.isFile()) throw new Error(`${path} is not a file`);
    if (stat.size > maxBytes) throw new Error(`${path} is larger than ${maxBytes} bytes`);
    const bytes = new Uint8Array(stat.size);
    const count = readSync(fd, bytes, 0, stat.size, 0);
    return bytes.subarray(0, count);
  } finally {
    closeSync(fd);
  }
}
