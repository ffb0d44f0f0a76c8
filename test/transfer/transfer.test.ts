import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createCommandRegistry } from '../../src/console/index.ts';
import { header } from '../../tools/phone/wire.ts';
import { type Call, type Phone, World } from './harness.ts';

const timeout = 60_000;

interface Scene {
  readonly world: World;
  readonly alice: Phone;
  readonly bob: Phone;
  readonly carol: Phone;
  readonly a: Call;
  readonly b: Call;
  readonly run: (line: string) => Promise<string>;
}

/** Alice called Bob; Carol is there. */
async function scene(): Promise<Scene> {
  const world = await World.start();
  const [alice, bob, carol] = [world.phone(6001), world.phone(6002), world.phone(6003)];
  const a = await alice.call('6002');
  const random = { uint32: () => 1, uuid: () => 'job', token: () => 'x' };
  const run = async (line: string): Promise<string> => {
    const reply = await createCommandRegistry(world.view, { clock: world.clock, random, version: '0' }).execute(line);
    await world.settle();
    return reply;
  };
  return { world, alice, bob, carol, a, b: bob.incoming(), run };
}

function sipfrags(call: Call): string[] {
  return call.requests('NOTIFY').map(({ body }) => body.trim().replace(/^SIP\/2.0 (\d+).*$/, '$1'));
}

const replaces = (call: Call): string => encodeURIComponent(`${call.callId};to-tag=${call.remoteTag};from-tag=${call.localTag}`);

test('blind transfer: 202, NOTIFY 100 and 200, and the transferor gets its BYE', { timeout }, async () => {
  const { world, carol, a, b } = await scene();
  carol.answers = 180;
  const accepted = await a.request('REFER', [
    ['Refer-To', '<sip:6003@127.0.0.1>'],
    ['Referred-By', '<sip:6001@127.0.0.1>'],
  ]);
  assert.equal(accepted.status, 202);
  const c = carol.incoming();
  assert.equal(header(c.invite as NonNullable<Call['invite']>, 'referred-by'), '<sip:6001@127.0.0.1>');
  assert.deepEqual(sipfrags(a), ['100']);
  const notify = a.requests('NOTIFY')[0];
  assert.ok(notify !== undefined);
  assert.equal(header(notify, 'event'), `refer;id=${a.cseq}`);
  assert.match(header(notify, 'content-type'), /^message\/sipfrag/);
  assert.match(header(notify, 'subscription-state'), /^active/);
  assert.equal(a.requests('BYE').length, 0);
  c.answer();
  await world.settle();
  assert.deepEqual(sipfrags(a), ['100', '200']);
  assert.match(header(a.requests('NOTIFY')[1] ?? notify, 'subscription-state'), /^terminated/);
  assert.equal(a.requests('BYE').length, 1);
  world.assertBridged(b, c);
  await b.request('BYE');
  assert.equal(c.requests('BYE').length, 1);
  await world.assertNothingLeft();
});

test('blind transfer survives SIGKILL while the target rings; the outcome is still said', { timeout }, async () => {
  const { world, carol, a, b } = await scene();
  carol.answers = 180;
  await a.request('REFER', [['Refer-To', '<sip:6003@127.0.0.1>']]);
  await world.crash();
  await world.pass(3000);
  assert.equal(a.requests('BYE').length, 0, 'the transferor waits');
  await world.crash();
  carol.incoming().answer();
  await world.settle();
  assert.deepEqual(sipfrags(a), ['100', '200']);
  assert.equal(a.requests('BYE').length, 1);
  world.assertBridged(b, carol.incoming());
  await b.request('BYE');
  await world.assertNothingLeft();
});

