import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { SCENARIOS } from './scenarios.ts';
import { crashEverywhere } from './simulate.ts';
import type { CrashKind } from './simulated-node.ts';

/** One test a scenario: it is run as often as it has points, and dies at another one each time. */
export function testCrashEverywhere(kind: CrashKind, victim: string): void {
  describe(`${victim} is killed before each effect, save and commit in turn`, { timeout: 120_000 }, () => {
    for (const scenario of SCENARIOS) {
      test(`${scenario.name}: ends as it shall`, async () => {
        const { runs, failures } = await crashEverywhere(scenario, 1, kind);
        assert.ok(runs > 20, 'a scenario has points to crash at');
        assert.deepEqual(failures.slice(0, 10), []);
      });
    }
  });
}
