import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { processStartTime } from '../../src/io/index.ts';
import { freePort, freePorts, holdsPort, Site, until } from './harness.ts';

const limits = { timeout: 60_000 };

function site(context: TestContext, name?: string): Site {
  const made = new Site(name);
  context.after(() => made.end());
  return made;
}

interface Reported {
  role: string;
  pid: number;
  signal: string | null;
  at: number;
  respawnedAt: number | null;
}

const reported = (at: Site): Reported[] => JSON.parse(at.read('reported.json') || '[]') as Reported[];

describe('the guardian keeps its processes alive', limits, () => {
  test('a killed switch is restarted, media lives on, and the death is reported', async (context) => {
    const at = site(context);
    await at.startReady();
    const media = at.pid('media');
    const before = at.pid('switch');
    const runtime = await at.ready();
    await at.killed(before);
    await at.successor('switch', before);
    await until('a new runtime in run/ready', () => !['', runtime].includes(at.read('run/ready')));
    assert.deepEqual(at.alive('media'), [media]);
    const death = await until('the report', () => reported(at).find(({ pid }) => pid === before));
    assert.equal(death.role, 'switch');
    assert.equal(death.signal, 'SIGKILL');
    assert.ok(death.at > 0 && death.respawnedAt !== null && death.respawnedAt >= death.at);
  });

  test('a killed media is restarted and the living switch is told', async (context) => {
    const at = site(context);
    await at.startReady();
    const before = at.pid('media');
    const switchPid = at.pid('switch');
    await at.killed(before);
    await at.successor('media', before);
    const death = await until('the report', () => reported(at).find(({ pid }) => pid === before));
    assert.equal(death.role, 'media');
    assert.deepEqual(at.alive('switch'), [switchPid]);
  });

  test('the children outlive a killed guardian, and the next one adopts them', async (context) => {
    const at = site(context);
    const first = await at.startReady();
    const [media, switchPid] = [at.pid('media'), at.pid('switch')];
    first.process.kill('SIGKILL');
    await first.ended;
    const second = await at.startReady();
    assert.deepEqual(at.lives('media'), [media]);
    assert.deepEqual(at.lives('switch'), [switchPid]);
    const death = await until('the report of the guardian', () => reported(at).find(({ role }) => role === 'guardian'));
    assert.equal(death.pid, first.pid);
    assert.equal(death.at, 0);
    assert.equal(at.pid('guardian'), second.pid);
  });

  for (const role of ['media', 'switch'] as const) {
    test(`an adopted ${role} that is killed is restarted`, async (context) => {
      const at = site(context);
      const first = await at.startReady();
      const before = at.pid(role);
      first.process.kill('SIGKILL');
      await first.ended;
      await at.startReady();
      await at.killed(before);
      const after = await at.successor(role, before);
      assert.deepEqual(at.alive(role), [after]);
    });
  }

  for (const order of [
    ['guardian', 'media', 'switch'],
    ['switch', 'guardian', 'media'],
    ['media', 'switch', 'guardian'],
  ] as const) {
    test(`all killed in the order ${order.join(', ')}: one of each after the next start, each death reported`, async (context) => {
      const at = site(context);
      const first = await at.startReady();
      // Stopped first, the guardian restarts nobody in between.
      first.process.kill('SIGSTOP');
      const pids = { guardian: first.pid, media: at.pid('media'), switch: at.pid('switch') };
      for (const role of order) process.kill(pids[role], 'SIGKILL');
      await first.ended;
      await at.startReady();
      for (const role of ['media', 'switch'] as const) {
        const after = await at.successor(role, pids[role]);
        assert.deepEqual(at.alive(role), [after]);
      }
      await until('three deaths', () => new Set(reported(at).map(({ pid }) => pid)).size === 3);
    });
  }

  test('killed again and again, in turn, there is never a second process of a role', async (context) => {
    const at = site(context);
    let guardian = await at.startReady();
    for (let round = 0; round < 4; round += 1) {
      const role = round % 2 === 0 ? 'media' : 'switch';
      const before = at.pid(role);
      process.kill(before, 'SIGKILL');
      guardian.process.kill('SIGKILL');
      await guardian.ended;
      guardian = await at.startReady();
      await at.successor(role, before);
      assert.equal(at.alive('media').length, 1);
      assert.equal(at.alive('switch').length, 1);
    }
  });

  test('an orphan whose pid was never noted is found, not doubled', async (context) => {
    const at = site(context);
    const first = await at.startReady();
    const media = at.pid('media');
    first.process.kill('SIGKILL');
    await first.ended;
    const table = JSON.parse(at.read('run/processes.json')) as Record<string, unknown>;
    writeFileSync(join(at.state, 'run', 'processes.json'), JSON.stringify({ ...table, media: { pid: 0, startTime: 0 } }));
    await at.startReady();
    assert.deepEqual(at.lives('media'), [media]);
  });

  test('an adopted switch that never says hello is killed and replaced', async (context) => {
    const at = site(context);
    at.fake({ hang: true });
    const first = at.start();
    const before = await until('a switch', () => at.alive('switch')[0]);
    first.process.kill('SIGKILL');
    await first.ended;
    at.fake({});
    await at.startReady();
    assert.notEqual(at.pid('switch'), before);
    assert.equal(processStartTime(before), null);
  });

  test('a stale pid that belongs to a stranger now neither blocks a start nor harms the stranger', async (context) => {
    const at = site(context);
    const other = new Site();
    context.after(() => other.end());
    const otherGuardian = await other.startReady();
    const victim = other.pid('switch');
    const first = await at.startReady();
    process.kill(first.pid, 'SIGSTOP');
    for (const pid of [at.pid('media'), at.pid('switch'), first.pid]) process.kill(pid, 'SIGKILL');
    await first.ended;
    const wrong = { pid: victim, startTime: 1 };
    writeFileSync(
      join(at.state, 'run', 'processes.json'),
      JSON.stringify({ guardian: wrong, media: wrong, switch: wrong, configDirectory: '/' }),
    );
    for (const role of ['guardian', 'media', 'switch']) writeFileSync(join(at.state, 'run', `${role}.pid`), `${victim}\n`);
    await at.startReady();
    assert.equal(await at.stop().ended, 0);
    assert.equal(other.pid('switch'), victim);
    assert.notEqual(processStartTime(victim), null);
    assert.equal(otherGuardian.process.exitCode, null);
  });

  test('a crash loop is slowed down, and other deaths are not', async (context) => {
    const at = site(context);
    await at.startReady();
    at.fake({ mediaExit: 3 });
    await at.killed(at.pid('media'));
    await until('the slow-down', () => /media dies again and again; the next start is in 400 ms/.test(at.read('log/guardian.log')));
    assert.ok(at.lives('media').length >= 11, 'ten deaths are answered at once');
    assert.equal(at.alive('switch').length, 1);
  });
});

