import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { countCalls, Phones } from '../../tools/phone/client.ts';
import { header, readSdp } from '../../tools/phone/wire.ts';
import { takePorts } from '../harness/ports.ts';
import { startSwitch } from '../harness/switch.ts';
import { Bench, eventually, sleep, timeout } from './bench.ts';
import type { Dialog, Phone } from './phone.ts';

/** Moments of a call at which everything is killed; each must end as if nothing had happened. */

interface Ends {
  readonly bench: Bench;
  readonly caller: Phone;
  readonly callee: Phone;
}

async function twoPhones(context: TestContext, profileParameters: Readonly<Record<string, string>> = {}): Promise<Ends> {
  const bench = await Bench.create(context, { start: false, profileParameters });
  const callee = await bench.phone({ user: 'callee' });
  bench.edit('dialplan/public.xml', '127.0.0.1:9"', `127.0.0.1:${callee.client.port}"`);
  await bench.undrop.start();
  return { bench, callee, caller: await bench.phone({ user: 'caller' }) };
}

async function restart(bench: Bench): Promise<void> {
  await bench.undrop.killAll();
  await bench.undrop.start();
}

/** Sends as a UDP phone does: again and again until `answered`. */
async function insist<T>(phone: Phone, bytes: Buffer, port: number, answered: Promise<T>): Promise<T> {
  const timer = setInterval(() => phone.client.send(bytes, port), 500);
  phone.client.send(bytes, port);
  try {
    return await answered;
  } finally {
    clearInterval(timer);
  }
}

async function bothHear({ caller, callee }: Ends): Promise<void> {
  await caller.audio?.waitVoice(callee.audio?.voice ?? 0);
  await callee.audio?.waitVoice(caller.audio?.voice ?? 0);
}

async function assertEnds({ bench, callee }: Ends, dialog: Dialog): Promise<void> {
  assert.equal(await dialog.hangUp(), 200);
  await callee.dialogs[0]?.request('BYE');
  assert.equal(await bench.undrop.waitRecoveryRows(0), 0);
  assert.equal(
    await eventually(
      () => bench.undrop.cdrFiles().length,
      (count) => count === 2,
    ),
    2,
    'one CDR a leg',
  );
}

test('killed while ringing: the caller is not refused, and the answer connects', { timeout }, async (context) => {
  const ends = await twoPhones(context);
  const { bench, caller, callee } = ends;
  callee.answersAfter = null;
  const dialog = caller.dial('2001');
  await caller.client.wait('180', (message) => message.status === 180);
  const invite = await callee.client.wait('INVITE', (message) => message.method === 'INVITE');
  await restart(bench);
  await sleep(500);
  const [called] = callee.dialogs;
  assert.ok(called !== undefined);
  callee.pickUp(invite, called);
  await caller.connect(dialog);
  await called.request('ACK');
  await bothHear(ends);
  await assertEnds(ends, dialog);
});

test('the callee answers while everything is dead and says 200 again: the call connects', { timeout }, async (context) => {
  const ends = await twoPhones(context);
  const { bench, caller, callee } = ends;
  callee.answersAfter = null;
  const dialog = caller.dial('2001');
  await caller.client.wait('180', (message) => message.status === 180);
  const invite = await callee.client.wait('INVITE', (message) => message.method === 'INVITE');
  await bench.undrop.killAll();
  const [called] = callee.dialogs;
  assert.ok(called !== undefined);
  callee.pickUp(invite, called);
  const timer = setInterval(() => callee.pickUp(invite, called), 500);
  context.after(() => clearInterval(timer));
  await bench.undrop.start();
  await called.request('ACK');
  clearInterval(timer);
  await caller.connect(dialog);
  await bothHear(ends);
  await assertEnds(ends, dialog);
});

test('the caller gives up while everything is dead: its CANCEL, said again, ends both legs', { timeout }, async (context) => {
  const { bench, caller, callee } = await twoPhones(context);
  callee.answersAfter = null;
  const dialog = caller.dial('2001');
  await caller.client.wait('180', (message) => message.status === 180);
  const invite = await callee.client.wait('INVITE', (message) => message.method === 'INVITE');
  await bench.undrop.killAll();
  const branch = /branch=([^;]+)/.exec(
    header(caller.client.received.find((message) => message.status === 180) ?? assert.fail(), 'via'),
  )?.[1];
  const cancel = dialog.bytes('CANCEL', branch ?? '', 1, [], '');
  const final = caller.finalOf(dialog, 15_000);
  const cancelled = callee.client.wait('CANCEL', (message) => message.method === 'CANCEL', 15_000);
  await bench.undrop.start();
  await insist(caller, cancel, bench.undrop.ports.sip, cancelled);
  callee.respond(invite, 487, 'Request Terminated', callee.dialogs[0]?.localTag ?? '');
  assert.equal((await final).status, 487);
  assert.equal(await bench.undrop.waitRecoveryRows(0), 0);
  assert.equal(
    await eventually(
      () => bench.undrop.cdrFiles().length,
      (count) => count === 2,
    ),
    2,
    'one CDR a leg',
  );
});

