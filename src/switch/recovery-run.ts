import type { Clock, Logger } from '../base/index.ts';
import type { CallEngine, LegRecord, StepResult } from '../call/index.ts';
import { attemptBatchSize, type Decision, decide, metadataToRecord, type ReadRow } from '../checkpoint/index.ts';
import type { Config } from '../config/index.ts';
import type { RecoveryRow, Store, StoreOperation } from '../store/index.ts';
import type { RecoveryReport } from './recovery-report.ts';

export interface RecoveryRunOptions {
  readonly engine: CallEngine;
  readonly store: Pick<Store, 'commit' | 'loadRecovery'>;
  readonly config: () => Config;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly epoch: number;
  readonly runtimeUuid: string;
  apply(result: StepResult): void;
  /** A row was taken; one of FreeSWITCH's goes when ours is durable. */
  takeRow(uuid: string, foreign: boolean): void;
  /** Resolves when all saves so far are durable (or given up). */
  saved(): Promise<void>;
}

interface Candidate {
  readonly row: RecoveryRow;
  readonly record: LegRecord;
  readonly decision: Extract<Decision, { kind: 'adopt' | 'finish' }>;
}

/**
 * One recovery of the rows of this switchname. Re-entrant: a crash at any point of it leaves rows that the next run finds
 * again; a leg that is already live is left alone. `awaited`: Call-IDs of FreeSWITCH's rows that wait for a command.
 */
export async function runRecovery(
  options: RecoveryRunOptions,
  report: RecoveryReport,
  scope: { readonly profileName: string | null; readonly commanded: boolean },
): Promise<{ readonly uuids: readonly string[]; readonly awaited: ReadonlySet<string> }> {
  const rows = await options.store.loadRecovery(options.config().switchname);
  const awaited = new Set<string>();
  const readAt = options.clock.wallMicroseconds();
  const candidates: Candidate[] = [];
  const quarantines: StoreOperation[] = [];
  for (const { row, read } of inScope(rows, scope.profileName, readAt)) {
    if (options.engine.legs.has(row.uuid)) continue;
    const record = read.kind === 'unreadable' ? null : read.record;
    const decision = decide({
      origin: row.epoch === null ? 'freeswitch' : 'ours',
      sameSwitchname: row.hostname === options.config().switchname,
      quarantined: row.state === 'quarantine',
      attempts: row.attempts ?? 0,
      attemptLimit: options.config().recoveryAttemptLimit,
      unreadable: read.kind === 'unreadable' ? read.reason : null,
      record,
      profileExists: record !== null && options.config().profiles.has(record.profileName),
      commanded: scope.commanded,
    });
    report.rowRead(row.uuid, readAt);
    switch (decision.kind) {
      case 'leave':
        report.forget(row.uuid);
        if (row.epoch === null && record?.dialog != null) awaited.add(record.dialog.callId);
        break;
      case 'quarantine':
        options.logger.log('error', `row kept aside: ${decision.reason}`, { uuid: row.uuid });
        report.outcome(row.uuid, 'quarantined', decision.reason);
        // A row of FreeSWITCH's has no columns of ours to mark it with: it stays as it is.
        if (row.epoch !== null) quarantines.push({ kind: 'quarantine', uuid: row.uuid, reason: decision.reason, epoch: options.epoch });
        break;
      case 'adopt':
      case 'finish':
        if (record !== null) candidates.push({ row, record, decision });
        break;
    }
  }
  if (quarantines.length > 0) await options.store.commit(quarantines);
  await adoptAll(options, report, candidates);
  return { uuids: candidates.map((candidate) => candidate.row.uuid), awaited };
}

