import assert from 'node:assert/strict';
import { test } from 'node:test';
import { headerValue, tagOf } from '../../src/sip/index.ts';
import { account, challengeHeaders, GatewayBench, isAuthorized } from './bench.ts';

const registered = [{ name: 'Expires', value: '120' }];

/** A bench whose gateway is registered for 120 s, after one REGISTER. */
function registeredBench(parameters: Readonly<Record<string, string>> = {}): GatewayBench {
  const bench = new GatewayBench({ ...account, 'expire-seconds': '120', ...parameters });
  bench.last(1).answer(200, registered);
  assert.equal(bench.gateway.state, 'REGED');
  return bench;
}

test('a REGISTER goes out at once, with the Contact and the address that FreeSWITCH would give', () => {
  const bench = new GatewayBench({
    ...account,
    'from-domain': 'pbx.example',
    'contact-params': 'tport=x',
    'register-proxy': '198.51.100.7:5070',
  });
  const { request, destination, profile } = bench.last(1);
  assert.equal(bench.gateway.state, 'TRYING');
  assert.equal(profile, 'external');
  assert.equal(request.uri, 'sip:198.51.100.7:5070');
  assert.deepEqual(destination, { ip: '198.51.100.7', port: 5070 });
  assert.match(headerValue(request, 'From') ?? '', /^<sip:alice@pbx\.example>;tag=/);
  assert.equal(headerValue(request, 'To'), '<sip:alice@pbx.example>');
  assert.equal(headerValue(request, 'Contact'), '<sip:gw+trunk@192.0.2.1:5080;tport=x;transport=udp;gw=trunk>');
  assert.equal(headerValue(request, 'Expires'), '3600');
  assert.equal(bench.gateway.up, false);
});

test('extension-in-contact puts the extension there, an outbound proxy becomes the next hop and a Route', () => {
  const bench = new GatewayBench({ ...account, extension: '4711', 'extension-in-contact': 'true', 'outbound-proxy': '203.0.113.9:5065' });
  const { request, destination } = bench.last(1);
  assert.equal(headerValue(request, 'Contact'), '<sip:4711@192.0.2.1:5080;transport=udp;gw=trunk>');
  assert.equal(headerValue(request, 'Route'), '<sip:203.0.113.9:5065;lr>');
  assert.equal(request.uri, 'sip:198.51.100.1');
  assert.deepEqual(destination, { ip: '203.0.113.9', port: 5065 });
});

for (const algorithm of ['MD5', 'SHA-256'] as const) {
  for (const proxy of [false, true]) {
    test(`a ${proxy ? 407 : 401} with ${algorithm} is answered: next CSeq, new branch, same Call-ID and From tag`, () => {
      const bench = new GatewayBench(account);
      const first = bench.last(1);
      first.answer(proxy ? 407 : 401, challengeHeaders('n1', { algorithm, proxy }));
      const second = bench.last(2);
      assert.ok(isAuthorized(second.request, 'n1', proxy ? 'Proxy-Authorization' : 'Authorization'));
      assert.equal(bench.cseq(second), bench.cseq(first) + 1);
      assert.notEqual(headerValue(second.request, 'Via'), headerValue(first.request, 'Via'));
      for (const header of ['Call-ID', 'From', 'Contact'])
        assert.equal(headerValue(second.request, header), headerValue(first.request, header));
      second.answer(200, registered);
      assert.equal(bench.gateway.state, 'REGED');
      assert.equal(bench.gateway.up, true);
    });
  }
}

test('a stale nonce is answered with the new one; the same refusal twice is a wrong password', () => {
  const bench = new GatewayBench(account);
  bench.last(1).answer(401, challengeHeaders('n1'));
  bench.last(2).answer(401, challengeHeaders('n2', { stale: true }));
  const third = bench.last(3);
  assert.ok(isAuthorized(third.request, 'n2'));
  third.answer(401, challengeHeaders('n3'));
  assert.equal(bench.gateway.state, 'FAIL_WAIT');
  assert.equal(bench.sent.length, 3);
});

