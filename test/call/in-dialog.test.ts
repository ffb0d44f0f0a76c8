import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { headerValue } from '../../src/sip/index.ts';
import type { PhoneCall } from '../simulator/phone-call.ts';
import { ObservedWorld } from './observed-world.ts';

/** A call of 200x to 2002 with something in its midst. */
async function callWith(
  actions: readonly { after: number; act: (call: PhoneCall) => void }[],
  hangupAfter = 6000,
  world = new ObservedWorld(),
) {
  const call = world.phone(1).call('2002', { actions, hangupAfter });
  await world.run();
  assert.deepEqual(world.violations, []);
  return { world, call, callee: world.phone(2).calls[0] };
}

describe('within a dialog', { timeout: 60_000 }, () => {
  test('BYE of the caller ends the callee’s leg, with a Reason', async () => {
    const { world } = await callWith([]);
    const bye = world.requestsTo(2).find((request) => request.method === 'BYE');
    assert.match(bye === undefined ? '' : (headerValue(bye, 'Reason') ?? ''), /NORMAL_CLEARING/);
  });

  test('BYE of the callee ends the caller’s leg', async () => {
    const world = new ObservedWorld();
    world.phone(2).plan = { ...world.phone(2).plan, hangupAfter: 2000 };
    const call = world.phone(1).call('2002');
    await world.run();
    assert.deepEqual(world.violations, []);
    assert.equal(call.end, 'byPeer');
  });

  test('a CSeq below the last one gets 500', async () => {
    let status = 0;
    await callWith([
      { after: 500, act: (call) => call.request('OPTIONS') },
      { after: 1000, act: (call) => call.requestOutOfOrder('OPTIONS', 0, (answer) => (status = answer)) },
    ]);
    assert.equal(status, 500);
  });

  test('UPDATE with an offer is answered with a description, without one it is not', async () => {
    const bodies: string[] = [];
    await callWith([
      { after: 500, act: (call) => call.request('UPDATE', call.describe(), [], (response) => bodies.push(response.body)) },
      { after: 1000, act: (call) => call.request('UPDATE', '', [], (response) => bodies.push(response.body)) },
    ]);
    assert.equal(bodies.length, 2);
    assert.match(bodies[0] ?? '', /^m=audio/m);
    assert.equal(bodies[1], '');
  });

  test('INFO with a digit reaches the other side as a telephone event', async () => {
    const headers = [{ name: 'Content-Type', value: 'application/dtmf-relay' }];
    const { callee } = await callWith([{ after: 2000, act: (call) => call.request('INFO', 'Signal=7\r\nDuration=160\r\n', headers) }]);
    assert.deepEqual([...(callee?.telephoneEvents ?? [])], [7]);
  });

  test('on hold the holder hears nothing, and hears again after the resume', async () => {
    for (const how of ['sendonly', 'inactive', '0.0.0.0'] as const) {
      const counts: number[] = [];
      const count = (call: PhoneCall): void => void counts.push(call.received);
      const { call } = await callWith(
        [
          { after: 2000, act: (held) => held.hold(how) },
          { after: 2500, act: count },
          { after: 4500, act: count },
          { after: 5000, act: (held) => held.resume() },
          { after: 5500, act: count },
          { after: 7000, act: count },
        ],
        8000,
      );
      const [atHold = 0, beforeResume = 0, atResume = 0, later = 0] = counts;
      assert.equal(beforeResume, atHold, `${how}: no sound while on hold`);
      assert.ok(later > atResume + 10, `${how}: sound again`);
      assert.equal(call.end, 'byUs');
    }
  });

  test('a re-INVITE that crosses ours gets 491, and goes through later', async () => {
    const statuses: number[] = [];
    const world = new ObservedWorld();
    await callWith(
      [
        {
          after: 2000,
          act: (call) => {
            const core = world.node.core;
            const leg = [...(core?.engine.legs.values() ?? [])].find((candidate) => candidate.record.direction === 'inbound');
            assert.ok(core !== null && leg !== undefined);
            core.apply(core.engine.verify(leg.uuid, 'reinvite'));
            call.request('INVITE', call.redescribe('sendrecv'), [], (response) => statuses.push(response.status));
          },
        },
      ],
      9000,
      world,
    );
    assert.ok(world.statusesTo(1).includes('491 INVITE'));
    assert.deepEqual(statuses, [200]);
  });

  test('an unknown dialog gets 481', async () => {
    const world = new ObservedWorld();
    const statuses: number[] = [];
    const call = world.phone(1).call('9196', { hangupAfter: 2000 });
    world.schedule.setTimer(4000, () => {
      world.somebodyHungUp = true;
      call.requestOutOfOrder('INFO', 9999, (status) => statuses.push(status));
    });
    await world.pass(6000);
    assert.deepEqual(statuses, [481]);
  });

  test('a BYE that nobody answers ends the leg after 64·T1', async () => {
    const world = new ObservedWorld();
    world.expectsSound = false;
    world.phone(1).call('2002', { hangupAfter: 4000 });
    world.schedule.setTimer(3000, () => world.phone(2).unplug());
    await world.pass(20_000);
    assert.equal(world.node.core?.busy, 1, 'the callee’s leg still waits');
    await world.run();
    assert.deepEqual(world.violations, []);
    assert.ok(world.methodsTo(2).filter((method) => method === 'BYE').length > 5, 'it was repeated');
    assert.ok(world.schedule.now() > 36_000);
  });
});