/** Call-IDs of the rows that a recover command would bring back. */
export async function awaitedCallIds(
  options: Pick<RecoveryRunOptions, 'engine' | 'store' | 'config' | 'clock'>,
): Promise<ReadonlySet<string>> {
  const rows = await options.store.loadRecovery(options.config().switchname);
  const callIds = new Set<string>();
  for (const row of rows) {
    if (row.state === 'quarantine' || options.engine.legs.has(row.uuid)) continue;
    const read = metadataToRecord(row, options.clock.wallMicroseconds());
    if (read.kind !== 'unreadable' && read.record.dialog !== null) callIds.add(read.record.dialog.callId);
  }
  return callIds;
}

/** The rows of a profile, or all; with each leg come the other legs of its call, whatever their profile. */
function inScope(
  rows: readonly RecoveryRow[],
  profileName: string | null,
  now: number,
): readonly { readonly row: RecoveryRow; readonly read: ReadRow }[] {
  const all = latestRows(rows).map((row) => ({ row, read: metadataToRecord(row, now) }));
  if (profileName === null) return all;
  const callOf = (read: ReadRow): string | null => (read.kind === 'unreadable' ? null : read.record.callUuid);
  const calls = new Set(all.filter(({ row }) => row.profileName === profileName).map(({ read }) => callOf(read)));
  return all.filter(({ row, read }) => row.profileName === profileName || (callOf(read) !== null && calls.has(callOf(read))));
}

/** FreeSWITCH can leave several rows of one uuid behind; ours, then the last, counts. */
function latestRows(rows: readonly RecoveryRow[]): readonly RecoveryRow[] {
  const byUuid = new Map<string, RecoveryRow>();
  for (const row of rows) {
    const other = byUuid.get(row.uuid);
    if (other === undefined || other.epoch === null || row.epoch !== null) byUuid.set(row.uuid, row);
  }
  return [...byUuid.values()];
}

async function adoptAll(options: RecoveryRunOptions, report: RecoveryReport, candidates: readonly Candidate[]): Promise<void> {
  const batches = batchesOf(candidates);
  const uuids: string[] = [];
  for (const [index, batch] of batches.entries()) {
    // Counted before it is tried, so that a row that crashes us is found out. Untried rows share one count.
    const counted = batch.filter((candidate) => candidate.row.epoch !== null);
    if (counted.length > 0) {
      await options.store.commit(counted.map((candidate) => ({ kind: 'countAttempt', uuid: candidate.row.uuid, epoch: options.epoch })));
    }
    // Before the first save of ours, which deletes FreeSWITCH's row in the same transaction.
    for (const { row } of batch) options.takeRow(row.uuid, row.epoch === null);
    options.apply(options.engine.restoreMedia(batch.map((candidate) => candidate.record)));
    for (const candidate of batch) {
      uuids.push(candidate.row.uuid);
      report.outcome(candidate.row.uuid, candidate.decision.kind === 'finish' ? 'finished' : 'recovered', '');
      const leg = options.engine.legs.get(candidate.row.uuid);
      if (leg !== undefined && candidate.decision.kind === 'adopt' && candidate.decision.verify) leg.verifyTries = 0;
    }
    // The save that follows resets the count; suspects are watched until it is durable.
    if (index < batches.length - 1) await options.saved();
  }
  options.apply(options.engine.restoreSignalling(uuids));
}

/** Untried rows first, all at once; then the suspects, fewer at a time the more often they were tried. */
function batchesOf(candidates: readonly Candidate[]): Candidate[][] {
  const byAttempts = new Map<number, Candidate[]>();
  for (const candidate of candidates) {
    const attempts = Math.min(candidate.row.attempts ?? 0, 3);
    byAttempts.set(attempts, [...(byAttempts.get(attempts) ?? []), candidate]);
  }
  const batches: Candidate[][] = [];
  for (const attempts of [...byAttempts.keys()].sort((left, right) => left - right)) {
    const group = byAttempts.get(attempts) ?? [];
    const size = attemptBatchSize(attempts);
    for (let index = 0; index < group.length; index += size) batches.push(group.slice(index, index + size));
  }
  return batches;
}
