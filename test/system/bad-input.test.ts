import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { header } from '../../tools/phone/wire.ts';
import { Bench, sleep, timeout } from './bench.ts';
import { SipClient } from './sip-client.ts';

const ending = '\r\n\r\n';

function request(method: string, port: number, lines: readonly string[] = [], body = ''): string {
  const id = randomBytes(6).toString('hex');
  return [
    `${method} sip:9196@127.0.0.1 SIP/2.0`,
    `Via: SIP/2.0/UDP 127.0.0.1:${port};rport;branch=z9hG4bK${id}`,
    'Max-Forwards: 70',
    `From: <sip:x@127.0.0.1>;tag=${id}`,
    'To: <sip:9196@127.0.0.1>',
    `Call-ID: ${id}@bad`,
    `CSeq: 1 ${method}`,
    `Contact: <sip:x@127.0.0.1:${port}>`,
    ...lines,
    '',
    body,
  ].join('\r\n');
}

test('bad datagrams are dropped or refused with 400, and a call in progress does not notice', { timeout }, async (context) => {
  const bench = await Bench.create(context);
  const { sip } = bench.undrop.ports;
  const phone = await bench.phone();
  const dialog = await phone.call('9196');
  await phone.audio?.waitVoice(phone.audio.voice, 10);
  const pid = bench.undrop.pid('switch');

  const attacker = await SipClient.open();
  context.after(() => attacker.close());
  const nothing: (Buffer | string)[] = [
    '',
    '\0',
    '\r\n\r\n',
    'x',
    'SIP/2.0',
    `SIP/2.0 200 OK${ending}`,
    `SIP/2.0 99999999999999999999 OK${ending}`,
    `INVITE${ending}`,
    `INVITE sip:9196@127.0.0.1 SIP/2.0${ending}`,
    `INVITE sip:9196@127.0.0.1 SIP/9.9${ending}`,
    `\r\n\r\nINVITE sip:9196@127.0.0.1 SIP/2.0\r\nVia: ${';'.repeat(5000)}${ending}`,
    Buffer.alloc(65_000, 0xff),
    Buffer.alloc(65_507, 0x0a),
    Buffer.from(`INVITE sip:9196@127.0.0.1 SIP/2.0\r\n${'a'.repeat(64_000)}`),
    Buffer.concat([Buffer.from('REGISTER sip:\xff\xfe SIP/2.0\r\n', 'latin1'), randomBytes(3000)]),
    request('INVITE', attacker.port).replace('INVITE sip:9196@127.0.0.1', 'INVITE :::::'),
    request('ACK', attacker.port),
    ...Array.from({ length: 50 }, (_, index) => randomBytes(1 + index * 40)),
  ];
  for (const bytes of nothing) attacker.send(bytes, sip);

  // Each of these names a transaction, so it is answered.
  const manyHeaders = Array.from({ length: 1000 }, (_, index) => `X-Header-${index}: ${index}`);
  const wrong: readonly (readonly [string, string])[] = [
    ['Content-Length longer than the datagram', request('OPTIONS', attacker.port, ['Content-Length: 500'], 'short')],
    ['Content-Length that is no number', request('OPTIONS', attacker.port, ['Content-Length: many'])],
    ['negative Content-Length', request('OPTIONS', attacker.port, ['Content-Length: -1'])],
    ['CSeq of another method', request('OPTIONS', attacker.port).replace('1 OPTIONS', '1 INVITE')],
    ['CSeq beyond 2^31', request('OPTIONS', attacker.port).replace('1 OPTIONS', '99999999999 OPTIONS')],
  ];
  for (const [what, text] of wrong) {
    attacker.send(text, sip);
    const callId = /Call-ID: (.*)/.exec(text)?.[1]?.trim() ?? '';
    const answer = await attacker.wait(`answer to ${what}`, (message) => header(message, 'call-id') === callId);
    assert.equal(answer.status, 400, `${what}: ${answer.status} ${answer.reason}`);
  }
  const thousand = request('OPTIONS', attacker.port, [...manyHeaders, 'Content-Length: 0']);
  attacker.send(thousand, sip);
  const callId = /Call-ID: (.*)/.exec(thousand)?.[1]?.trim() ?? '';
  const answer = await attacker.wait('answer to 1,000 headers', (message) => header(message, 'call-id') === callId).catch(() => null);
  assert.ok(answer === null || [200, 400, 413, 513].includes(answer.status), `1,000 headers: ${answer?.status}`);

  await sleep(300);
  assert.equal(bench.undrop.pid('switch'), pid, `the switch lives on\n${bench.undrop.log()}`);
  await phone.audio?.waitVoice(phone.audio.voice, 10);
  assert.equal(await bench.undrop.channelCount(), 1, 'channels');
  attacker.send(request('OPTIONS', attacker.port, ['Content-Length: 0']), sip);
  await attacker.wait('200 to a good OPTIONS', (message) => message.status === 200 && /OPTIONS/.test(header(message, 'cseq')));
  assert.equal(await dialog.hangUp(), 200);
  assert.equal(await bench.undrop.waitRecoveryRows(0), 0);
});

test('bad RTP, from strangers and from the peer, does not disturb a stream', { timeout }, async (context) => {
  const bench = await Bench.create(context);
  const phone = await bench.phone();
  const dialog = await phone.call('9196');
  await phone.audio?.waitVoice(phone.audio.voice, 10);
  const stranger = await SipClient.open();
  context.after(() => stranger.close());
  for (let index = 0; index < 200; index += 1) stranger.send(randomBytes(index * 7), dialog.remoteAudioPort);
  stranger.send(Buffer.alloc(65_000, 0x80), dialog.remoteAudioPort);
  for (let index = 0; index < 100; index += 1) stranger.send(randomBytes(index), dialog.remoteAudioPort + 1);
  const heard = await phone.audio?.waitVoice(phone.audio.voice, 50);
  assert.equal(new Set(heard?.map((packet) => packet.ssrc)).size, 1, 'one SSRC');
  assert.equal(await dialog.hangUp(), 200);
});
