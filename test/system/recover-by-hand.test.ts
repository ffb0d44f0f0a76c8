import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Bench, type BenchOptions, eventually, timeout } from './bench.ts';
import { EventClient } from './event-client.ts';
import type { Dialog, Phone } from './phone.ts';

const byHand: BenchOptions = { switchParameters: { 'recover-on-start': 'false' } };

interface Call {
  readonly phone: Phone;
  readonly dialog: Dialog;
}

async function callsUp(bench: Bench, count: number): Promise<Call[]> {
  const calls: Call[] = [];
  for (let index = 0; index < count; index += 1) {
    const phone = await bench.phone();
    calls.push({ phone, dialog: await phone.call('9196') });
  }
  assert.equal(await bench.undrop.waitRecoveryRows(count), count);
  return calls;
}

async function killAndStart(bench: Bench): Promise<void> {
  await bench.undrop.killAll();
  await bench.undrop.start();
}

async function assertAlive(calls: readonly Call[]): Promise<void> {
  for (const { phone } of calls) await phone.audio?.waitVoice(phone.audio.voice);
}

async function assertEnds(bench: Bench, calls: readonly Call[]): Promise<void> {
  for (const { dialog } of calls) assert.equal(await dialog.hangUp(), 200);
  assert.equal(await bench.undrop.waitRecoveryRows(0), 0);
}

test('kill -9 of all, a start, then sofia recover brings N calls back, and once only', { timeout }, async (context) => {
  const bench = await Bench.create(context, byHand);
  const calls = await callsUp(bench, 3);
  await killAndStart(bench);
  assert.equal(await bench.undrop.channelCount(), 0, 'nothing recovers by itself');
  assert.equal(bench.undrop.recoveryRows(), 3);
  assert.equal(await bench.cli('sofia recover'), 'Recovered 3 call(s)\n');
  assert.equal(await bench.cli('sofia recover'), 'No calls to recover.\n');
  assert.equal(await bench.undrop.channelCount(), 3);
  await assertAlive(calls);
  await assertEnds(bench, calls);
});

test('fsctl recover brings the calls back and counts sessions', { timeout }, async (context) => {
  const bench = await Bench.create(context, byHand);
  const calls = await callsUp(bench, 2);
  await killAndStart(bench);
  assert.match(await bench.cli('fsctl recover'), /^\+OK 2 session\(s\) recovered in total\n/);
  assert.match(await bench.cli('fsctl recover'), /^\+OK 0 session\(s\) recovered in total\n|^\+OK no session\(s\) recovered\n/);
  await assertAlive(calls);
  await assertEnds(bench, calls);
});

test('while nothing has been recovered the far ends get no 481, no BYE and no ICMP: the calls wait', { timeout }, async (context) => {
  const bench = await Bench.create(context, byHand);
  const calls = await callsUp(bench, 1);
  const [call] = calls;
  assert.ok(call !== undefined);
  await killAndStart(bench);
  // The phone refreshes its session meanwhile and sends it again, as UDP phones do.
  const cseq = call.dialog.nextCseq();
  const refresh = call.dialog.bytes('INVITE', 'z9hG4bKrefresh', cseq, [['Content-Type', 'application/sdp']], call.phone.sdp());
  call.phone.client.send(refresh, bench.undrop.ports.sip);
  const refused = await call.dialog.answer('INVITE', 1200).catch(() => null);
  assert.equal(refused, null, `answered ${refused?.status} before the recovery`);
  assert.equal(await bench.cli('sofia recover'), 'Recovered 1 call(s)\n');
  call.phone.client.send(refresh, bench.undrop.ports.sip);
  assert.equal((await call.dialog.answer('INVITE')).status, 200, 'sent again, it is answered');
  call.dialog.send('ACK');
  await assertAlive(calls);
  await assertEnds(bench, calls);
});

for (const command of ['fsctl recover', 'sofia recover']) {
  test(`api_on_startup=${command} recovers at start, as the only means`, { timeout }, async (context) => {
    const bench = await Bench.create(context, { ...byHand, preprocess: [`api_on_startup=${command}`] });
    const calls = await callsUp(bench, 2);
    await killAndStart(bench);
    assert.equal(await bench.undrop.channelCount(), 2);
    assert.match(bench.systemLog(), new RegExp(`api_on_startup: ${command}: .*2 `));
    assert.equal(await bench.cli('sofia recover'), 'No calls to recover.\n', 'they are counted once');
    await assertAlive(calls);
    await assertEnds(bench, calls);
  });

  test(`api_on_startup=${command} does no harm where the start recovers by itself`, { timeout }, async (context) => {
    const bench = await Bench.create(context, { preprocess: [`api_on_startup=${command}`] });
    const calls = await callsUp(bench, 2);
    await killAndStart(bench);
    assert.equal(await bench.undrop.channelCount(), 2);
    assert.match(bench.systemLog(), new RegExp(`api_on_startup: ${command}: .*2 `));
    await assertAlive(calls);
    await assertEnds(bench, calls);
  });
}

test('sofia profile internal recover takes the calls of that profile', { timeout }, async (context) => {
  const bench = await Bench.create(context, byHand);
  const calls = await callsUp(bench, 2);
  await killAndStart(bench);
  assert.match(await bench.cli('sofia profile nosuch recover'), /^Invalid Profile/);
  assert.equal(bench.undrop.recoveryRows(), 2);
  assert.match(await bench.cli('sofia profile internal recover'), /^Recovered 2 session\(s\)\n/);
  assert.match(await bench.cli('sofia profile internal recover'), /^No sessions to recover\.\n/);
  await assertAlive(calls);
  await assertEnds(bench, calls);
});

