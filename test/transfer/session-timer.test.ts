import assert from 'node:assert/strict';
import { test } from 'node:test';
import { header, type SipText } from '../../tools/phone/wire.ts';
import { type Call, type Phone, World } from './harness.ts';

const timeout = 60_000;
const TIMER = [['Supported', 'timer']] as const;

async function alone(profile: Readonly<Record<string, string>> = {}): Promise<{ world: World; alice: Phone }> {
  const world = await World.start(profile);
  return { world, alice: world.phone(6001) };
}

function timerOf(world: World, call: Call) {
  return world.core.engine.legs.get(world.legOf(call))?.record.sessionTimer ?? null;
}

function expires(message: SipText | undefined): string {
  return message === undefined ? '' : header(message, 'session-expires');
}

test('UAS: the caller refreshes; without a refresh the session ends by BYE before the interval is over', { timeout }, async () => {
  const { world, alice } = await alone();
  const call = await alice.call('9196', [...TIMER, ['Session-Expires', '120']]);
  assert.equal(expires(call.final('INVITE')), '120;refresher=uac');
  assert.equal(header(call.final('INVITE'), 'require'), 'timer');
  assert.equal(timerOf(world, call)?.weRefresh, false);
  await world.pass(60_000);
  const refreshed = await call.request('UPDATE', [...TIMER, ['Session-Expires', '120;refresher=uac']]);
  assert.equal(expires(refreshed), '120;refresher=uac');
  // 120 s less 32 s after the refresh.
  await world.pass(87_000);
  assert.equal(call.requests('BYE').length, 0);
  await world.pass(2000, 100);
  assert.equal(call.requests('BYE').length, 1);
  await world.assertNothingLeft();
});

test('UAS: refresher=uas makes us refresh at half the interval, by UPDATE where it is allowed, else by re-INVITE', {
  timeout,
}, async () => {
  for (const method of ['UPDATE', 'INVITE']) {
    const { world, alice } = await alone();
    if (method === 'UPDATE') alice.allow += ', UPDATE';
    alice.react = (request) => (request.method === method ? { status: 200, headers: [['Session-Expires', '120;refresher=uac']] } : null);
    const call = await alice.call('9196', [...TIMER, ['Session-Expires', '120;refresher=uas']]);
    assert.equal(expires(call.final('INVITE')), '120;refresher=uas');
    await world.pass(59_000);
    assert.equal(call.requests(method).length, 0);
    await world.pass(2000, 100);
    assert.equal(call.requests(method).length, 1);
    assert.equal(expires(call.requests(method)[0]), '120;refresher=uac');
    await world.pass(240_000);
    assert.ok(call.requests(method).length >= 4);
    assert.equal(call.requests('BYE').length, 0, 'a refreshed session goes on');
    await call.request('BYE');
    await world.assertNothingLeft();
  }
});

test('UAS: too small an interval gets 422 with Min-SE; a caller without the extension is refreshed by us', { timeout }, async () => {
  const { world, alice } = await alone({ 'session-timeout': '200' });
  const small = alice.dial('9196', [...TIMER, ['Session-Expires', '90']]);
  await world.settle();
  assert.equal(small.final('INVITE').status, 422);
  assert.equal(header(small.final('INVITE'), 'min-se'), '120');
  const plain = await alice.call('9196');
  assert.equal(expires(plain.final('INVITE')), '200;refresher=uas');
  assert.equal(header(plain.final('INVITE'), 'require'), '');
  await plain.request('BYE');
  await world.assertNothingLeft();
});

test('enable-timer false: nothing is said of session timers', { timeout }, async () => {
  const { world, alice } = await alone({ 'enable-timer': 'false', 'session-timeout': '200' });
  const call = await alice.call('9196', [...TIMER, ['Session-Expires', '120']]);
  assert.equal(expires(call.final('INVITE')), '');
  assert.equal(timerOf(world, call), null);
  await call.request('BYE');
  await world.assertNothingLeft();
});

test('UAC: we ask for session-timeout, take what the callee says, and raise it for a 422', { timeout }, async () => {
  const { world, alice } = await alone({ 'session-timeout': '200' });
  const bob = world.phone(6002);
  bob.answers = null;
  const call = alice.dial('6002');
  await world.settle();
  const b = bob.incoming();
  assert.equal(expires(b.invite ?? undefined), '200');
  bob.respond(b, b.invite as SipText, 422, [['Min-SE', '600']]);
  await world.settle();
  const again = b.requests('INVITE').at(-1);
  assert.equal(expires(again), '600');
  assert.equal(header(again as SipText, 'min-se'), '600');
  bob.respond(b, again as SipText, 200, [['Session-Expires', '600;refresher=uac']], bob.sdp());
  await world.settle();
  assert.equal(call.final('INVITE').status, 200);
  assert.deepEqual([timerOf(world, b)?.interval, timerOf(world, b)?.weRefresh], [600, true]);
  await call.request('BYE');
  await world.assertNothingLeft();
});

test('the deadline passed while we were dead: as the refresher we refresh at once', { timeout }, async () => {
  const { world, alice } = await alone();
  alice.allow += ', UPDATE';
  const call = await alice.call('9196', [...TIMER, ['Session-Expires', '120;refresher=uas']]);
  await world.crash(300_000);
  await world.pass(1000, 100);
  assert.equal(call.requests('UPDATE').length, 1);
  await world.pass(30_000);
  assert.equal(call.requests('BYE').length, 0);
  await call.request('BYE');
  await world.assertNothingLeft();
});

test('the deadline passed while we were dead: the peer gets 32 s to refresh, then BYE', { timeout }, async () => {
  for (const refreshes of [true, false]) {
    const { world, alice } = await alone({ 'recovery-refresh': 'none' });
    const call = await alice.call('9196', [...TIMER, ['Session-Expires', '120;refresher=uac']]);
    await world.crash(300_000);
    await world.pass(30_000);
    assert.equal(call.requests('BYE').length, 0);
    if (refreshes) await call.request('UPDATE', [...TIMER, ['Session-Expires', '120;refresher=uac']]);
    await world.pass(4000, 100);
    assert.equal(call.requests('BYE').length, refreshes ? 0 : 1);
    if (refreshes) await call.request('BYE');
    await world.assertNothingLeft();
  }
});

test('a session timer survives SIGKILL in the middle of its interval', { timeout }, async () => {
  const { world, alice } = await alone({ 'recovery-refresh': 'none' });
  const call = await alice.call('9196', [...TIMER, ['Session-Expires', '120;refresher=uac']]);
  await world.pass(40_000);
  await world.crash(10_000);
  await world.pass(37_000);
  assert.equal(call.requests('BYE').length, 0);
  await world.pass(2000, 100);
  assert.equal(call.requests('BYE').length, 1);
  await world.assertNothingLeft();
});

test('a refresh that gets 481 ends the call, 491 is tried again', { timeout }, async () => {
  const { world, alice } = await alone();
  alice.allow += ', UPDATE';
  let status = 491;
  alice.react = (request) => (request.method === 'UPDATE' ? { status } : null);
  const call = await alice.call('9196', [...TIMER, ['Session-Expires', '120;refresher=uas']]);
  await world.pass(62_000);
  assert.equal(call.requests('UPDATE').length, 1);
  await world.pass(10_000);
  assert.ok(call.requests('UPDATE').length >= 2);
  status = 481;
  await world.pass(10_000);
  await world.assertNothingLeft();
});
