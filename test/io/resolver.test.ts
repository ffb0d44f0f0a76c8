import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Resolution } from '../../src/base/index.ts';
import { systemResolver } from '../../src/io/index.ts';

const resolve = (host: string, port: number | null): Promise<Resolution> =>
  new Promise((done) => {
    systemResolver.resolve(host, port, done);
  });

test('a literal address is told at once, with 5060 where no port is given', () => {
  const told: Resolution[] = [];
  systemResolver.resolve('192.0.2.7', null, (resolution) => told.push(resolution));
  systemResolver.resolve('2001:db8::7', 5070, (resolution) => told.push(resolution));
  assert.deepEqual(told, [
    { kind: 'addresses', addresses: [{ ip: '192.0.2.7', port: 5060 }] },
    { kind: 'addresses', addresses: [{ ip: '2001:db8::7', port: 5070 }] },
  ]);
});

test('localhost is found in the hosts file, IPv4 first', { timeout: 10_000 }, async () => {
  const resolution = await resolve('localhost', 5070);
  assert.ok(resolution.kind === 'addresses');
  assert.deepEqual(resolution.addresses[0], { ip: '127.0.0.1', port: 5070 });
});

test('a name that does not exist fails with a reason', { timeout: 10_000 }, async () => {
  const resolution = await resolve('host.invalid', 5060);
  assert.ok(resolution.kind === 'failed');
  assert.notEqual(resolution.reason, '');
});
