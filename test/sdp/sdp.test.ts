import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import fastCheck from 'fast-check';
import * as sdp from '../../src/sdp/index.ts';

const local = { address: '192.0.2.10', port: 16_384, sessionId: '1000', sessionVersion: 1 };
const codec = (name: string, packetTime: number | null = null, rate: number | null = null): sdp.OfferedCodec => ({
  name,
  packetTime,
  rate,
});
const G711 = [codec('PCMU'), codec('PCMA')];

function text(...lines: string[]): string {
  return `${['v=0', 'o=phone 7 3 IN IP4 198.51.100.5', 's=-', 'c=IN IP4 198.51.100.5', 't=0 0', ...lines].join('\r\n')}\r\n`;
}
const PHONE = text(
  'm=audio 4000 RTP/AVP 18 8 0 101',
  'a=rtpmap:18 G729/8000',
  'a=fmtp:18 annexb=no',
  'a=rtpmap:8 PCMA/8000',
  'a=rtpmap:0 PCMU/8000',
  'a=rtpmap:101 telephone-event/8000',
  'a=fmtp:101 0-16',
  'a=ptime:20',
);

function audio(sdpText: string): sdp.AudioDescription {
  const result = sdp.readAudio(sdpText);
  assert.ok(!('reason' in result), 'reason' in result ? result.reason : '');
  return result;
}
function answer(options: Partial<sdp.AnswerOptions> & { offer: string }): Extract<sdp.AnswerResult, { kind: 'answer' }> {
  const result = sdp.createAnswer({ ...local, codecs: G711, ...options });
  assert.ok(result.kind === 'answer', result.kind === 'rejected' ? result.reason : '');
  return result;
}

test('every SDP of the recovery rows that FreeSWITCH wrote is read', () => {
  const rows: { variable: string; source: string; sdp: string }[] = JSON.parse(
    readFileSync(new URL('fixtures/recovery-rows.json', import.meta.url), 'utf8'),
  );
  assert.ok(rows.length >= 8);
  for (const row of rows) {
    const view = audio(row.sdp);
    assert.equal(view.direction, 'sendrecv');
    assert.equal(view.codecs[0]?.name, row.source === 'field' ? 'G729' : 'PCMU');
    if (row.variable === 'rtp_local_sdp_str') {
      assert.equal(view.telephoneEvents.get(8000), 101, 'telephone-event/0 counts as 8000');
      assert.equal(view.packetTime, 20);
    }
  }
  assert.ok(rows.some((row) => row.sdp.includes('telephone-event/0')));
});

test('static payload types need no rtpmap', () => {
  const view = audio(text('m=audio 4000 RTP/AVP 0 3 8 9 13 18 96'));
  assert.deepEqual(
    view.codecs.map((entry) => `${entry.payloadType} ${entry.name}/${entry.clockRate}`),
    ['0 PCMU/8000', '3 GSM/8000', '8 PCMA/8000', '9 G722/8000', '13 CN/8000', '18 G729/8000'],
  );
});

test('a=rtcp, media-level c= and port counts are understood', () => {
  const view = audio(text('m=audio 4000/2 RTP/AVP 0', 'c=IN IP4 203.0.113.9', 'a=rtcp:5000 IN IP4 203.0.113.8'));
  assert.deepEqual(
    [view.address, view.rtcp],
    [
      { ip: '203.0.113.9', port: 4000 },
      { ip: '203.0.113.8', port: 5000 },
    ],
  );
});

test('unknown attributes are kept and written back', () => {
  const parsed = sdp.parseSdp(text('a=x-session:1', 'm=audio 4000 RTP/AVP 0', 'a=x-vendor:strange value;%s %d'));
  assert.ok(parsed.kind === 'session');
  const written = sdp.writeSdp(parsed.session);
  assert.match(written, /a=x-session:1\r\n/);
  assert.match(written, /a=x-vendor:strange value;%s %d\r\n/);
});

test('bad SDP gives a reason and never throws', () => {
  for (const bad of [
    '',
    'hello',
    text('m=audio'),
    text('m=audio 99999 RTP/AVP 0'),
    text('m=video 5 RTP/AVP 96'),
    text('m=audio 0 RTP/AVP 0'),
    'v=0\r\n'.repeat(5000),
  ]) {
    assert.ok('reason' in sdp.readAudio(bad));
    assert.equal(sdp.createAnswer({ ...local, codecs: G711, offer: bad }).kind, 'rejected');
  }
});

