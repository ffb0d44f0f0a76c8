import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { closeSync, openSync, readdirSync, rmSync, statSync, truncateSync, writeFileSync, writeSync } from 'node:fs';
import { test } from 'node:test';
import { Bench, eventually, sleep, timeout } from './bench.ts';
import type { Dialog, Phone } from './phone.ts';

const calls = 6;

async function manyCalls(bench: Bench, count = calls): Promise<{ phone: Phone; dialog: Dialog }[]> {
  const made: { phone: Phone; dialog: Dialog }[] = [];
  for (let index = 0; index < count; index += 1) {
    const phone = await bench.phone();
    made.push({ phone, dialog: await phone.call('9196') });
  }
  assert.equal(await bench.undrop.waitRecoveryRows(count), count);
  return made;
}

/** Puts everything from the write-ahead log into the file, so that damage to the file hits rows. */
function checkpoint(bench: Bench): void {
  bench.sql('PRAGMA wal_checkpoint(TRUNCATE)');
  for (const suffix of ['-wal', '-shm']) rmSync(bench.databasePath + suffix, { force: true });
}

function overwrite(path: string, offset: number, bytes: Buffer): void {
  const file = openSync(path, 'r+');
  writeSync(file, bytes, 0, bytes.length, offset);
  closeSync(file);
}

function setAside(bench: Bench): string[] {
  return readdirSync(`${bench.undrop.stateDirectory}/db`).filter((name) => name.includes('.damaged-'));
}

test('damage in the middle of core.db: the start says so, the readable rows recover, the damaged file is kept', {
  timeout,
}, async (context) => {
  const bench = await Bench.create(context);
  const made = await manyCalls(bench);
  await bench.undrop.killAll();
  checkpoint(bench);
  const { size } = statSync(bench.databasePath);
  overwrite(bench.databasePath, Math.floor(size / 2 / 4096) * 4096, randomBytes(8192));
  await bench.undrop.start();
  assert.match(bench.systemLog(), /the database was damaged/);
  assert.ok(setAside(bench).length >= 1, 'the damaged file is kept');
  const recovered = await bench.undrop.channelCount();
  assert.ok(recovered >= 1 && recovered <= calls, `${recovered} of ${calls} calls recovered`);
  context.diagnostic(`${recovered} of ${calls} calls recovered`);
  let alive = 0;
  for (const { phone, dialog } of made) {
    const heard = await phone.audio?.waitVoice(phone.audio.voice, 5, 1500).catch(() => null);
    if (heard === null) continue;
    alive += 1;
    assert.equal(await dialog.hangUp(), 200);
  }
  assert.equal(alive, recovered, 'every recovered call has its sound');
  const next = await bench.phone();
  assert.equal(await (await next.call('9196')).hangUp(), 200, 'new calls work');
  // A row whose text was hit may be read and make no sense: it stays, in quarantine.
  const quarantined = bench.sql("select uuid, last_error from recovery where state = 'quarantine'");
  const left = await bench.undrop.waitRecoveryRows(quarantined.length);
  assert.equal(left, quarantined.length, JSON.stringify(bench.sql('select uuid, state, last_error from recovery')));
});

test('core.db replaced by garbage: the start says so, and new calls are tracked again', { timeout }, async (context) => {
  const bench = await Bench.create(context);
  await manyCalls(bench, 2);
  await bench.undrop.killAll();
  for (const suffix of ['-wal', '-shm']) rmSync(bench.databasePath + suffix, { force: true });
  writeFileSync(bench.databasePath, randomBytes(60_000));
  await bench.undrop.start();
  assert.match(bench.systemLog(), /the database was damaged/);
  assert.equal(await bench.undrop.channelCount(), 0);
  const phone = await bench.phone();
  const dialog = await phone.call('9196');
  assert.equal(await bench.undrop.waitRecoveryRows(1), 1);
  await bench.undrop.killAll();
  await bench.undrop.start();
  await phone.audio?.waitVoice(phone.audio.voice);
  assert.equal(await dialog.hangUp(), 200);
});

test('core.db cut off: the start says so and serves', { timeout }, async (context) => {
  const bench = await Bench.create(context);
  await manyCalls(bench);
  await bench.undrop.killAll();
  checkpoint(bench);
  truncateSync(bench.databasePath, Math.floor(statSync(bench.databasePath).size / 2) + 17);
  await bench.undrop.start();
  assert.match(bench.systemLog(), /the database was damaged/);
  const phone = await bench.phone();
  assert.equal(await (await phone.call('9196')).hangUp(), 200);
});

test('core.db empty, as after a full disk: the start serves', { timeout }, async (context) => {
  const bench = await Bench.create(context);
  await manyCalls(bench, 1);
  await bench.undrop.killAll();
  for (const suffix of ['-wal', '-shm']) rmSync(bench.databasePath + suffix, { force: true });
  truncateSync(bench.databasePath, 0);
  await bench.undrop.start();
  const phone = await bench.phone();
  assert.equal(await (await phone.call('9196')).hangUp(), 200);
});

test('a garbage write-ahead log: the start serves and loses nothing that was in the file', { timeout }, async (context) => {
  const bench = await Bench.create(context);
  const made = await manyCalls(bench, 2);
  await bench.undrop.killAll();
  checkpoint(bench);
  writeFileSync(`${bench.databasePath}-wal`, randomBytes(20_000));
  await bench.undrop.start();
  assert.equal(await bench.undrop.channelCount(), 2);
  for (const { dialog } of made) assert.equal(await dialog.hangUp(), 200);
});

