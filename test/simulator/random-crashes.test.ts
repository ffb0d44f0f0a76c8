import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { playRandomRun, randomRun } from './random-run.ts';
import { simulate } from './simulate.ts';

/** `UNDROP_SEED=n` plays one seed again; `UNDROP_SEEDS=n` plays so many. */
const only = process.env['UNDROP_SEED'];
const count = Number(process.env['UNDROP_SEEDS'] ?? 200);
const PER_TEST = 50;

describe('several crashes, lost, doubled and reordered datagrams: no call is forgotten, none is left behind', () => {
  const first = only === undefined ? 1 : Number(only);
  const last = only === undefined ? count : Number(only);
  for (let from = first; from <= last; from += PER_TEST) {
    const to = Math.min(last, from + PER_TEST - 1);
    test(`seeds ${from} to ${to}`, { timeout: 120_000 }, async () => {
      const failures: string[] = [];
      for (let seed = from; seed <= to; seed += 1) failures.push(...(await playRandomRun(randomRun(seed))));
      assert.deepEqual(failures.slice(0, 10), []);
    });
  }
});

test('a seed gives the same run each time', async () => {
  const run = randomRun(12_345);
  const [first, second] = [await simulate(run.scenario, run), await simulate(run.scenario, run)];
  assert.deepEqual(first.points, second.points);
  assert.ok(first.points.length > 20);
});