test('RFC 3264 §6: the answer has as many m= lines as the offer, in order, the unused with port 0', () => {
  const result = answer({
    offer: text(
      'm=video 9000 RTP/AVP 96',
      'a=rtpmap:96 H264/90000',
      'm=audio 3998 RTP/SAVP 0',
      'm=audio 4000 RTP/AVP 0',
      'm=audio 4002 RTP/AVP 8',
      'm=application 5 UDP/BFCP *',
    ),
  });
  assert.deepEqual(result.sdp.match(/^m=.*$/gm), [
    'm=video 0 RTP/AVP 96',
    'm=audio 0 RTP/SAVP 0',
    `m=audio ${local.port} RTP/AVP 0`,
    'm=audio 0 RTP/AVP 8',
    'm=application 0 UDP/BFCP *',
  ]);
  assert.deepEqual(result.remote, { ip: '198.51.100.5', port: 4000 });
});

test('RFC 3264 §6: the t= line of the answer equals that of the offer', () => {
  assert.match(answer({ offer: PHONE.replace('t=0 0', 't=3034423619 3042462419') }).sdp, /^t=3034423619 3042462419$/m);
});

test('RFC 3264 §6.1: the payload types of the offer are used in the answer', () => {
  const offer = text('m=audio 4000 RTP/AVP 120 99', 'a=rtpmap:120 pcmu/8000', 'a=rtpmap:99 telephone-event/8000');
  const result = answer({ offer });
  assert.deepEqual(result.format, { payloadType: 120, name: 'PCMU', clockRate: 8000, packetTime: 20, telephoneEvent: 99 });
  assert.match(result.sdp, /^m=audio \d+ RTP\/AVP 120 99\r$/m);
});

for (const [theirs, ours] of [
  ['sendrecv', 'sendrecv'],
  ['sendonly', 'recvonly'],
  ['recvonly', 'sendonly'],
  ['inactive', 'inactive'],
] as const) {
  test(`RFC 3264 §6.1: a stream offered as ${theirs} is answered as ${ours}`, () => {
    const result = answer({ offer: `${PHONE}a=${theirs}\r\n` });
    assert.equal(result.direction, ours);
    assert.match(result.sdp, new RegExp(`^a=${ours}\r$`, 'm'));
    assert.equal(audio(`${PHONE}a=${theirs}\r\n`).held, theirs === 'sendonly' || theirs === 'inactive');
  });
}

test('RFC 3264 §8.4: 0.0.0.0 means hold', () => {
  const offer = PHONE.replace('c=IN IP4 198.51.100.5', 'c=IN IP4 0.0.0.0');
  const view = audio(offer);
  assert.deepEqual([view.held, view.direction, view.address], [true, 'sendonly', null]);
  assert.deepEqual([answer({ offer }).direction, answer({ offer }).remote], ['recvonly', null]);
});

test('our own hold narrows the answer', () => {
  assert.equal(answer({ offer: PHONE, direction: 'sendonly' }).direction, 'sendonly');
  assert.equal(answer({ offer: `${PHONE}a=sendonly\r\n`, direction: 'sendonly' }).direction, 'inactive');
});

test('the order of the offer decides, and only what we support is chosen', () => {
  assert.equal(answer({ offer: PHONE }).format.name, 'PCMA');
  assert.equal(answer({ offer: PHONE, codecs: [...G711, codec('G729')] }).format.name, 'G729');
});

test('late negotiation chooses the codec of the other leg, or the G.711 that media translates', () => {
  assert.equal(answer({ offer: PHONE, preferred: 'PCMU' }).format.name, 'PCMU');
  const aLawOnly = text('m=audio 4000 RTP/AVP 18 8');
  const result = answer({ offer: aLawOnly, codecs: [...G711, codec('G729')], preferred: 'PCMU' });
  assert.equal(result.format.name, 'PCMA');
  assert.ok(sdp.canRelay(result.format, { name: 'PCMU', clockRate: 8000 }));
  assert.ok(!sdp.canRelay({ name: 'G729', clockRate: 8000 }, { name: 'PCMU', clockRate: 8000 }));
});

