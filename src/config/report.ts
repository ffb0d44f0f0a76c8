import { UndropError } from '../base/index.ts';
import type { ConfigWarning, SourcePosition } from './config.ts';

/** Problems kept of one load; more would not be read. */
const MAX_PROBLEMS = 500;

interface Problem {
  readonly position: SourcePosition;
  readonly message: string;
  readonly code: string;
  readonly fix: string | undefined;
}

export function formatPosition(position: SourcePosition): string {
  return `${position.file}:${position.line}`;
}

/** Collects the errors and warnings of one load, so that all are told at once. */
export class ConfigReport {
  readonly warnings: ConfigWarning[] = [];
  readonly #errors: Problem[] = [];
  readonly #seen = new Set<string>();

  error(position: SourcePosition, message: string, options: { code?: string; fix?: string } = {}): void {
    if (this.#errors.length < MAX_PROBLEMS) {
      this.#errors.push({ position, message, code: options.code ?? 'CONFIG_INVALID_VALUE', fix: options.fix });
    }
  }

  /** The same message at the same place is kept once. */
  warn(position: SourcePosition, message: string): void {
    const key = `${formatPosition(position)} ${message}`;
    if (this.#seen.has(key) || this.warnings.length >= MAX_PROBLEMS) return;
    this.#seen.add(key);
    this.warnings.push({ position, message });
  }

  /** Throws the first error; the others are listed in its message. */
  throwIfAny(): void {
    const [first, ...others] = this.#errors;
    if (first === undefined) return;
    const list = others.map((problem) => `\n${formatPosition(problem.position)}: ${problem.message}`).join('');
    const message = others.length === 0 ? first.message : `${first.message}\nand ${others.length} more:${list}`;
    throw new UndropError(first.code, message, {
      where: formatPosition(first.position),
      ...(first.fix === undefined ? {} : { fix: first.fix }),
    });
  }
}
