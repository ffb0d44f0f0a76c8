import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type Call, type Phone, World } from './harness.ts';

const timeout = 240_000;

interface People {
  readonly world: World;
  readonly alice: Phone;
  readonly bob: Phone;
  readonly carol: Phone;
}

/** What happens; returns the two calls that must be partners in the end, and how many CDRs there will be. */
type Scenario = (people: People) => Promise<{ readonly partners: readonly [Call, Call]; readonly legs: number }>;

const replaces = (call: Call): string => encodeURIComponent(`${call.callId};to-tag=${call.remoteTag};from-tag=${call.localTag}`);

async function begin({ world, alice }: People): Promise<Call> {
  const call = alice.dial('6002');
  await world.pass(6000, 500);
  return call;
}

const scenarios: Readonly<Record<string, Scenario>> = {
  'hold and unhold by the console': async (people) => {
    const { world, bob } = people;
    const a = await begin(people);
    world.view.hold(world.legOf(a), 'on');
    await world.pass(5000, 500);
    // Who was killed in the middle of a command says it again.
    for (let times = 0; times < 2; times += 1) {
      world.view.hold(world.legOf(a), 'off');
      await world.pass(6000, 500);
    }
    return { partners: [a, bob.incoming()], legs: 2 };
  },
  'hold and unhold by the phone': async (people) => {
    const { world, alice, bob } = people;
    const a = await begin(people);
    for (const direction of ['sendonly', 'sendrecv']) {
      a.cseq += 1;
      a.send('INVITE', [], alice.sdp(direction));
      await world.pass(6000, 500);
      assert.equal(a.final('INVITE').status, 200);
    }
    return { partners: [a, bob.incoming()], legs: 2 };
  },
  'another codec, put to the partner': async (people) => {
    const { world, alice, bob } = people;
    const a = await begin(people);
    a.cseq += 1;
    a.send('INVITE', [], alice.sdp('sendrecv', [18]));
    await world.pass(8000, 500);
    assert.equal(a.final('INVITE').status, 200);
    assert.equal(world.endpoints.get(world.legOf(bob.incoming()))?.format?.name, 'G729');
    return { partners: [a, bob.incoming()], legs: 2 };
  },
  'blind transfer': async (people) => {
    const { world, bob, carol } = people;
    const a = await begin(people);
    carol.answers = 180;
    a.cseq += 1;
    a.send('REFER', [['Refer-To', '<sip:6003@127.0.0.1>']]);
    await world.pass(6000, 500);
    assert.equal(a.final('REFER').status, 202);
    carol.incoming().answer();
    await world.pass(12_000, 500);
    assert.ok(
      a.requests('NOTIFY').some(({ body }) => body.includes(' 200 ')),
      'the transferor is told',
    );
    assert.ok(a.requests('BYE').length > 0, 'the transferor is ended');
    return { partners: [bob.incoming(), carol.incoming()], legs: 3 };
  },
  'blind transfer to a busy phone': async (people) => {
    const { world, bob, carol } = people;
    const a = await begin(people);
    carol.answers = 486;
    a.cseq += 1;
    a.send('REFER', [['Refer-To', '<sip:6003@127.0.0.1>']]);
    await world.pass(15_000, 500);
    assert.ok(
      a.requests('NOTIFY').some(({ body }) => body.includes(' 486 ')),
      'the transferor is told',
    );
    return { partners: [a, bob.incoming()], legs: 3 };
  },
  'attended transfer': async (people) => {
    const { world, alice, bob, carol } = people;
    const a = await begin(people);
    const consult = alice.dial('6003');
    await world.pass(6000, 500);
    a.cseq += 1;
    a.send('REFER', [['Refer-To', `<sip:6003@127.0.0.1?Replaces=${replaces(consult)}>`]]);
    await world.pass(12_000, 500);
    assert.equal(a.final('REFER').status, 202);
    for (const call of [a, consult]) assert.ok(call.requests('BYE').length > 0, 'both legs of the transferor end');
    return { partners: [bob.incoming(), carol.incoming()], legs: 4 };
  },
  'INVITE with Replaces': async (people) => {
    const { world, bob, carol } = people;
    const a = await begin(people);
    const c = carol.dial('any', [['Replaces', decodeURIComponent(replaces(a))]]);
    await world.pass(12_000, 500);
    assert.equal(c.final('INVITE').status, 200);
    assert.ok(a.requests('BYE').length > 0);
    return { partners: [c, bob.incoming()], legs: 3 };
  },
};

async function play(scenario: Scenario, killBefore: number): Promise<number> {
  const world = await World.start();
  const [alice, bob, carol] = [world.phone(6001, [0, 18]), world.phone(6002, [0, 18]), world.phone(6003, [0, 18])];
  world.effects = 0;
  world.killBefore = killBefore;
  const { partners, legs } = await scenario({ world, alice, bob, carol });
  world.assertBridged(...partners);
  partners[0].cseq += 1;
  partners[0].send('BYE');
  await world.pass(8000, 500);
  assert.ok(partners[1].requests('BYE').length > 0, 'the partner gets its BYE');
  await world.assertNothingLeft();
  assert.equal(world.cdrs.size, legs, 'one CDR a leg');
  return world.effects;
}

describe('the switch is killed before each effect and save of a transfer or hold in turn', { timeout }, () => {
  for (const [name, scenario] of Object.entries(scenarios)) {
    test(`${name}: ends as it shall`, { timeout }, async () => {
      const effects = await play(scenario, 0);
      assert.ok(effects > 20);
      const wrong: string[] = [];
      for (let killBefore = 1; killBefore <= effects; killBefore += 1) {
        try {
          await play(scenario, killBefore);
        } catch (error) {
          wrong.push(`killed before effect ${killBefore}: ${error instanceof Error ? error.message.split('\n')[0] : String(error)}`);
        }
      }
      assert.deepEqual(wrong, [], `${wrong.length} of ${effects} go wrong`);
    });
  }
});
