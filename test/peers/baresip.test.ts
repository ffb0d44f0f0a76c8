import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startSwitch } from '../harness/switch.ts';
import { Baresip } from './baresip.ts';
import { missing } from './program.ts';
import { countSilences, toneShare } from './tone.ts';

const timeout = 120_000;
const bytesPerSecond = 16_000;

async function hearMore(phone: Baresip, bytes: number): Promise<void> {
  const wanted = phone.heardBytes() + bytes;
  for (let attempt = 0; attempt < 400 && phone.heardBytes() < wanted; attempt += 1) await new Promise((resolve) => setTimeout(resolve, 50));
  assert.ok(phone.heardBytes() >= wanted, `baresip heard ${phone.heardBytes()} bytes, ${wanted} were expected`);
}

test('baresip calls echo and hears itself before and after a kill of everything; its BYE ends the call', {
  timeout,
  skip: missing('baresip'),
}, async (context) => {
  const undrop = await startSwitch({ calleePort: 9 });
  const phone = new Baresip(undrop.ports.sip + 20);
  context.after(async () => {
    await phone.close();
    await undrop.stop();
  });
  await phone.open();
  phone.command('dial', `sip:9196@127.0.0.1:${undrop.ports.sip}`);
  await phone.waitEvent('CALL_ESTABLISHED');
  await hearMore(phone, 2 * bytesPerSecond);
  await undrop.killAll();
  await undrop.start();
  assert.equal(await undrop.channelCount(), 1, 'channels after the restart');
  await hearMore(phone, 3 * bytesPerSecond);
  phone.command('hangup');
  assert.equal(await undrop.waitChannelCount(0), 0);
  assert.equal(await undrop.waitRecoveryRows(0), 0);
  assert.equal(undrop.cdrFiles().length, 1);
  await phone.quit();
  const heard = phone.heard();
  assert.ok(toneShare(heard.subarray(8000, 12_000)) > 0.9, `the tone before the kill: ${toneShare(heard.subarray(8000, 12_000))}`);
  assert.ok(toneShare(heard.subarray(-8000, -4000)) > 0.9, `the tone after the kill: ${toneShare(heard.subarray(-8000, -4000))}`);
  assert.ok(countSilences(heard, 5) <= 1, `one kill, at most one silence, but ${countSilences(heard, 5)} were recorded`);
});
