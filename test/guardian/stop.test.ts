import assert from 'node:assert/strict';
import { describe, type TestContext, test } from 'node:test';
import { Site, until } from './harness.ts';

function site(context: TestContext): Site {
  const made = new Site();
  context.after(() => made.end());
  return made;
}

function nothingRuns(at: Site): void {
  assert.deepEqual(at.alive('media'), []);
  assert.deepEqual(at.alive('switch'), []);
  for (const name of ['guardian.pid', 'media.pid', 'switch.pid', 'ready', 'processes.json']) assert.equal(at.read(`run/${name}`), '', name);
}

describe('undrop stop', { timeout: 60_000 }, () => {
  for (const [flags, how, journal] of [
    [[], 'restart', 'journal'],
    [['--now'], 'now', ''],
    [['--drain'], 'drain', ''],
  ] as const) {
    test(`${how}: the switch is told, all end, the media journal is ${journal === '' ? 'removed' : 'kept'}`, async (context) => {
      const at = site(context);
      const guardian = await at.startReady();
      await until('the journal', () => at.read('run/media.journal'));
      const stop = at.stop(...flags);
      assert.equal(await stop.ended, 0);
      assert.equal(await guardian.ended, 0);
      assert.equal(at.read('stops'), `${how}\n`);
      assert.equal(at.read('run/media.journal'), journal);
      nothingRuns(at);
      if (how === 'drain') assert.equal(stop.output, '1 calls left\n');
    });

    test(`${how}: with the guardian dead the command stands in for it`, async (context) => {
      const at = site(context);
      const guardian = await at.startReady();
      await until('the journal', () => at.read('run/media.journal'));
      guardian.process.kill('SIGKILL');
      await guardian.ended;
      assert.equal(await at.stop(...flags).ended, 0);
      assert.ok(at.read('stops').startsWith(`${how}\n`));
      assert.equal(at.read('run/media.journal'), journal);
      nothingRuns(at);
    });
  }

  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    test(`${signal} ends the guardian like a stop for a restart`, async (context) => {
      const at = site(context);
      const guardian = await at.startReady();
      guardian.process.kill(signal);
      assert.equal(await guardian.ended, 0);
      assert.equal(at.read('stops'), 'restart\n');
      nothingRuns(at);
    });
  }

  test('a switch that does not end is killed after a bound, and the command says so with exit code 1', async (context) => {
    const at = site(context);
    at.fake({ ignoreStop: true });
    await at.startReady();
    const stop = at.stop();
    assert.equal(await stop.ended, 1);
    assert.match(stop.errors, /had to be killed/);
    nothingRuns(at);
  });

  test('a switch killed while it drains is restarted and told again', async (context) => {
    const at = site(context);
    at.fake({ ignoreStop: true });
    await at.startReady();
    const before = at.pid('switch');
    const stop = at.stop('--drain');
    await until('the first telling', () => at.read('stops') === 'drain\n');
    at.fake({});
    process.kill(before, 'SIGKILL');
    assert.equal(await stop.ended, 0);
    assert.equal(at.read('stops'), 'drain\ndrain\n');
    nothingRuns(at);
  });

  test('a drain can be cut short', async (context) => {
    const at = site(context);
    at.fake({ ignoreStop: true });
    await at.startReady();
    const drain = at.stop('--drain');
    await until('the telling', () => at.read('stops') === 'drain\n');
    assert.equal(await at.stop().ended, 1);
    assert.equal(await drain.ended, 1);
    nothingRuns(at);
  });

  test('nothing running: exit code 3, with --now 0 and the leftovers removed', async (context) => {
    const at = site(context);
    const guardian = await at.startReady();
    await until('the journal', () => at.read('run/media.journal'));
    process.kill(guardian.pid, 'SIGSTOP');
    for (const pid of [at.pid('media'), at.pid('switch'), guardian.pid]) process.kill(pid, 'SIGKILL');
    await guardian.ended;
    assert.equal(await at.stop().ended, 3);
    assert.equal(at.read('run/media.journal'), 'journal');
    assert.equal(await at.stop('--now').ended, 0);
    assert.equal(at.read('run/media.journal'), '');
    nothingRuns(at);
  });
});
