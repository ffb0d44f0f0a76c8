import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { silentLogger } from '../../src/base/index.ts';
import { type Death, GuardianClient, parseSocketKey } from '../../src/guardian/index.ts';
import { RestartPolicy } from '../../src/guardian/restart-policy.ts';
import { closeDescriptor, openSocket, socketAddress } from '../../src/io/index.ts';
import { freePort, Site, until } from './harness.ts';

function directory(context: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'undrop-parts-'));
  mkdirSync(join(path, 'run'));
  context.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

test('ten crashes in ten seconds cost no delay, further ones double it from 100 ms to 5 s', () => {
  const policy = new RestartPolicy();
  const delays = Array.from({ length: 18 }, (_, index) => policy.died(index * 900, index * 900 - 50));
  assert.deepEqual(delays.slice(0, 10), Array(10).fill(0));
  const loop = new RestartPolicy();
  const fast = Array.from({ length: 18 }, (_, index) => loop.died(index * 10, index * 10 - 5));
  assert.deepEqual(fast.slice(10), [100, 200, 400, 800, 1600, 3200, 5000, 5000]);
});

test('a crash loop is over after a life of thirty seconds, not before', () => {
  const policy = new RestartPolicy();
  for (let index = 0; index < 12; index += 1) policy.died(index, index);
  assert.ok(policy.died(29_999, 0) > 0);
  assert.equal(policy.died(60_000, 30_000), 0);
});

test('a socket key is a transport, an IP address and a port, and nothing else', () => {
  assert.deepEqual(parseSocketKey('udp:192.0.2.1:5060'), { transport: 'udp', ip: '192.0.2.1', port: 5060 });
  assert.deepEqual(parseSocketKey('tcp:[2001:db8::1]:5060'), { transport: 'tcp', ip: '2001:db8::1', port: 5060 });
  for (const bad of ['', 'udp:', 'tls:1.2.3.4:5', 'udp:1.2.3.4:65536', 'udp:host:5060', 'udp:1.2.3.4', 'udp:::1:5060']) {
    assert.equal(parseSocketKey(bad), null, bad);
  }
});

test('without a guardian the switch opens its sockets itself', { timeout: 20_000 }, async (context) => {
  const client = new GuardianClient({ stateDirectory: directory(context), runtime: 'r', logger: silentLogger });
  context.after(() => client.close());
  await client.connect();
  const port = await freePort();
  const key = `udp:127.0.0.1:${port}`;
  const grants = await client.requestSockets([key, 'nonsense']);
  const grant = grants.get(key);
  assert.ok(grant !== undefined && 'fd' in grant);
  assert.deepEqual(socketAddress(grant.fd), { ip: '127.0.0.1', port });
  closeDescriptor(grant.fd);
  const refused = grants.get('nonsense');
  assert.ok(refused !== undefined && 'error' in refused && refused.error.code === 'SOCKET_KEY');
});

test('without a guardian an address that becomes free while it is asked for is had; one that does not is an error', {
  timeout: 20_000,
}, async (context) => {
  const client = new GuardianClient({ stateDirectory: directory(context), runtime: 'r', logger: silentLogger });
  context.after(() => client.close());
  await client.connect();
  const taken = openSocket('udp', { ip: '127.0.0.1', port: 0 });
  const key = `udp:127.0.0.1:${socketAddress(taken).port}`;
  const refused = (await client.requestSockets([key])).get(key);
  assert.ok(refused !== undefined && 'error' in refused && refused.error.code === 'EADDRINUSE');
  setTimeout(() => closeDescriptor(taken), 150);
  const granted = (await client.requestSockets([key])).get(key);
  assert.ok(granted !== undefined && 'fd' in granted);
  closeDescriptor(granted.fd);
});

test('bad input on the control channel ends that connection, not the guardian', { timeout: 30_000 }, async (context) => {
  const site = new Site();
  context.after(() => site.end());
  const guardian = await site.startReady();
  const { connect } = await import('node:net');
  const lines = [
    'no JSON\n',
    '[]\n',
    '{"kind":"hello"}\n',
    '{"kind":"sockets","keys":7}\n',
    '{"kind":"stopRequest","how":"never"}\n',
    'x'.repeat(300_000),
  ];
  for (const line of lines) {
    const socket = connect(join(site.state, 'run', 'guardian.sock'));
    socket.on('error', () => undefined);
    socket.resume();
    socket.on('connect', () => socket.end(line));
    await new Promise((resolve) => socket.once('close', resolve));
  }
  const before = site.pid('switch');
  await site.killed(before);
  await site.successor('switch', before);
  assert.equal(guardian.process.exitCode, null);
});

test('a process log beyond 20 MB is put aside when its process is started', { timeout: 30_000 }, async (context) => {
  const site = new Site();
  context.after(() => site.end());
  mkdirSync(join(site.state, 'log'));
  const log = join(site.state, 'log', 'media.log');
  writeFileSync(log, '');
  truncateSync(log, 21 * 1024 * 1024);
  await site.startReady();
  assert.equal(statSync(`${log}.1`).size, 21 * 1024 * 1024);
  assert.equal(statSync(log).size, 0);
});

test('the list of deaths keeps the last hundred and survives the guardian', { timeout: 30_000 }, async (context) => {
  const site = new Site();
  context.after(() => site.end());
  mkdirSync(join(site.state, 'run'));
  const old = Array.from(
    { length: 100 },
    (_, index): Death => ({ role: 'media', pid: index + 1, signal: null, exitCode: 1, at: 1, respawnedAt: 2 }),
  );
  writeFileSync(join(site.state, 'run', 'deaths.json'), JSON.stringify(old));
  await site.startReady();
  const victim = site.pid('media');
  await site.killed(victim);
  const told = await until('the new death', () => {
    const deaths = JSON.parse(site.read('reported.json') || '[]') as Death[];
    return deaths.some(({ pid }) => pid === victim) ? deaths : undefined;
  });
  assert.equal(told.length, 100);
  assert.equal(told[0]?.pid, 2);
  assert.equal(told.at(-1)?.pid, victim);
});
