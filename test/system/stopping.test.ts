import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { readMarker } from '../../tools/phone/sound.ts';
import { missingFrames } from './audio.ts';
import { Bench, eventually, sleep, timeout } from './bench.ts';
import type { Dialog, Phone } from './phone.ts';

const launcher = fileURLToPath(new URL('../../bin/undrop', import.meta.url));

interface Pair {
  readonly bench: Bench;
  readonly caller: Phone;
  readonly callee: Phone;
  readonly dialog: Dialog;
}

/** A bridged call, heard on both sides. */
async function bridged(context: TestContext): Promise<Pair> {
  const bench = await Bench.create(context, { start: false });
  const callee = await bench.phone();
  bench.edit('dialplan/public.xml', '127.0.0.1:9"', `127.0.0.1:${callee.client.port}"`);
  await bench.undrop.start();
  const caller = await bench.phone();
  const dialog = await caller.call('2001');
  await heard({ bench, caller, callee, dialog });
  return { bench, caller, callee, dialog };
}

async function heard({ caller, callee }: Pair): Promise<void> {
  await caller.audio?.waitVoice(callee.audio?.voice ?? 0);
  await callee.audio?.waitVoice(caller.audio?.voice ?? 0);
}

async function assertEnds({ bench, callee, dialog }: Pair): Promise<void> {
  assert.equal(await dialog.hangUp(), 200);
  await callee.dialogs[0]?.request('BYE');
  assert.equal(await bench.undrop.waitRecoveryRows(0), 0);
}