test('killed before the ACK to our 200 came: the 200 is said again, and the call goes on', { timeout }, async (context) => {
  const bench = await Bench.create(context);
  const phone = await bench.phone();
  const dialog = phone.dial('9196');
  const first = await dialog.answer('INVITE');
  assert.equal(first.status, 200);
  await restart(bench);
  await phone.connect(dialog);
  await phone.audio?.waitVoice(phone.audio.voice);
  await sleep(1500);
  const repeats = phone.client.received.filter((message) => message.status === 200 && /INVITE/.test(header(message, 'cseq')));
  const later = phone.client.received.filter((message) => message.status === 200 && message.at > performance.now() - 700);
  assert.equal(later.length, 0, `after the ACK nothing is repeated (${repeats.length} in all)`);
  assert.equal(await dialog.hangUp(), 200);
});

test('a BYE said while everything is dead ends both legs, when it is said again', { timeout }, async (context) => {
  const ends = await twoPhones(context);
  const { bench, caller, callee } = ends;
  const dialog = await caller.call('2001');
  await bothHear(ends);
  await bench.undrop.killAll();
  const bye = dialog.bytes('BYE', 'z9hG4bKbye', dialog.nextCseq(), [], '');
  const answered = dialog.answer('BYE', 15_000);
  const starting = bench.undrop.start();
  assert.equal((await insist(caller, bye, bench.undrop.ports.sip, answered)).status, 200);
  await starting;
  await callee.dialogs[0]?.request('BYE');
  assert.equal(await bench.undrop.waitRecoveryRows(0), 0);
});

test('a re-INVITE said while everything is dead is answered, when it is said again', { timeout }, async (context) => {
  const ends = await twoPhones(context);
  const { bench, caller } = ends;
  const dialog = await caller.call('2001');
  await bothHear(ends);
  await bench.undrop.killAll();
  const refresh = dialog.bytes('INVITE', 'z9hG4bKrefresh', dialog.nextCseq(), [['Content-Type', 'application/sdp']], caller.sdp());
  const answered = dialog.answer('INVITE', 15_000);
  const starting = bench.undrop.start();
  const answer = await insist(caller, refresh, bench.undrop.ports.sip, answered);
  assert.equal(answer.status, 200);
  assert.equal(readSdp(answer.body)?.port, dialog.remoteAudioPort, 'the same port');
  dialog.send('ACK');
  await starting;
  await bothHear(ends);
  await assertEnds(ends, dialog);
});

test('a call on hold is on hold after kill -9, and is taken off hold', { timeout }, async (context) => {
  const ends = await twoPhones(context);
  const { bench, caller, callee } = ends;
  const dialog = await caller.call('2001');
  await bothHear(ends);
  const held = caller.sdp().replace('o=phone 1 1', 'o=phone 1 2').replace('a=ptime:20', 'a=ptime:20\r\na=sendonly');
  dialog.send('INVITE', [['Content-Type', 'application/sdp']], held);
  const onHold = await dialog.answer('INVITE');
  dialog.send('ACK');
  assert.equal(onHold.status, 200);
  assert.equal(readSdp(onHold.body)?.direction, 'recvonly');
  await restart(bench);
  assert.match(await bench.cli('show channels'), /,HELD,/);
  await sleep(300);
  const since = performance.now();
  await sleep(500);
  assert.equal(caller.audio?.heard.filter((packet) => packet.at > since).length, 0, 'who sends only hears nothing');
  const resumed = caller.sdp().replace('o=phone 1 1', 'o=phone 1 3');
  dialog.send('INVITE', [['Content-Type', 'application/sdp']], resumed);
  const back = await dialog.answer('INVITE');
  dialog.send('ACK');
  assert.equal(readSdp(back.body)?.direction, 'sendrecv');
  await bothHear(ends);
  assert.doesNotMatch(await bench.cli('show channels'), /,HELD,/);
  assert.equal(callee.unexpected.length, 0);
  await assertEnds(ends, dialog);
});

test('a far end that forgot the call while everything was dead ends it for both, with one CDR a leg', { timeout }, async (context) => {
  const ends = await twoPhones(context);
  const { bench, caller, callee } = ends;
  const dialog = await caller.call('2001');
  await bothHear(ends);
  await bench.undrop.killAll();
  // The callee was switched off and on: no sound, no dialogs.
  callee.audio?.hush();
  callee.dialogs.length = 0;
  await bench.undrop.start();
  await dialog.request('BYE', 10_000);
  assert.equal(await bench.undrop.waitRecoveryRows(0), 0);
  assert.equal(
    await eventually(
      () => bench.undrop.cdrFiles().length,
      (count) => count === 2,
    ),
    2,
    'one CDR a leg',
  );
});

