import type { RecoveredCallView, RecoveryRunView } from '../console/index.ts';
import type { EndpointReport } from '../media/protocol.ts';
import type { RecoveryRunRow } from '../store/index.ts';

type Outcome = RecoveredCallView['outcome'];

interface CallReport {
  uuid: string;
  outcome: Outcome;
  reason: string;
  rowReadAt: number;
  portOpenAt: number;
  firstPacketOutAt: number;
  firstPacketInAt: number;
  verifiedAt: number;
  gapMilliseconds: number | null;
}

/** What one recovery run did to each call, and when. Plain data, so that it stays queryable after the next crash. */
export class RecoveryReport {
  readonly id: string;
  readonly trigger: string;
  readonly startedAt: number;
  readonly processStartedAt: number;
  finishedAt = 0;
  readonly #calls = new Map<string, CallReport>();

  constructor(options: { readonly id: string; readonly trigger: string; readonly startedAt: number; readonly processStartedAt: number }) {
    this.id = options.id;
    this.trigger = options.trigger;
    this.startedAt = options.startedAt;
    this.processStartedAt = options.processStartedAt;
  }

  get size(): number {
    return this.#calls.size;
  }

  has(uuid: string): boolean {
    return this.#calls.has(uuid);
  }

  rowRead(uuid: string, at: number): void {
    this.#calls.set(uuid, {
      uuid,
      outcome: 'pending',
      reason: '',
      rowReadAt: at,
      portOpenAt: 0,
      firstPacketOutAt: 0,
      firstPacketInAt: 0,
      verifiedAt: 0,
      gapMilliseconds: null,
    });
  }

  forget(uuid: string): void {
    this.#calls.delete(uuid);
  }

  outcome(uuid: string, outcome: Outcome, reason: string, at = 0): void {
    const call = this.#calls.get(uuid);
    if (call === undefined) return;
    call.outcome = outcome;
    call.reason = reason;
    if (outcome === 'verified' && call.verifiedAt === 0) call.verifiedAt = at;
  }

  /** What `media` says of the leg's endpoint: when its port was open, its first packets, and the silence around the crash. */
  media(report: EndpointReport): void {
    const call = this.#calls.get(report.state.id);
    if (call === undefined) return;
    if (report.restoredAt > 0) call.portOpenAt = report.restoredAt;
    if (report.firstOutAt > 0) call.firstPacketOutAt = report.firstOutAt;
    if (report.firstInAt > 0) call.firstPacketInAt = report.firstInAt;
    if (report.firstInAt > 0 && report.lastInBeforeCrash > 0) {
      call.gapMilliseconds = Math.max(0, (report.firstInAt - report.lastInBeforeCrash) / 1000);
    }
  }

  view(): RecoveryRunView {
    return {
      id: this.id,
      trigger: this.trigger,
      startedAt: this.startedAt,
      processStartedAt: this.processStartedAt,
      finishedAt: this.finishedAt,
      calls: [...this.#calls.values()].map((call) => ({ ...call })),
    };
  }

  row(hostname: string): RecoveryRunRow {
    return { id: this.id, hostname, startedAt: this.startedAt, trigger: this.trigger, report: JSON.stringify(this.view()) };
  }
}

/** A stored report; null when it cannot be read. */
export function viewOfRow(row: RecoveryRunRow): RecoveryRunView | null {
  try {
    const parsed: unknown = JSON.parse(row.report);
    if (typeof parsed !== 'object' || parsed === null || !('calls' in parsed) || !Array.isArray(parsed.calls)) return null;
    return parsed as RecoveryRunView;
  } catch {
    return null;
  }
}