test('sofia recover flush deletes the rows of dead calls and no row of a live one', { timeout }, async (context) => {
  const bench = await Bench.create(context, byHand);
  await callsUp(bench, 2);
  await killAndStart(bench);
  const fresh = await callsUpBesides(bench, 2);
  assert.equal(await bench.cli('sofia recover flush'), 'Flushing recovery database.\n');
  assert.equal(await bench.undrop.waitRecoveryRows(1), 1, 'the live call keeps its row');
  assert.equal(await bench.cli('sofia recover'), 'No calls to recover.\n');
  await assertAlive([fresh]);
  await assertEnds(bench, [fresh]);
});

async function callsUpBesides(bench: Bench, rowsBefore: number): Promise<Call> {
  const phone = await bench.phone();
  const dialog = await phone.call('9196');
  assert.equal(await bench.undrop.waitRecoveryRows(rowsBefore + 1), rowsBefore + 1);
  return { phone, dialog };
}

test('sofia recover flush after a recovery keeps the rows of the recovered calls', { timeout }, async (context) => {
  const bench = await Bench.create(context);
  const calls = await callsUp(bench, 2);
  await killAndStart(bench);
  await bench.cli('sofia recover flush');
  assert.equal(bench.undrop.recoveryRows(), 2);
  await killAndStart(bench);
  await assertAlive(calls);
  await assertEnds(bench, calls);
});

test("sofia profile internal recover flush deletes that profile's rows", { timeout }, async (context) => {
  const bench = await Bench.create(context, byHand);
  await callsUp(bench, 2);
  await killAndStart(bench);
  assert.match(await bench.cli('sofia profile internal recover flush'), /^Flushing recovery database\.\n/);
  assert.equal(await bench.undrop.waitRecoveryRows(0), 0);
  assert.equal(await bench.cli('sofia recover'), 'No calls to recover.\n');
});

test('where the start recovers, the next recover command counts those calls, once', { timeout }, async (context) => {
  const bench = await Bench.create(context);
  const calls = await callsUp(bench, 3);
  await killAndStart(bench);
  assert.equal(await bench.undrop.channelCount(), 3);
  assert.equal(await bench.cli('sofia recover'), 'Recovered 3 call(s)\n');
  assert.equal(await bench.cli('sofia recover'), 'No calls to recover.\n');
  await assertAlive(calls);
  await assertEnds(bench, calls);
});

test('a call that ended before the command is asked is not counted among the running ones twice', { timeout }, async (context) => {
  const bench = await Bench.create(context, byHand);
  const calls = await callsUp(bench, 1);
  await killAndStart(bench);
  assert.equal(await bench.cli('sofia recover'), 'Recovered 1 call(s)\n');
  await assertEnds(bench, calls);
  assert.equal(await bench.cli('sofia recover'), 'No calls to recover.\n');
});

test('a recovery tells the event socket: CUSTOM sofia::recovery_recovered with the count', { timeout }, async (context) => {
  const bench = await Bench.create(context, byHand);
  const calls = await callsUp(bench, 2);
  await killAndStart(bench);
  const events = await EventClient.open(bench.undrop.ports.eventSocket, 'event json CUSTOM sofia::recovery_recovered');
  context.after(() => events.close());
  await bench.cli('sofia recover');
  const event = await events.wait('recovery_recovered', (entry) => entry['Event-Subclass'] === 'sofia::recovery_recovered');
  assert.match(JSON.stringify(event), /2/);
  await assertEnds(bench, calls);
});

test('recovery list and recovery show last tell what happened to each call', { timeout }, async (context) => {
  const bench = await Bench.create(context, { profileParameters: { 'recovery-refresh': 'reinvite' } });
  const calls = await callsUp(bench, 2);
  await killAndStart(bench);
  const shown = await eventually(
    () => bench.cli('recovery show last'),
    (text) => (text.match(/ verified /g) ?? []).length === 2,
    10_000,
  );
  assert.equal((shown.match(/ verified /g) ?? []).length, 2, shown);
  for (const { phone } of calls) {
    const refresh = await phone.client.wait('re-INVITE', (message) => message.method === 'INVITE', 1000);
    assert.ok(refresh.body.includes('m=audio'));
  }
  await killAndStart(bench);
  const runs = JSON.parse(await bench.cli('recovery list as json')) as { calls: unknown[] }[];
  assert.ok(runs.length >= 2, 'reports outlive a crash');
  await assertAlive(calls);
  await assertEnds(bench, calls);
});

test('master and standby in sequence: another state folder, the same switchname and database', { timeout }, async (context) => {
  const master = await Bench.create(context, { start: false });
  const shared = `${master.undrop.directory}/shared.db`;
  master.edit('autoload_configs/switch.conf.xml', '</settings>', `<param name="core-db-name" value="${shared}"/></settings>`);
  await master.undrop.start();
  const phone = await master.phone();
  const dialog = await phone.call('9196');
  await phone.audio?.waitVoice(phone.audio.voice);
  await master.undrop.killAll();
  const standby = Bench.createStandby(context, master);
  await standby.undrop.start();
  await phone.audio?.waitVoice(phone.audio.voice);
  assert.equal(await standby.undrop.channelCount(), 1);
  assert.equal(new Set(phone.audio?.heard.map((packet) => packet.ssrc)).size, 1, 'one SSRC');
  assert.equal(await dialog.hangUp(), 200);
});
