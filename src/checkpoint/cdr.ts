import { type Clock, type Logger, silentLogger, UndropError } from '../base/index.ts';
import type { DurableFiles } from '../store/index.ts';
import type { LegRecord } from './record.ts';
import { writeDocument } from './row.ts';
import type { RowContext } from './variables.ts';

/** CDRs that may wait for the disk; their rows stay in the store, so a restart writes what is refused here. */
const MAXIMUM_WAITING = 20_000;
const MAXIMUM_AT_ONCE = 8;
const FIRST_RETRY = 500;
const LAST_RETRY = 30_000;

interface Waiting {
  readonly uuid: string;
  readonly xml: string;
  readonly done: () => void;
}

/**
 * Writes `<directory>/<uuid>.cdr.xml`: temporary name, fsync, rename. One leg gives one file however often it is
 * written, so a leg whose CDR was written before a crash is simply written again. The row may be deleted when the
 * promise of `write` has resolved, and not before.
 */
export class CdrWriter {
  readonly #directory: string;
  readonly #files: DurableFiles;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #onError: (error: UndropError) => void;
  readonly #queue: Waiting[] = [];
  readonly #writing = new Set<string>();
  #isRetrying = false;
  #retryDelay = FIRST_RETRY;
  #hasFolder = false;

  constructor(options: {
    readonly directory: string;
    readonly files: DurableFiles;
    readonly clock: Clock;
    readonly logger?: Logger;
    /** Each failed try; it is tried again by itself. */
    readonly onError?: (error: UndropError) => void;
  }) {
    this.#directory = options.directory;
    this.#files = options.files;
    this.#clock = options.clock;
    this.#logger = options.logger ?? silentLogger;
    this.#onError = options.onError ?? (() => undefined);
  }

  /** CDRs not yet on the disk. */
  get pending(): number {
    return this.#queue.length + this.#writing.size;
  }

  /** Resolves when the file is durable; waits as long as the disk is full. Rejects with `CDR_OVERLOADED` only: keep the row then. */
  write(record: Pick<LegRecord, 'uuid'>, finalXml: string): Promise<void> {
    if (this.#queue.length >= MAXIMUM_WAITING) {
      return Promise.reject(
        new UndropError('CDR_OVERLOADED', `${MAXIMUM_WAITING} CDRs wait to be written already`, {
          where: this.#directory,
          fix: 'free space on that disk; the rows are kept and written by the next start',
        }),
      );
    }
    return new Promise((resolve) => {
      this.#queue.push({ uuid: record.uuid, xml: finalXml, done: resolve });
      this.#next();
    });
  }

  #next(): void {
    while (!this.#isRetrying && this.#writing.size < MAXIMUM_AT_ONCE) {
      const index = this.#queue.findIndex((candidate) => !this.#writing.has(candidate.uuid));
      const [waiting] = index === -1 ? [] : this.#queue.splice(index, 1);
      if (waiting === undefined) return;
      this.#writing.add(waiting.uuid);
      this.#writeFile(waiting).then(
        () => {
          this.#writing.delete(waiting.uuid);
          this.#retryDelay = FIRST_RETRY;
          waiting.done();
          this.#next();
        },
        (error: unknown) => {
          this.#writing.delete(waiting.uuid);
          this.#failed(waiting, error);
        },
      );
    }
  }

  async #writeFile(waiting: Waiting): Promise<void> {
    if (!this.#hasFolder) await this.#files.makeFolder(this.#directory);
    this.#hasFolder = true;
    const path = `${this.#directory}/${cdrFileName(waiting.uuid)}`;
    await this.#files.write(`${path}.new`, waiting.xml);
    await this.#files.rename(`${path}.new`, path, this.#directory);
  }

  #failed(waiting: Waiting, cause: unknown): void {
    this.#queue.unshift(waiting);
    // The folder may have been removed.
    this.#hasFolder = false;
    const message = cause instanceof Error ? cause.message : String(cause);
    const isFull = cause instanceof Error && 'code' in cause && (cause.code === 'ENOSPC' || cause.code === 'EDQUOT');
    const error = new UndropError(isFull ? 'CDR_FULL' : 'CDR_FAILED', `the CDR cannot be written: ${message}`, {
      where: `${this.#directory}/${cdrFileName(waiting.uuid)}`,
      fix: isFull ? 'free space on that disk; it is tried again' : 'make the folder writable for this user; it is tried again',
      cause,
    });
    if (this.#isRetrying) return;
    this.#isRetrying = true;
    this.#logger.log('error', error.describe(), { uuid: waiting.uuid, delay: this.#retryDelay });
    this.#onError(error);
    this.#clock.setTimer(this.#retryDelay, () => {
      this.#isRetrying = false;
      this.#next();
    });
    this.#retryDelay = Math.min(this.#retryDelay * 2, LAST_RETRY);
  }
}