function stop(bench: Bench, ...words: string[]): { child: ChildProcess; output: () => string; exit: Promise<number> } {
  const child = spawn(launcher, ['stop', '--state', bench.undrop.stateDirectory, ...words], { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (text) => (output += String(text)));
  const exit = new Promise<number>((resolve) => child.once('exit', (code) => resolve(code ?? -1)));
  return { child, output: () => output, exit };
}

function assertNoProcess(bench: Bench): void {
  for (const name of ['guardian', 'switch', 'media'] as const) assert.equal(bench.undrop.pid(name), null, `${name} lives`);
}

test('SIGTERM to the guardian keeps rows and calls; a new start goes on with them, sound included', { timeout }, async (context) => {
  const pair = await bridged(context);
  const { bench, caller, callee } = pair;
  const guardian = bench.undrop.pid('guardian') ?? 0;
  process.kill(guardian, 'SIGTERM');
  await eventually(
    () => bench.undrop.pid('guardian'),
    (pid) => pid === null,
  );
  assertNoProcess(bench);
  assert.equal(bench.undrop.recoveryRows(), 2, 'rows are kept');
  assert.equal(bench.undrop.cdrFiles().length, 0, 'no call has ended');
  assert.equal(caller.client.received.filter((message) => message.method === 'BYE').length, 0);
  await sleep(300);
  await bench.undrop.start();
  await heard(pair);
  assert.equal(await bench.undrop.channelCount(), 2);
  for (const phone of [caller, callee]) {
    assert.equal(new Set(phone.audio?.heard.map((packet) => packet.ssrc)).size, 1, 'one SSRC');
    assert.deepEqual(phone.unexpected, []);
  }
  await assertEnds(pair);
});

test('undrop stop keeps calls for the next start', { timeout }, async (context) => {
  const pair = await bridged(context);
  const { bench } = pair;
  const stopping = stop(bench);
  assert.equal(await stopping.exit, 0, stopping.output());
  assertNoProcess(bench);
  assert.equal(bench.undrop.recoveryRows(), 2);
  await bench.undrop.start();
  await heard(pair);
  await assertEnds(pair);
});

test('stop --drain refuses new calls with 503 and ends when the last call has ended', { timeout }, async (context) => {
  const pair = await bridged(context);
  const { bench, dialog, callee } = pair;
  const stopping = stop(bench, '--drain');
  await eventually(stopping.output, (text) => /2 calls left/.test(text));
  assert.match(stopping.output(), /2 calls left/);
  const late = await bench.phone({ sound: false });
  assert.equal((await late.finalOf(late.dial('9196'))).status, 503);
  await heard(pair);
  assert.notEqual(bench.undrop.pid('switch'), null);
  assert.equal(await dialog.hangUp(), 200);
  await callee.dialogs[0]?.request('BYE');
  assert.equal(await stopping.exit, 0, stopping.output());
  assertNoProcess(bench);
  assert.equal(bench.undrop.recoveryRows(), 0);
  assert.equal(bench.undrop.cdrFiles().length, 2);
});

test('a switch killed while draining comes back, keeps its calls and goes on draining', { timeout }, async (context) => {
  const pair = await bridged(context);
  const { bench, dialog, callee } = pair;
  const stopping = stop(bench, '--drain');
  await eventually(stopping.output, (text) => /2 calls left/.test(text));
  const died = bench.undrop.killSwitch();
  await bench.undrop.waitReady({ switch: died });
  await heard(pair);
  const late = await bench.phone({ sound: false });
  assert.equal((await late.finalOf(late.dial('9196'))).status, 503);
  assert.equal(await dialog.hangUp(), 200);
  await callee.dialogs[0]?.request('BYE');
  assert.equal(await stopping.exit, 0, stopping.output());
  assertNoProcess(bench);
});

test('stop --now says BYE to everybody, writes CDRs, removes rows and leaves no process', { timeout }, async (context) => {
  const pair = await bridged(context);
  const { bench, caller, callee, dialog } = pair;
  const ringing = await bench.phone({ sound: false });
  const stopping = stop(bench, '--now');
  await dialog.request('BYE');
  await callee.dialogs[0]?.request('BYE');
  assert.equal(await stopping.exit, 0, stopping.output());
  assertNoProcess(bench);
  assert.equal(bench.undrop.recoveryRows(), 0);
  assert.equal(bench.undrop.cdrFiles().length, 2);
  const left = readdirSync(join(bench.undrop.stateDirectory, 'run')).filter((name) => /\.pid$|^ready$|\.sock$|media\.journal$/.test(name));
  assert.deepEqual(left, [], 'files left in run/');
  for (const phone of [caller, callee])
    assert.equal(phone.client.received.filter((message) => message.method === 'BYE').length, 1, 'one BYE');
  assert.equal(ringing.client.received.length, 0);
});

test('stop --now cancels a call that only rings', { timeout }, async (context) => {
  const bench = await Bench.create(context, { start: false });
  const callee = await bench.phone({ sound: false });
  callee.answersAfter = null;
  bench.edit('dialplan/public.xml', '127.0.0.1:9"', `127.0.0.1:${callee.client.port}"`);
  await bench.undrop.start();
  const caller = await bench.phone({ sound: false });
  const dialog = caller.dial('2001');
  const invite = await callee.client.wait('INVITE', (message) => message.method === 'INVITE');
  await caller.client.wait('180', (message) => message.status === 180);
  const stopping = stop(bench, '--now');
  await callee.client.wait('CANCEL', (message) => message.method === 'CANCEL');
  callee.respond(invite, 487, 'Request Terminated', callee.dialogs[0]?.localTag ?? '');
  const final = await caller.finalOf(dialog);
  assert.ok(final.status >= 400, `${final.status}`);
  assert.equal(await stopping.exit, 0, stopping.output());
  assertNoProcess(bench);
  assert.equal(bench.undrop.recoveryRows(), 0);
});

test('the guardian killed alone: calls go on without a packet lost, and the next start adopts them', { timeout }, async (context) => {
  const pair = await bridged(context);
  const { bench, caller, callee } = pair;
  const before = { switch: bench.undrop.pid('switch'), media: bench.undrop.pid('media') };
  const died = bench.undrop.kill('guardian');
  await sleep(300);
  await heard(pair);
  await bench.undrop.start();
  assert.deepEqual({ switch: bench.undrop.pid('switch'), media: bench.undrop.pid('media') }, before, 'the same processes');
  assert.notEqual(bench.undrop.pid('guardian'), died);
  await heard(pair);
  assert.deepEqual(missingFrames(caller.audio?.heard ?? [], callee.audio?.voice ?? 0), [], 'frames that the caller missed');
  assert.deepEqual(missingFrames(callee.audio?.heard ?? [], caller.audio?.voice ?? 0), [], 'frames that the callee missed');
  // The new guardian keeps what it adopted.
  const killed = bench.undrop.killSwitch();
  await bench.undrop.waitReady({ switch: killed });
  await heard(pair);
  await assertEnds(pair);
});

test('an INVITE that arrives while the switch is dead is answered by the next switch, without ICMP', { timeout }, async (context) => {
  const bench = await Bench.create(context);
  const phone = await bench.phone();
  const stranger = await bench.phone();
  const errors: Error[] = [];
  for (let round = 0; round < 3; round += 1) {
    const died = bench.undrop.killSwitch();
    const dialog = (round % 2 === 0 ? phone : stranger).dial('9196');
    await (round % 2 === 0 ? phone : stranger).connect(dialog).catch((error: Error) => errors.push(error));
    await bench.undrop.waitReady({ switch: died });
    assert.equal(await dialog.hangUp(), 200);
  }
  assert.deepEqual(errors, []);
  assert.equal(await bench.undrop.waitRecoveryRows(0), 0);
});

test('a BYE that arrives while the switch is dead ends both legs of the call', { timeout }, async (context) => {
  const pair = await bridged(context);
  const { bench, callee, dialog } = pair;
  bench.undrop.killSwitch();
  assert.equal(await dialog.hangUp(10_000), 200);
  await callee.dialogs[0]?.request('BYE');
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

test('a second start on the same state folder is refused and disturbs nothing', { timeout }, async (context) => {
  const pair = await bridged(context);
  const { bench } = pair;
  const child = spawn(launcher, ['start', '--conf', bench.undrop.confDirectory, '--state', bench.undrop.stateDirectory], {
    stdio: 'ignore',
  });
  const code = await new Promise<number | null>((resolve) => child.once('exit', resolve));
  assert.equal(code, 75);
  assert.ok(existsSync(join(bench.undrop.stateDirectory, 'run', 'ready')));
  await heard(pair);
  assert.equal(missingFrames(pair.caller.audio?.heard ?? [], pair.callee.audio?.voice ?? 0).length, 0);
  await assertEnds(pair);
});

test('every stream keeps its own sound through ten kills of single processes in turn', { timeout }, async (context) => {
  const pair = await bridged(context);
  const { bench, caller, callee } = pair;
  for (let round = 0; round < 10; round += 1) {
    const name = round % 2 === 0 ? 'switch' : 'media';
    const died = bench.undrop.kill(name);
    await bench.undrop.waitReady({ [name]: died });
  }
  await heard(pair);
  const voices = new Set(caller.audio?.heard.map((packet) => readMarker(packet.payload, 0)?.id));
  assert.deepEqual([...voices], [callee.audio?.voice]);
  assert.equal(new Set(caller.audio?.heard.map((packet) => packet.ssrc)).size, 1, 'one SSRC');
  await assertEnds(pair);
});
