import { EVENT_NAMES } from './event-names.ts';
import type { EventFormat, RenderedEvent } from './render.ts';

/** Most filters and CUSTOM subclasses of one client. */
const MAXIMUM_FILTERS = 256;
const MAXIMUM_SUBCLASSES = 1024;
const MAXIMUM_PATTERN_LENGTH = 128;

/** What one client wants to hear. */
export class Subscription {
  format: EventFormat = 'plain';
  listening = false;
  /** `myevents <uuid>`: only events of this channel. */
  onlyUuid: string | null = null;
  readonly #names = new Set<string>();
  readonly #subclasses = new Set<string>();
  #filters: { readonly header: string; readonly value: string }[] = [];

  /** `event [plain|json|xml] NAMES…`; after CUSTOM the remaining words are subclasses. Reply text. */
  add(words: readonly string[]): string {
    const [first = '', ...rest] = words;
    const format = (['plain', 'json', 'xml'] as const).find((candidate) => candidate === first.toLowerCase());
    if (format !== undefined) this.format = format;
    let valid = 0;
    let custom = false;
    for (const word of format === undefined ? words : rest) {
      const name = word.toUpperCase();
      if (custom) {
        if (this.#subclasses.size < MAXIMUM_SUBCLASSES) this.#subclasses.add(word);
      } else if (EVENT_NAMES.has(name)) {
        valid += 1;
        this.#names.add(name);
        custom = name === 'CUSTOM';
      }
    }
    if (valid === 0) return '-ERR no keywords supplied';
    this.listening = true;
    return `+OK event listener enabled ${this.format}`;
  }

  remove(words: readonly string[]): string {
    let valid = 0;
    let custom = false;
    for (const word of words) {
      const name = word.toUpperCase();
      if (custom) {
        this.#subclasses.delete(word);
      } else if (EVENT_NAMES.has(name)) {
        valid += 1;
        custom = name === 'CUSTOM';
        if (name === 'ALL') this.#names.clear();
        else if (this.#names.delete('ALL')) for (const other of EVENT_NAMES) if (other !== 'ALL') this.#names.add(other);
        // A CUSTOM with subclasses takes away these only.
        if (name !== 'CUSTOM' || words.at(-1) === word) this.#names.delete(name);
      }
    }
    return valid === 0 ? '-ERR no keywords supplied' : '+OK events nixed';
  }

  clear(): string {
    if (!this.listening) return '-ERR not listening for events';
    this.listening = false;
    this.#names.clear();
    this.#subclasses.clear();
    return '+OK no longer listening for events';
  }

  /** `filter H V`, `filter delete H [V]`, `filter delete all`. */
  filter(text: string): string {
    const match = /^(\S+)(?:\s+(.*))?$/s.exec(text.trim());
    if (match === null) return '-ERR invalid syntax';
    const [, header = '', value] = match;
    if (header.toLowerCase() === 'delete') {
      const [, name, wanted = ''] = /^(\S+)(?:\s+(.*))?$/s.exec(value ?? '') ?? [];
      if (name === undefined) return '-ERR invalid syntax';
      const gone = (filter: { header: string; value: string }) =>
        filter.header.toLowerCase() === name.toLowerCase() && (wanted === '' || filter.value === wanted);
      this.#filters = name.toLowerCase() === 'all' ? [] : this.#filters.filter((filter) => !gone(filter));
      return `+OK filter deleted. [${name}][${wanted}]`;
    }
    if (value === undefined || value === '') return '-ERR invalid syntax';
    if (this.#filters.length >= MAXIMUM_FILTERS) return `-ERR more than ${MAXIMUM_FILTERS} filters`;
    if (value.startsWith('/') && safePattern(value) === null) return '-ERR invalid syntax';
    this.#filters.push({ header, value });
    return `+OK filter added. [${header}]=[${value}]`;
  }

  wants(event: RenderedEvent): boolean {
    if (!this.listening) return false;
    if (this.onlyUuid !== null && !event.headers.some(([name, value]) => name === 'Unique-ID' && value === this.onlyUuid)) return false;
    if (!this.#names.has('ALL')) {
      if (event.name === 'CUSTOM' && event.subclass !== null) {
        if (!this.#subclasses.has(event.subclass)) return false;
      } else if (!this.#names.has(event.name)) {
        return false;
      }
    }
    return this.#passesFilters(event);
  }

  /** FreeSWITCH's rule: with filters one must match; one with `-` that matches stops the event. */
  #passesFilters(event: RenderedEvent): boolean {
    if (this.#filters.length === 0) return true;
    let send = false;
    for (const filter of this.#filters) {
      const name = filter.header.toLowerCase();
      const value = event.headers.find(([candidate]) => candidate.toLowerCase() === name)?.[1];
      if (value === undefined) continue;
      const [, sign = '', wanted = ''] = /^([+\- ]*)(.*)$/s.exec(filter.value) ?? [];
      const pattern = wanted.startsWith('/') ? safePattern(wanted) : null;
      const matches = pattern === null ? value.toLowerCase() === wanted.toLowerCase() : pattern.test(value.slice(0, 1024));
      if (!matches) continue;
      if (sign.includes('-')) return false;
      send = true;
    }
    return send;
  }
}

/** `/pattern/`; null when it is no pattern, or one whose backtracking could stall the switch (a quantified group, many quantifiers). */
function safePattern(text: string): RegExp | null {
  const source = text.replace(/^\//, '').replace(/\/$/, '');
  if (source.length > MAXIMUM_PATTERN_LENGTH || /\)[*+?{]/.test(source) || (source.match(/[*+{]/g) ?? []).length > 2) return null;
  try {
    return new RegExp(source);
  } catch {
    return null;
  }
}
