import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createCommandRegistry } from '../../src/console/index.ts';
import { originOf } from '../../src/sdp/index.ts';
import { type Call, type Phone, World } from './harness.ts';

const timeout = 60_000;

interface Bridged {
  readonly world: World;
  readonly alice: Phone;
  readonly bob: Phone;
  readonly a: Call;
  readonly b: Call;
  readonly run: (line: string) => Promise<string>;
}

async function bridged(profile: Readonly<Record<string, string>> = {}): Promise<Bridged> {
  const world = await World.start(profile);
  const alice = world.phone(6001);
  const bob = world.phone(6002);
  const a = await alice.call('6002');
  const b = bob.incoming();
  world.assertBridged(a, b);
  const random = { uint32: () => 1, uuid: () => 'job', token: () => 'x' };
  const run = async (line: string): Promise<string> => {
    const reply = await createCommandRegistry(world.view, { clock: world.clock, random, version: '0' }).execute(line);
    await world.settle();
    return reply;
  };
  return { world, alice, bob, a, b, run };
}

async function end({ world, a, b }: Pick<Bridged, 'world' | 'a' | 'b'>): Promise<void> {
  assert.equal((await a.request('BYE')).status, 200);
  assert.equal(b.requests('BYE').length, 1, 'the partner gets a BYE');
  await world.assertNothingLeft();
}

const version = (text: string): number => Number(originOf(text)?.version ?? Number.NaN);

test('uuid_hold offers sendonly with a higher o= version, uuid_hold off sendrecv again', { timeout }, async () => {
  const scene = await bridged();
  const { world, a, b, run } = scene;
  const uuid = world.legOf(a);
  const before = version(a.final('INVITE').body);
  assert.equal(await run(`uuid_hold ${uuid}`), '+OK Success\n');
  const hold = a.requests('INVITE')[0];
  assert.match(hold?.body ?? '', /a=sendonly/);
  assert.ok(version(hold?.body ?? '') > before);
  assert.equal(world.core.engine.legs.get(uuid)?.record.media?.held, 'local');
  assert.deepEqual(world.mode(a), { kind: 'idle' }, 'no sound passes');
  assert.deepEqual(world.mode(b), { kind: 'idle' });
  assert.equal(world.endpoints.get(uuid)?.receive, false);
  assert.equal(world.view.channel(uuid)?.callState, 'HELD');
  assert.equal(await run(`uuid_hold toggle ${uuid}`), '+OK Success\n');
  const unhold = a.requests('INVITE')[1];
  assert.match(unhold?.body ?? '', /a=sendrecv/);
  assert.ok(version(unhold?.body ?? '') > version(hold?.body ?? ''));
  world.assertBridged(a, b);
  assert.equal(world.endpoints.get(uuid)?.receive, true);
  assert.equal(await run('uuid_hold nobody'), '-ERR Operation failed\n');
  assert.deepEqual(
    world.events.filter((name) => name.endsWith('HOLD')),
    ['CHANNEL_HOLD', 'CHANNEL_UNHOLD'],
  );
  await end(scene);
});

test('a hold survives SIGKILL: the peer stays on hold, and off takes it back', { timeout }, async () => {
  const scene = await bridged();
  const { world, a, b, run } = scene;
  await run(`uuid_hold ${world.legOf(a)}`);
  await world.crash();
  assert.equal(world.core.engine.legs.get(world.legOf(a))?.record.media?.held, 'local');
  assert.deepEqual(world.mode(a), { kind: 'idle' });
  await world.pass(5000);
  assert.equal(await run(`uuid_hold off ${world.legOf(a)}`), '+OK Success\n');
  assert.match(a.requests('INVITE').at(-1)?.body ?? '', /a=sendrecv/);
  world.assertBridged(a, b);
  await end(scene);
});

test('a re-INVITE of ours that was out when we died is sent again with its branch and answered', { timeout }, async () => {
  const scene = await bridged();
  const { world, alice, a, b, run } = scene;
  alice.react = (request) => (request.method === 'INVITE' ? 'silence' : null);
  await run(`uuid_hold ${world.legOf(a)}`);
  await world.crash();
  alice.react = () => null;
  await world.pass(2000, 500);
  const invites = a.requests('INVITE');
  const via = (index: number): string | undefined => invites[index]?.headers.find(([name]) => name === 'via')?.[1];
  assert.ok(invites.length > 1);
  assert.equal(via(0), via(1));
  assert.equal(
    world.core.engine.legs.get(world.legOf(a))?.record.clientTransactions.some(({ purpose }) => purpose === 'reinvite'),
    false,
  );
  await run(`uuid_hold off ${world.legOf(a)}`);
  world.assertBridged(a, b);
  await end(scene);
});

