import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  computeDigestResponse,
  createAcknowledge,
  createCancel,
  createResponse,
  formatChallenge,
  formatCredentials,
  fromWireText,
  headerValue,
  headerValues,
  parseChallenge,
  parseCredentials,
  parseNameAddress,
  parseParameters,
  parseUri,
  responseDestination,
  sameUri,
  stampReceived,
  tagOf,
  toWireText,
  withBody,
  withFirstHeader,
  withHeader,
  withoutFirstHeader,
  withoutHeader,
  withPrependedHeader,
} from '../../src/sip/index.ts';
import { INVITE_TEXT, parsedRequest } from './samples.ts';

const invite = parsedRequest(
  INVITE_TEXT.replace(
    'Route:',
    'Via: SIP/2.0/UDP 192.0.2.30;branch=z9hG4bKsecond\r\nRecord-Route: <sip:192.0.2.30;lr>\r\nTimestamp: 54\r\nRoute:',
  ),
);

function same(left: string, right: string): boolean {
  const [a, b] = [parseUri(left), parseUri(right)];
  assert.ok(a !== null && b !== null);
  return sameUri(a, b);
}

test('RFC 3261 §19.1.4: equal URIs', () => {
  assert.ok(same('sip:%61lice@atlanta.com;transport=TCP', 'sip:alice@AtlanTa.CoM;Transport=tcp'));
  assert.ok(same('sip:carol@chicago.com', 'sip:carol@chicago.com;newparam=5'));
  assert.ok(same('sip:carol@chicago.com;security=on', 'sip:carol@chicago.com;newparam=5'));
  assert.ok(
    same(
      'sip:biloxi.com;transport=tcp;method=REGISTER?to=sip:bob%40biloxi.com',
      'sip:biloxi.com;method=REGISTER;transport=tcp?to=sip:bob%40biloxi.com',
    ),
  );
  assert.ok(same('sip:alice@atlanta.com?subject=project%20x&priority=urgent', 'sip:alice@atlanta.com?priority=urgent&subject=project%20x'));
});

test('RFC 3261 §19.1.4: different URIs', () => {
  assert.ok(!same('SIP:ALICE@AtLanTa.CoM;Transport=udp', 'sip:alice@AtLanTa.CoM;Transport=UDP'));
  assert.ok(!same('sip:bob@biloxi.com', 'sip:bob@biloxi.com:5060'));
  assert.ok(!same('sip:bob@biloxi.com', 'sip:bob@biloxi.com;transport=udp'));
  assert.ok(!same('sip:bob@biloxi.com', 'sip:bob@biloxi.com:6000;transport=tcp'));
  assert.ok(!same('sip:carol@chicago.com', 'sip:carol@chicago.com?Subject=next%20meeting'));
  assert.ok(!same('sip:carol@chicago.com;security=on', 'sip:carol@chicago.com;security=off'));
});

test('URIs of real phones: unescaped Replaces, IPv6, tel, no user', () => {
  const refer = parseUri('sip:192.0.2.5:5062?Replaces=abc@192.0.2.6;to-tag=1');
  assert.equal(refer?.host, '192.0.2.5');
  assert.equal(refer?.headers, 'Replaces=abc@192.0.2.6;to-tag=1');
  assert.equal(parseUri('sip:a@[2001:db8::1]:5070;lr')?.host, '2001:db8::1');
  assert.equal(parseUri('tel:+1-201-555-0123;phone-context=x')?.user, '+1-201-555-0123');
  assert.equal(parseUri('sip:+49%2330@x')?.user, '+49#30');
  for (const bad of ['', 'sip:', 'sip:a@', 'http://x', 'sip:a@b:99999', 'sip:a b@c', 'sip:a@[::1']) assert.equal(parseUri(bad), null, bad);
});

test('RFC 3261 §20: without angle brackets the parameters belong to the header', () => {
  const bare = parseNameAddress('sip:a@b;tag=1');
  assert.equal(bare?.uri.parameters.size, 0);
  assert.equal(bare?.parameters.get('tag'), '1');
  assert.equal(parseNameAddress('Bob X <sip:a@b;tag=1>')?.parameters.size, 0);
  assert.equal(parseNameAddress('"a;tag=no <x>" <sip:a@b>;tag=yes')?.parameters.get('tag'), 'yes');
  assert.equal(tagOf('"x;tag=no" <sip:a@b;tag=no>'), null);
  assert.equal(parseNameAddress('*'), null);
  assert.deepEqual([...parseParameters('1800;refresher=uas').parameters], [['refresher', 'uas']]);
});

