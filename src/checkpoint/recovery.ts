import type { LegRecord } from './record.ts';

/** What is known of a row before anything is done about it. */
export interface RowFacts {
  /** Our own row (epoch set), or FreeSWITCH's. */
  readonly origin: 'ours' | 'freeswitch';
  readonly sameSwitchname: boolean;
  readonly quarantined: boolean;
  /** Times that its recovery was begun and not finished. */
  readonly attempts: number;
  readonly attemptLimit: number;
  /** null: readable. */
  readonly unreadable: string | null;
  readonly record: LegRecord | null;
  /** The profile it belongs to is configured here. */
  readonly profileExists: boolean;
  /** A recover command or api_on_startup asks, not just the start. */
  readonly commanded: boolean;
}

export type Decision =
  /** The dialog goes on: endpoint first, then its open transactions, then a sign of life of the far end. */
  | { readonly kind: 'adopt'; readonly verify: boolean }
  /** Hangup had begun: finish it. */
  | { readonly kind: 'finish' }
  /** Kept aside with its reason; never deleted, never in the way of others. */
  | { readonly kind: 'quarantine'; readonly reason: string }
  /** Not ours to touch (now). */
  | { readonly kind: 'leave'; readonly reason: string };

interface Line {
  readonly row: string;
  readonly when: (facts: RowFacts) => boolean;
  readonly decision: (facts: RowFacts) => Decision;
}

/** The decision table: the first line that fits decides. Each line has a test of the same name. */
export const DECISION_TABLE: readonly Line[] = [
  {
    row: 'owned by another switchname',
    when: (facts) => !facts.sameSwitchname,
    decision: () => ({ kind: 'leave', reason: 'it belongs to another switchname' }),
  },
  {
    row: 'in quarantine',
    when: (facts) => facts.quarantined && !facts.commanded,
    decision: () => ({ kind: 'leave', reason: 'it is in quarantine until a recover command asks for it' }),
  },
  {
    row: 'written by FreeSWITCH, without a recover command',
    when: (facts) => facts.origin === 'freeswitch' && !facts.commanded,
    decision: () => ({ kind: 'leave', reason: 'a FreeSWITCH may still live: say "sofia recover" to take its calls over' }),
  },
  {
    row: 'unreadable',
    when: (facts) => facts.unreadable !== null || facts.record === null,
    decision: (facts) => ({ kind: 'quarantine', reason: facts.unreadable ?? 'no record' }),
  },
  {
    row: 'its recovery crashed us before, more often than the limit',
    when: (facts) => facts.attempts > facts.attemptLimit && !facts.commanded,
    decision: (facts) => ({ kind: 'quarantine', reason: `its recovery was begun ${facts.attempts} times and never finished` }),
  },
  {
    row: 'its profile is gone',
    when: (facts) => !facts.profileExists,
    decision: (facts) => ({ kind: 'quarantine', reason: `profile ${facts.record?.profileName ?? ''} is not in the configuration` }),
  },
  {
    row: 'hangup had begun',
    when: (facts) => facts.record?.phase === 'ending' || facts.record?.phase === 'ended',
    decision: () => ({ kind: 'finish' }),
  },
  {
    row: 'answered',
    when: (facts) => facts.record?.phase === 'answered',
    decision: () => ({ kind: 'adopt', verify: true }),
  },
  {
    row: 'not answered yet',
    when: () => true,
    decision: () => ({ kind: 'adopt', verify: false }),
  },
];

/** What to do with a row. */
export function decide(facts: RowFacts): Decision {
  const line = DECISION_TABLE.find((entry) => entry.when(facts));
  return line === undefined ? { kind: 'leave', reason: 'no line of the table fits' } : line.decision(facts);
}

/** Rows tried together: all of the untried; the more often a row's recovery was cut short, the fewer share its fate. */
export function attemptBatchSize(attempts: number): number {
  if (attempts === 0) return Number.MAX_SAFE_INTEGER;
  if (attempts === 1) return 50;
  return attempts === 2 ? 10 : 1;
}
