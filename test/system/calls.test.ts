import assert from 'node:assert/strict';
import { test } from 'node:test';
import { header } from '../../tools/phone/wire.ts';
import { type HeardPacket, missingFrames, strongestFrequency } from './audio.ts';
import { Bench, eventually, sleep, timeout } from './bench.ts';
import { EventClient } from './event-client.ts';

function extension(number: string, ...actions: readonly (readonly [string, string])[]): string {
  const lines = actions.map(([application, data]) => `<action application="${application}" data="${data}"/>`).join('');
  return `<extension name="x${number}"><condition field="destination_number" expression="^${number}$">${lines}</condition></extension>\n`;
}

const extensions =
  extension('5001', ['answer', ''], ['playback', 'tone_stream://%(500,0,800);loops=40'], ['hangup', '']) +
  extension('5002', ['answer', ''], ['sleep', '6000'], ['hangup', '']) +
  extension('5003', ['answer', ''], ['park', '']) +
  extension('5004', ['respond', '603 Decline']) +
  extension('5005', ['bridge', 'user/1000']) +
  extension('5006', ['set', 'my_variable=blue'], ['answer', ''], ['echo', '']);

/** Whether a tone is in it. */
function loud(packet: HeardPacket): boolean {
  return packet.payload.some((byte) => byte !== 0xff && byte !== 0x7f);
}

test('REGISTER with digest, then a call to user/1000 reaches the contact, also after kill -9 of everything', {
  timeout,
}, async (context) => {
  const bench = await Bench.create(context, { extensions, users: { 1000: 'secret' }, profileParameters: { 'accept-blind-reg': 'false' } });
  const registered = await bench.phone();
  assert.equal(await registered.register('1000', 'wrong'), 403, 'a wrong password');
  assert.equal(await registered.register('1000', 'secret'), 200);
  const caller = await bench.phone();
  const first = await caller.call('5005');
  const answered = await registered.called();
  await caller.audio?.waitVoice(registered.audio?.voice ?? 0);
  await registered.audio?.waitVoice(caller.audio?.voice ?? 0);
  assert.equal(await first.hangUp(), 200);
  await answered.request('BYE');

  await bench.undrop.killAll();
  await bench.undrop.start();
  assert.match(await bench.cli('show registrations'), /1000,127\.0\.0\.1/);
  const second = await caller.call('5005');
  const again = await registered.called();
  await caller.audio?.waitVoice(registered.audio?.voice ?? 0);
  assert.equal(await again.hangUp(), 200);
  await second.request('BYE');
  assert.equal(await bench.undrop.waitRecoveryRows(0), 0);
});

test('a user that is not registered is refused at once', { timeout }, async (context) => {
  const bench = await Bench.create(context, { extensions, users: { 1000: 'secret' } });
  const caller = await bench.phone({ sound: false });
  const answer = await caller.finalOf(caller.dial('5005'));
  assert.equal(answer.status, 480, answer.reason);
  assert.equal(await bench.undrop.waitRecoveryRows(0), 0);
});