test('a garbage row among good ones is quarantined with its reason, shown, and never deleted', { timeout }, async (context) => {
  const bench = await Bench.create(context);
  const made = await manyCalls(bench, 3);
  const [first] = bench.sql('select uuid from recovery order by rowid limit 1');
  const bad = String(first?.['uuid']);
  await bench.undrop.killAll();
  bench.sql("update recovery set metadata = '<cdr>no end' where uuid = ?", bad);
  await bench.undrop.start();
  assert.equal(await bench.undrop.channelCount(), 2, 'the good ones recover');
  const [row] = bench.sql('select state, last_error, metadata from recovery where uuid = ?', bad);
  assert.equal(row?.['state'], 'quarantine');
  assert.match(String(row?.['last_error']), /metadata/);
  assert.equal(row?.['metadata'], '<cdr>no end', 'it is left as it was');
  assert.match(await bench.cli('recovery show last'), new RegExp(`${bad} +quarantined .*metadata`));
  assert.match(await bench.cli('recovery show last failed'), new RegExp(bad));
  let alive = 0;
  for (const { phone, dialog } of made) {
    const heard = await phone.audio?.waitVoice(phone.audio.voice, 5, 1500).catch(() => null);
    if (heard === null) continue;
    alive += 1;
    assert.equal(await dialog.hangUp(), 200);
  }
  assert.equal(alive, 2);
  // Not by the end of the others, not by a restart, not by a recover command.
  await bench.undrop.killAll();
  await bench.undrop.start();
  assert.equal(await bench.cli('sofia recover'), 'No calls to recover.\n');
  assert.deepEqual(
    bench.sql('select uuid, state from recovery').map((entry) => ({ ...entry })),
    [{ uuid: bad, state: 'quarantine' }],
  );
});

test('a mended row leaves quarantine by a recover command', { timeout }, async (context) => {
  const bench = await Bench.create(context);
  const [call] = await manyCalls(bench, 1);
  assert.ok(call !== undefined);
  const good = String(bench.sql('select metadata from recovery')[0]?.['metadata']);
  await bench.undrop.killAll();
  bench.sql('update recovery set metadata = ?', good.slice(0, 500));
  await bench.undrop.start();
  assert.equal(await bench.undrop.channelCount(), 0);
  bench.sql('update recovery set metadata = ?', good);
  assert.equal(await bench.cli('sofia recover'), 'Recovered 1 call(s)\n');
  await call.phone.audio?.waitVoice(call.phone.audio.voice);
  assert.equal(await call.dialog.hangUp(), 200);
  assert.equal(await bench.undrop.waitRecoveryRows(0), 0);
});

test('a row of another switchname is touched by no start, no recover command and no flush', { timeout }, async (context) => {
  const bench = await Bench.create(context);
  const [call] = await manyCalls(bench, 1);
  assert.ok(call !== undefined);
  await bench.undrop.killAll();
  bench.sql(`insert into recovery (runtime_uuid, technology, profile_name, hostname, uuid, metadata, epoch, state, attempts, updated_at)
    select runtime_uuid, technology, profile_name, 'another-node', 'f0000000-0000-4000-8000-000000000001', metadata, epoch, state, 0, updated_at from recovery`);
  const foreign = () => ({ ...bench.sql("select * from recovery where hostname = 'another-node'")[0] });
  const before = foreign();
  await bench.undrop.start();
  assert.equal(await bench.cli('sofia recover'), 'Recovered 1 call(s)\n', 'ours only');
  await bench.cli('fsctl recover');
  await bench.cli('sofia recover flush');
  assert.equal(await call.dialog.hangUp(), 200);
  await eventually(
    () => bench.undrop.recoveryRows(),
    (rows) => rows === 1,
  );
  assert.deepEqual(foreign(), before);
});

test('a row that FreeSWITCH wrote is untouched at start and taken over by sofia recover', { timeout }, async (context) => {
  const bench = await Bench.create(context);
  const [call] = await manyCalls(bench, 1);
  assert.ok(call !== undefined);
  await bench.undrop.killAll();
  // What FreeSWITCH would have written of this call: its six columns, its variables, nothing of ours.
  bench.sql(`update recovery set epoch = null, state = null, attempts = null, updated_at = null,
    metadata = substr(metadata, 1, instr(metadata, '<undrop') - 1) || '</cdr>'`);
  const row = () => ({ ...bench.sql('select * from recovery')[0] });
  const before = row();
  await bench.undrop.start();
  assert.equal(await bench.undrop.channelCount(), 0);
  assert.deepEqual(row(), before);
  assert.equal(await bench.cli('sofia recover'), 'Recovered 1 call(s)\n');
  await call.phone.audio?.waitVoice(call.phone.audio.voice);
  await eventually(row, (entry) => entry['epoch'] !== null);
  assert.equal(bench.undrop.recoveryRows(), 1, 'one row, ours');
  assert.notEqual(row()['epoch'], null);
  await sleep(100);
  assert.equal(await call.dialog.hangUp(), 200);
  assert.equal(await bench.undrop.waitRecoveryRows(0), 0);
});
