import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { SCENARIOS } from './scenarios.ts';
import { simulate } from './simulate.ts';

/** Points that a recovery passes: the second crash comes within the first one's recovery. */
const RECOVERY_POINTS = [1, 2, 3, 4, 5, 6, 8, 10, 12];
const NAMES = ['echo', 'bridge, the caller hangs up', 'the caller cancels'];

describe('a crash within the recovery from a crash', { timeout: 120_000 }, () => {
  for (const scenario of SCENARIOS.filter(({ name }) => NAMES.includes(name))) {
    test(`${scenario.name}: ends as it shall`, async () => {
      const calm = await simulate(scenario, { seed: 1 });
      const failures: string[] = [];
      for (const point of calm.points.keys()) {
        for (const later of RECOVERY_POINTS) {
          const crashes = [
            { point, kind: 'all' },
            { point: point + later, kind: 'switch' },
          ] as const;
          const { violations } = await simulate(scenario, { seed: 1, crashes });
          for (const violation of violations) failures.push(`killed at ${point} and ${point + later}: ${violation}`);
        }
      }
      assert.deepEqual(failures.slice(0, 10), []);
    });
  }

  test('ten crashes in a row', async () => {
    for (const scenario of SCENARIOS) {
      for (const first of [15, 30, 45]) {
        const crashes = Array.from({ length: 10 }, (_, index) => ({ point: first + 7 * index, kind: 'switch' as const }));
        const { violations } = await simulate(scenario, { seed: first, crashes });
        assert.deepEqual(violations, [], `${scenario.name} from point ${first}`);
      }
    }
  });
});