test('originate rings a phone and runs the application; uuid_kill and hupall end it with BYE', { timeout }, async (context) => {
  const bench = await Bench.create(context, { extensions });
  const phone = await bench.phone();
  const reply = await bench.cli(`originate sofia/internal/x@127.0.0.1:${phone.client.port} &echo`);
  const uuid = /^\+OK ([0-9a-f-]{36})\n/.exec(reply)?.[1] ?? '';
  assert.notEqual(uuid, '', reply);
  const dialog = await phone.called();
  await phone.audio?.waitVoice(phone.audio.voice);
  const dump = await bench.cli(`uuid_dump ${uuid}`);
  assert.match(dump, /^Event-Name: CHANNEL_DATA$/m);
  assert.match(dump, new RegExp(`^Unique-ID: ${uuid}$`, 'm'));
  assert.match(dump, /^Call-Direction: outbound$/m);
  assert.match(dump, /^variable_current_application: echo$/m);
  assert.equal((await bench.cli(`uuid_exists ${uuid}`)).trim(), 'true');
  assert.equal(await bench.cli(`uuid_kill ${uuid}`), '+OK\n');
  await dialog.request('BYE');
  assert.equal((await bench.cli(`uuid_exists ${uuid}`)).trim(), 'false');
  assert.match(await bench.cli(`uuid_kill ${uuid}`), /^-ERR No such channel!/);

  const incoming = await phone.call('9196');
  assert.match(await bench.cli('hupall'), /^\+OK hangup all channels with cause MANAGER_REQUEST/);
  await incoming.request('BYE');
  assert.equal(await bench.undrop.waitRecoveryRows(0), 0);
  assert.equal(
    await eventually(
      () => bench.undrop.cdrFiles().length,
      (count) => count === 2,
    ),
    2,
    'CDR files',
  );
});

test('originate to a busy phone and to nobody says why', { timeout }, async (context) => {
  const bench = await Bench.create(context, { extensions });
  const phone = await bench.phone({ sound: false });
  phone.answersAfter = null;
  const reply = bench.cli(`originate sofia/internal/x@127.0.0.1:${phone.client.port} &echo`);
  const invite = await phone.client.wait('INVITE', (message) => message.method === 'INVITE');
  phone.respond(invite, 486, 'Busy Here', 'busy');
  assert.equal(await reply, '-ERR USER_BUSY\n');
  assert.equal(await bench.cli('originate user/4711 &echo'), '-ERR USER_NOT_REGISTERED\n');
  assert.equal(await bench.undrop.waitRecoveryRows(0), 0);
});

test('show channels and show calls list a bridged pair with their columns', { timeout }, async (context) => {
  const callee = { port: 0 };
  const bench = await Bench.create(context, { extensions, start: false });
  const phone = await bench.phone({ user: 'callee' });
  callee.port = phone.client.port;
  bench.edit('dialplan/public.xml', '127.0.0.1:9"', `127.0.0.1:${callee.port}"`);
  await bench.undrop.start();
  const caller = await bench.phone({ user: 'caller' });
  const dialog = await caller.call('2001');
  await caller.audio?.waitVoice(phone.audio?.voice ?? 0);
  assert.match(await bench.cli('show channels count'), /^\n?2 total\.\n/);
  assert.match(await bench.cli('show calls count'), /^\n?1 total\.\n/);
  const channels = JSON.parse(await bench.cli('show channels as json')) as { row_count: number; rows: Record<string, string>[] };
  assert.equal(channels.row_count, 2);
  const inbound = channels.rows.find((row) => row['direction'] === 'inbound');
  const outbound = channels.rows.find((row) => row['direction'] === 'outbound');
  assert.equal(inbound?.['cid_num'], 'caller');
  assert.equal(inbound?.['dest'], '2001');
  assert.equal(inbound?.['state'], 'CS_EXECUTE');
  assert.equal(inbound?.['application'], 'bridge');
  assert.equal(inbound?.['callstate'], 'ACTIVE');
  assert.equal(inbound?.['read_codec'], 'PCMU');
  assert.equal(inbound?.['hostname'], 'switch-under-test');
  assert.equal(outbound?.['state'], 'CS_EXCHANGE_MEDIA');
  assert.equal(outbound?.['call_uuid'], inbound?.['uuid']);
  const calls = JSON.parse(await bench.cli('show calls as json')) as { row_count: number; rows: Record<string, string>[] };
  assert.equal(calls.row_count, 1);
  assert.equal(calls.rows[0]?.['uuid'], inbound?.['uuid']);
  assert.equal(calls.rows[0]?.['b_uuid'], outbound?.['uuid']);

  await bench.undrop.killAll();
  await bench.undrop.start();
  const after = JSON.parse(await bench.cli('show calls as json')) as { rows: Record<string, string>[] };
  assert.deepEqual(after.rows, calls.rows, 'the same row after kill -9');
  assert.equal(await dialog.hangUp(), 200);
  await phone.dialogs[0]?.request('BYE');
});