test('491 to our re-INVITE: it is offered again after the time of RFC 3261 §14.1, also over a SIGKILL', { timeout }, async () => {
  for (const crash of [false, true]) {
    const scene = await bridged();
    const { world, bob, a, b, run } = scene;
    bob.react = (request) => (request.method === 'INVITE' ? { status: 491 } : null);
    await run(`uuid_hold ${world.legOf(b)}`);
    assert.equal(b.requests('INVITE').length, 2, 'the first INVITE and ours');
    bob.react = () => null;
    if (crash) await world.crash();
    await world.pass(1900, 100);
    // We own the Call-ID of this dialog: not before 2.1 s.
    assert.equal(b.requests('INVITE').filter(({ body }) => body.includes('a=sendonly')).length, 1);
    await world.pass(2500, 100);
    assert.equal(b.requests('INVITE').filter(({ body }) => body.includes('a=sendonly')).length, 2);
    assert.equal(world.core.engine.legs.get(world.legOf(b))?.record.media?.offerWaits, false);
    await run(`uuid_hold off ${world.legOf(b)}`);
    world.assertBridged(a, b);
    await end(scene);
  }
});

test('a re-INVITE of the peer while ours is out gets 491', { timeout }, async () => {
  const scene = await bridged();
  const { world, alice, a, run } = scene;
  alice.react = (request) => (request.method === 'INVITE' ? 'silence' : null);
  await run(`uuid_hold ${world.legOf(a)}`);
  assert.equal((await a.request('INVITE', [], alice.sdp())).status, 491);
  alice.react = () => null;
  await world.pass(2000, 500);
  await end(scene);
});

test('the peer holds: sendonly is answered recvonly, we send nothing to it, and hold and unhold are seen', { timeout }, async () => {
  const scene = await bridged();
  const { world, alice, a, b } = scene;
  const uuid = world.legOf(a);
  assert.match((await a.request('INVITE', [], alice.sdp('sendonly'))).body, /a=recvonly/);
  assert.equal(world.endpoints.get(uuid)?.send, false);
  assert.equal(world.core.engine.legs.get(uuid)?.record.media?.held, 'remote');
  await world.crash();
  assert.equal(world.endpoints.get(uuid)?.send, false);
  assert.match((await a.request('INVITE', [], alice.sdp('sendrecv'))).body, /a=sendrecv/);
  assert.equal(world.endpoints.get(uuid)?.send, true);
  world.assertBridged(a, b);
  await end(scene);
});

test('both hold: nothing passes until both have let go', { timeout }, async () => {
  const scene = await bridged();
  const { world, alice, a, b, run } = scene;
  const uuid = world.legOf(a);
  await run(`uuid_hold ${uuid}`);
  assert.match((await a.request('INVITE', [], alice.sdp('sendonly'))).body, /a=inactive/);
  assert.equal(world.core.engine.legs.get(uuid)?.record.media?.held, 'both');
  assert.match((await a.request('INVITE', [], alice.sdp('sendrecv'))).body, /a=sendonly/);
  assert.equal(world.core.engine.legs.get(uuid)?.record.media?.held, 'local');
  await run(`uuid_hold off ${uuid}`);
  world.assertBridged(a, b);
  await end(scene);
});

test('hold_music is played to the partner of the one who holds', { timeout }, async () => {
  const scene = await bridged();
  const { world, alice, a, b } = scene;
  world.view.setVariable(world.legOf(a), 'hold_music', 'tone_stream://%(200,100,440);loops=5');
  await a.request('INVITE', [], alice.sdp('sendonly'));
  const mode = world.mode(b);
  assert.equal(mode.kind === 'play' && mode.loops, -1);
  await a.request('INVITE', [], alice.sdp('sendrecv'));
  world.assertBridged(a, b);
  await end(scene);
});