test('a NOTIFY that was out when we died is sent again, and the transferor still gets its BYE', { timeout }, async () => {
  const { world, alice, carol, a, b } = await scene();
  alice.react = (request) => (request.body.includes('200 OK') ? 'silence' : null);
  await a.request('REFER', [['Refer-To', '<sip:6003@127.0.0.1>']]);
  assert.deepEqual(sipfrags(a), ['100', '200']);
  assert.equal(a.requests('BYE').length, 0);
  await world.crash();
  alice.react = () => null;
  await world.pass(4000, 500);
  assert.equal(a.requests('BYE').length, 1);
  world.assertBridged(b, carol.incoming());
  await b.request('BYE');
  await world.assertNothingLeft();
});

test('a transfer that fails gives the two their call back', { timeout }, async () => {
  for (const [target, status] of [
    ['6003', '486'],
    ['nowhere', '404'],
  ] as const) {
    const { world, carol, a, b } = await scene();
    carol.answers = 486;
    assert.equal((await a.request('REFER', [['Refer-To', `<sip:${target}@127.0.0.1>`]])).status, 202);
    await world.settle();
    assert.deepEqual(sipfrags(a), ['100', status]);
    world.assertBridged(a, b);
    assert.equal((await a.request('BYE')).status, 200);
    assert.equal(b.requests('BYE').length, 1);
    await world.assertNothingLeft();
  }
});

test('the transferor may leave at once; the callee may be the transferor; Refer-Sub: false gives no NOTIFY', { timeout }, async () => {
  const { world, carol, a, b } = await scene();
  carol.answers = 180;
  const accepted = await b.request('REFER', [
    ['Refer-To', '<sip:6003@127.0.0.1>'],
    ['Refer-Sub', 'false'],
  ]);
  assert.equal(accepted.status, 202);
  assert.equal(header(accepted, 'refer-sub'), 'false');
  assert.equal((await b.request('BYE')).status, 200);
  carol.incoming().answer();
  await world.settle();
  assert.equal(b.requests('NOTIFY').length, 0);
  world.assertBridged(a, carol.incoming());
  await a.request('BYE');
  await world.assertNothingLeft();
});

test('a REFER that cannot be done is refused', { timeout }, async () => {
  const { world, alice, a } = await scene();
  assert.equal((await a.request('REFER', [])).status, 400);
  assert.equal((await a.request('REFER', [['Refer-To', '<http://example.com>']])).status, 400);
  assert.equal((await a.request('REFER', [['Refer-To', '<sip:6003@127.0.0.1;method=BYE>']])).status, 501);
  const echo = await alice.call('9196');
  assert.equal((await echo.request('REFER', [['Refer-To', '<sip:6003@127.0.0.1>']])).status, 403);
  await echo.request('BYE');
  await a.request('BYE');
  await world.assertNothingLeft();
});

test('attended transfer: the two calls of the transferor become one, both its legs end', { timeout }, async () => {
  for (const crash of [false, true]) {
    const { world, alice, carol, a, b } = await scene();
    const consult = await alice.call('6003');
    const c = carol.incoming();
    if (crash) await world.crash();
    assert.equal((await a.request('REFER', [['Refer-To', `<sip:6003@127.0.0.1?Replaces=${replaces(consult)}>`]])).status, 202);
    await world.settle();
    assert.deepEqual(sipfrags(a), ['100', '200']);
    assert.equal(a.requests('BYE').length, 1);
    assert.equal(consult.requests('BYE').length, 1);
    world.assertBridged(b, c);
    if (crash) await world.crash();
    await c.request('BYE');
    assert.equal(b.requests('BYE').length, 1);
    await world.assertNothingLeft();
  }
});

test('attended transfer to a target that still rings: the transferee waits for it in the place of the transferor', {
  timeout,
}, async () => {
  const { world, alice, carol, a, b } = await scene();
  carol.answers = 180;
  const consult = alice.dial('6003');
  await world.settle();
  // The dialog that A consults in is early: its tag is in the 180.
  const ringing = consult.received.find(({ status }) => status === 180);
  consult.remoteTag = /tag=([^;]+)/.exec(header(ringing as NonNullable<typeof ringing>, 'to'))?.[1] ?? '';
  assert.equal((await a.request('REFER', [['Refer-To', `<sip:6003@127.0.0.1?Replaces=${replaces(consult)}>`]])).status, 202);
  assert.equal(consult.final('INVITE').status, 487);
  await world.crash();
  carol.incoming().answer();
  await world.settle();
  world.assertBridged(b, carol.incoming());
  assert.deepEqual(sipfrags(a), ['100', '200']);
  await b.request('BYE');
  await world.assertNothingLeft();
});