describe('one guardian a state directory', limits, () => {
  test('a second start is refused with 75 and the pid of the first', async (context) => {
    const at = site(context);
    const first = await at.startReady();
    const second = at.start();
    assert.equal(await second.ended, 75);
    assert.match(second.errors, new RegExp(`process ${first.pid} runs here already`));
    assert.equal(at.lives('switch').length, 1);
    assert.equal(at.lives('media').length, 1);
  });

  test('with --wait it takes over when the first is killed', async (context) => {
    const at = site(context);
    const first = await at.startReady();
    const second = at.start('--wait');
    first.process.kill('SIGKILL');
    await until('undrop ready of the second', () => second.output.includes('undrop ready'));
    assert.equal(at.pid('guardian'), second.pid);
    assert.equal(at.lives('switch').length, 1);
  });

  test('two starts at the same time: one serves, one is refused', async (context) => {
    const at = site(context);
    const both = [at.start(), at.start()];
    const ended = await Promise.race(both.map((command) => command.ended));
    assert.equal(ended, 75);
    await at.ready();
    await until('a media', () => at.lives('media').length > 0);
    assert.equal(at.lives('media').length, 1);
    assert.equal(at.lives('switch').length, 1);
  });
});

describe('the guardian holds the SIP sockets', limits, () => {
  test('datagrams that arrive while the switch is dead are neither refused nor lost', async (context) => {
    const at = site(context);
    const port = await freePort();
    at.fake({ keys: [`udp:127.0.0.1:${port}`] });
    await at.startReady();
    const peer = await at.peer(port);
    const before = at.pid('switch');
    process.kill(before, 'SIGKILL');
    await until('its death', () => processStartTime(before) === null);
    for (let index = 0; index < 20; index += 1) peer.send(`datagram ${index}`);
    const after = await at.successor('switch', before);
    await until('twenty replies', () => peer.replies.length === 20);
    assert.equal(peer.refusals, 0);
    assert.ok(peer.replies.every((reply) => reply.startsWith(`${after}:`) || reply.startsWith(`${before}:`)));
  });

  test('a new guardian gets them back from the living switch, and holds them when that dies', async (context) => {
    const at = site(context);
    const ports = await freePorts(20);
    at.fake({ keys: ports.map((port) => `udp:127.0.0.1:${port}`) });
    const first = await at.startReady();
    first.process.kill('SIGKILL');
    await first.ended;
    const second = await at.startReady();
    await until('the sockets', () => ports.every((port) => holdsPort(second.pid, port)));
    const before = at.pid('switch');
    const peers = await Promise.all(ports.map((port) => at.peer(port)));
    await at.killed(before);
    for (const peer of peers) peer.send('are you there');
    await until('a reply from each', () => peers.every(({ replies }) => replies.length === 1));
    assert.ok(peers.every(({ refusals }) => refusals === 0));
  });

  test('killed right after a new guardian has adopted it, the switch leaves no address unheld', async (context) => {
    const at = site(context);
    const port = await freePort();
    at.fake({ keys: [`udp:127.0.0.1:${port}`] });
    const first = await at.startReady();
    const before = at.pid('switch');
    first.process.kill('SIGKILL');
    await first.ended;
    // Stopped, it can give nothing back.
    process.kill(before, 'SIGSTOP');
    const second = at.start();
    await until('the second guardian', () => at.pid('guardian') === second.pid);
    at.fake({ hang: true });
    process.kill(before, 'SIGKILL');
    await until('the socket', () => holdsPort(second.pid, port));
  });

  test('a port in use is an error of that socket alone', async (context) => {
    const at = site(context);
    const taken = createSocket('udp4');
    await new Promise<void>((resolve) => taken.bind(0, '127.0.0.1', resolve));
    context.after(() => taken.close());
    const good = await freePort();
    const bad = taken.address().port;
    at.fake({ keys: [`udp:127.0.0.1:${bad}`, `udp:127.0.0.1:${good}`, 'nonsense'] });
    await at.startReady();
    assert.deepEqual(JSON.parse(at.read('errors.json')), { [`udp:127.0.0.1:${bad}`]: 'EADDRINUSE', nonsense: 'SOCKET_KEY' });
    const peer = await at.peer(good);
    peer.send('hello');
    await until('a reply', () => peer.replies.length === 1);
  });

  test('what a later configuration does not use is closed when the switch is ready', async (context) => {
    const at = site(context);
    const [old, kept] = [await freePort(), await freePort()];
    at.fake({ keys: [`udp:127.0.0.1:${old}`, `udp:127.0.0.1:${kept}`] });
    await at.startReady();
    at.fake({ keys: [`udp:127.0.0.1:${kept}`] });
    await at.killed(at.pid('switch'));
    await until('the release', () => at.read('run/sockets.json').trim() === JSON.stringify([`udp:127.0.0.1:${kept}`]));
    const free = createSocket('udp4');
    context.after(() => free.close());
    await new Promise<void>((resolve, reject) => free.once('error', reject).bind(old, '127.0.0.1', resolve));
  });

  test('a state directory whose path is too long for a Unix socket works', async (context) => {
    const at = site(context, join('long'.repeat(20), 'longer'.repeat(20)));
    const port = await freePort();
    at.fake({ keys: [`udp:127.0.0.1:${port}`] });
    await at.startReady();
    const peer = await at.peer(port);
    peer.send('hello');
    await until('a reply', () => peer.replies.length === 1);
    assert.equal(await at.stop().ended, 0);
  });
});

