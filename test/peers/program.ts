import { type ChildProcess, spawn, spawnSync } from 'node:child_process';

/** `false` when a program is there, otherwise the reason to skip, as `node:test` wants it. */
export function missing(program: string): string | false {
  return spawnSync('sh', ['-c', `command -v ${program}`]).status === 0 ? false : `${program} is not installed`;
}

/** A program of someone else, with its output; ended by its own pid. */
export class Program {
  readonly #child: ChildProcess;
  #output = '';
  readonly exited: Promise<number | null>;

  /** `line` gets each line of its standard output. */
  constructor(command: string, words: readonly string[], directory: string, line?: (text: string) => void) {
    this.#child = spawn(command, words, { cwd: directory, stdio: ['ignore', 'pipe', 'pipe'] });
    const keep = (chunk: Buffer): void => {
      this.#output = (this.#output + chunk.toString('latin1')).slice(-20_000);
    };
    this.#child.stdout?.on('data', keep);
    let rest = '';
    this.#child.stdout?.on('data', (chunk: Buffer) => {
      if (line === undefined) return;
      const lines = (rest + chunk.toString('latin1')).split('\n');
      rest = lines.pop() ?? '';
      for (const text of lines) line(text);
    });
    this.#child.stderr?.on('data', keep);
    this.exited = new Promise((resolve) => {
      this.#child.on('error', () => resolve(null));
      this.#child.on('exit', (code) => resolve(code));
    });
  }

  get output(): string {
    return this.#output;
  }

  async waitOutput(pattern: RegExp, timeoutMilliseconds: number): Promise<void> {
    const deadline = performance.now() + timeoutMilliseconds;
    while (!pattern.test(this.#output)) {
      if (performance.now() > deadline) throw new Error(`${pattern} was not printed:\n${this.#output.slice(-3000)}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  async end(): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) this.#child.kill('SIGKILL');
    await this.exited;
  }
}