test('an attended transfer to an unknown dialog is said to be 481, and the call goes on', { timeout }, async () => {
  const { world, a, b } = await scene();
  const to = encodeURIComponent('nobody@nowhere;to-tag=1;from-tag=2');
  assert.equal((await a.request('REFER', [['Refer-To', `<sip:6003@127.0.0.1?Replaces=${to}>`]])).status, 202);
  await world.settle();
  assert.deepEqual(sipfrags(a), ['100', '481']);
  world.assertBridged(a, b);
  // Another REFER may follow.
  assert.equal((await a.request('REFER', [['Refer-To', '<sip:6003@127.0.0.1>']])).status, 202);
  await b.request('BYE');
  await world.assertNothingLeft();
});

test('INVITE with Replaces takes the place of the leg that it names', { timeout }, async () => {
  const { world, carol, a, b } = await scene();
  const header = `${a.callId};to-tag=${a.remoteTag};from-tag=${a.localTag}`;
  const c = await carol.call('anything', [['Replaces', header]]);
  assert.equal(a.requests('BYE').length, 1, 'the replaced one is ended');
  world.assertBridged(c, b);
  await b.request('BYE');
  assert.equal(c.requests('BYE').length, 1);
  await world.assertNothingLeft();
});

test('INVITE with Replaces of a ringing leg of ours picks the call up', { timeout }, async () => {
  const { world, alice, bob, carol, a } = await scene();
  await a.request('BYE');
  bob.answers = 180;
  const call = alice.dial('6002');
  await world.settle();
  const ringing = bob.incoming();
  const named = `${ringing.callId};to-tag=${ringing.remoteTag};from-tag=${ringing.localTag};early-only`;
  const c = await carol.call('pickup', [['Replaces', named]]);
  assert.equal(ringing.requests('CANCEL').length, 1);
  assert.equal(call.final('INVITE').status, 200);
  world.assertBridged(call, c);
  await call.request('BYE');
  await world.assertNothingLeft();
});

test('INVITE with Replaces that cannot be done: 400, 481, 486', { timeout }, async () => {
  const { world, alice, bob, carol, a, b } = await scene();
  const attempt = async (...values: string[]): Promise<number> => {
    const call = carol.dial(
      '6003',
      values.map((value) => ['Replaces', value] as const),
    );
    await world.settle();
    return call.final('INVITE').status;
  };
  const known = `${a.callId};to-tag=${a.remoteTag};from-tag=${a.localTag}`;
  assert.equal(await attempt('x;to-tag=1'), 400);
  assert.equal(await attempt(known, known), 400);
  assert.equal(await attempt('x;to-tag=1;from-tag=2'), 481);
  assert.equal(await attempt(`${known};early-only`), 486);
  // RFC 3891 §3: an early dialog that the other side began.
  bob.answers = 180;
  const early = alice.dial('6002');
  await world.settle();
  const tag = /tag=([^;]+)/.exec(header(early.received.findLast(({ status }) => status === 180) as never, 'to'))?.[1];
  assert.equal(await attempt(`${early.callId};to-tag=${tag};from-tag=${early.localTag}`), 481);
  early.send('CANCEL');
  await b.request('BYE');
  await world.assertNothingLeft();
});