describe('a start with a bad configuration', limits, () => {
  test('prints the error of the switch, ends media, leaves no pid file, exits 78', async (context) => {
    const at = site(context);
    at.fake({ exit: 78, startError: 'sofia.conf.xml:7: no such profile' });
    const guardian = at.start();
    assert.equal(await guardian.ended, 78);
    assert.equal(guardian.errors, 'sofia.conf.xml:7: no such profile\n');
    assert.equal(guardian.output, '');
    assert.deepEqual(at.alive('media'), []);
    for (const name of ['guardian.pid', 'media.pid', 'switch.pid', 'start-error', 'ready']) assert.equal(at.read(`run/${name}`), '');
  });

  test('does not end an adopted media', async (context) => {
    const at = site(context);
    const first = await at.startReady();
    const media = at.pid('media');
    const switchPid = at.pid('switch');
    process.kill(first.pid, 'SIGSTOP');
    process.kill(switchPid, 'SIGKILL');
    first.process.kill('SIGKILL');
    await first.ended;
    at.fake({ exit: 78, startError: 'bad' });
    assert.equal(await at.start().ended, 78);
    assert.deepEqual(at.alive('media'), [media]);
    at.fake({});
    await at.startReady();
    assert.deepEqual(at.lives('media'), [media]);
  });

  test('a configuration broken after the start does not end the service', async (context) => {
    const at = site(context);
    const guardian = await at.startReady();
    const media = at.pid('media');
    at.fake({ exit: 78, startError: 'broken later' });
    await at.killed(at.pid('switch'));
    await until('the log of the error', () => at.read('log/guardian.log').includes('broken later'));
    at.fake({});
    await at.ready();
    assert.equal(guardian.process.exitCode, null);
    assert.deepEqual(at.alive('media'), [media]);
  });
});