test('header helpers change the copy only', () => {
  const changed = withoutFirstHeader(withFirstHeader(withPrependedHeader(invite, 'v', 'new'), 'Via', 'newer'), 'route');
  assert.equal(headerValues(changed, 'Via').length, 3);
  assert.equal(headerValue(changed, 'Via'), 'newer');
  assert.equal(headerValue(changed, 'Route'), null);
  assert.equal(headerValues(invite, 'Via').length, 2);
  assert.deepEqual(headerValues(withHeader(invite, 'Via', 'one'), 'Via'), ['one']);
  assert.equal(headerValue(withoutHeader(invite, 'Via'), 'Via'), null);
  assert.equal(headerValue(withBody(invite, 'application/sdp', ''), 'Content-Type'), null);
});

test('RFC 3261 §8.2.6: a response copies Via, From, Call-ID, CSeq, adds the To tag but in 100, and Record-Route where due', () => {
  const ringing = createResponse(invite, 180, { toTag: 'abc' });
  assert.deepEqual(headerValues(ringing, 'Via'), headerValues(invite, 'Via'));
  for (const name of ['From', 'Call-ID', 'CSeq', 'Record-Route']) assert.equal(headerValue(ringing, name), headerValue(invite, name));
  assert.equal(tagOf(headerValue(ringing, 'To') ?? ''), 'abc');
  assert.equal(ringing.reason, 'Ringing');
  const trying = createResponse(invite, 100, { toTag: 'abc' });
  assert.equal(headerValue(trying, 'To'), headerValue(invite, 'To'));
  assert.equal(headerValue(trying, 'Timestamp'), '54');
  assert.equal(headerValue(trying, 'Record-Route'), null);
  assert.equal(headerValue(createResponse(invite, 486), 'Record-Route'), null);
  const tagged = withHeader(invite, 'To', '<sip:x@y>;tag=old');
  assert.equal(headerValue(createResponse(tagged, 200, { toTag: 'new' }), 'To'), '<sip:x@y>;tag=old');
});

test('RFC 3261 §17.1.1.3: the ACK has the top Via only, the To of the response, the Route and CSeq number of the INVITE', () => {
  const acknowledge = createAcknowledge(invite, createResponse(invite, 486, { toTag: 'abc' }));
  assert.equal(acknowledge.uri, invite.uri);
  assert.deepEqual(headerValues(acknowledge, 'Via'), [headerValue(invite, 'Via')]);
  assert.equal(tagOf(headerValue(acknowledge, 'To') ?? ''), 'abc');
  assert.deepEqual(headerValues(acknowledge, 'Route'), headerValues(invite, 'Route'));
  assert.equal(headerValue(acknowledge, 'CSeq'), '21543 ACK');
});

test('RFC 3261 §9.1: the CANCEL has the branch, To without tag, and CSeq number of the INVITE', () => {
  const cancel = createCancel(invite);
  assert.deepEqual(headerValues(cancel, 'Via'), [headerValue(invite, 'Via')]);
  assert.equal(headerValue(cancel, 'To'), headerValue(invite, 'To'));
  assert.equal(headerValue(cancel, 'CSeq'), '21543 CANCEL');
});

test('RFC 3581 §4: received and rport are set when asked for, and the response goes back there', () => {
  const source = { ip: '198.51.100.7', port: 33_000 };
  const stamped = stampReceived(invite, source);
  assert.match(headerValue(stamped, 'Via') ?? '', /;rport=33000;.*received=198\.51\.100\.7/);
  assert.deepEqual(responseDestination(stamped, { ip: '0.0.0.0', port: 1 }), source);
  const same = stampReceived(invite, { ip: '192.0.2.20', port: 5062 });
  assert.match(headerValue(same, 'Via') ?? '', /received=192\.0\.2\.20/);
});

