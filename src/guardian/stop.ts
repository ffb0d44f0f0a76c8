import { realpathSync, rmSync, statSync } from 'node:fs';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { UndropError } from '../base/index.ts';
import { processStartTime } from '../io/index.ts';
import { readArguments, required } from './arguments.ts';
import { Guardian, removeRunFiles } from './guardian.ts';
import { guardianSocketName, type StateLayout, socketPath, stateLayout } from './layout.ts';
import { LineChannel } from './line-channel.ts';
import { GuardianLock } from './lock.ts';
import type { StopHow, ToGuardian, ToStopCommand } from './messages.ts';
import { findLiving, readProcessTable } from './processes.ts';

const exitNotRunning = 3;
const exitUnclean = 1;
const retryMilliseconds = 50;
const maximumSilenceMilliseconds = 10_000;

/**
 * `undrop stop --state DIR [--drain | --now]`: tells the guardian, or, when only its orphans live, stands in for it.
 * Gives the exit code: 0 stopped, 1 stopped but the switch had to be killed, 3 nothing was running.
 */
export async function runStop(words: readonly string[]): Promise<number> {
  const found = readArguments(words, ['state'], ['drain', 'now']);
  if (found.has('drain') && found.has('now')) throw new UndropError('USAGE', '--drain and --now exclude each other');
  const how: StopHow = found.has('drain') ? 'drain' : found.has('now') ? 'now' : 'restart';
  const layout = stateLayout(realDirectory(required(found, 'state')));
  const lock = new GuardianLock(layout);
  let silentSince = performance.now();
  for (;;) {
    const outcome = await askGuardian(layout, how);
    if (outcome === 'clean') return 0;
    if (outcome === 'unclean') return unclean();
    if (outcome === 'lost') silentSince = performance.now();
    // With the lock in hand there is no guardian, and none can start beside us.
    if (lock.takeQuickly() && lock.confirm()) return await withoutGuardian(layout, how);
    if (performance.now() - silentSince > maximumSilenceMilliseconds) {
      throw new UndropError('GUARDIAN_SILENT', `the guardian (process ${lock.holder()}) does not answer`, {
        where: layout.state,
        fix: 'End that process, then repeat this command.',
      });
    }
    await sleep(retryMilliseconds);
  }
}

function unclean(): number {
  process.stderr.write('undrop: stopped, but the switch had to be killed: its calls stay saved and a start recovers them\n');
  return exitUnclean;
}

function realDirectory(directory: string): string {
  try {
    statSync(`${directory}/run`);
    return realpathSync(directory);
  } catch {
    throw new UndropError('STATE_DIRECTORY', 'nothing was ever started here', {
      where: directory,
      fix: 'Name the directory of the start with --state.',
    });
  }
}

/** `absent`: nobody listens; `lost`: the guardian died before it was done. */
function askGuardian(layout: StateLayout, how: StopHow): Promise<'clean' | 'unclean' | 'absent' | 'lost'> {
  return new Promise((resolve) => {
    const socket = connect(socketPath(layout.run, guardianSocketName));
    let answer: 'clean' | 'unclean' | 'absent' | 'lost' = 'absent';
    let shown = -1;
    const channel = new LineChannel<ToStopCommand, ToGuardian>(
      socket,
      (message) => {
        if (message.kind === 'stopping') answer = 'lost';
        if (message.kind === 'stopped') answer = message.clean ? 'clean' : 'unclean';
        if (message.kind === 'progress' && message.calls !== shown) {
          shown = message.calls;
          process.stdout.write(`${shown} calls left\n`);
        }
      },
      () => resolve(answer),
    );
    socket.once('connect', () => channel.send({ kind: 'stopRequest', how }));
  });
}

async function withoutGuardian(layout: StateLayout, how: StopHow): Promise<number> {
  const before = readProcessTable(layout.processes);
  const media = findLiving(before.media, 'media', layout.state);
  const switchProcess = findLiving(before.switch, 'switch', layout.state);
  if (media === null && switchProcess === null) {
    process.stderr.write(`undrop: nothing runs on ${layout.state}\n`);
    if (how !== 'now') return exitNotRunning;
    removeRunFiles(layout);
    rmSync(layout.mediaJournal, { force: true });
    return 0;
  }
  process.stderr.write('undrop: the guardian is dead; this command stands in for it\n');
  const self = { pid: process.pid, startTime: processStartTime(process.pid) ?? -1 };
  const guardian = new Guardian({ layout, configDirectory: before.configDirectory, self, media, switch: switchProcess, before });
  const ended = guardian.run();
  guardian.stop(how);
  await ended;
  return guardian.clean ? 0 : unclean();
}
