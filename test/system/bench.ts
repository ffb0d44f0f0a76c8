import { cpSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { TestContext } from 'node:test';
import { type ConfigurationOptions, writeConfiguration } from '../harness/configuration.ts';
import { takePorts } from '../harness/ports.ts';
import { RunningSwitch } from '../harness/switch.ts';
import { Phone } from './phone.ts';

/** Bound of each test in milliseconds. */
export const timeout = 60_000;

export interface BenchOptions extends Partial<Omit<ConfigurationOptions, 'ports'>> {
  /** `<param>` lines of switch.conf. */
  readonly switchParameters?: Readonly<Record<string, string>>;
  /** `<X-PRE-PROCESS cmd="set">` of vars.xml. */
  readonly preprocess?: readonly string[];
  /** Users (id → password) of the directory. */
  readonly users?: Readonly<Record<string, string>>;
  readonly start?: boolean;
}

/** A switch and phones that all end with the test. */
export class Bench {
  readonly undrop: RunningSwitch;
  readonly #phones: Phone[] = [];
  readonly #beforeRemoval: (() => void)[] = [];
  #databasePath: string | null = null;

  private constructor(undrop: RunningSwitch) {
    this.undrop = undrop;
  }

  static async create(context: TestContext, options: BenchOptions = {}): Promise<Bench> {
    const undrop = new RunningSwitch(await takePorts());
    const bench = new Bench(undrop);
    context.after(() => bench.close());
    writeConfiguration(undrop.confDirectory, { calleePort: 9, ...options, ports: undrop.ports });
    for (const [name, value] of Object.entries(options.switchParameters ?? {})) {
      bench.edit('autoload_configs/switch.conf.xml', '</settings>', `  <param name="${name}" value="${value}"/>\n  </settings>`);
    }
    for (const data of options.preprocess ?? [])
      bench.edit('vars.xml', '</include>', `  <X-PRE-PROCESS cmd="set" data="${data}"/>\n</include>`);
    if (options.users !== undefined) {
      const users = Object.entries(options.users).map(
        ([id, password]) => `<user id="${id}"><params><param name="password" value="${password}"/></params></user>`,
      );
      bench.edit(
        'freeswitch.xml',
        '<domain name="127.0.0.1"/>',
        `<domain name="127.0.0.1"><groups><group name="default"><users>${users.join('')}</users></group></groups></domain>`,
      );
    }
    if (options.start !== false) await undrop.start();
    return bench;
  }

  /** Another state folder for the configuration and the ports of `master`, not started. */
  static createStandby(context: TestContext, master: Bench): Bench {
    const undrop = new RunningSwitch(master.undrop.ports);
    cpSync(master.undrop.confDirectory, undrop.confDirectory, { recursive: true });
    const bench = new Bench(undrop);
    context.after(() => bench.close());
    return bench;
  }

  /** Replaces text in a file of the configuration. */
  edit(file: string, from: string, to: string): void {
    const path = join(this.undrop.confDirectory, file);
    const text = readFileSync(path, 'utf8');
    if (!text.includes(from)) throw new Error(`${file} holds no ${from}`);
    writeFileSync(
      path,
      text.replace(from, () => to),
    );
  }

  async phone(
    options: { readonly user?: string; readonly port?: number; readonly audioPort?: number; readonly sound?: boolean } = {},
  ): Promise<Phone> {
    const phone = await Phone.open({ switchPort: this.undrop.ports.sip, ...options });
    this.#phones.push(phone);
    return phone;
  }

  async cli(command: string): Promise<string> {
    return (await this.undrop.cli(command)).output;
  }

  get databasePath(): string {
    return this.#databasePath ?? join(this.undrop.stateDirectory, 'db', 'core.db');
  }

  /** Where the configuration says that it is. */
  set databasePath(path: string) {
    this.#databasePath = path;
  }

  /** Called when all processes have ended and before the files go. */
  beforeRemoval(work: () => void): void {
    this.#beforeRemoval.push(work);
  }

  /** Asks or changes the database from outside. */
  sql(text: string, ...values: (string | number | null)[]): Record<string, unknown>[] {
    const database = new DatabaseSync(this.databasePath, { timeout: 5000 });
    try {
      return database.prepare(text).all(...values);
    } finally {
      database.close();
    }
  }

  /** The switch's own log. */
  systemLog(): string {
    const directory = join(this.undrop.stateDirectory, 'log');
    return readdirSync(directory)
      .map((name) => readFileSync(join(directory, name), 'utf8'))
      .join('\n');
  }

  async close(): Promise<void> {
    for (const phone of this.#phones) phone.close();
    if (this.#beforeRemoval.length > 0) await this.undrop.killAll().catch(() => undefined);
    for (const work of this.#beforeRemoval) work();
    await this.undrop.stop();
  }
}

/** Asks again until `wanted` holds or the time is over; the last answer. */
export async function eventually<T>(ask: () => T | Promise<T>, wanted: (answer: T) => boolean, milliseconds = 8000): Promise<T> {
  const deadline = performance.now() + milliseconds;
  for (;;) {
    const answer = await ask();
    if (wanted(answer) || performance.now() > deadline) return answer;
    await sleep(50);
  }
}

export function sleep(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
