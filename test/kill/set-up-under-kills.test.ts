import assert from 'node:assert/strict';
import { test } from 'node:test';
import { countCalls, Phones } from '../../tools/phone/client.ts';
import { takePorts } from '../harness/ports.ts';
import { type RunningSwitch, startSwitch } from '../harness/switch.ts';

const timeout = 120_000;
const kills = 6;
const millisecondsBetweenKills = 350;
const set = { bridge: 40, echo: 20, conference: 20, rate: 30, ringMilliseconds: 400, roomSize: 5 };
const legs = 2 * set.bridge + set.echo + set.conference;

/** Places calls while something is killed again and again: what was ringing, half answered or just arriving must be answered. */
async function placeCallsUnderKills(kill: (undrop: RunningSwitch) => Promise<void>): Promise<void> {
  const ports = await takePorts();
  const phones = await Phones.start(ports.sip);
  let undrop: RunningSwitch | null = null;
  try {
    undrop = await startSwitch({ calleePort: phones.calleePort, ports });
    const dialled = phones.dial(set);
    for (let count = 0; count < kills; count += 1) {
      await new Promise((resolve) => setTimeout(resolve, millisecondsBetweenKills));
      await kill(undrop);
    }
    await dialled;
    const report = await phones.waitFor((state) => countCalls(state, 'answered') === legs, 40_000);
    assert.equal(countCalls(report, 'answered'), legs, `answered; ${report.anomalies.slice(0, 5).join('; ')}\n${undrop.log()}`);
    assert.deepEqual(report.anomalies, []);
    assert.equal(await undrop.waitChannelCount(legs), legs);
    await phones.hangup({ side: 'caller', fraction: 1 });
    assert.equal(await undrop.waitChannelCount(0), 0);
    assert.equal(await undrop.waitRecoveryRows(0), 0);
    assert.equal(undrop.cdrFiles().length, legs, 'one CDR a leg');
  } finally {
    await phones.close();
    await undrop?.stop();
  }
}

test('calls that are being set up while the switch is killed six times are all answered', { timeout }, async () => {
  await placeCallsUnderKills(async (undrop) => {
    undrop.killSwitch();
  });
});

test('calls that are being set up while media is killed six times are all answered', { timeout }, async () => {
  await placeCallsUnderKills(async (undrop) => {
    undrop.killMedia();
  });
});

test('calls that are being set up while everything is killed six times are all answered', { timeout }, async () => {
  await placeCallsUnderKills(async (undrop) => {
    await undrop.killAll();
    await undrop.start();
  });
});
