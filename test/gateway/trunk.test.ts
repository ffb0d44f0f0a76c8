import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { SipRequest } from '../../src/sip/index.ts';
import { account, GatewayBench } from './bench.ts';

const plain = { ...account, register: 'false' };

function invite(uri: string, to = '<sip:5551@192.0.2.1>'): SipRequest {
  return { kind: 'request', method: 'INVITE', uri, headers: [{ name: 'To', value: to }], body: '' };
}

test('a gateway that does not register is NOREG and up, and sends nothing', () => {
  const bench = new GatewayBench(plain);
  assert.equal(bench.gateway.state, 'NOREG');
  assert.equal(bench.gateway.up, true);
  bench.clock.advance(3_600_000);
  assert.equal(bench.sent.length, 0);
});

test('pings that stay without an answer take it down after ping-max - ping-min + 1 of them, answers bring it back', () => {
  const bench = new GatewayBench({ ...plain, ping: '10', 'ping-max': '3', 'ping-min': '2' });
  assert.equal(bench.last(1).request.method, 'OPTIONS');
  bench.last(1).timeout();
  assert.equal(bench.gateway.up, true, 'one silence of two allowed');
  bench.clock.advance(10_000);
  bench.last(2).timeout();
  assert.equal(bench.gateway.up, false);
  assert.deepEqual(bench.events, ['NOREG down']);
  bench.clock.advance(10_000);
  bench.last(3).answer(404);
  assert.equal(bench.gateway.up, true, 'a refusal proves life');
  assert.deepEqual(bench.events, ['NOREG down', 'NOREG up']);
});

test('a ping that gets 503 is a silence; its round trip is measured', () => {
  const bench = new GatewayBench({ ...plain, ping: '10' });
  bench.clock.advance(25);
  bench.last(1).answer(503);
  assert.equal(bench.gateway.up, false);
  assert.equal(bench.gateway.ping.roundTrip, 25);
});

test('a silent address of a name gives way to the next, and calls go to the one that answers', () => {
  const bench = new GatewayBench({ ...plain, proxy: 'sip.carrier.example', ping: '10' });
  const addresses = [
    { ip: '198.51.100.4', port: 5060 },
    { ip: '198.51.100.5', port: 5062 },
  ];
  bench.names.set('sip.carrier.example', { kind: 'addresses', addresses });
  bench.clock.advance(1);
  assert.deepEqual(bench.last(1).destination, addresses[0]);
  bench.last(1).timeout();
  assert.equal(bench.gateway.up, false);
  bench.clock.advance(10_001);
  assert.deepEqual(bench.last(2).destination, addresses[1]);
  bench.last(2).answer(200);
  assert.equal(bench.gateway.up, true);
  assert.deepEqual(bench.gateway.nextHop(bench.gateway.requestUri('1')), addresses[1]);
});

test('the Request-URI names the proxy, whatever is dialled', () => {
  const { gateway } = new GatewayBench({ ...plain, proxy: '198.51.100.1:5070' });
  assert.equal(gateway.requestUri('0049301234'), 'sip:0049301234@198.51.100.1:5070');
  assert.equal(gateway.requestUri('1;user=phone'), 'sip:1@198.51.100.1:5070;user=phone');
  assert.equal(gateway.requestUri('*21#'), 'sip:*21%23@198.51.100.1:5070');
  assert.equal(gateway.requestUri('bob@other.example'), 'sip:bob@other.example');
});

test('From is the account, with the caller in Remote-Party-ID; with caller-id-in-from it is the caller', () => {
  const own = new GatewayBench({ ...plain, 'from-domain': 'pbx.example' }).gateway;
  assert.equal(own.from('Eve "x"', '1000'), '"Eve \\"x\\"" <sip:alice@pbx.example>');
  assert.deepEqual(own.identityHeaders('Eve', '1000'), [
    { name: 'Remote-Party-ID', value: '"Eve" <sip:1000@pbx.example>;party=calling;screen=yes;privacy=off' },
  ]);
  const shown = new GatewayBench({ ...plain, 'caller-id-in-from': 'true', 'cid-type': 'pid' }).gateway;
  assert.equal(shown.from('Eve', '+491'), '"Eve" <sip:+491@carrier.example>');
  assert.equal(shown.identityHeaders('Eve', '+491')[0]?.name, 'P-Asserted-Identity');
});

test('a call to our Contact from the trunk is trusted and goes to its extension and context', () => {
  const bench = new GatewayBench({ ...plain, extension: '4711', context: 'from-trunk' });
  const call = bench.gateways.recognize(
    invite('sip:gw+trunk@192.0.2.1:5080;transport=udp;gw=trunk'),
    { ip: '198.51.100.1', port: 9 },
    'external',
  );
  assert.deepEqual(call, { name: 'trunk', context: 'from-trunk', destination: '4711', fromTrunk: true, trusted: true });
});

test('a call to our Contact from anywhere else is not trusted; on another profile it is not even known', () => {
  const bench = new GatewayBench(plain);
  const uri = 'sip:gw+trunk@192.0.2.1:5080;gw=trunk';
  const spoofed = bench.gateways.recognize(invite(uri), { ip: '203.0.113.66', port: 5060 }, 'external');
  assert.equal(spoofed?.trusted, false);
  assert.equal(spoofed?.fromTrunk, false, 'nor is our password for it');
  assert.equal(bench.gateways.recognize(invite(uri), { ip: '198.51.100.1', port: 5060 }, 'internal'), null);
});

test("a call from the trunk's own port to a number keeps that number and is not trusted; others are strangers", () => {
  const bench = new GatewayBench(plain);
  const call = bench.gateways.recognize(invite('sip:5551@192.0.2.1:5080'), { ip: '198.51.100.1', port: 5060 }, 'external');
  assert.deepEqual(call, { name: 'trunk', context: 'public', destination: '5551', fromTrunk: true, trusted: false });
  assert.equal(bench.gateways.recognize(invite('sip:5551@192.0.2.1:5080'), { ip: '198.51.100.1', port: 5062 }, 'external'), null);
});

test('auto_to_user takes the number from To', () => {
  const bench = new GatewayBench({ ...plain, extension: 'auto_to_user' });
  const call = bench.gateways.recognize(
    invite('sip:gw+trunk@192.0.2.1', '<sip:+4930@carrier.example>'),
    { ip: '198.51.100.1', port: 5060 },
    'external',
  );
  assert.equal(call?.destination, '+4930');
});