test('no common codec is a rejection that names what was offered', () => {
  const result = sdp.createAnswer({ ...local, codecs: [codec('OPUS')], offer: PHONE });
  assert.ok(result.kind === 'rejected' && /G729\/8000, PCMA\/8000/.test(result.reason));
});

test('an offer of ours is understood by our own reading, with telephone-event for each clock rate', () => {
  const view = audio(
    sdp.createOffer({
      ...local,
      codecs: [codec('OPUS'), codec('PCMA', 30), codec('NONSENSE')],
      telephoneEventPayloadType: 101,
      packetTime: 20,
    }),
  );
  assert.deepEqual(
    view.codecs.map((entry) => entry.name),
    ['OPUS', 'PCMA', 'TELEPHONE-EVENT', 'TELEPHONE-EVENT'],
  );
  assert.equal(view.telephoneEvents.get(8000), 101);
  assert.notEqual(view.telephoneEvents.get(48_000), 101);
  assert.equal(new Set(view.codecs.map((entry) => entry.payloadType)).size, view.codecs.length);
  assert.equal(view.codecs[0]?.channels, 2);
  assert.deepEqual(view.address, { ip: local.address, port: local.port });
});

test('offer and answer end in the same format on both sides', () => {
  const offer = sdp.createOffer({ ...local, codecs: G711, telephoneEventPayloadType: 101 });
  const theirs = answer({ offer, address: '2001:db8::1', port: 5004, codecs: [codec('PCMA')] });
  const applied = sdp.applyAnswer({ offer, answer: theirs.sdp });
  assert.ok(applied.kind === 'accepted');
  assert.deepEqual(applied.format, theirs.format);
  assert.deepEqual(applied.remote, { ip: '2001:db8::1', port: 5004 });
  assert.deepEqual(theirs.remote, { ip: local.address, port: local.port });
});

test('RFC 3264 §7: an answer with port 0 or with a codec that was not offered is a rejection', () => {
  const offer = sdp.createOffer({ ...local, codecs: G711, telephoneEventPayloadType: 101 });
  assert.equal(sdp.applyAnswer({ offer, answer: text('m=audio 0 RTP/AVP 0') }).kind, 'rejected');
  assert.equal(sdp.applyAnswer({ offer, answer: text('m=audio 4000 RTP/AVP 18') }).kind, 'rejected');
});

test('an answer to our hold lets us send only', () => {
  const offer = sdp.createOffer({ ...local, codecs: G711, telephoneEventPayloadType: 101, direction: 'sendonly' });
  const applied = sdp.applyAnswer({ offer, answer: text('m=audio 4000 RTP/AVP 0', 'a=recvonly') });
  assert.ok(applied.kind === 'accepted' && applied.direction === 'sendonly');
});

test("a bridge offers the caller's codecs under the caller's payload types, filtered by the called profile", () => {
  const offer = text(
    'm=audio 4000 RTP/AVP 111 9 18 8 126',
    'a=rtpmap:111 opus/48000/2',
    'a=fmtp:111 minptime=10;useinbandfec=1',
    'a=fmtp:18 annexb=yes',
    'a=rtpmap:126 telephone-event/8000',
    'a=ptime:30',
  );
  const result = sdp.createBridgeOffer({
    ...local,
    offer,
    codecs: [codec('PCMU'), codec('G729'), codec('OPUS'), codec('G722', null, 16_000)],
    telephoneEventPayloadType: 101,
  });
  assert.ok(result.kind === 'offer');
  const view = audio(result.sdp);
  assert.deepEqual(
    view.codecs.filter((entry) => entry.name !== 'TELEPHONE-EVENT').map((entry) => [entry.payloadType, entry.name, entry.fmtp]),
    [
      [111, 'OPUS', 'minptime=10;useinbandfec=1'],
      [9, 'G722', null],
      [18, 'G729', 'annexb=yes'],
      [0, 'PCMU', null],
    ],
  );
  assert.equal(view.telephoneEvents.get(8000), 126);
  assert.equal(view.packetTime, 30);
});