/** `origination_uuid` may be any text: what is not plain is encoded, so that the name stays one name in one folder. */
export function cdrFileName(uuid: string): string {
  const plain = uuid.replaceAll(/[^A-Za-z0-9_-]/g, (character) => `%${character.charCodeAt(0).toString(16).padStart(2, '0')}`);
  return `${plain.slice(0, 200)}.cdr.xml`;
}

/** The CDR of an ended leg: its row's document with the final variables of switch_channel_set_timestamps, without `<undrop>`. */
export function recordToCdr(record: LegRecord, context: RowContext): string {
  return `<?xml version="1.0"?>\n${writeDocument(record, context, finalVariables(record))}</cdr>\n`;
}

function finalVariables(record: LegRecord): ReadonlyMap<string, string> {
  const times = record.times;
  const last = record.applicationLog.at(-1);
  const final = new Map<string, string>();
  final.set('hangup_cause', record.hangupCause ?? 'NORMAL_CLEARING');
  if (record.hangupCode > 0 && record.hangupCode < 128) final.set('hangup_cause_q850', String(record.hangupCode));
  if (record.hangupCode >= 300) final.set('sip_term_status', String(record.hangupCode));
  if (record.hangupDisposition !== 'none') final.set('sip_hangup_disposition', record.hangupDisposition);
  final.set('digits_dialed', record.variables['digits_dialed'] ?? 'none');
  const stamps: readonly (readonly [prefix: string, at: number])[] = [
    ['start', times.created],
    ['profile_start', times.profileCreated],
    ['answer', times.answered],
    ['bridge', times.bridged],
    ['hold', times.lastHold],
    ['progress', times.progress],
    ['progress_media', times.progressMedia],
    ['resurrect', times.resurrected],
    ['end', times.hangup],
  ];
  for (const [prefix, at] of stamps) if (at > 0) final.set(`${prefix}_stamp`, localStamp(at));
  for (const [prefix, at] of stamps) {
    final.set(`${prefix}_epoch`, String(Math.floor(at / 1_000_000)));
    final.set(`${prefix}_uepoch`, String(at));
  }
  if (last !== undefined) {
    final.set('last_app', last.application);
    final.set('last_arg', last.data);
  }
  final.set('caller_id', `"${record.caller.callerIdName}" <${record.caller.callerIdNumber}>`);
  const between = (from: number, to: number): number => (from > 0 && to >= from ? to - from : 0);
  const answered = times.answered;
  const lengths: readonly (readonly [name: string, microseconds: number])[] = [
    ['duration', between(times.created, times.hangup)],
    ['bill', between(answered, times.hangup)],
    ['progress', between(times.created, times.progress)],
    ['answer', between(times.created, answered)],
    ['wait', between(times.created, times.bridged)],
    ['progress_media', between(times.created, times.progressMedia)],
    ['flow_bill', between(times.created, times.hangup)],
    ['hold_accum_', times.holdAccumulated],
  ];
  for (const [name, length] of lengths) final.set(lengthName(name, 'sec'), String(Math.floor(length / 1_000_000)));
  for (const [name, length] of lengths) final.set(lengthName(name, 'msec'), String(Math.floor(length / 1_000)));
  for (const [name, length] of lengths) final.set(lengthName(name, 'usec'), String(length));
  return final;
}

/** FreeSWITCH: duration, mduration, uduration; billsec, billmsec, billusec; hold_accum_seconds, hold_accum_ms, hold_accum_usec. */
function lengthName(name: string, unit: 'sec' | 'msec' | 'usec'): string {
  if (name === 'duration') return unit === 'sec' ? 'duration' : unit === 'msec' ? 'mduration' : 'uduration';
  if (name === 'hold_accum_') return unit === 'sec' ? 'hold_accum_seconds' : unit === 'msec' ? 'hold_accum_ms' : 'hold_accum_usec';
  return `${name}${unit}`;
}

/** `2025-03-24 15:18:32` in the time zone of the process. */
function localStamp(microseconds: number): string {
  const at = new Date(Math.floor(microseconds / 1000));
  const two = (value: number): string => String(value).padStart(2, '0');
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())} ${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
}
