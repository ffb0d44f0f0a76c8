import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { FarmReport } from '../../tools/phone/report.ts';
import { assertEndsClean, assertStreamsWhole, callSet, legs, type Scene, startScene, waitFlowing } from '../harness/scene.ts';

const timeout = 120_000;

describe('calls survive SIGKILL of each process', { timeout }, () => {
  let scene: Scene;
  before(async () => {
    scene = await startScene(callSet);
  });
  after(async () => {
    await scene?.close();
  });

  async function assertWholeAfter(what: string): Promise<FarmReport> {
    await waitFlowing(scene.phones);
    assert.equal(await scene.undrop.channelCount(), legs(callSet), `channels after ${what}`);
    const window = await scene.phones.report();
    assertStreamsWhole(window, legs(callSet), `after ${what}`);
    assert.deepEqual(window.anomalies, [], `what the phones saw of ${what}`);
    return window;
  }

  test('the switch alone: every stream goes on and no packet numbers change', { timeout }, async () => {
    const died = scene.undrop.killSwitch();
    await scene.undrop.waitReady({ switch: died });
    const window = await assertWholeAfter('a kill of the switch');
    assert.deepEqual(
      window.streams.filter((stream) => stream.lostFrames > 0).map((stream) => stream.id),
      [],
      'streams that lost a frame while media lived',
    );
  });

  test('media alone: every stream comes back on the same port with the same SSRC', { timeout }, async () => {
    const died = scene.undrop.killMedia();
    await scene.undrop.waitReady({ media: died });
    await assertWholeAfter('a kill of media');
  });

  test('all three, then a fresh start: every call and stream comes back', { timeout }, async () => {
    await scene.undrop.killAll();
    await scene.undrop.start();
    await assertWholeAfter('a kill of everything');
  });

  test('afterwards the dialogs are whole: re-INVITE from both sides, then BYE from both sides, and nothing is left', {
    timeout,
  }, async () => {
    await scene.phones.reInvite('caller');
    await scene.phones.reInvite('callee');
    await waitFlowing(scene.phones);
    const refreshed = await scene.phones.report();
    assertStreamsWhole(refreshed, legs(callSet), 'after re-INVITEs');
    assert.deepEqual(refreshed.anomalies, [], 'what the phones saw of the re-INVITEs');
    await assertEndsClean(scene, callSet);
  });
});
