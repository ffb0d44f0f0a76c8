import { appendFileSync, chmodSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { UndropError } from '../base/index.ts';
import { DescriptorReceiver, maximumDescriptorsAtOnce, replaceFile, sendDescriptor, systemClock } from '../io/index.ts';
import { bestEffort } from './best-effort.ts';
import { DeathLog } from './death-log.ts';
import { guardianDescriptorsName, guardianSocketName, type StateLayout, socketPath, switchDescriptorsName } from './layout.ts';
import { LineChannel, strings } from './line-channel.ts';
import { isStopHow, type SocketResult, type StopHow, type ToGuardian, type ToStopCommand, type ToSwitch } from './messages.ts';
import { beingSpawned, isAlive, type ProcessIdentity, type ProcessTable, type Role, writeProcessTable } from './processes.ts';
import { RestartPolicy } from './restart-policy.ts';
import { maximumHeldSockets, SocketHolder } from './socket-holder.ts';
import { type SpawnedRole, spawnRole } from './spawn.ts';

/** Exit code of a switch, and of the guardian, for a configuration that cannot be used (sysexits.h EX_CONFIG). */
const exitConfiguration = 78;
/** How often adopted processes, whose exit no event tells, are looked at. */
const watchMilliseconds = 25;
/** An adopted switch that has not said hello by then hangs. */
const helloMilliseconds = 5_000;
const stopMilliseconds: Readonly<Record<Exclude<StopHow, 'drain'>, number>> = { restart: 3_000, now: 10_000 };
const mediaStopMilliseconds = 3_000;
const maximumConnections = 64;
/** Exit code of a switch that can start later (sysexits.h EX_TEMPFAIL): the disk is full, the database locked. */
const exitTemporary = 75;
/** How soon what a full disk refused is written again. */
const rewriteMilliseconds = 1_000;

type Channel = LineChannel<ToGuardian, ToSwitch | ToStopCommand>;

interface RoleState {
  identity: ProcessIdentity | null;
  adopted: boolean;
  bornAt: number;
  readonly policy: RestartPolicy;
  respawn: NodeJS.Timeout | null;
}

export interface GuardianOptions {
  readonly layout: StateLayout;
  readonly configDirectory: string;
  readonly self: ProcessIdentity;
  /** What runs already: spawned by this process a moment ago, or living orphans. */
  readonly media: SpawnedRole | ProcessIdentity | null;
  readonly switch: SpawnedRole | ProcessIdentity | null;
  /** The table as the last guardian left it: whoever in it is dead died unseen. */
  readonly before: ProcessTable;
}

/**
 * Keeps one switch and one media process alive, holds the SIP sockets for the switch, and ends both when asked.
 * Invariant: at most one process of each role lives on a state directory.
 */
export class Guardian {
  readonly #layout: StateLayout;
  readonly #options: GuardianOptions;
  readonly #roles: Record<Role, RoleState> = { media: newRole(), switch: newRole() };
  readonly #sockets: SocketHolder;
  readonly #deaths: DeathLog;
  readonly #server: Server;
  readonly #watch: NodeJS.Timeout | null;
  readonly #finished: Promise<number>;
  #finish: (exitCode: number) => void = () => undefined;
  #switchChannel: Channel | null = null;
  #stopChannels = new Set<Channel>();
  #stopping: StopHow | null = null;
  #switchStopped = false;
  #clean = true;
  #exitCode = 0;
  #everReady = false;
  #waitsTold = false;
  #helloTimer: NodeJS.Timeout | null = null;
  #stopTimer: NodeJS.Timeout | null = null;
  #rewrite: NodeJS.Timeout | null = null;
  /** What `run/ready` shall hold; null: the switch is not ready. */
  #readyRuntime: string | null = null;
  #descriptors: DescriptorReceiver | null = null;
  /** Sockets that the switch shall still give back. */
  #asked: string[] = [];

  /** The state directory must be locked by the caller. */
  constructor(options: GuardianOptions) {
    this.#options = options;
    this.#layout = options.layout;
    this.#finished = new Promise((resolve) => {
      this.#finish = resolve;
    });
    this.#deaths = new DeathLog(this.#layout.deaths);
    this.#sockets = new SocketHolder(this.#layout.sockets);
    this.#take('media', options.media);
    this.#take('switch', options.switch);
    this.#inferDeaths();
    this.#saveTable();
    this.#server = createServer((socket) => this.#accept(socket));
    this.#server.maxConnections = maximumConnections;
    const adopted = this.#roles.media.adopted || this.#roles.switch.adopted;
    this.#watch = adopted ? setInterval(() => this.#lookAtAdopted(), watchMilliseconds) : null;
  }

  /** Serves until it is told to stop; gives the exit code. */
  async run(): Promise<number> {
    await this.#listen();
    if (process.platform === 'linux' && !this.#roles.switch.adopted) this.#sockets.reopen();
    if (this.#roles.switch.adopted) this.#expectHello();
    return this.#finished;
  }

  /** Whether the switch ended by itself when it was told to stop. */
  get clean(): boolean {
    return this.#clean;
  }

  /** Ends the switch, then media, then `run`. A second call may only go from `drain` to something faster. */
  stop(how: StopHow): void {
    if (this.#stopping !== null && (this.#stopping !== 'drain' || how === 'drain')) return;
    this.#log(`stopping (${how})`);
    this.#stopping = how;
    this.#switchChannel?.send({ kind: 'stop', how });
    if (how === 'drain') return;
    for (const role of [this.#roles.media, this.#roles.switch]) {
      if (role.respawn !== null) clearTimeout(role.respawn);
      role.respawn = null;
    }
    this.#stopTimer = setTimeout(() => {
      this.#log('the switch has not stopped in time and is killed');
      this.#clean = false;
      this.#kill('switch', 'SIGKILL');
    }, stopMilliseconds[how]);
    if (this.#roles.switch.identity === null) this.#stopMedia();
  }

  #take(role: Role, given: SpawnedRole | ProcessIdentity | null): void {
    if (given === null) return;
    const state = this.#roles[role];
    state.bornAt = performance.now();
    if ('child' in given) {
      this.#adoptChild(role, given);
    } else {
      state.identity = given;
      state.adopted = true;
      this.#log(`adopted ${role} ${given.pid}`);
    }
  }

  #adoptChild(role: Role, spawned: SpawnedRole): void {
    const state = this.#roles[role];
    const { child, identity } = spawned;
    state.identity = identity;
    state.adopted = false;
    if (identity === null) {
      child.once('error', (error) => {
        this.#log(`${role} cannot be started: ${error.message}`);
        this.#died(role, 0, null, null);
      });
      return;
    }
    const exited = (code: number | null, signal: string | null): void => {
      if (state.identity === identity) this.#died(role, identity.pid, code, signal);
    };
    child.on('error', () => undefined);
    // It may have ended while this file was being loaded.
    if (child.exitCode !== null || child.signalCode !== null) setImmediate(exited, child.exitCode, child.signalCode);
    else child.once('exit', exited);
  }

  #spawn(role: Role): void {
    const state = this.#roles[role];
    state.identity = beingSpawned;
    this.#saveTable();
    state.bornAt = performance.now();
    this.#adoptChild(role, spawnRole(role, this.#layout, this.#options.configDirectory));
    this.#saveTable();
    this.#deaths.respawned(role, systemClock.wallMicroseconds());
    this.#log(`started ${role} ${state.identity?.pid ?? '-'}`);
  }

  /** Everyone noted by the last guardian who is gone now died with nobody watching. */
  #inferDeaths(): void {
    const { before } = this.#options;
    const born = systemClock.wallMicroseconds();
    for (const role of ['guardian', 'media', 'switch'] as const) {
      const noted = before[role];
      if (noted === null || noted.pid <= 0 || isAlive(noted)) continue;
      this.#deaths.add({ role, pid: noted.pid, signal: null, exitCode: null, at: 0, respawnedAt: born });
    }
  }

  #lookAtAdopted(): void {
    for (const role of ['media', 'switch'] as const) {
      const { identity, adopted } = this.#roles[role];
      if (adopted && identity !== null && !isAlive(identity)) this.#died(role, identity.pid, null, null);
    }
  }

  #died(role: Role, pid: number, exitCode: number | null, signal: string | null): void {
    const state = this.#roles[role];
    state.identity = null;
    state.adopted = false;
    this.#saveTable();
    if (role === 'switch') this.#switchGone();
    const startError = role === 'switch' && exitCode === exitConfiguration ? this.#takeStartError() : null;
    if (startError !== null && !this.#everReady && this.#stopping === null) {
      process.stderr.write(`${startError.trimEnd()}\n`);
      this.#giveUp();
      return;
    }
    if (this.#endsWith(role, exitCode, signal)) return;
    this.#log(
      `${role} ${pid} died: ${signal ?? (exitCode === null ? 'unseen' : `exit code ${exitCode}`)}${startError === null ? '' : `: ${startError}`}`,
    );
    if (role === 'switch' && exitCode === exitTemporary && !this.#everReady && !this.#waitsTold) {
      this.#waitsTold = true;
      process.stderr.write(`undrop: the switch cannot start yet and is tried again; see ${join(this.#layout.log, 'switch.log')}\n`);
    }
    this.#deaths.add({ role, pid, signal, exitCode, at: systemClock.wallMicroseconds(), respawnedAt: null });
    const delay = state.policy.died(performance.now(), state.bornAt);
    if (delay === 0) {
      this.#spawn(role);
    } else {
      this.#log(`${role} dies again and again; the next start is in ${delay} ms`);
      state.respawn = setTimeout(() => {
        state.respawn = null;
        this.#spawn(role);
      }, delay);
    }
    this.#tellDeaths();
  }

  #switchGone(): void {
    this.#readyRuntime = null;
    rmSync(this.#layout.ready, { force: true });
    this.#switchChannel?.destroy();
    this.#switchChannel = null;
    this.#sockets.forgetWishes();
    if (process.platform === 'linux' && this.#stopping !== 'restart' && this.#stopping !== 'now') this.#sockets.reopen();
    this.#clearHello();
  }

  /** While stopping, a death is progress, unless calls are still being drained. */
  #endsWith(role: Role, exitCode: number | null, signal: string | null): boolean {
    if (this.#stopping === null) return false;
    if (role === 'media') {
      if (this.#stopping === 'drain' && this.#roles.switch.identity !== null) return false;
      // It may die of itself before the switch has ended; then there is nothing left to end.
      if (this.#roles.switch.identity === null) this.#finishStop();
      return true;
    }
    const done = this.#switchStopped || exitCode === 0;
    if (this.#stopping === 'drain' && !done) return false;
    if (!done && (signal !== null || exitCode !== null)) this.#clean = false;
    this.#stopMedia();
    return true;
  }

  #stopMedia(): void {
    if (this.#stopTimer !== null) clearTimeout(this.#stopTimer);
    if (this.#roles.media.identity === null) {
      this.#finishStop();
      return;
    }
    this.#kill('media', 'SIGTERM');
    this.#stopTimer = setTimeout(() => this.#kill('media', 'SIGKILL'), mediaStopMilliseconds);
  }

  #finishStop(): void {
    if (this.#stopping !== 'restart' && this.#clean) rmSync(this.#layout.mediaJournal, { force: true });
    removeRunFiles(this.#layout);
    for (const channel of this.#stopChannels) {
      channel.send({ kind: 'stopped', clean: this.#clean });
      channel.close();
    }
    this.#log(this.#clean ? 'stopped' : 'stopped, but the switch had to be killed');
    this.#end(this.#exitCode);
  }

  /** The first start failed: end only what this guardian started itself. */
  #giveUp(): void {
    this.#stopping = 'restart';
    this.#exitCode = exitConfiguration;
    const { media } = this.#roles;
    if (media.respawn !== null) clearTimeout(media.respawn);
    if (media.adopted) this.#end(exitConfiguration);
    else this.#stopMedia();
  }

  #end(exitCode: number): void {
    if (this.#watch !== null) clearInterval(this.#watch);
    if (this.#rewrite !== null) clearTimeout(this.#rewrite);
    this.#clearHello();
    if (this.#stopTimer !== null) clearTimeout(this.#stopTimer);
    this.#descriptors?.close();
    this.#server.close();
    this.#switchChannel?.destroy();
    this.#finish(exitCode);
  }

  #takeStartError(): string {
    try {
      const text = readFileSync(this.#layout.startError, 'utf8');
      rmSync(this.#layout.startError, { force: true });
      return text;
    } catch {
      return `the switch refuses its configuration; see ${join(this.#layout.log, 'switch.log')}`;
    }
  }

  #listen(): Promise<void> {
    const path = socketPath(this.#layout.run, guardianSocketName);
    rmSync(path, { force: true });
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(path, () => {
        // A start that failed at once has closed it already.
        if (this.#server.listening) chmodSync(path, 0o600);
        resolve();
      });
    });
  }

  #accept(socket: Socket): void {
    const channel: Channel = new LineChannel<ToGuardian, ToSwitch | ToStopCommand>(
      socket,
      (message) => this.#handle(channel, message),
      () => {
        this.#stopChannels.delete(channel);
        if (this.#switchChannel !== channel) return;
        this.#switchChannel = null;
        this.#lookAtAdopted();
      },
    );
  }

  #handle(channel: Channel, message: ToGuardian): void {
    if (message.kind === 'hello') this.#hello(channel, Number(message.pid), strings(message.held, maximumHeldSockets));
    else if (message.kind === 'stopRequest') this.#stopRequest(channel, message.how);
    else if (channel === this.#switchChannel) this.#fromSwitch(message);
  }

  #fromSwitch(message: Exclude<ToGuardian, { kind: 'hello' | 'stopRequest' }>): void {
    switch (message.kind) {
      case 'sockets':
        this.#grant(strings(message.keys, maximumDescriptorsAtOnce));
        break;
      case 'gaveSockets':
        this.#receiveGiven(strings(message.keys, maximumDescriptorsAtOnce));
        break;
      case 'release':
        this.#sockets.release(strings(message.keys, maximumHeldSockets));
        break;
      case 'ready':
        this.#ready(String(message.runtime));
        break;
      case 'draining':
        for (const other of this.#stopChannels) other.send({ kind: 'progress', calls: Number(message.calls) });
        break;
      case 'stopped':
        this.#switchStopped = true;
        break;
      default:
        // From a later version; what is not known is not needed.
        break;
    }
  }

  #hello(channel: Channel, pid: number, held: readonly string[]): void {
    if (pid !== this.#roles.switch.identity?.pid) {
      this.#log(`a switch ${pid} that is not ours is told to stop`);
      channel.send({ kind: 'stop', how: 'restart' });
      return;
    }
    this.#clearHello();
    this.#switchChannel = channel;
    channel.send({ kind: 'deaths', deaths: this.#deaths.list() });
    for (const key of held) this.#sockets.want(key);
    this.#askForSockets(held.filter((key) => !this.#sockets.has(key)));
    if (this.#stopping !== null) channel.send({ kind: 'stop', how: this.#stopping });
  }

  #grant(keys: readonly string[]): void {
    const path = socketPath(this.#layout.run, switchDescriptorsName);
    const results = keys.map((key): SocketResult => {
      try {
        sendDescriptor(path, key, this.#sockets.open(key));
        return { key, ok: true };
      } catch (error) {
        if (!(error instanceof UndropError)) throw error;
        return { key, ok: false, code: error.code, message: error.describe() };
      }
    });
    this.#switchChannel?.send({ kind: 'sockets', results });
  }

  /** A switch that outlived the last guardian has the only copies of the sockets. */
  #askForSockets(keys: readonly string[]): void {
    const path = socketPath(this.#layout.run, guardianDescriptorsName);
    this.#descriptors?.close();
    this.#descriptors = null;
    rmSync(path, { force: true });
    this.#asked = [...keys];
    if (keys.length === 0 || process.platform !== 'linux') return;
    this.#descriptors = new DescriptorReceiver(path);
    this.#askForNext();
  }

  /** One after the other: the kernel queues only a few descriptors. */
  #askForNext(): void {
    const keys = this.#asked.splice(0, maximumDescriptorsAtOnce);
    if (keys.length > 0) this.#switchChannel?.send({ kind: 'giveSockets', fdPath: join('run', guardianDescriptorsName), keys });
  }

  #receiveGiven(keys: readonly string[]): void {
    for (const { key, fd } of this.#descriptors?.take() ?? []) this.#sockets.adopt(key, fd);
    const missing = keys.filter((key) => !this.#sockets.has(key));
    if (missing.length > 0) this.#log(`the switch did not give back ${missing.join(' ')}`);
    this.#askForNext();
  }

  #ready(runtime: string): void {
    this.#sockets.releaseUnwanted();
    this.#readyRuntime = runtime;
    this.#saveTable();
    if (!this.#everReady) process.stdout.write('undrop ready\n');
    this.#everReady = true;
  }

  #stopRequest(channel: Channel, how: unknown): void {
    if (!isStopHow(how)) return;
    this.#stopChannels.add(channel);
    this.stop(how);
    channel.send({ kind: 'stopping', how: this.#stopping ?? how });
  }

  #expectHello(): void {
    this.#helloTimer = setTimeout(() => {
      this.#log('the adopted switch does not answer and is killed');
      this.#kill('switch', 'SIGKILL');
    }, helloMilliseconds);
  }

  #clearHello(): void {
    if (this.#helloTimer !== null) clearTimeout(this.#helloTimer);
    this.#helloTimer = null;
  }

  /** Signals the process of a role, and never a stranger that has its pid now. */
  #kill(role: Role, signal: 'SIGTERM' | 'SIGKILL'): void {
    const { identity } = this.#roles[role];
    if (identity !== null && isAlive(identity)) process.kill(identity.pid, signal);
  }

  #tellDeaths(): void {
    this.#switchChannel?.send({ kind: 'deaths', deaths: this.#deaths.list() });
  }

  /** The table, and the files for others to read. On a full disk again until it succeeds: who lives must be known. */
  #saveTable(): void {
    if (this.#rewrite !== null) clearTimeout(this.#rewrite);
    this.#rewrite = null;
    const table = {
      configDirectory: this.#options.configDirectory,
      guardian: this.#options.self,
      media: this.#roles.media.identity,
      switch: this.#roles.switch.identity,
    };
    const written = bestEffort(() => {
      writeProcessTable(this.#layout.processes, table);
      for (const role of ['guardian', 'media', 'switch'] as const) {
        const pid = table[role]?.pid ?? 0;
        if (pid > 0) replaceFile(join(this.#layout.run, `${role}.pid`), `${pid}\n`);
      }
      if (this.#readyRuntime !== null) replaceFile(this.#layout.ready, `${this.#readyRuntime}\n`);
    });
    if (!written) this.#rewrite = setTimeout(() => this.#saveTable(), rewriteMilliseconds);
  }

  #log(text: string): void {
    bestEffort(() => appendFileSync(join(this.#layout.log, 'guardian.log'), `${new Date().toISOString()} ${text}\n`));
  }
}

function newRole(): RoleState {
  return { identity: null, adopted: false, bornAt: 0, policy: new RestartPolicy(), respawn: null };
}

/** Removes what tells of running processes. */
export function removeRunFiles(layout: StateLayout): void {
  const pids = ['guardian.pid', 'switch.pid', 'media.pid'];
  const names = [...pids, 'ready', 'media.sock', guardianSocketName, switchDescriptorsName, guardianDescriptorsName];
  for (const name of names) rmSync(join(layout.run, name), { force: true });
  rmSync(layout.processes, { force: true });
}
