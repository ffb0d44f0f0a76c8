import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { FarmCommand } from './main.ts';
import type { CallReport, DialRequest, FarmReport, HangupRequest, Side } from './report.ts';

const mainFile = fileURLToPath(new URL('main.ts', import.meta.url));

/** Phones in a process of their own, so that whoever measures does not disturb them. */
export class Phones {
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, { resolve: (value: unknown) => void; reject: (error: Error) => void }>();
  #nextId = 1;
  #callerPort = 0;
  #calleePort = 0;

  private constructor() {
    this.#child = spawn(process.execPath, [mainFile], { stdio: ['pipe', 'pipe', 'inherit'] });
    if (this.#child.stdout === null) throw new Error('no output of the phones');
    createInterface({ input: this.#child.stdout }).on('line', (line) => {
      const answer = JSON.parse(line) as { id: number; result?: unknown; error?: string };
      const waiting = this.#waiting.get(answer.id);
      this.#waiting.delete(answer.id);
      if (answer.error === undefined) waiting?.resolve(answer.result);
      else waiting?.reject(new Error(answer.error));
    });
    this.#child.on('exit', (code) => {
      for (const waiting of this.#waiting.values()) waiting.reject(new Error(`the phones ended with ${code}`));
      this.#waiting.clear();
    });
  }

  /** Starts the phones of a switch at 127.0.0.1:`switchPort`. */
  static async start(switchPort: number): Promise<Phones> {
    const phones = new Phones();
    const ports = (await phones.#ask({ name: 'open', switchIp: '127.0.0.1', switchPort })) as { callerPort: number; calleePort: number };
    phones.#callerPort = ports.callerPort;
    phones.#calleePort = ports.calleePort;
    return phones;
  }

  get callerPort(): number {
    return this.#callerPort;
  }

  /** Where the switch must send bridged calls. */
  get calleePort(): number {
    return this.#calleePort;
  }

  async dial(request: DialRequest): Promise<void> {
    await this.#ask({ name: 'dial', ...request });
  }

  async mark(): Promise<void> {
    await this.#ask({ name: 'mark' });
  }

  /** What happened since the last `mark` or `report`; begins a new window. */
  async report(): Promise<FarmReport> {
    return (await this.#ask({ name: 'report', keep: false })) as FarmReport;
  }

  /** As `report`, but the window stays open. */
  async peek(): Promise<FarmReport> {
    return (await this.#ask({ name: 'report', keep: true })) as FarmReport;
  }

  async hangup(request: HangupRequest): Promise<number> {
    return (await this.#ask({ name: 'hangup', ...request })) as number;
  }

  async reInvite(side: Side): Promise<number> {
    return (await this.#ask({ name: 'reinvite', side })) as number;
  }

  /** Peeks again and again until `done`; the last report is returned, also when the time is over. */
  async waitFor(done: (report: FarmReport) => boolean, timeoutMilliseconds: number): Promise<FarmReport> {
    const deadline = performance.now() + timeoutMilliseconds;
    for (;;) {
      const report = await this.peek();
      if (done(report) || performance.now() > deadline) return report;
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }

  async close(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    await new Promise<void>((resolve) => {
      this.#child.once('exit', () => resolve());
      this.#child.stdin?.end();
    });
  }

  #ask(command: FarmCommand): Promise<unknown> {
    const id = this.#nextId;
    this.#nextId += 1;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#child.stdin?.write(`${JSON.stringify({ id, command })}\n`);
    });
  }
}

/** How many calls of a report are in a state. */
export function countCalls(report: FarmReport, state: CallReport['state']): number {
  return report.calls.filter((call) => call.state === state).length;
}
