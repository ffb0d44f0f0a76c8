import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { LegPhase } from '../../src/call/index.ts';
import { DECISION_TABLE, decide, type RowFacts } from '../../src/checkpoint/recovery.ts';
import { sampleRecord } from '../checkpoint/records.ts';

/** An answered call of ours, as a start finds it. */
function facts(change: Partial<RowFacts> = {}, phase: LegPhase = 'answered'): RowFacts {
  return {
    origin: 'ours',
    sameSwitchname: true,
    quarantined: false,
    attempts: 0,
    attemptLimit: 3,
    unreadable: null,
    record: { ...sampleRecord(), phase },
    profileExists: true,
    commanded: false,
    ...change,
  };
}

/** By the name of a line: what it must decide, and what the nearest rows that it does not mean get. */
const TESTS: Readonly<Record<string, () => void>> = {
  'owned by another switchname': () => {
    assert.equal(decide(facts({ sameSwitchname: false })).kind, 'leave');
    assert.equal(decide(facts({ sameSwitchname: false, commanded: true })).kind, 'leave', 'not even by command');
    assert.equal(decide(facts({ sameSwitchname: false, unreadable: 'damaged' })).kind, 'leave', 'nor to mark it');
  },
  'in quarantine': () => {
    assert.equal(decide(facts({ quarantined: true })).kind, 'leave');
    assert.equal(decide(facts({ quarantined: true, commanded: true })).kind, 'adopt', 'a command tries it again');
  },
  'written by FreeSWITCH, without a recover command': () => {
    assert.equal(decide(facts({ origin: 'freeswitch' })).kind, 'leave');
    assert.equal(decide(facts({ origin: 'freeswitch', commanded: true })).kind, 'adopt');
  },
  unreadable: () => {
    assert.deepEqual(decide(facts({ unreadable: 'no <undrop>', record: null })), { kind: 'quarantine', reason: 'no <undrop>' });
    assert.equal(decide(facts({ record: null })).kind, 'quarantine');
    assert.equal(decide(facts({ unreadable: 'no <undrop>', commanded: true })).kind, 'quarantine');
  },
  'its recovery crashed us before, more often than the limit': () => {
    assert.equal(decide(facts({ attempts: 3 })).kind, 'adopt', 'at the limit it is tried once more');
    assert.equal(decide(facts({ attempts: 4 })).kind, 'quarantine');
    assert.equal(decide(facts({ attempts: 4, commanded: true })).kind, 'adopt', 'whoever commands it knows better');
  },
  'its profile is gone': () => {
    const decision = decide(facts({ profileExists: false }));
    assert.equal(decision.kind, 'quarantine');
    assert.match('reason' in decision ? decision.reason : '', /is not in the configuration/);
  },
  'hangup had begun': () => {
    assert.equal(decide(facts({}, 'ending')).kind, 'finish');
    assert.equal(decide(facts({}, 'ended')).kind, 'finish');
  },
  answered: () => assert.deepEqual(decide(facts()), { kind: 'adopt', verify: true }),
  'not answered yet': () => {
    for (const phase of ['setup', 'proceeding', 'early'] as const) {
      assert.deepEqual(decide(facts({}, phase)), { kind: 'adopt', verify: false }, phase);
    }
  },
};

describe('what recovery does with a row', () => {
  for (const { row } of DECISION_TABLE) {
    const run = TESTS[row];
    test(row, () => {
      assert.ok(run !== undefined, `the line "${row}" has a test`);
      run();
    });
  }

  test('every test names a line of the table', () => {
    assert.deepEqual(Object.keys(TESTS).sort(), DECISION_TABLE.map((line) => line.row).sort());
  });
});
