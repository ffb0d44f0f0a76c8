/**
 * An error for a person: what was wrong, where, and what to do.
 * Thrown for bad input only; a broken invariant throws through `assert`.
 */
export class UndropError extends Error {
  /** Stable code, e.g. `CONFIG_UNKNOWN_ELEMENT`. */
  readonly code: string;
  /** `file:line`, uuid or column, when there is one. */
  readonly where: string | undefined;
  /** What the reader can do about it. */
  readonly fix: string | undefined;

  constructor(code: string, message: string, options: { where?: string; fix?: string; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'UndropError';
    this.code = code;
    this.where = options.where;
    this.fix = options.fix;
  }

  /** One line: `where: message [code]. Fix: …`. */
  describe(): string {
    const place = this.where === undefined ? '' : `${this.where}: `;
    const fix = this.fix === undefined ? '' : ` Fix: ${this.fix}`;
    return `${place}${this.message} [${this.code}].${fix}`;
  }
}
