import { isIP } from 'node:net';
import type { SourcePosition } from './config.ts';
import type { ConfigReport } from './report.ts';
import type { XmlElement } from './xml.ts';

interface Parameter {
  readonly value: string;
  readonly position: SourcePosition;
}

/** FreeSWITCH's switch_true. */
export function isTrue(value: string): boolean {
  return /^(true|yes|on|enabled|active|allow|t)$/i.test(value) || (/^-?\d+$/.test(value) && Number(value) !== 0);
}

function isFalse(value: string): boolean {
  return /^(false|no|off|disabled|inactive|disallow|deny|f|0)$/i.test(value) || value === '';
}

/** Which parameters an area knows; all names in lower case. */
export interface ParameterTable {
  readonly area: string;
  readonly used: ReadonlySet<string>;
  /** FreeSWITCH's, accepted without effect. */
  readonly ignored: ReadonlySet<string>;
  /** Accepted, but their absence changes what a user gets: warned of when switched on. */
  readonly missing: ReadonlySet<string>;
}

/** The `<param name value>` of one element, read with types. The last of several wins; names are case-insensitive, as in FreeSWITCH. */
export class Parameters {
  readonly #values = new Map<string, Parameter>();
  readonly #written = new Map<string, string>();
  readonly #report: ConfigReport;
  readonly #fallback: SourcePosition;

  constructor(container: XmlElement | undefined, fallback: SourcePosition, report: ConfigReport, table: ParameterTable | null) {
    this.#report = report;
    this.#fallback = fallback;
    for (const child of container?.children ?? []) {
      if (child.name !== 'param') {
        report.warn(child.position, `<${child.name}> is not expected here; expected <param name="…" value="…"/>`);
        continue;
      }
      const { name } = child.attributes;
      // FreeSWITCH's own samples write `data` here and there.
      const value = child.attributes['value'] ?? child.attributes['data'];
      if (name === undefined || name === '' || value === undefined) {
        report.error(
          child.position,
          `<param> without ${name === undefined || name === '' ? 'name' : 'value'}; expected <param name="…" value="…"/>`,
        );
        continue;
      }
      this.#values.set(name.toLowerCase(), { value, position: child.position });
      this.#written.set(name, value);
      if (table !== null) judge(name, value, child.position, table, report);
    }
  }

  get all(): ReadonlyMap<string, string> {
    return this.#written;
  }

  position(name: string): SourcePosition {
    return this.#values.get(name)?.position ?? this.#fallback;
  }

  text(name: string): string | null {
    return this.#values.get(name)?.value ?? null;
  }

  /** Like `text`, but an empty value counts as absent. */
  filled(name: string): string | null {
    return this.text(name) || null;
  }

  boolean(name: string, fallback: boolean): boolean {
    const value = this.text(name);
    if (value === null) return fallback;
    if (isTrue(value)) return true;
    if (!isFalse(value)) this.#wrong(name, value, 'true or false');
    return false;
  }

  integer(name: string, fallback: number, minimum: number, maximum: number): number {
    const value = this.text(name);
    if (value === null) return fallback;
    const number = /^\d{1,12}$/.test(value.trim()) ? Number(value) : Number.NaN;
    if (number >= minimum && number <= maximum) return number;
    this.#wrong(name, value, `a whole number from ${minimum} to ${maximum}`);
    return fallback;
  }

  port(name: string, fallback: number): number {
    return this.integer(name, fallback, 1, 65535);
  }

  /** A literal address; `auto`, empty and absent mean `local`. */
  ip(name: string, local: string): string {
    const value =
      this.text(name)
        ?.trim()
        .replace(/^\[|\]$/g, '') ?? '';
    if (value === '' || value.toLowerCase() === 'auto') return local;
    if (isIP(value) !== 0) return value;
    this.#wrong(name, value, 'an IP address or auto');
    return local;
  }

  choice<Choice extends string>(name: string, choices: readonly Choice[], fallback: Choice): Choice {
    const value = this.filled(name);
    if (value === null) return fallback;
    const found = choices.find((choice) => choice === value.toLowerCase());
    if (found === undefined) this.#wrong(name, value, choices.join(', '));
    return found ?? fallback;
  }

  #wrong(name: string, value: string, expected: string): void {
    this.#report.error(this.position(name), `${name}: found "${value}", expected ${expected}`);
  }
}

function judge(name: string, value: string, position: SourcePosition, table: ParameterTable, report: ConfigReport): void {
  const key = name.toLowerCase();
  if (table.used.has(key) || table.ignored.has(key)) return;
  if (table.missing.has(key)) {
    if (!isFalse(value)) report.warn(position, `${table.area}: ${name} is accepted but has no effect yet`);
    return;
  }
  report.warn(position, `${table.area}: the parameter "${name}" is unknown and ignored`);
}

export function names(text: string): ReadonlySet<string> {
  return new Set(text.trim().toLowerCase().split(/\s+/));
}