test('RFC 3261 §18.2.1, §18.2.2: without rport the response goes to received and the sent-by port, or to sent-by or maddr', () => {
  const source = { ip: '198.51.100.7', port: 33_000 };
  const via = (value: string): typeof invite => withFirstHeader(invite, 'Via', value);
  const plain = via('SIP/2.0/UDP pc.example:5080;branch=z9hG4bKx');
  assert.deepEqual(responseDestination(stampReceived(plain, source), source), { ip: source.ip, port: 5080 });
  assert.equal(
    headerValue(stampReceived(plain, source, true), 'Via'),
    'SIP/2.0/UDP pc.example:5080;branch=z9hG4bKx;rport=33000;received=198.51.100.7',
  );
  const exact = via('SIP/2.0/UDP 198.51.100.7;branch=z9hG4bKx');
  assert.equal(stampReceived(exact, source), exact);
  assert.deepEqual(responseDestination(exact, source), { ip: source.ip, port: 5060 });
  const forged = stampReceived(via('SIP/2.0/UDP 198.51.100.7;received=203.0.113.1'), source);
  assert.deepEqual(responseDestination(forged, source), { ip: source.ip, port: 5060 });
  assert.deepEqual(responseDestination(via('SIP/2.0/UDP 198.51.100.7;maddr=224.2.0.1'), source), { ip: '224.2.0.1', port: 5060 });
});

test('RFC 2617 §3.5 and RFC 7616 §3.9.1: the examples give the responses printed there', () => {
  const rfc2617 = {
    username: 'Mufasa',
    realm: 'testrealm@host.com',
    secret: { password: 'Circle Of Life' },
    method: 'GET',
    uri: '/dir/index.html',
    nonce: 'dcd98b7102dd2f0e8b11d0f600bfb0c093',
    algorithm: 'MD5',
    qop: 'auth',
    nonceCount: '00000001',
    cnonce: '0a4f113b',
  } as const;
  assert.equal(computeDigestResponse(rfc2617), '6629fae49393a05397450978507c4ef1');
  assert.equal(
    computeDigestResponse({ ...rfc2617, secret: { ha1: '939e7578ed9e3c518a452acee763bce9' } }),
    '6629fae49393a05397450978507c4ef1',
  );
  const rfc7616 = {
    ...rfc2617,
    realm: 'http-auth@example.org',
    secret: { password: 'Circle of Life' },
    nonce: '7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v',
    cnonce: 'f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ',
  } as const;
  assert.equal(computeDigestResponse(rfc7616), '8ca523f5e9506fed4657c9700eebdbec');
  assert.equal(
    computeDigestResponse({ ...rfc7616, algorithm: 'SHA-256' }),
    '753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1',
  );
});

test('challenges and credentials: round trip; incomplete or unknown ones are refused', () => {
  const challenge = parseChallenge('Digest realm="a, \\"b\\"", nonce="n", algorithm=sha-256, qop="auth,auth-int", stale=TRUE, opaque="o"');
  assert.deepEqual(challenge, { realm: 'a, "b"', nonce: 'n', opaque: 'o', algorithm: 'SHA-256', qop: ['auth', 'auth-int'], stale: true });
  assert.deepEqual(parseChallenge(formatChallenge(challenge as NonNullable<typeof challenge>)), challenge);
  assert.equal(parseChallenge('Basic realm="x"'), null);
  assert.equal(parseChallenge('Digest realm="x", nonce="n", algorithm=WHIRLPOOL'), null);
  const credentials = parseCredentials(
    'Digest username="u", realm="r", nonce="n", uri="sip:x", response="AB", qop=auth, nc=00000001, cnonce="c"',
  );
  assert.equal(credentials?.response, 'ab');
  assert.deepEqual(parseCredentials(formatCredentials(credentials as NonNullable<typeof credentials>)), credentials);
  assert.equal(parseCredentials('Digest username="u", realm="r", nonce="n", uri="sip:x", response="ab", qop=auth'), null);
});

test('text for people becomes UTF-8 on the wire and back', () => {
  assert.equal(toWireText('é'), '\u00c3\u00a9');
  assert.equal(fromWireText(toWireText('Zoë 王')), 'Zoë 王');
  assert.equal(fromWireText('\u00e9'), '\u00e9');
});