test('a registrar that calls every nonce stale is given up', () => {
  const bench = new GatewayBench(account);
  for (let count = 1; bench.gateway.state === 'TRYING' && count < 50; count += 1)
    bench.last(count).answer(401, challengeHeaders(`n${count}`, { stale: true }));
  assert.equal(bench.gateway.state, 'FAIL_WAIT');
});

test("the states are passed in FreeSWITCH's order", () => {
  const bench = registeredBench();
  bench.clock.advance(60_000);
  bench.last(2).answer(200, registered);
  assert.deepEqual(bench.events, ['TRYING down', 'REGISTER up', 'REGED up', 'EXPIRED up', 'TRYING up', 'REGISTER up', 'REGED up']);
});

test('the interval is the one that our Contact got, and is refreshed before it ends with the same Call-ID and a higher CSeq', () => {
  const bench = new GatewayBench(account);
  const first = bench.last(1);
  first.answer(200, [
    { name: 'Contact', value: '<sip:other@192.0.2.9:5080>;expires=9' },
    { name: 'Contact', value: '<sip:gw+trunk@192.0.2.1:5080;transport=udp;gw=trunk>;expires=300' },
    { name: 'Expires', value: '7' },
  ]);
  assert.equal(bench.gateway.registration.expires, 300);
  bench.clock.advance(239_000);
  bench.last(1);
  bench.clock.advance(2_000);
  const refresh = bench.last(2);
  assert.equal(headerValue(refresh.request, 'Call-ID'), headerValue(first.request, 'Call-ID'));
  assert.ok(bench.cseq(refresh) > bench.cseq(first));
  assert.equal(bench.gateway.up, true, 'while the binding is good, calls go out during the refresh');
});

test('a refresh that is not answered takes the gateway down', () => {
  const bench = registeredBench();
  bench.clock.advance(60_000);
  bench.last(2).timeout();
  assert.equal(bench.gateway.state, 'FAIL_WAIT');
  assert.equal(bench.gateway.up, false);
});

test('423 is answered with the interval that the registrar wants', () => {
  const bench = new GatewayBench({ ...account, 'expire-seconds': '60' });
  bench.last(1).answer(423, [{ name: 'Min-Expires', value: '600' }]);
  const second = bench.last(2);
  assert.equal(headerValue(second.request, 'Expires'), '600');
  second.answer(200);
  assert.equal(bench.gateway.registration.expires, 600);
});

test('423 without a usable Min-Expires is a refusal', () => {
  const bench = new GatewayBench(account);
  bench.last(1).answer(423, [{ name: 'Min-Expires', value: '1' }]);
  assert.equal(bench.gateway.state, 'FAIL_WAIT');
});

test('silence is followed by an attempt each retry-seconds, a refusal by longer and longer waits, Retry-After by what it says', () => {
  const silent = new GatewayBench({ ...account, 'retry-seconds': '10' });
  for (const count of [1, 2, 3]) {
    silent.last(count).timeout();
    silent.clock.advance(9_999);
    silent.last(count);
    silent.clock.advance(1);
  }
  silent.last(4);
  const refusing = new GatewayBench({ ...account, 'retry-seconds': '10' });
  for (const count of [1, 2, 3]) {
    refusing.last(count).answer(403);
    assert.equal(refusing.gateway.registration.retrySeconds, 10 * count);
    refusing.clock.advance(10_000 * count);
  }
  refusing.last(4).answer(503, [{ name: 'Retry-After', value: '77' }]);
  assert.equal(refusing.gateway.registration.retrySeconds, 77);
});

test('a 200 with an interval of 0 is no registration', () => {
  const bench = new GatewayBench(account);
  bench.last(1).answer(200, [{ name: 'Expires', value: '0' }]);
  assert.equal(bench.gateway.state, 'FAIL_WAIT');
});

