import assert from 'node:assert/strict';
import { mkdirSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { type TestContext, test } from 'node:test';
import { cseqOf, header, readSdp, tagOf, uriOf } from '../../tools/phone/wire.ts';
import { Bench, eventually, sleep, timeout } from './bench.ts';
import { Dialog, Phone } from './phone.ts';
import { SipClient } from './sip-client.ts';

interface Row {
  readonly runtime_uuid: string;
  readonly technology: string;
  readonly profile_name: string;
  readonly hostname: string;
  readonly uuid: string;
  readonly metadata: string;
}

/** Written by a FreeSWITCH: the two legs of a bridge, an echo, a conference. */
const rows = JSON.parse(readFileSync(new URL('fixtures/freeswitch-rows.json', import.meta.url), 'utf8')) as Row[];

function variable(row: Row, name: string): string {
  return decodeURIComponent(new RegExp(`<${name}>([^<]*)</${name}>`).exec(row.metadata)?.[1] ?? '');
}

function rowThat(matches: (row: Row) => boolean): Row {
  return rows.find(matches) ?? assert.fail('the fixture has that row');
}

const echo = rowThat((row) => variable(row, 'current_application') === 'echo');
const conference = rowThat((row) => variable(row, 'current_application') === 'conference');
const caller = rowThat((row) => variable(row, 'current_application') === 'bridge');
const callee = rowThat((row) => variable(row, 'direction') === 'outbound');

interface Far {
  readonly row: Row;
  readonly phone: Phone;
  readonly dialog: Dialog;
  /** Our tag, from the phone's point of view the remote one. */
  readonly switchTag: string;
}

/** The phone that FreeSWITCH had the dialog of `row` with. */
async function farEnd(bench: Bench, row: Row): Promise<Far> {
  const phone = await bench.phone({
    user: 'gap',
    port: Number(variable(row, 'sip_network_port')),
    audioPort: Number(variable(row, 'remote_media_port')),
  });
  const inbound = variable(row, 'direction') === 'inbound';
  const [mine, theirs] = inbound ? ['sip_full_from', 'sip_full_to'] : ['sip_full_to', 'sip_full_from'];
  const dialog = new Dialog(phone, {
    callId: variable(row, 'sip_call_id'),
    localTag: tagOf(variable(row, mine ?? '')),
    localUri: uriOf(variable(row, mine ?? '')),
    remoteUri: uriOf(variable(row, theirs ?? '')),
    remoteTarget: `sip:x@127.0.0.1:${bench.undrop.ports.sip}`,
  });
  dialog.remoteTag = tagOf(variable(row, theirs ?? ''));
  phone.dialogs.push(dialog);
  return { row, phone, dialog, switchTag: dialog.remoteTag };
}

/** A fresh database as FreeSWITCH makes it, with its rows; the far ends are there. null: a port is taken (skipped). */
async function scene(
  context: TestContext,
  taken: readonly Row[],
  refresh: 'reinvite' | 'auto',
): Promise<{ bench: Bench; far: Far[] } | null> {
  const bench = await Bench.create(context, {
    start: false,
    switchname: 'fs1',
    profileParameters: { 'recovery-refresh': refresh },
  });
  const far: Far[] = [];
  const free = await SipClient.open(5060).catch(() => null);
  free?.close();
  try {
    for (const row of taken) {
      const local = await SipClient.open(Number(variable(row, 'local_media_port')));
      local.close();
      far.push(await farEnd(bench, row));
    }
  } catch (error) {
    context.skip(`a port of the rows is taken: ${error instanceof Error ? error.message : String(error)}`);
    return null;
  }
  if (free !== null) {
    bench.edit('autoload_configs/sofia.conf.xml', `name="sip-port" value="${bench.undrop.ports.sip}"`, 'name="sip-port" value="5060"');
    for (const { dialog } of far) dialog.remoteTarget = 'sip:x@127.0.0.1:5060';
  }
  mkdirSync(dirname(bench.databasePath), { recursive: true });
  const database = new DatabaseSync(bench.databasePath);
  database.exec(
    'CREATE TABLE recovery (runtime_uuid VARCHAR(255), technology VARCHAR(255), profile_name VARCHAR(255), hostname VARCHAR(255), uuid VARCHAR(255), metadata text)',
  );
  const insert = database.prepare('INSERT INTO recovery VALUES (?, ?, ?, ?, ?, ?)');
  for (const row of taken) insert.run(row.runtime_uuid, row.technology, row.profile_name, row.hostname, row.uuid, row.metadata);
  database.close();
  await bench.undrop.start();
  return { bench, far };
}

/** The refresh must be a request that a phone in that dialog accepts. */
async function assertRefreshed({ row, dialog, phone, switchTag }: Far, milliseconds = 8000): Promise<void> {
  const request = await dialog.request(['INVITE', 'UPDATE'], milliseconds);
  const what = `${request.method} to ${variable(row, 'sip_call_id')}`;
  assert.equal(tagOf(header(request, 'from')), switchTag, `${what}: From tag`);
  assert.equal(tagOf(header(request, 'to')), dialog.localTag, `${what}: To tag`);
  assert.equal(uriOf(header(request, 'to')), dialog.localUri, `${what}: To`);
  assert.equal(uriOf(header(request, 'from')), dialog.remoteUri, `${what}: From`);
  assert.match(request.requestUri, new RegExp(`^sip:gap@127\\.0\\.0\\.1:${phone.client.port}`), `${what}: request URI`);
  const inbound = variable(row, 'direction') === 'inbound';
  // FreeSWITCH's own CSeq in this dialog: that of its INVITE where it called.
  if (!inbound) assert.ok(cseqOf(request).number > Number(variable(row, 'sip_cseq')), `${what}: CSeq ${cseqOf(request).number}`);
  assert.ok(cseqOf(request).number > 0 && cseqOf(request).number < 2 ** 31);
  assert.match(header(request, 'contact'), /^<sip:/);
  if (request.method === 'INVITE') {
    const sdp = readSdp(request.body);
    assert.equal(sdp?.port, Number(variable(row, 'local_media_port')), `${what}: the port stays`);
    assert.ok(sdp?.payloadTypes.includes(0), `${what}: PCMU`);
    await phone.client.wait('ACK', (message) => message.method === 'ACK' && header(message, 'call-id') === dialog.callId);
  }
  dialog.remoteTarget = uriOf(header(request, 'contact'));
}

test("FreeSWITCH's echo: sofia recover refreshes the dialog, the phone hears itself from the old port with the old SSRC", {
  timeout,
}, async (context) => {
  const made = await scene(context, [echo], 'reinvite');
  if (made === null) return;
  const { bench, far } = made;
  const [call] = far as [Far];
  assert.equal(await bench.undrop.channelCount(), 0, 'the start alone takes nothing of FreeSWITCH');
  assert.equal(await bench.cli('sofia recover'), 'Recovered 1 call(s)\n');
  call.phone.audio?.talk(Number(variable(echo, 'local_media_port')));
  const heard = await call.phone.audio?.waitVoice(call.phone.audio.voice);
  assert.equal(heard?.[0]?.fromPort, Number(variable(echo, 'local_media_port')));
  assert.equal(heard?.[0]?.ssrc, Number(variable(echo, 'rtp_use_ssrc')));
  await assertRefreshed(call);
  assert.equal(await bench.cli(`uuid_kill ${echo.uuid}`), '+OK\n');
  const bye = await call.dialog.request('BYE');
  assert.equal(tagOf(header(bye, 'from')), call.switchTag);
  assert.equal(tagOf(header(bye, 'to')), call.dialog.localTag);
  assert.ok(cseqOf(bye).number === call.dialog.remoteCseq);
  assert.equal(await bench.undrop.waitRecoveryRows(0), 0);
  assert.equal(
    await eventually(
      () => bench.undrop.cdrFiles().length,
      (count) => count === 1,
    ),
    1,
    'one CDR',
  );
});

test("FreeSWITCH's bridge: both phones hear each other again; a BYE of one ends both", { timeout }, async (context) => {
  const made = await scene(context, [caller, callee], 'reinvite');
  if (made === null) return;
  const { bench, far } = made;
  const [left, right] = far as [Far, Far];
  assert.equal(await bench.cli('sofia recover'), 'Recovered 2 call(s)\n');
  for (const { phone, row } of far) phone.audio?.talk(Number(variable(row, 'local_media_port')));
  await left.phone.audio?.waitVoice(right.phone.audio?.voice ?? 0);
  await right.phone.audio?.waitVoice(left.phone.audio?.voice ?? 0);
  await assertRefreshed(left);
  await assertRefreshed(right);
  assert.match(await bench.cli('show calls count'), /1 total/);
  // Killed once more before it ends: now it is a row of ours.
  await bench.undrop.killAll();
  await bench.undrop.start();
  await left.phone.audio?.waitVoice(right.phone.audio?.voice ?? 0);
  await right.phone.audio?.waitVoice(left.phone.audio?.voice ?? 0);
  assert.equal(await right.dialog.hangUp(), 200, 'BYE of the phone that FreeSWITCH had called');
  await left.dialog.request('BYE');
  assert.equal(await bench.undrop.waitRecoveryRows(0), 0);
  assert.equal(
    await eventually(
      () => bench.undrop.cdrFiles().length,
      (count) => count === 2,
    ),
    2,
    'two CDRs',
  );
});

test("FreeSWITCH's conference: the member is in the room again and hears who joins it", { timeout }, async (context) => {
  const made = await scene(context, [conference], 'reinvite');
  if (made === null) return;
  const { bench, far } = made;
  const [member] = far as [Far];
  assert.equal(await bench.cli('sofia recover'), 'Recovered 1 call(s)\n');
  member.phone.audio?.talk(Number(variable(conference, 'local_media_port')));
  await assertRefreshed(member);
  const port = Number(/:(\d+)$/.exec(member.dialog.remoteTarget.split(';')[0] ?? '')?.[1] ?? bench.undrop.ports.sip);
  const other = await Phone.open({ switchPort: port });
  context.after(() => other.close());
  const joined = await other.call('3001');
  const loud = (packet: { payload: Buffer }) => packet.payload.some((byte) => byte !== 0xff && byte !== 0x7f);
  const heard = await member.phone.audio?.waitHeard(20, 5000, loud);
  await other.audio?.waitHeard(20, 5000, loud);
  assert.equal(heard?.[0]?.ssrc, Number(variable(conference, 'rtp_use_ssrc')));
  const list = await bench.cli('conference 3001 list');
  assert.equal(list.trim().split('\n').length, 2, list);
  assert.equal(await member.dialog.hangUp(), 200, 'BYE of the phone');
  assert.equal(await joined.hangUp(), 200);
  assert.equal(await bench.undrop.waitRecoveryRows(0), 0);
});

test("a far end of FreeSWITCH's that lost the call meanwhile answers 481, which ends the leg and its row", { timeout }, async (context) => {
  const made = await scene(context, [echo], 'auto');
  if (made === null) return;
  const { bench, far } = made;
  const [call] = far as [Far];
  call.phone.dialogs.length = 0;
  assert.equal(await bench.cli('sofia recover'), 'Recovered 1 call(s)\n');
  // It is silent, so after the time for a proof of life it is asked.
  await call.phone.client.wait('a refresh', (message) => message.method === 'INVITE' || message.method === 'UPDATE', 8000);
  assert.equal(await bench.undrop.waitChannelCount(0), 0);
  assert.equal(await bench.undrop.waitRecoveryRows(0), 0);
});

test("all four rows of a FreeSWITCH come back with one sofia recover, and untouched ones stay FreeSWITCH's", {
  timeout,
}, async (context) => {
  const made = await scene(context, rows, 'auto');
  if (made === null) return;
  const { bench, far } = made;
  const before = bench.sql('select runtime_uuid, technology, profile_name, hostname, uuid, metadata from recovery order by uuid');
  await sleep(500);
  assert.deepEqual(
    bench.sql('select runtime_uuid, technology, profile_name, hostname, uuid, metadata from recovery order by uuid'),
    before,
  );
  for (const { phone, row } of far) phone.audio?.talk(Number(variable(row, 'local_media_port')));
  assert.equal(await bench.cli('fsctl recover'), '+OK 4 session(s) recovered in total\n');
  assert.equal(await bench.undrop.channelCount(), 4);
  assert.equal(await bench.undrop.waitRecoveryRows(4), 4, 'one row a leg');
  assert.match(await bench.cli('hupall'), /^\+OK/);
  for (const { dialog } of far) await dialog.request('BYE');
  assert.equal(await bench.undrop.waitRecoveryRows(0), 0);
});