test('a phone that is silent but still has the call is asked once and keeps it', { timeout }, async (context) => {
  const bench = await Bench.create(context);
  const phone = await bench.phone();
  phone.talks = false;
  const dialog = await phone.call('9196');
  await restart(bench);
  const asked = await dialog.request(['UPDATE', 'INVITE'], 8000);
  assert.ok(asked.method === 'UPDATE' ? asked.body === '' : asked.body !== '', asked.method ?? '');
  const shown = await eventually(
    () => bench.cli('recovery show last'),
    (text) => / verified /.test(text),
  );
  assert.match(shown, / verified /);
  assert.equal(await dialog.hangUp(), 200);
});

test('digest on INVITE: a nonce given before kill -9 is good after it', { timeout }, async (context) => {
  const bench = await Bench.create(context, { users: { 1000: 'secret' }, profileParameters: { 'auth-calls': 'true' } });
  const phone = await bench.phone({ user: '1000' });
  const challenge = await phone.finalOf(phone.dial('9196'));
  assert.equal(challenge.status, 407);
  await restart(bench);
  const credentials = phone.credentials(header(challenge, 'proxy-authenticate'), 'INVITE', `sip:9196@127.0.0.1:${bench.undrop.ports.sip}`);
  const dialog = await phone.call('9196', [['Proxy-Authorization', credentials('secret')]]);
  await phone.audio?.waitVoice(phone.audio.voice);
  assert.equal(await dialog.hangUp(), 200);
  const refused = await phone.finalOf(phone.dial('9196', [['Proxy-Authorization', credentials('wrong')]]));
  assert.equal(refused.status, 403);
});

for (const target of ['switch', 'everything'] as const) {
  test(`${target} is killed again and again while calls are set up and hung up: each call comes about once and ends once`, {
    timeout: 120_000,
  }, async (context) => {
    const count = 30;
    const ports = await takePorts();
    const phones = await Phones.start(ports.sip);
    context.after(() => phones.close());
    const undrop = await startSwitch({ ports, calleePort: phones.calleePort });
    context.after(() => undrop.stop());
    const killFor = async (work: Promise<unknown>): Promise<void> => {
      let done = false;
      void work.finally(() => {
        done = true;
      });
      for (let round = 0; !done; round += 1) {
        await sleep((target === 'switch' ? 150 : 350) + ((round * 37) % 100));
        if (target === 'everything') {
          await undrop.killAll();
          undrop.spawn();
          continue;
        }
        const pid = undrop.pid('switch');
        if (pid !== null) process.kill(pid, 'SIGKILL');
      }
      await work;
    };
    await killFor(phones.dial({ bridge: count, rate: 15 }));
    const up = await phones.waitFor((report) => countCalls(report, 'answered') === 2 * count, 30_000);
    assert.deepEqual(up.anomalies, [], 'what the phones saw of the set-up');
    const stuck = up.calls
      .filter((call) => call.state !== 'answered')
      .map((call) => `${call.side} ${call.callId}: ${call.state} ${call.status}`);
    assert.deepEqual(stuck, [], 'calls that were not answered');
    assert.equal(countCalls(up, 'answered'), 2 * count);
    assert.equal(await undrop.waitChannelCount(2 * count), 2 * count, 'channels');
    await killFor(
      (async () => {
        for (let left = count; left > 0; left -= 5) {
          await phones.hangup({ side: left % 10 === 0 ? 'caller' : 'callee', fraction: Math.min(1, 5 / left) });
          await sleep(300);
        }
        await phones.hangup({ side: 'caller', fraction: 1 });
      })(),
    );
    const over = await phones.waitFor((report) => countCalls(report, 'ended') === 2 * count, 30_000);
    // Both sides may say BYE at once while the switch is dead; the later one finds the call gone.
    const crossed = over.calls.filter((call) => call.endedBy === 'switch').map((call) => `${call.callId}: BYE answered 481`);
    const anomalies = over.anomalies.filter((text) => !crossed.some((known) => text.includes(known)));
    assert.deepEqual(anomalies, [], 'what the phones saw of the end');
    assert.equal(countCalls(over, 'ended'), 2 * count);
    assert.equal(await undrop.waitChannelCount(0), 0, 'channels');
    assert.equal(await undrop.waitRecoveryRows(0), 0, 'rows');
    assert.equal(
      await eventually(
        () => undrop.cdrFiles().length,
        (files) => files === 2 * count,
      ),
      2 * count,
      'one CDR a leg',
    );
  });
}