test('uuid_transfer sends a leg through the dialplan, -bleg its partner, -both both', { timeout }, async () => {
  const first = await scene();
  assert.equal(await first.run(`uuid_transfer ${first.world.legOf(first.a)} 6003 XML public`), '+OK\n');
  assert.equal(first.b.requests('BYE').length, 1);
  first.world.assertBridged(first.a, first.carol.incoming());
  await first.world.crash();
  first.world.assertBridged(first.a, first.carol.incoming());
  await first.a.request('BYE');
  await first.world.assertNothingLeft();

  const second = await scene();
  assert.equal(await second.run(`uuid_transfer ${second.world.legOf(second.a)} -bleg 6003`), '+OK\n');
  assert.equal(second.a.requests('BYE').length, 1);
  second.world.assertBridged(second.b, second.carol.incoming());
  await second.b.request('BYE');
  await second.world.assertNothingLeft();

  const third = await scene();
  assert.equal(await third.run(`uuid_transfer ${third.world.legOf(third.a)} -both 9196`), '+OK\n');
  assert.deepEqual(third.world.mode(third.a), { kind: 'echo' });
  assert.deepEqual(third.world.mode(third.b), { kind: 'echo' });
  assert.equal(await third.run(`uuid_transfer ${third.world.legOf(third.a)} -bleg 6003`), '-ERR No such channel bridged to this one!\n');
  assert.equal(await third.run('uuid_transfer nobody 6003'), '-ERR No such channel!\n');
  assert.match(await third.run('uuid_transfer'), /^-USAGE: <uuid> \[-bleg\|-both\]/);
  await third.a.request('BYE');
  await third.b.request('BYE');
  await third.world.assertNothingLeft();
});

test('uuid_transfer with the inline dialplan, and uuid_park', { timeout }, async () => {
  const { world, a, b, run } = await scene();
  assert.equal(await run(`uuid_transfer ${world.legOf(a)} set:x=1,park inline`), '+OK\n');
  assert.equal(world.view.channel(world.legOf(a))?.variables.get('x'), '1');
  assert.equal(world.view.channel(world.legOf(a))?.application, 'park');
  assert.equal(b.requests('BYE').length, 1);
  await world.crash();
  assert.equal(world.view.channel(world.legOf(a))?.application, 'park');
  assert.equal(await run(`uuid_park ${world.legOf(a)}`), '+OK\n');
  await a.request('BYE');
  await world.assertNothingLeft();
});

test('uuid_bridge joins two legs, also of different codecs; their partners go', { timeout }, async () => {
  const { world, carol, a, b, run } = await scene();
  const c = await world.phone(6004, [18]).call('9196');
  assert.equal(await run(`uuid_bridge ${world.legOf(a)} ${world.legOf(c)}`), '-ERR Operation failed\n', 'neither codec can be passed on');
  world.assertBridged(a, b);
  const echo = await carol.call('9196');
  assert.equal(await run(`uuid_bridge ${world.legOf(a)} ${world.legOf(echo)}`), `+OK ${world.legOf(echo)}\n`);
  world.assertBridged(a, echo);
  assert.equal(b.requests('BYE').length, 1);
  await world.crash();
  world.assertBridged(a, echo);
  assert.equal(await run(`uuid_bridge ${world.legOf(a)} nobody`), '-ERR Invalid uuid\n');
  await echo.request('BYE');
  assert.equal(a.requests('BYE').length, 1);
  await c.request('BYE');
  await world.assertNothingLeft();
});

test('uuid_answer answers a ringing caller', { timeout }, async () => {
  const { world, alice, bob, a, run } = await scene();
  await a.request('BYE');
  bob.answers = 180;
  const call = alice.dial('6002');
  await world.settle();
  assert.equal(await run(`uuid_pre_answer ${world.legOf(call)}`), '+OK\n');
  assert.ok(call.received.some(({ status }) => status === 183));
  assert.equal(await run(`uuid_answer ${world.legOf(call)}`), '+OK\n');
  assert.equal(call.final('INVITE').status, 200);
  bob.incoming().answer();
  await world.settle();
  world.assertBridged(call, bob.incoming());
  await call.request('BYE');
  await world.assertNothingLeft();
});
