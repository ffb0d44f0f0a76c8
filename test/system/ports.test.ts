import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readSdp } from '../../tools/phone/wire.ts';
import { Bench, eventually, timeout } from './bench.ts';
import { SipClient } from './sip-client.ts';

/** Threads of a killed process may hold its sockets for a moment longer. */
async function takePort(port: number): Promise<SipClient> {
  const taken = await eventually(
    () => SipClient.open(port).catch(() => null),
    (client) => client !== null,
  );
  return taken ?? assert.fail(`port ${port} is not to be had`);
}

for (const mode of ['echo', 'bridge'] as const) {
  test(`a taken RTP port after kill -9 (${mode}): another port, a re-INVITE that says so, and the sound goes on`, {
    timeout,
  }, async (context) => {
    const bench = await Bench.create(context, { start: false });
    const callee = await bench.phone();
    bench.edit('dialplan/public.xml', '127.0.0.1:9"', `127.0.0.1:${callee.client.port}"`);
    await bench.undrop.start();
    const phone = await bench.phone();
    const dialog = await phone.call(mode === 'echo' ? '9196' : '2001');
    const voice = (mode === 'echo' ? phone : callee).audio?.voice ?? 0;
    await phone.audio?.waitVoice(voice);
    const before = readSdp(dialog.remoteSdp);
    assert.ok(before !== null);
    await bench.undrop.killAll();
    const thief = await takePort(before.port);
    context.after(() => thief.close());
    await bench.undrop.start();
    const invite = await dialog.request('INVITE');
    const after = readSdp(invite.body);
    assert.ok(after !== null, invite.body);
    assert.notEqual(after.port, before.port);
    assert.ok(Number(after.version) > Number(before.version), `o= version ${before.version} → ${after.version}`);
    await phone.audio?.waitVoice(voice);
    const last = phone.audio?.heard.at(-1);
    assert.equal(last?.fromPort, after.port);
    assert.equal(new Set(phone.audio?.heard.map((packet) => packet.ssrc)).size, 1, 'one SSRC');
    // The new port is what the next crash finds.
    await bench.undrop.killAll();
    await bench.undrop.start();
    await phone.audio?.waitVoice(voice);
    assert.equal(phone.audio?.heard.at(-1)?.fromPort, after.port);
    assert.equal(await dialog.hangUp(), 200);
    assert.equal(await bench.undrop.waitRecoveryRows(0), 0);
  });
}

test('a call whose RTCP port is taken keeps its sound', { timeout }, async (context) => {
  const bench = await Bench.create(context);
  const phone = await bench.phone();
  const dialog = await phone.call('9196');
  await phone.audio?.waitVoice(phone.audio.voice);
  await bench.undrop.killAll();
  const thief = await takePort(dialog.remoteAudioPort + 1);
  context.after(() => thief.close());
  await bench.undrop.start();
  await phone.audio?.waitVoice(phone.audio.voice);
  assert.equal(await dialog.hangUp(), 200);
});

test('media alone is killed and the port is taken before it is back: the sound goes on elsewhere', { timeout }, async (context) => {
  const bench = await Bench.create(context);
  const phone = await bench.phone();
  const dialog = await phone.call('9196');
  await phone.audio?.waitVoice(phone.audio.voice);
  const port = dialog.remoteAudioPort;
  // Tried until the thief wins the race for the port.
  let thief: SipClient | null = null;
  for (let attempt = 0; attempt < 10 && thief === null; attempt += 1) {
    const died = bench.undrop.killMedia();
    for (let poll = 0; poll < 200 && thief === null && bench.undrop.pid('media') === null; poll += 1) {
      thief = await SipClient.open(port).catch(() => null);
    }
    thief ??= await SipClient.open(port).catch(() => null);
    await bench.undrop.waitReady({ media: died });
  }
  if (thief === null) {
    context.skip('media was faster than the thief, ten times');
    return;
  }
  context.after(() => thief.close());
  const invite = await dialog.request('INVITE');
  assert.notEqual(readSdp(invite.body)?.port, port);
  await phone.audio?.waitVoice(phone.audio.voice);
  assert.equal(await dialog.hangUp(), 200);
});