test('conference list, mute, unmute and kick', { timeout }, async (context) => {
  const bench = await Bench.create(context);
  const first = await bench.phone({ user: 'anna' });
  const second = await bench.phone({ user: 'berta' });
  const left = await first.call('3001');
  const right = await second.call('3001');
  const loudFrame = (packet: HeardPacket) => loud(packet);
  await first.audio?.waitHeard(20, 5000, loudFrame);
  await second.audio?.waitHeard(20, 5000, loudFrame);
  const list = await bench.cli('conference 3001 list');
  const lines = list.trim().split('\n');
  assert.equal(lines.length, 2, list);
  assert.match(lines[1] ?? '', /^1;sofia\/internal\/anna@127\.0\.0\.1;[0-9a-f-]{36};anna;anna;hear\|speak/);
  assert.match(await bench.cli('conference list'), /^\+OK Conference 3001 \(2 members rate: 8000 flags: /);
  assert.match(await bench.cli('conference 3001 mute 1'), /^\+OK mute 1/);
  assert.match(await bench.cli('conference 3001 list'), /^1;[^\n]*;hear(\|floor)?;/m);
  await sleep(300);
  const since = performance.now();
  await second.audio?.waitHeard(25);
  const heard = second.audio?.heard.filter((packet) => packet.at > since) ?? [];
  assert.equal(heard.filter(loud).length, 0, 'a muted member is not heard');

  await bench.undrop.killAll();
  await bench.undrop.start();
  await second.audio?.waitHeard(25);
  assert.match(await bench.cli('conference 3001 list'), /^1;[^\n]*;hear(\|floor)?;/m, 'still muted after kill -9');
  assert.match(await bench.cli('conference 3001 unmute 1'), /^\+OK unmute 1/);
  await second.audio?.waitHeard(20, 5000, loudFrame);
  assert.match(await bench.cli('conference 3001 kick 2'), /^\+OK kicked 2/);
  await right.request('BYE');
  assert.equal((await bench.cli('conference 3001 list')).trim().split('\n').length, 1);
  assert.match(await bench.cli('conference nosuch list'), /^-ERR Conference nosuch not found/);
  assert.equal(await left.hangUp(), 200);
  assert.equal(await bench.cli('conference list'), '+OK No active conferences.\n');
});

test('a tone is heard at its frequency, goes on after kill -9, and ends when its time is over', { timeout }, async (context) => {
  const bench = await Bench.create(context, { extensions });
  const phone = await bench.phone();
  const started = performance.now();
  const dialog = await phone.call('5001');
  const before = await phone.audio?.waitHeard(25, 5000, loud);
  assert.equal(strongestFrequency((before ?? []).slice(0, 20)), 800);
  await bench.undrop.killAll();
  await bench.undrop.start();
  const after = await phone.audio?.waitHeard(25, 5000, loud);
  assert.equal(strongestFrequency((after ?? []).slice(0, 20)), 800);
  assert.equal(new Set(phone.audio?.heard.map((packet) => packet.ssrc)).size, 1, 'one SSRC');
  // 40 loops of 0.5 s.
  const bye = await dialog.request('BYE', 30_000);
  const lasted = bye.at - started;
  assert.ok(lasted > 19_000 && lasted < 23_000, `the playback lasted ${Math.round(lasted)} ms, expected about 20,000`);
});

test('sleep ends at its original time although everything was killed meanwhile', { timeout }, async (context) => {
  const bench = await Bench.create(context, { extensions });
  const phone = await bench.phone();
  const dialog = await phone.call('5002');
  const started = performance.now();
  await sleep(1000);
  await bench.undrop.killAll();
  await sleep(1500);
  await bench.undrop.start();
  const bye = await dialog.request('BYE', 15_000);
  const lasted = bye.at - started;
  assert.ok(lasted > 5500 && lasted < 7500, `sleep lasted ${Math.round(lasted)} ms, expected about 6,000`);
  assert.equal(await bench.undrop.waitRecoveryRows(0), 0);
});

test('park keeps a call, over kill -9, until somebody ends it', { timeout }, async (context) => {
  const bench = await Bench.create(context, { extensions });
  const phone = await bench.phone();
  const dialog = await phone.call('5003');
  await bench.undrop.killAll();
  await bench.undrop.start();
  const channels = JSON.parse(await bench.cli('show channels as json')) as { rows: Record<string, string>[] };
  assert.equal(channels.rows[0]?.['application'], 'park');
  assert.equal(await dialog.hangUp(), 200);
  assert.equal(await bench.undrop.waitChannelCount(0), 0);
});

test('respond 603 refuses the call with that status and reason', { timeout }, async (context) => {
  const bench = await Bench.create(context, { extensions });
  const phone = await bench.phone({ sound: false });
  const answer = await phone.finalOf(phone.dial('5004'));
  assert.equal(answer.status, 603);
  assert.equal(answer.reason, 'Decline');
  assert.equal(await bench.undrop.waitRecoveryRows(0), 0);
});

test('a number that no extension takes is refused with 404', { timeout }, async (context) => {
  const bench = await Bench.create(context);
  const phone = await bench.phone({ sound: false });
  assert.equal((await phone.finalOf(phone.dial('777'))).status, 404);
  assert.equal(await bench.undrop.waitRecoveryRows(0), 0);
});

test('DTMF by RFC 4733 and by INFO gives one event each, also after kill -9', { timeout }, async (context) => {
  const bench = await Bench.create(context);
  const phone = await bench.phone();
  const dialog = await phone.call('9196');
  await phone.audio?.waitVoice(phone.audio.voice);
  for (const round of ['before', 'after']) {
    const events = await EventClient.open(bench.undrop.ports.eventSocket, 'event json DTMF');
    await phone.audio?.pressKey('7', 101);
    await events.wait('DTMF 7', (event) => event['DTMF-Digit'] === '7');
    dialog.send('INFO', [['Content-Type', 'application/dtmf-relay']], 'Signal=5\r\nDuration=160\r\n');
    assert.equal((await dialog.answer('INFO')).status, 200);
    await events.wait('DTMF 5', (event) => event['DTMF-Digit'] === '5');
    await sleep(200);
    const digits = events.events.filter((event) => event['Event-Name'] === 'DTMF').map((event) => event['DTMF-Digit']);
    assert.deepEqual(digits, ['7', '5'], `digits ${round} the kill`);
    events.close();
    if (round === 'after') break;
    await bench.undrop.killAll();
    await bench.undrop.start();
    await phone.audio?.waitVoice(phone.audio.voice);
  }
  assert.equal(await dialog.hangUp(), 200);
});

test('the event socket tells the life of a call in order', { timeout }, async (context) => {
  const bench = await Bench.create(context, { extensions });
  const events = await EventClient.open(bench.undrop.ports.eventSocket, 'event json ALL');
  context.after(() => events.close());
  const phone = await bench.phone();
  const dialog = await phone.call('5006');
  assert.equal(await dialog.hangUp(), 200);
  await events.wait('CHANNEL_DESTROY', (event) => event['Event-Name'] === 'CHANNEL_DESTROY');
  const names = events.events
    .filter((event) => (event['Event-Name'] ?? '').startsWith('CHANNEL_'))
    .map((event) => event['Event-Name'] ?? '');
  const expected = [
    'CHANNEL_CREATE',
    'CHANNEL_EXECUTE',
    'CHANNEL_EXECUTE_COMPLETE',
    'CHANNEL_ANSWER',
    'CHANNEL_HANGUP',
    'CHANNEL_HANGUP_COMPLETE',
    'CHANNEL_DESTROY',
  ];
  const positions = expected.map((name) => names.indexOf(name));
  assert.ok(!positions.includes(-1), `missing in ${names.join(' ')}`);
  assert.deepEqual(
    positions.toSorted((left, right) => left - right),
    positions,
    names.join(' '),
  );
  assert.equal(names.at(-1), 'CHANNEL_DESTROY');
  const answer = events.events.find((event) => event['Event-Name'] === 'CHANNEL_ANSWER');
  assert.equal(answer?.['variable_my_variable'], 'blue');
  assert.equal(new Set(events.events.flatMap((event) => event['Unique-ID'] ?? [])).size, 1);
});

test('reloadxml takes a new dialplan while a call is up, and keeps the old one when the new is wrong', { timeout }, async (context) => {
  const bench = await Bench.create(context);
  const phone = await bench.phone();
  const dialog = await phone.call('9196');
  const other = await bench.phone({ sound: false });
  assert.equal((await other.finalOf(other.dial('5004'))).status, 404);
  bench.edit('dialplan/public.xml', '<extension name="echo">', `${extension('5004', ['respond', '603 Decline'])}<extension name="echo">`);
  assert.match(await bench.cli('reloadxml'), /^\+OK \[Success\]/);
  assert.equal((await other.finalOf(other.dial('5004'))).status, 603);
  bench.edit('dialplan/public.xml', '<extension name="echo">', '<extension name="broken"><extension name="echo">');
  assert.match(await bench.cli('reloadxml'), /^-ERR \[.*public\.xml/s);
  assert.equal((await other.finalOf(other.dial('5004'))).status, 603, 'the last good configuration stays');
  await phone.audio?.waitVoice(phone.audio.voice);
  assert.equal(await dialog.hangUp(), 200);
});

test('siptrace on writes messages to the log, off ends that', { timeout }, async (context) => {
  const bench = await Bench.create(context);
  const phone = await bench.phone({ sound: false });
  const marker = (dialog: { callId: string }) => bench.systemLog().includes(dialog.callId);
  assert.match(await bench.cli('sofia profile internal siptrace on'), /^Enabled sip debugging on internal/);
  const traced = await phone.call('9196');
  assert.equal(await traced.hangUp(), 200);
  assert.ok(
    await eventually(
      () => marker(traced),
      (found) => found,
    ),
    'the traced call is in the log',
  );
  assert.match(await bench.cli('sofia profile internal siptrace off'), /^Disabled sip debugging on internal/);
  const silent = await phone.call('9196');
  assert.equal(await silent.hangUp(), 200);
  await sleep(1500);
  assert.equal(/recv \d+ bytes[\s\S]*/.exec(bench.systemLog())?.[0].includes(silent.callId) ?? false, false, 'after off');
});

test('killing the switch alone loses no packet of a bridged call', { timeout }, async (context) => {
  const bench = await Bench.create(context, { start: false });
  const callee = await bench.phone();
  bench.edit('dialplan/public.xml', '127.0.0.1:9"', `127.0.0.1:${callee.client.port}"`);
  await bench.undrop.start();
  const caller = await bench.phone();
  const dialog = await caller.call('2001');
  await caller.audio?.waitVoice(callee.audio?.voice ?? 0);
  const died = bench.undrop.killSwitch();
  await bench.undrop.waitReady({ switch: died });
  await caller.audio?.waitVoice(callee.audio?.voice ?? 0, 25);
  assert.deepEqual(missingFrames(caller.audio?.heard ?? [], callee.audio?.voice ?? 0), []);
  assert.deepEqual(missingFrames(callee.audio?.heard ?? [], caller.audio?.voice ?? 0), []);
  assert.equal(await dialog.hangUp(), 200);
  const bye = await callee.dialogs[0]?.request('BYE');
  assert.notEqual(header(bye ?? assert.fail('BYE'), 'call-id'), '');
});
