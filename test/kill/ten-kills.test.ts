import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assertEndsClean, assertStreamsWhole, callSet, legs, startScene, waitFlowing } from '../harness/scene.ts';

const timeout = 180_000;
const kills = 10;

test('ten kills in a row, each while the last recovery still runs, lose no call', { timeout }, async (context) => {
  const scene = await startScene(callSet);
  context.after(() => scene.close());
  for (let round = 0; round < kills; round += 1) {
    await scene.undrop.killAll();
    scene.undrop.spawn();
    // A different point of start-up and recovery is hit each time: from just spawned to almost ready.
    const wait = 20 + round * 25;
    await new Promise((resolve) => setTimeout(resolve, wait));
    for (let attempt = 0; attempt < 200 && scene.undrop.pid('guardian') === null; attempt += 1)
      await new Promise((resolve) => setTimeout(resolve, 10));
  }
  await scene.undrop.killAll();
  await scene.undrop.start();
  await waitFlowing(scene.phones);
  const window = await scene.phones.report();
  assertStreamsWhole(window, legs(callSet), `after ${kills} kills`);
  assert.equal(await scene.undrop.channelCount(), legs(callSet), 'channels');
  assert.deepEqual(window.anomalies, [], 'what the phones saw');
  await assertEndsClean(scene, callSet);
});