test('a change to a codec that the partner does not use is put to the partner first', { timeout }, async () => {
  const world = await World.start();
  const alice = world.phone(6001, [0, 18]);
  const bob = world.phone(6002, [0, 18]);
  const a = await alice.call('6002');
  const b = bob.incoming();
  assert.equal((await a.request('INVITE', [], alice.sdp('sendrecv', [18]))).status, 200);
  assert.match(b.requests('INVITE').at(-1)?.body ?? '', /m=audio \d+ RTP\/AVP 18/);
  world.assertBridged(a, b);
  assert.equal(world.endpoints.get(world.legOf(b))?.format?.name, 'G729');
  // And where the partner refuses, everything stays as it was.
  bob.react = (request) => (request.method === 'INVITE' ? { status: 488 } : null);
  assert.equal((await a.request('INVITE', [], alice.sdp('sendrecv', [0]))).status, 488);
  assert.equal(world.endpoints.get(world.legOf(a))?.format?.name, 'G729');
  world.assertBridged(a, b);
  await end({ world, a, b });
});

test('a codec change that waits for the partner survives SIGKILL', { timeout }, async () => {
  const world = await World.start();
  const alice = world.phone(6001, [0, 18]);
  const bob = world.phone(6002, [0, 18]);
  const a = await alice.call('6002');
  const b = bob.incoming();
  bob.react = (request) => (request.method === 'INVITE' ? 'silence' : null);
  a.cseq += 1;
  a.send('INVITE', [], alice.sdp('sendrecv', [18]));
  await world.settle();
  await world.crash();
  bob.react = () => null;
  await world.pass(2000, 500);
  assert.equal(a.final('INVITE').status, 200);
  world.assertBridged(a, b);
  assert.equal(world.endpoints.get(world.legOf(a))?.format?.name, 'G729');
  await end({ world, a, b });
});

test('uuid_broadcast plays and gives the bridge back, also over a SIGKILL', { timeout }, async () => {
  const scene = await bridged();
  const { world, a, b, run } = scene;
  assert.equal(await run(`uuid_broadcast ${world.legOf(a)} tone_stream://%(500,0,440)`), '+OK Message sent\n');
  assert.equal(world.mode(a).kind, 'play');
  assert.deepEqual(world.mode(b), { kind: 'idle' });
  await world.crash(300);
  const mode = world.mode(a);
  assert.ok(mode.kind === 'play' && mode.position >= 300, 'the sound goes on where it was');
  await world.played(world.legOf(a));
  world.assertBridged(a, b);
  await end(scene);
});

test('sched_hangup ends the call at its time, also when we were dead at it', { timeout }, async () => {
  for (const crash of [false, true]) {
    const { world, a, b, run } = await bridged();
    assert.equal(await run(`sched_hangup +60 ${world.legOf(a)}`), '+OK\n');
    await world.pass(50_000, 10_000);
    assert.equal(a.requests('BYE').length, 0);
    if (crash) await world.crash(20_000);
    await world.pass(11_000, 100);
    assert.equal(a.requests('BYE').length, 1);
    assert.equal(b.requests('BYE').length, 1);
    await world.assertNothingLeft();
  }
});

test('uuid_recovery_refresh asks the far end, uuid_send_dtmf sends INFO to a peer without telephone-event', { timeout }, async () => {
  const scene = await bridged();
  const { world, alice, a, run } = scene;
  assert.equal(await run(`uuid_recovery_refresh ${world.legOf(a)}`), '+OK\n');
  assert.equal(a.requests('INVITE').length, 1);
  assert.equal(version(a.requests('INVITE')[0]?.body ?? ''), version(a.final('INVITE').body), 'the same description');
  assert.equal(await run(`uuid_send_dtmf ${world.legOf(a)} 12#@100`), '+OK\n');
  assert.deepEqual(
    a.requests('INFO').map(({ body }) => body.split('\r\n')[0]),
    ['Signal=1', 'Signal=2', 'Signal=#'],
  );
  assert.equal(await run('uuid_send_dtmf nobody 1'), '-ERR No such channel!\n');
  assert.match(await run(`uuid_send_dtmf ${world.legOf(a)}`), /^-USAGE: <uuid> <dtmf_data>/);
  assert.ok(alice.calls.length === 1);
  await end(scene);
});
