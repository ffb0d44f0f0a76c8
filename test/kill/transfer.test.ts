import assert from 'node:assert/strict';
import { test } from 'node:test';
import { takePorts } from '../harness/ports.ts';
import { type RunningSwitch, startSwitch } from '../harness/switch.ts';
import { type Dialog, Phone } from '../system/phone.ts';

const timeout = 120_000;

interface Scene {
  readonly undrop: RunningSwitch;
  readonly alice: Phone;
  readonly bob: Phone;
  readonly carol: Phone;
}

/** Bob is at 2xxx, Carol at 7001. */
async function withPhones(work: (scene: Scene) => Promise<void>): Promise<void> {
  const ports = await takePorts();
  const open = (): Promise<Phone> => Phone.open({ switchPort: ports.sip });
  const phones = [await open(), await open(), await open()] as const;
  const [alice, bob, carol] = phones;
  let undrop: RunningSwitch | null = null;
  try {
    undrop = await startSwitch({
      ports,
      calleePort: bob.client.port,
      extensions: `
    <extension name="carol">
      <condition field="destination_number" expression="^7001$">
        <action application="bridge" data="sofia/internal/carol@127.0.0.1:${carol.client.port}"/>
      </condition>
    </extension>`,
    });
    await work({ undrop, alice, bob, carol });
  } finally {
    for (const phone of phones) phone.close();
    await undrop?.stop();
  }
}

async function killEverything(undrop: RunningSwitch): Promise<void> {
  await undrop.killAll();
  await undrop.start();
}

async function assertHear(left: Phone, right: Phone): Promise<void> {
  assert.ok(left.audio !== null && right.audio !== null);
  await Promise.all([left.audio.waitVoice(right.audio.voice), right.audio.waitVoice(left.audio.voice)]);
}

/** uuid of the channel of one of the phones' calls. */
async function channelOf(undrop: RunningSwitch, dialog: Dialog): Promise<string> {
  const { output } = await undrop.cli('show channels as json');
  const { rows } = JSON.parse(output) as { rows: { uuid: string }[] };
  for (const { uuid } of rows) {
    if ((await undrop.cli(`uuid_getvar ${uuid} sip_call_id`)).output.trim() === dialog.callId) return uuid;
  }
  throw new Error(`no channel has the Call-ID ${dialog.callId}`);
}

async function assertNothingLeft(undrop: RunningSwitch, legs: number): Promise<void> {
  assert.equal(await undrop.waitChannelCount(0), 0);
  assert.equal(await undrop.waitRecoveryRows(0), 0);
  assert.equal(undrop.cdrFiles().length, legs, 'one CDR a leg');
}

test('a call on hold, transferred by the console, survives a kill of everything at each step, and BYE ends both legs', { timeout }, () =>
  withPhones(async ({ undrop, alice, bob, carol }) => {
    const a = await alice.call('2001');
    const b = await bob.called();
    await assertHear(alice, bob);
    const uuid = await channelOf(undrop, a);
    assert.equal((await undrop.cli(`uuid_hold ${uuid}`)).output.trim(), '+OK Success');
    assert.match((await a.request('INVITE')).body, /a=sendonly/);
    await killEverything(undrop);
    const heard = bob.audio?.heard.length ?? 0;
    await new Promise((resolve) => setTimeout(resolve, 400));
    assert.equal(bob.audio?.heard.length, heard, 'nothing passes while the call is on hold');
    assert.equal((await undrop.cli(`uuid_hold off ${uuid}`)).output.trim(), '+OK Success');
    await assertHear(alice, bob);
    assert.equal((await undrop.cli(`uuid_transfer ${uuid} -bleg 7001`)).output.trim(), '+OK');
    await a.request('BYE');
    const c = await carol.called();
    await assertHear(bob, carol);
    await killEverything(undrop);
    await assertHear(bob, carol);
    assert.equal(await c.hangUp(), 200);
    await b.request('BYE');
    await assertNothingLeft(undrop, 3);
  }),
);

test('a REFER survives a kill of everything while its target rings: the outcome is said, both old legs end', { timeout }, () =>
  withPhones(async ({ undrop, alice, bob, carol }) => {
    carol.answersAfter = null;
    const a = await alice.call('2001');
    const b = await bob.called();
    a.send('REFER', [['Refer-To', `<sip:7001@127.0.0.1:${undrop.ports.sip}>`]]);
    assert.equal((await a.answer('REFER')).status, 202);
    assert.match((await a.request('NOTIFY')).body, /^SIP\/2.0 100/);
    const invite = await carol.client.wait('INVITE', (message) => message.method === 'INVITE');
    await killEverything(undrop);
    const c = carol.dialogs.at(-1);
    assert.ok(c !== undefined);
    carol.pickUp(invite, c);
    let outcome = await a.request('NOTIFY');
    // The crash may have come before our 200 to the first NOTIFY was read: it is said again.
    while (outcome.body.startsWith('SIP/2.0 100')) outcome = await a.request('NOTIFY');
    assert.match(outcome.body, /^SIP\/2.0 200/);
    await a.request('BYE');
    await assertHear(bob, carol);
    await killEverything(undrop);
    await assertHear(bob, carol);
    assert.equal(await b.hangUp(), 200);
    await c.request('BYE');
    await assertNothingLeft(undrop, 3);
  }),
);
