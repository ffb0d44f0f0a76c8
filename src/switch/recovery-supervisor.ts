import type { Clock, Logger, Random, Timer } from '../base/index.ts';
import type { CallEngine, StepResult } from '../call/index.ts';
import type { Config } from '../config/index.ts';
import type { RecoveryRunView } from '../console/index.ts';
import type { EndpointReport } from '../media/protocol.ts';
import type { RecoveryRunRow, Store } from '../store/index.ts';
import type { MediaClient } from './media-client.ts';
import { RecoveryReport, viewOfRow } from './recovery-report.ts';
import { awaitedCallIds, runRecovery } from './recovery-run.ts';

/** RTP from the stored source within this time after the recovery proves life, in milliseconds. */
const PROOF_OF_LIFE = 2_000;
/** How often a run's report is written while its calls are being verified. */
const REPORT_INTERVAL = 1_000;
const STORED_RUNS = 50;

export interface RecoverySupervisorOptions {
  readonly engine: CallEngine;
  readonly store: Store;
  readonly media: MediaClient;
  readonly config: () => Config;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly epoch: number;
  readonly runtimeUuid: string;
  readonly processStartedAt: number;
  apply(result: StepResult): void;
  takeRow(uuid: string, foreign: boolean): void;
  saved(): Promise<void>;
  saveRun(row: RecoveryRunRow): void;
}

/** Runs recoveries one after another, has the far ends verified at the pace of each profile, and keeps the reports. */
export class RecoverySupervisor {
  readonly #options: RecoverySupervisorOptions;
  readonly #runs: RecoveryReport[] = [];
  /** Recovered by this runtime and not yet counted by a recover command: leg → profile. */
  readonly #unreported = new Map<string, string>();
  readonly #verifyQueue: string[] = [];
  #awaited: ReadonlySet<string> = new Set();
  #timers = new Set<Timer>();
  #verifying = false;
  #running: Promise<void> = Promise.resolve();
  #complete = false;
  #stopped = false;

  constructor(options: RecoverySupervisorOptions) {
    this.#options = options;
  }

  /** True when everything that the start had to read was read. */
  get complete(): boolean {
    return this.#complete;
  }

  /** The start is over without a recovery (`recover-on-start` false); the calls wait for a command. */
  async skip(): Promise<void> {
    await this.readAwaited();
    this.#complete = true;
  }

  /** A row of that Call-ID waits for a recover command. */
  awaits(callId: string): boolean {
    return this.#awaited.has(callId);
  }

  /** Finds out anew which calls wait for a recover command. */
  async readAwaited(): Promise<void> {
    this.#awaited = await awaitedCallIds(this.#options);
  }

  /** The recovery at start: resolves when every call is indexed and signalling may be read. */
  async recoverAtStart(): Promise<void> {
    await this.#run('start', null, false);
    this.#complete = true;
  }

