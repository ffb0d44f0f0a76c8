import { type ChildProcess, spawn } from 'node:child_process';
import { createSocket, type Socket } from 'node:dgram';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { processStartTime } from '../../src/io/index.ts';

const main = join(import.meta.dirname, '..', '..', 'src', 'main.ts');
const roles = join(import.meta.dirname, 'roles.ts');
const patienceMilliseconds = 15_000;

/** Waits until `look` gives something, and fails the test after a bound. */
export async function until<Value>(what: string, look: () => Value | undefined | null | false): Promise<Value> {
  const started = performance.now();
  for (;;) {
    const value = look();
    if (value !== undefined && value !== null && value !== false && value !== '') return value;
    if (performance.now() - started > patienceMilliseconds) throw new Error(`in vain: ${what}`);
    await sleep(10);
  }
}

export interface Command {
  readonly process: ChildProcess;
  readonly pid: number;
  output: string;
  errors: string;
  /** Exit code, or the signal's name. */
  readonly ended: Promise<number | string>;
}

/** A state directory with its processes; `end` kills exactly those that were seen on it. */
export class Site {
  readonly directory = mkdtempSync(join(tmpdir(), 'undrop-guardian-'));
  readonly state: string;
  readonly #commands: Command[] = [];
  readonly #sockets: Socket[] = [];

  constructor(name = 'state') {
    this.state = join(this.directory, name);
    mkdirSync(join(this.directory, 'conf'));
    mkdirSync(this.state, { recursive: true });
  }

  fake(value: object): void {
    writeFileSync(join(this.state, 'fake.json'), JSON.stringify(value));
  }

  command(...words: string[]): Command {
    const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', main, ...words], {
      env: { ...process.env, UNDROP_ENTRY: roles },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const command: Command = {
      process: child,
      pid: child.pid ?? 0,
      output: '',
      errors: '',
      ended: new Promise((resolve) => child.once('close', (code, signal) => resolve(code ?? signal ?? 'unknown'))),
    };
    child.stdout.on('data', (text: Buffer) => {
      command.output += text.toString();
    });
    child.stderr.on('data', (text: Buffer) => {
      command.errors += text.toString();
    });
    this.#commands.push(command);
    return command;
  }

  start(...more: string[]): Command {
    return this.command('start', '--conf', join(this.directory, 'conf'), '--state', this.state, ...more);
  }

  async startReady(): Promise<Command> {
    const guardian = this.start();
    await until('undrop ready', () => guardian.output.includes('undrop ready\n'));
    return guardian;
  }

  stop(...more: string[]): Command {
    return this.command('stop', '--state', this.state, ...more);
  }

  read(name: string): string {
    try {
      return readFileSync(join(this.state, name), 'utf8');
    } catch {
      return '';
    }
  }

  pid(role: 'guardian' | 'media' | 'switch'): number {
    return Number(this.read(`run/${role}.pid`));
  }

  /** All pids a role ever had. */
  lives(role: 'media' | 'switch'): number[] {
    return this.read(`__${role}.lives`).trim().split('\n').filter(Boolean).map(Number);
  }

  alive(role: 'media' | 'switch'): number[] {
    return this.lives(role).filter((pid) => processStartTime(pid) !== null);
  }

  /** A life of the role after `pid` that the guardian has noted. */
  successor(role: 'media' | 'switch', pid: number): Promise<number> {
    return until(`a new ${role}`, () => {
      const now = this.pid(role);
      return now !== 0 && now !== pid && this.alive(role).includes(now) ? now : undefined;
    });
  }

  ready(): Promise<string> {
    return until('run/ready', () => this.read('run/ready'));
  }

  async killed(pid: number): Promise<void> {
    process.kill(pid, 'SIGKILL');
    await until(`the end of ${pid}`, () => processStartTime(pid) === null);
  }

  /** A connected socket: an ICMP refusal shows as an error on it. */
  async peer(port: number): Promise<{ send(text: string): void; replies: string[]; refusals: number }> {
    const socket = createSocket('udp4');
    this.#sockets.push(socket);
    const peer = { send: (text: string) => socket.send(text), replies: [] as string[], refusals: 0 };
    socket.on('message', (bytes) => peer.replies.push(bytes.toString()));
    socket.on('error', () => {
      peer.refusals += 1;
    });
    await new Promise<void>((resolve) => socket.connect(port, '127.0.0.1', resolve));
    return peer;
  }

  async end(): Promise<void> {
    for (const socket of this.#sockets) socket.close();
    for (const { process: child } of this.#commands) if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
    await Promise.all(this.#commands.map((command) => command.ended));
    for (const role of ['media', 'switch'] as const) {
      for (const pid of this.alive(role)) process.kill(pid, 'SIGKILL');
      await until(`no ${role}`, () => this.alive(role).length === 0);
    }
    rmSync(this.directory, { recursive: true, force: true });
  }
}

/** Different free UDP ports of the loopback address. */
export async function freePorts(count: number): Promise<number[]> {
  const sockets = Array.from({ length: count }, () => createSocket('udp4'));
  await Promise.all(sockets.map((socket) => new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve))));
  const ports = sockets.map((socket) => socket.address().port);
  await Promise.all(sockets.map((socket) => new Promise<void>((resolve) => socket.close(() => resolve()))));
  return ports;
}

export async function freePort(): Promise<number> {
  const [port = 0] = await freePorts(1);
  return port;
}

/** Whether a process has the UDP port of the loopback address open (proc(5): net/udp, fd). */
export function holdsPort(pid: number, port: number): boolean {
  const local = `0100007F:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  const row = readFileSync('/proc/net/udp', 'utf8')
    .split('\n')
    .find((line) => line.includes(` ${local} `));
  const inode = row?.trim().split(/\s+/)[9];
  return readdirSync(`/proc/${pid}/fd`).some((fd) => {
    try {
      return readlinkSync(`/proc/${pid}/fd/${fd}`) === `socket:[${inode}]`;
    } catch {
      return false;
    }
  });
}
