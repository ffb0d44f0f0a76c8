import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { takePorts } from '../harness/ports.ts';
import { type RunningSwitch, startSwitch } from '../harness/switch.ts';
import { missing, Program } from './program.ts';
import { callerScenario, muLawTone } from './sipp-scenario.ts';

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

test('sipp calls echo; everything is killed while it talks; its BYE is answered', { timeout, skip: missing('sipp') }, async (context) => {
  const { undrop, call } = await preparePeers(context, 9);
  const caller = call('9196');
  assert.equal(await undrop.waitChannelCount(1), 1);
  await undrop.killAll();
  await undrop.start();
  assert.equal(await undrop.channelCount(), 1, 'channels after the restart');
  assert.equal(await caller.exited, 0, caller.output.slice(-3000));
  assert.equal(await undrop.waitChannelCount(0), 0);
  assert.equal(await undrop.waitRecoveryRows(0), 0);
  assert.equal(undrop.cdrFiles().length, 1);
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