  /** `sofia recover` and its kin: recovers what is left, and counts what no command has counted yet. */
  async recoverByCommand(trigger: string, profileName: string | null): Promise<number> {
    await this.#run(trigger, profileName, true);
    let count = 0;
    for (const [uuid, profile] of [...this.#unreported]) {
      if (profileName !== null && profile !== profileName) continue;
      this.#unreported.delete(uuid);
      count += 1;
    }
    return count;
  }

  outcome(uuid: string, outcome: 'verified' | 'failed' | 'finished', reason: string): void {
    const report = this.#reportOf(uuid);
    report?.outcome(uuid, outcome, reason, this.#options.clock.wallMicroseconds());
  }

  /** This runtime's reports and the stored ones, newest first. */
  async runs(): Promise<readonly RecoveryRunView[]> {
    const own = [...this.#runs].reverse().map((report) => report.view());
    const known = new Set(own.map((run) => run.id));
    const stored = await this.#options.store.loadRuns(this.#options.config().switchname, STORED_RUNS);
    return [...own, ...stored.filter((row) => !known.has(row.id)).flatMap((row) => viewOfRow(row) ?? [])];
  }

  stop(): void {
    this.#stopped = true;
    for (const timer of this.#timers) timer.cancel();
    this.#timers.clear();
  }

  #reportOf(uuid: string): RecoveryReport | null {
    return this.#runs.findLast((report) => report.has(uuid)) ?? null;
  }

  #run(trigger: string, profileName: string | null, commanded: boolean): Promise<void> {
    const next = this.#running.then(() => this.#runNow(trigger, profileName, commanded));
    this.#running = next.catch(() => undefined);
    return next;
  }

  async #runNow(trigger: string, profileName: string | null, commanded: boolean): Promise<void> {
    if (this.#stopped) return;
    const { clock, logger, engine } = this.#options;
    const report = new RecoveryReport({
      id: this.#options.random.uuid(),
      trigger,
      startedAt: clock.wallMicroseconds(),
      processStartedAt: this.#options.processStartedAt,
    });
    const { uuids, awaited } = await runRecovery(this.#options, report, { profileName, commanded });
    if (this.#stopped) return;
    if (profileName === null) this.#awaited = awaited;
    else await this.readAwaited();
    report.finishedAt = clock.wallMicroseconds();
    if (report.size > 0) {
      this.#runs.push(report);
      if (this.#runs.length > STORED_RUNS) this.#runs.shift();
      this.#options.saveRun(report.row(this.#options.config().switchname));
      logger.log(
        'notice',
        `${uuids.length} of ${report.size} legs recovered in ${Math.round((report.finishedAt - report.startedAt) / 1000)} ms`,
      );
    }
    for (const uuid of uuids) {
      const leg = engine.legs.get(uuid);
      if (leg !== undefined) this.#unreported.set(uuid, leg.record.profileName);
    }
    // Only now is it known which endpoints no call has. A command that names one profile has not read everything.
    if (profileName === null) this.#options.media.closeStrays();
    if (uuids.length > 0) this.#after(PROOF_OF_LIFE, () => this.#proveLife(report, uuids));
  }

  /** Who sends RTP is alive; the others are asked. */
  #proveLife(report: RecoveryReport, uuids: readonly string[]): void {
    const silent = new Set(uuids);
    const finish = (): void => {
      for (const uuid of silent) this.#askLater(uuid);
      this.#watch(report, 30);
    };
    if (!this.#options.media.connected) {
      finish();
      return;
    }
    this.#options.media.list((reports) => {
      for (const entry of reports) {
        report.media(entry);
        const leg = this.#options.engine.legs.get(entry.state.id);
        if (leg === undefined || leg.verifyTries === null || !this.#isAlive(entry)) continue;
        if (this.#refreshOf(leg.record.profileName) === 'reinvite') continue;
        silent.delete(leg.uuid);
        leg.verifyTries = null;
        report.outcome(leg.uuid, 'verified', 'RTP from the far end', this.#options.clock.wallMicroseconds());
      }
      finish();
    });
  }

  #isAlive(entry: EndpointReport): boolean {
    return entry.lastInAt > this.#options.clock.wallMicroseconds() - PROOF_OF_LIFE * 1000;
  }

  #refreshOf(profileName: string): 'auto' | 'reinvite' | 'none' {
    return this.#options.config().profiles.get(profileName)?.recoveryRefresh ?? 'auto';
  }

  #askLater(uuid: string): void {
    const leg = this.#options.engine.legs.get(uuid);
    if (leg === undefined || leg.verifyTries === null || this.#refreshOf(leg.record.profileName) === 'none') return;
    this.#verifyQueue.push(uuid);
    if (this.#verifying) return;
    this.#verifying = true;
    this.#askNext();
  }

  /** One after another, at `recovery-rate` a second with jitter: no storm on the trunks. */
  #askNext(): void {
    const uuid = this.#verifyQueue.shift();
    if (uuid === undefined || this.#stopped) {
      this.#verifying = false;
      return;
    }
    const leg = this.#options.engine.legs.get(uuid);
    const profile = leg === undefined ? undefined : this.#options.config().profiles.get(leg.record.profileName);
    if (leg !== undefined && leg.verifyTries !== null && profile !== undefined) {
      this.#options.apply(this.#options.engine.verify(uuid, profile.recoveryRefresh === 'reinvite' ? 'reinvite' : 'auto'));
    }
    const mean = 1000 / Math.max(1, profile?.recoveryRate ?? 500);
    this.#after(mean * (0.5 + this.#options.random.uint32() / 0x1_0000_0000), () => this.#askNext());
  }

  /** Keeps the stored report up to date until every call is decided, or the tries are over. */
  #watch(report: RecoveryReport, left: number): void {
    this.#options.saveRun(report.row(this.#options.config().switchname));
    const pending = report.view().calls.some((call) => call.outcome === 'recovered' && this.#options.engine.legs.has(call.uuid));
    if (!pending || left <= 0) return;
    this.#after(REPORT_INTERVAL * (31 - left), () => {
      this.#options.media.list((reports) => {
        for (const entry of reports) report.media(entry);
      });
      this.#watch(report, left - 1);
    });
  }

  #after(delayMilliseconds: number, work: () => void): void {
    const timer = this.#options.clock.setTimer(delayMilliseconds, () => {
      this.#timers.delete(timer);
      if (!this.#stopped) work();
    });
    this.#timers.add(timer);
  }
}