test('our telephone-event gives way where the caller uses its payload type for a codec', () => {
  for (const telephoneEvent of [[], ['a=rtpmap:126 telephone-event/8000']]) {
    const offer = text('m=audio 4000 RTP/AVP 101 0 126', 'a=rtpmap:101 opus/48000/2', ...telephoneEvent);
    const codecs = [codec('OPUS'), codec('PCMU')];
    const result = sdp.createBridgeOffer({ ...local, offer, codecs, telephoneEventPayloadType: 101 });
    assert.ok(result.kind === 'offer');
    const view = audio(result.sdp);
    assert.deepEqual(
      view.codecs.slice(0, 2).map((entry) => entry.payloadType),
      [101, 0],
    );
    assert.equal(view.telephoneEvents.get(8000), telephoneEvent.length === 0 ? 96 : 126);
  }
});

test("a bridge is refused where the called profile allows nothing of the caller's", () => {
  const offer = text('m=audio 4000 RTP/AVP 18');
  assert.equal(sdp.createBridgeOffer({ ...local, offer, codecs: G711, telephoneEventPayloadType: 101 }).kind, 'rejected');
});

test('RFC 3264 §8: a changed description differs in its version and in what was changed, and in nothing else', () => {
  const before = `${PHONE}a=sendrecv\r\na=x-vendor:1\r\n`;
  assert.equal(sdp.bumpVersion(before), before.replace('o=phone 7 3 ', 'o=phone 7 4 '));
  assert.equal(sdp.withVersion(before, 9), before.replace('o=phone 7 3 ', 'o=phone 7 9 '));
  assert.deepEqual(sdp.originOf(sdp.bumpVersion(before.replace(' 3 IN', ' 18446744073709551615 IN'))), {
    sessionId: '7',
    version: '18446744073709551616',
  });
  const held = sdp.withDirection(before, 'sendonly');
  assert.equal(audio(held).direction, 'sendonly');
  assert.deepEqual(new Set(held.split('\r\n')), new Set(before.replace('a=sendrecv', 'a=sendonly').split('\r\n')));
  assert.equal(sdp.withPort(before, 6000), before.replace('m=audio 4000', 'm=audio 6000'));
  assert.deepEqual(audio(sdp.withAddress(before, '203.0.113.77')).address, { ip: '203.0.113.77', port: 4000 });
});

test('no text, however broken, makes the functions throw or answer with another number of sections', () => {
  const line = fastCheck.oneof(
    fastCheck.constantFrom(
      'm=audio 4000 RTP/AVP 0 8 101',
      'm=video 1 RTP/AVP 96',
      'a=rtpmap:0 PCMU/0',
      'a=rtpmap:101 telephone-event/0',
      'a=fmtp:0',
      'a=ptime:abc',
      'a=rtcp:99999',
      'c=IN IP4 999.1.1.1',
      'c=IN IP6 ::',
      'o=- - -',
      'm=audio 4000 RTP/AVP',
      'a=inactive',
      'm=__proto__ 1 x 1',
      't=',
      'c=IN IP4 1.2.3.4',
    ),
    fastCheck.string({ maxLength: 40, unit: 'binary' }),
    fastCheck
      .tuple(
        fastCheck.constantFrom('a=', 'm=', 'c=', 'o=', 'b=', 'a=rtpmap:', 'a=fmtp:', 'a=simulcast:', 'a=candidate:'),
        fastCheck.string({ maxLength: 60 }),
      )
      .map(([start, rest]) => start + rest),
  );
  let answers = 0;
  fastCheck.assert(
    fastCheck.property(fastCheck.array(line, { maxLength: 14 }), (lines) => {
      const offer = text(...lines);
      const result = sdp.createAnswer({ ...local, codecs: G711, offer });
      sdp.createBridgeOffer({ ...local, offer, codecs: G711, telephoneEventPayloadType: 101 });
      sdp.applyAnswer({ offer: PHONE, answer: offer });
      sdp.withAddress(sdp.withPort(sdp.withDirection(sdp.bumpVersion(offer), 'inactive'), 9), '::1');
      if (result.kind !== 'answer') return;
      answers++;
      assert.equal(result.sdp.match(/^m=/gm)?.length, offer.split(/[\r\n]+/).filter((entry) => entry.startsWith('m=')).length);
      assert.ok(!('reason' in sdp.readAudio(result.sdp)));
    }),
    { numRuns: 1500 },
  );
  assert.ok(answers > 50, `only ${answers} of the texts were answered`);
});
