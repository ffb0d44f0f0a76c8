import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { aLawToMuLaw, muLawToALaw } from '../../src/rtp/index.ts';
import { bytesOf, createResponse, headerValue, messageText, tagOf } from '../../src/sip/index.ts';
import { readDescription } from '../simulator/phone-sdp.ts';
import { ObservedWorld } from './observed-world.ts';

describe('setting a call up', { timeout: 60_000 }, () => {
  test('180 of the callee reaches the caller, then its answer', async () => {
    const world = new ObservedWorld();
    world.phone(1).call('2002', { hangupAfter: 2000 });
    await world.run();
    assert.deepEqual(world.violations, []);
    assert.deepEqual(world.statusesTo(1), ['100 INVITE', '180 INVITE', '200 INVITE', '200 BYE']);
    assert.deepEqual(world.methodsTo(2), ['INVITE', 'ACK', 'BYE']);
  });

  test('183 with a description gives early media in the caller’s ear', async () => {
    const world = new ObservedWorld();
    world.phone(2).plan = { ...world.phone(2).plan, early: true, answerAfter: 4000 };
    const call = world.phone(1).call('2002', { hangupAfter: 1000 });
    let heardEarly = 0;
    world.schedule.setTimer(3500, () => {
      heardEarly = call.received;
    });
    await world.run();
    assert.deepEqual(world.violations, []);
    assert.deepEqual(world.statusesTo(1), ['100 INVITE', '183 INVITE', '200 INVITE', '200 BYE']);
    assert.ok(heardEarly > 20, `${heardEarly} packets before the answer`);
  });

  test('CANCEL of the caller: 200 to it, 487 to its INVITE, CANCEL to the callee', async () => {
    const world = new ObservedWorld();
    world.phone(2).plan = { ...world.phone(2).plan, answerAfter: null };
    const call = world.phone(1).call('2002', { cancelAfter: 1500 });
    await world.run();
    assert.deepEqual(world.violations, []);
    assert.equal(call.finalStatus, 487);
    assert.deepEqual(world.statusesTo(1), ['100 INVITE', '180 INVITE', '200 CANCEL', '487 INVITE']);
    assert.deepEqual(world.methodsTo(2), ['INVITE', 'CANCEL', 'ACK']);
  });

  test('486 of the callee reaches the caller', async () => {
    const world = new ObservedWorld();
    world.phone(2).plan = { ...world.phone(2).plan, rejectWith: 486 };
    assert.equal((await outcome(world, '2002')).finalStatus, 486);
  });

  test('with continue_on_fail the dialplan goes on after a refusal', async () => {
    const world = new ObservedWorld();
    world.endsByItself = true;
    world.phone(2).plan = { ...world.phone(2).plan, rejectWith: 486 };
    const call = await outcome(world, '62');
    assert.equal(call.finalStatus, 200);
    assert.ok(call.received > 50, 'the tone was heard');
    assert.equal(call.end, 'byPeer');
  });

  test('an attempt that rings too long is cancelled, and the next one rings', async () => {
    const world = new ObservedWorld();
    world.mayCancel = true;
    world.phone(2).plan = { ...world.phone(2).plan, answerAfter: null };
    const call = world.phone(1).call('723', { hangupAfter: 1000 });
    await world.run();
    assert.deepEqual(world.violations, []);
    assert.equal(call.finalStatus, 200);
    assert.deepEqual(world.methodsTo(2), ['INVITE', 'CANCEL', 'ACK']);
    assert.deepEqual(world.methodsTo(3), ['INVITE', 'ACK', 'BYE']);
  });

  test('an option in Require that we do not know gets 420 with Unsupported', async () => {
    const world = new ObservedWorld();
    world.expectedRefusal = 420;
    const call = world.phone(1).call('9196', { headers: [{ name: 'Require', value: 'teleportation' }] });
    await world.run();
    assert.deepEqual(world.violations, []);
    assert.equal(call.finalStatus, 420);
    const refusal = world.observed.find(({ message }) => message.kind === 'response' && message.status === 420);
    assert.equal(refusal === undefined ? null : headerValue(refusal.message, 'Unsupported'), 'teleportation');
  });

  test('a number that no extension takes gets 404', async () => {
    const world = new ObservedWorld();
    world.expectedRefusal = 404;
    assert.equal((await outcome(world, '99999')).finalStatus, 404);
  });

  test('an offer without a common codec gets 488', async () => {
    const world = new ObservedWorld();
    world.expectedRefusal = 488;
    const call = world.phone(1).call('9196', { codecs: [18] });
    await world.run();
    assert.deepEqual(world.violations, []);
    assert.equal(call.finalStatus, 488);
  });

  test('a callee with the other G.711 law is understood both ways', async () => {
    const world = new ObservedWorld();
    world.phone(2).plan = { ...world.phone(2).plan, codecs: [0, 101] };
    const caller = world.phone(1).call('2002', { codecs: [8, 101], hangupAfter: 4000 });
    await world.run();
    assert.deepEqual(world.violations, []);
    const callee = world.phone(2).calls[0];
    assert.deepEqual([...caller.heardPayloadTypes], [8]);
    assert.deepEqual([...caller.heard], [muLawToALaw[world.phone(2).sound]]);
    assert.deepEqual([...(callee?.heardPayloadTypes ?? [])], [0]);
    assert.deepEqual([...(callee?.heard ?? [])], [aLawToMuLaw[world.phone(1).sound]]);
  });

  test('an INVITE without an offer: ours is in the 200, and the answer in the ACK is used', async () => {
    const world = new ObservedWorld();
    const call = world.phone(1).call('9196', { lateOffer: true, hangupAfter: 3000 });
    await world.run();
    assert.deepEqual(world.violations, []);
    assert.notEqual(readDescription(call.answerSdp), null);
    assert.ok(call.received > 20);
  });

  test('a caller that requires 100rel gets its provisional reliably, and the 200 only after PRACK', async () => {
    const world = new ObservedWorld();
    world.phone(2).plan = { ...world.phone(2).plan, early: true, answerAfter: 60 };
    world.phone(1).call('2002', { hangupAfter: 2000, headers: [{ name: 'Require', value: '100rel' }] });
    await world.run();
    assert.deepEqual(world.violations, []);
    const statuses = world.statusesTo(1);
    assert.deepEqual(statuses, ['100 INVITE', '183 INVITE', '200 PRACK', '200 INVITE', '200 BYE']);
  });

  test('the 200 is repeated until the ACK', async () => {
    const world = new ObservedWorld();
    const call = world.phone(1).call('9196', { forgetAcknowledges: 2, hangupAfter: 3000 });
    await world.run();
    assert.deepEqual(world.violations, []);
    assert.deepEqual(world.statusesTo(1), ['100 INVITE', '200 INVITE', '200 INVITE', '200 INVITE', '200 BYE']);
    assert.equal(call.end, 'byUs');
  });

  test('a 200 that never gets its ACK: BYE after 64·T1', async () => {
    const world = new ObservedWorld();
    world.endsByItself = true;
    const call = world.phone(1).call('9196', { forgetAcknowledges: 1000 });
    world.schedule.setTimer(31_000, () => assert.equal(world.methodsTo(1).length, 0));
    world.schedule.setTimer(34_000, () => call.finish('lost'));
    await world.run();
    assert.deepEqual(world.violations, []);
    assert.ok(world.methodsTo(1).includes('BYE'));
  });

  test('a repeated 200 gets no ACK before the first ACK is durable', async () => {
    const world = new ObservedWorld();
    let acknowledgedUnsaved = false;
    world.phone(1).call('2002', { hangupAfter: 3000 });
    const send = world.sip.send.bind(world.sip);
    world.sip.send = (source, destination, bytes) => {
      const text = Buffer.from(bytes).toString('latin1');
      if (destination.ip === '10.0.1.2' && text.startsWith('ACK')) {
        acknowledgedUnsaved ||= !world.node.database.rows.some((row) => row.state === 'answered');
      }
      send(source, destination, bytes);
      if (source.ip === '10.0.1.2' && text.startsWith('SIP/2.0 200') && text.includes(' INVITE')) send(source, destination, bytes);
    };
    await world.run();
    assert.deepEqual(world.violations, []);
    assert.equal(acknowledgedUnsaved, false);
  });

  test('the second 200 of a forked INVITE gets an ACK and a BYE of its own', async () => {
    const world = new ObservedWorld();
    const fork: string[] = [];
    world.sip.attach('10.0.1.9', (bytes) => fork.push(Buffer.from(bytes).toString('latin1')));
    world.phone(1).call('2002', { hangupAfter: 5000 });
    world.schedule.setTimer(2000, () => {
      const invite = world.requestsTo(2)[0];
      assert.ok(invite !== undefined);
      const headers = [
        { name: 'Contact', value: '<sip:fork@10.0.1.9:5060>' },
        { name: 'Content-Type', value: 'application/sdp' },
      ];
      const body = world.phone(2).calls[0]?.describe() ?? '';
      const second = createResponse(invite, 200, { toTag: 'fork', headers, body });
      world.sip.send(world.phone(2).address, { ip: '10.0.0.1', port: 5060 }, bytesOf(messageText(second)));
    });
    await world.run();
    assert.deepEqual(world.violations, []);
    assert.match(fork[0] ?? '', /^ACK sip:fork@10\.0\.1\.9/);
    assert.match(fork[1] ?? '', /^BYE sip:fork@10\.0\.1\.9/);
    for (const text of fork) assert.equal(tagOf(/^To: (.*)\r$/m.exec(text)?.[1] ?? ''), 'fork');
    assert.equal(world.phone(2).calls[0]?.end, 'byPeer', 'the first call went on until the caller hung up');
  });
});

async function outcome(world: ObservedWorld, number: string) {
  const call = world.phone(1).call(number);
  await world.run();
  assert.deepEqual(world.violations, []);
  return call;
}