test('a host name is looked up; one without an address is tried again; a dead address gives way to the next', () => {
  const bench = new GatewayBench({ ...account, proxy: 'sip.carrier.example', 'retry-seconds': '10' });
  bench.clock.advance(1);
  assert.equal(bench.gateway.state, 'FAIL_WAIT');
  const addresses = [
    { ip: '198.51.100.4', port: 5060 },
    { ip: '198.51.100.5', port: 5062 },
  ];
  bench.names.set('sip.carrier.example', { kind: 'addresses', addresses });
  bench.clock.advance(10_001);
  const first = bench.last(1);
  assert.deepEqual(first.destination, addresses[0]);
  assert.equal(first.request.uri, 'sip:sip.carrier.example');
  first.timeout();
  const second = bench.last(2);
  assert.deepEqual(second.destination, addresses[1]);
  second.answer(200, registered);
  assert.equal(bench.gateway.up, true);
  assert.deepEqual(bench.gateway.nextHop(bench.gateway.requestUri('1')), addresses[1], 'calls go where the registration is');
  assert.equal(bench.gateway.nextHop('sip:1@other.example'), null);
});

test('after a crash it registers at once with the same Call-ID and From tag and a CSeq that only grows, and serves meanwhile', () => {
  const before = registeredBench();
  before.clock.advance(1_000);
  const first = before.last(1);
  const after = new GatewayBench({ ...account, 'expire-seconds': '120' }, { kept: before.kept, clock: before.clock });
  const again = after.last(1);
  assert.equal(headerValue(again.request, 'Call-ID'), headerValue(first.request, 'Call-ID'));
  assert.equal(tagOf(headerValue(again.request, 'From') ?? ''), tagOf(headerValue(first.request, 'From') ?? ''));
  assert.ok(after.cseq(again) > before.cseq(first));
  assert.equal(after.gateway.up, true, 'the registrar still has the binding');
});

test('a memory that cannot be read, or that belongs to another account, is no obstacle', () => {
  for (const kept of ['', '{', '[]', '{"version":1,"gateways":{"external::trunk":{"callId":7}}}', '{"version":9}']) {
    const bench = new GatewayBench(account, { kept });
    assert.equal(bench.gateway.up, false);
    bench.last(1);
  }
  const before = registeredBench();
  before.clock.advance(1_000);
  const other = new GatewayBench({ ...account, username: 'bob' }, { kept: before.kept, clock: before.clock });
  assert.notEqual(headerValue(other.last(1).request, 'Call-ID'), headerValue(before.last(1).request, 'Call-ID'));
  assert.equal(other.gateway.up, false);
});

test('unregister takes the binding back and register begins again', () => {
  const bench = registeredBench();
  bench.gateway.registration.unregister();
  const removal = bench.last(2);
  assert.equal(bench.gateway.state, 'UNREGISTER');
  assert.equal(headerValue(removal.request, 'Expires'), '0');
  removal.answer(401, challengeHeaders('n1'));
  const authorized = bench.last(3);
  assert.equal(headerValue(authorized.request, 'Expires'), '0');
  assert.ok(isAuthorized(authorized.request, 'n1'));
  authorized.answer(200);
  assert.equal(bench.gateway.state, 'NOREG');
  bench.clock.advance(600_000);
  bench.last(3);
  bench.gateway.registration.register();
  assert.equal(bench.gateway.state, 'TRYING');
  assert.equal(headerValue(bench.last(4).request, 'Expires'), '120');
});

test('the switch that ends waits for each registrar, but not for one that never had us', async () => {
  const bench = registeredBench();
  let left = false;
  const leaving = bench.gateways.leave().then(() => {
    left = true;
  });
  await Promise.resolve();
  assert.equal(left, false);
  bench.last(2).answer(200);
  await leaving;
  const refused = new GatewayBench(account);
  refused.last(1).answer(403);
  await refused.gateways.leave();
  refused.last(1);
});

test('killgw takes the binding back and forgets the gateway', () => {
  const bench = registeredBench();
  const { gateway } = bench;
  bench.gateways.kill(gateway);
  assert.equal(headerValue(bench.last(2).request, 'Expires'), '0');
  assert.equal(gateway.state, 'DOWN');
  assert.equal(bench.gateways.find('trunk'), null);
  bench.clock.advance(3_600_000);
  bench.last(2);
});

test('a late answer to an attempt that is over changes nothing', () => {
  const bench = new GatewayBench({ ...account, 'retry-seconds': '10' });
  const first = bench.last(1);
  first.timeout();
  bench.clock.advance(10_000);
  first.answer(200, registered);
  assert.equal(bench.gateway.state, 'TRYING');
});
