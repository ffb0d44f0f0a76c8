import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Bench, eventually, timeout } from '../system/bench.ts';
import type { Dialog } from '../system/phone.ts';

const EXTENSIONS = `
    <extension name="pin">
      <condition field="destination_number" expression="^71$">
        <action application="answer"/>
        <action application="play_and_get_digits" data="4 4 1 30000 # silence silence pin ^\\d+$"/>
        <action application="set" data="asked=done"/>
        <action application="echo"/>
      </condition>
    </extension>
    <extension name="short">
      <condition field="destination_number" expression="^72$">
        <action application="limit" data="hash lines a 1 !USER_BUSY"/>
        <action application="sched_hangup" data="+6 CALL_REJECTED"/>
        <action application="answer"/>
        <action application="echo"/>
      </condition>
    </extension>`;

async function press(dialog: Dialog, digits: string): Promise<void> {
  for (const digit of digits) {
    dialog.send('INFO', [['Content-Type', 'application/dtmf-relay']], `Signal=${digit}\r\nDuration=160\r\n`);
    assert.equal((await dialog.answer('INFO')).status, 200);
  }
}

test('digits that were pressed before a kill of everything and after it are one number', { timeout }, async (context) => {
  const bench = await Bench.create(context, { extensions: EXTENSIONS });
  const phone = await bench.phone();
  const dialog = await phone.call('71');
  await press(dialog, '12');
  await bench.undrop.killAll();
  await bench.undrop.start();
  await press(dialog, '34');
  const [uuid = ''] = (await bench.cli('show channels')).split('\n')[1]?.split(',') ?? [];
  assert.equal(
    await eventually(
      () => bench.cli(`uuid_getvar ${uuid} asked`),
      (answer) => answer.trim() === 'done',
    ),
    'done\n',
  );
  assert.equal((await bench.cli(`uuid_getvar ${uuid} pin`)).trim(), '1234');
  assert.equal(await dialog.hangUp(), 200);
});

test('a hangup that was scheduled before a kill comes after it, and limit still counts the call', { timeout }, async (context) => {
  const bench = await Bench.create(context, { extensions: EXTENSIONS });
  const phone = await bench.phone();
  const dialog = await phone.call('72');
  // Its answer says that the ACK before it has arrived.
  await press(dialog, '1');
  await bench.undrop.killAll();
  await bench.undrop.start();
  const second = await phone.finalOf(phone.dial('72'));
  assert.equal(second.status, 486);
  assert.ok(
    await eventually(
      () => dialog.ended,
      (ended) => ended,
      15_000,
    ),
    'the BYE came',
  );
  assert.equal((await phone.finalOf(phone.dial('72'))).status, 200, 'the place is free again');
});
