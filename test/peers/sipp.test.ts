import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { takePorts } from '../harness/ports.ts';
import { type RunningSwitch, startSwitch } from '../harness/switch.ts';
import { missing, Program } from './program.ts';
import { callerScenario, muLawTone, squareFrequency } from './sipp-scenario.ts';
import { SoundCapture } from './sound-capture.ts';
import { countSilences, toneShare } from './tone.ts';

const timeout = 120_000;
const talkMilliseconds = 10_000;

interface Peers {
  readonly undrop: RunningSwitch;
  readonly directory: string;
  call(number: string): Program;
}

async function preparePeers(context: { after(fn: () => Promise<void>): void }, calleePort: number): Promise<Peers> {
  const directory = mkdtempSync(join(tmpdir(), 'undrop-sipp-'));
  writeFileSync(join(directory, 'caller.xml'), callerScenario(talkMilliseconds));
  writeFileSync(join(directory, 'tone.ul'), muLawTone(2));
  const undrop = await startSwitch({ calleePort });
  const programs: Program[] = [];
  context.after(async () => {
    for (const program of programs) await program.end();
    await undrop.stop();
    rmSync(directory, { recursive: true, force: true });
  });
  return {
    undrop,
    directory,
    call: (number) => {
      const words = ['-sf', 'caller.xml', '-s', number, '-i', '127.0.0.1', '-p', '0', '-m', '1', '-l', '1', '-aa', '-nostdin'];
      const program = new Program('sipp', [...words, `127.0.0.1:${undrop.ports.sip}`], directory);
      programs.push(program);
      return program;
    },
  };
}

test('sipp calls echo and hears its tone again after everything was killed; its BYE is answered', {
  timeout,
  skip: missing('sipp') || SoundCapture.missing,
}, async (context) => {
  const { undrop, call, directory } = await preparePeers(context, 9);
  const { rtpFirst, rtpLast } = undrop.ports;
  const sound = SoundCapture.start(`udp and src portrange ${rtpFirst}-${rtpLast}`, directory);
  context.after(() => sound.end());
  await sound.ready();
  const caller = call('9196');
  assert.equal(await undrop.waitChannelCount(1), 1);
  await new Promise((resolve) => setTimeout(resolve, 2000));
  const killedAt = Date.now();
  await undrop.killAll();
  await undrop.start();
  assert.equal(await undrop.channelCount(), 1, 'channels after the restart');
  assert.equal(await caller.exited, 0, caller.output.slice(-3000));
  assert.equal(await undrop.waitChannelCount(0), 0);
  assert.equal(await undrop.waitRecoveryRows(0), 0);
  assert.equal(undrop.cdrFiles().length, 1);
  await sound.end();
  const heard = sound.heardAfter(killedAt + 1000);
  assert.ok(heard.length > 4 * 8000, `seconds heard after the kill: ${heard.length / 8000}`);
  assert.ok(
    toneShare(heard.subarray(-8000), squareFrequency) > 0.6,
    `its tone after the kill: ${toneShare(heard.subarray(-8000), squareFrequency)}`,
  );
  assert.equal(countSilences(heard, 5), 0, 'silences once it was back');
});

test('sipp calls sipp; everything is killed while they talk; both ends see the BYE', {
  timeout,
  skip: missing('sipp'),
}, async (context) => {
  const calleePorts = await takePorts();
  const { undrop, call, directory } = await preparePeers(context, calleePorts.sip);
  const callee = new Program(
    'sipp',
    [
      '-sn',
      'uas',
      '-i',
      '127.0.0.1',
      '-p',
      String(calleePorts.sip),
      '-m',
      '1',
      '-rtp_echo',
      '-mp',
      String(calleePorts.rtpFirst),
      '-aa',
      '-nostdin',
    ],
    directory,
  );
  context.after(async () => {
    await callee.end();
    await calleePorts.release();
  });
  const caller = call('2001');
  assert.equal(await undrop.waitChannelCount(2), 2);
  await undrop.killAll();
  await undrop.start();
  assert.equal(await undrop.channelCount(), 2, 'channels after the restart');
  assert.equal(await caller.exited, 0, caller.output.slice(-3000));
  assert.equal(await callee.exited, 0, callee.output.slice(-3000));
  assert.equal(await undrop.waitChannelCount(0), 0);
  assert.equal(await undrop.waitRecoveryRows(0), 0);
  assert.equal(undrop.cdrFiles().length, 2);
});
