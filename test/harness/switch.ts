import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { closeSync, existsSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { fileURLToPath } from 'node:url';
import { type ConfigurationOptions, writeConfiguration } from './configuration.ts';
import { type PortBlock, takePorts } from './ports.ts';

const launcher = fileURLToPath(new URL('../../bin/undrop', import.meta.url));
const readyTimeout = 20_000;
const pollInterval = 5;

export type ProcessName = 'guardian' | 'switch' | 'media';

export interface Command {
  readonly output: string;
  readonly exitCode: number;
}

function sleep(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch {
    return false;
  }
  try {
    return !/^\d+ \(.*\) Z/.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return true;
  }
}

/** A running undrop with its own ports, configuration and state; everything is removed by `stop`. */
export class RunningSwitch {
  readonly ports: PortBlock;
  readonly directory: string;
  readonly confDirectory: string;
  readonly stateDirectory: string;
  #child: ChildProcess | null = null;
  /** Every process of ours that was ever seen, so that none is left behind. */
  readonly #seen = new Set<number>();

  constructor(ports: PortBlock) {
    this.ports = ports;
    this.directory = mkdtempSync(join(tmpdir(), 'undrop-test-'));
    this.confDirectory = join(this.directory, 'conf');
    this.stateDirectory = join(this.directory, 'state');
  }

  /** Starts (again) and waits until ready. */
  async start(): Promise<void> {
    this.spawn();
    await this.waitReady();
  }

  /** Starts without waiting. */
  spawn(): void {
    const log = openSync(join(this.directory, 'output.log'), 'a');
    this.#child = spawn(launcher, ['start', '--conf', this.confDirectory, '--state', this.stateDirectory], { stdio: ['ignore', log, log] });
    this.#child.on('error', () => undefined);
    closeSync(log);
    if (this.#child.pid !== undefined) this.#seen.add(this.#child.pid);
  }

  /** The process named in `<state>/run/<name>.pid`, `null` when there is none alive. */
  pid(name: ProcessName): number | null {
    try {
      const pid = Number(readFileSync(join(this.stateDirectory, 'run', `${name}.pid`), 'utf8').trim());
      if (!Number.isInteger(pid) || pid <= 1 || !alive(pid)) return null;
      this.#seen.add(pid);
      return pid;
    } catch {
      return null;
    }
  }

  /**
   * Waits until all three processes live, `run/ready` is there and the console answers. A process other than `not` is
   * wanted where a pid is given, so that a death is not overlooked.
   */
  async waitReady(not: Partial<Record<ProcessName, number>> = {}): Promise<void> {
    const deadline = performance.now() + readyTimeout;
    for (;;) {
      const names: readonly ProcessName[] = ['guardian', 'switch', 'media'];
      const all = names.every((name) => {
        const pid = this.pid(name);
        return pid !== null && pid !== not[name];
      });
      if (all && existsSync(join(this.stateDirectory, 'run', 'ready')) && (await this.cli('show channels count')).exitCode === 0) return;
      if (this.#child !== null && this.#child.exitCode !== null && this.#child.exitCode !== 0) {
        throw new Error(`undrop start ended with ${this.#child.exitCode}:\n${this.log()}`);
      }
      if (performance.now() > deadline) throw new Error(`not ready after ${readyTimeout} ms:\n${this.log()}`);
      await sleep(pollInterval * 4);
    }
  }

  /** What the processes printed, the last 4,000 characters. */
  log(): string {
    return readFileSync(join(this.directory, 'output.log'), 'utf8').slice(-4000);
  }

  /** SIGKILL; returns the pid that died. */
  kill(name: ProcessName): number {
    const pid = this.pid(name);
    if (pid === null) throw new Error(`no ${name} process is alive:\n${this.log()}`);
    process.kill(pid, 'SIGKILL');
    return pid;
  }

  killSwitch(): number {
    return this.kill('switch');
  }

  killMedia(): number {
    return this.kill('media');
  }

  /** SIGKILL to all three, the guardian first so that it restarts nothing; waits until they are gone. */
  async killAll(): Promise<void> {
    const pids: number[] = [];
    for (const name of ['guardian', 'switch', 'media'] as const) {
      const pid = this.pid(name);
      if (pid === null) continue;
      pids.push(pid);
      process.kill(pid, 'SIGKILL');
    }
    if (pids.length === 0) throw new Error(`no process was alive:\n${this.log()}`);
    await this.#waitGone(pids);
  }

  /** Runs one console command through `bin/undrop -x`. */
  cli(command: string): Promise<Command> {
    return new Promise((resolve) => {
      execFile(
        launcher,
        ['-P', String(this.ports.eventSocket), '-p', 'ClueCon', '-x', command],
        { timeout: 10_000 },
        (error, stdout, stderr) => {
          resolve({ output: stdout + stderr, exitCode: error === null ? 0 : 1 });
        },
      );
    });
  }

  /** The number that `show channels count` prints. */
  async channelCount(): Promise<number> {
    return Number(/(\d+) total/.exec((await this.cli('show channels count')).output)?.[1] ?? Number.NaN);
  }

  /** `channelCount`, asked again until it is `wanted` or 15 s are over. */
  async waitChannelCount(wanted: number): Promise<number> {
    const deadline = performance.now() + 15_000;
    for (;;) {
      const count = await this.channelCount();
      if (count === wanted || performance.now() > deadline) return count;
      await sleep(100);
    }
  }

  /** Rows of the table `recovery`, read from outside while the switch runs. */
  recoveryRows(): number {
    const database = new DatabaseSync(join(this.stateDirectory, 'db', 'core.db'), { readOnly: true });
    try {
      return Number(database.prepare('select count(*) as rows from recovery').get()?.['rows']);
    } finally {
      database.close();
    }
  }

  /** `recoveryRows`, asked again until it is `wanted` or 15 s are over. */
  async waitRecoveryRows(wanted: number): Promise<number> {
    const deadline = performance.now() + 15_000;
    for (;;) {
      const rows = this.recoveryRows();
      if (rows === wanted || performance.now() > deadline) return rows;
      await sleep(100);
    }
  }

  /** Names of all CDR files, one a leg. */
  cdrFiles(): string[] {
    const directory = ['cdr', 'log/xml_cdr', 'xml_cdr'].map((name) => join(this.stateDirectory, name)).find((name) => existsSync(name));
    if (directory === undefined) return [];
    return readdirSync(directory, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.xml'));
  }

  /** Ends everything that was ever started here, by its own pid, and removes its files. */
  async stop(): Promise<void> {
    for (const name of ['guardian', 'switch', 'media'] as const) this.pid(name);
    const guardian = this.pid('guardian');
    if (guardian !== null) {
      process.kill(guardian, 'SIGTERM');
      const deadline = performance.now() + 5000;
      while (performance.now() < deadline && [...this.#seen].some(alive)) await sleep(20);
    }
    for (const name of ['guardian', 'switch', 'media'] as const) this.pid(name);
    const left = [...this.#seen].filter((pid) => alive(pid) && this.#isOurs(pid));
    for (const pid of left) process.kill(pid, 'SIGKILL');
    await this.#waitGone(left);
    await this.ports.release();
    if (process.env['UNDROP_TEST_KEEP'] === undefined) rmSync(this.directory, { recursive: true, force: true });
  }

  /** A pid may have been given to someone else since: ours names our folder. */
  #isOurs(pid: number): boolean {
    try {
      return (
        readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(this.directory) ||
        readFileSync(`/proc/${pid}/environ`, 'utf8').includes(this.directory)
      );
    } catch {
      return true;
    }
  }

  async #waitGone(pids: readonly number[]): Promise<void> {
    const deadline = performance.now() + 5000;
    while (pids.some(alive)) {
      if (performance.now() > deadline) throw new Error(`processes ${pids.filter(alive).join(', ')} do not die`);
      await sleep(pollInterval);
    }
  }
}

/** A ready switch; `options` change its configuration. */
export async function startSwitch(options: Omit<ConfigurationOptions, 'ports'> & { readonly ports?: PortBlock }): Promise<RunningSwitch> {
  const running = new RunningSwitch(options.ports ?? (await takePorts()));
  writeConfiguration(running.confDirectory, { ...options, ports: running.ports });
  try {
    await running.start();
  } catch (error) {
    await running.stop();
    throw error;
  }
  return running;
}
