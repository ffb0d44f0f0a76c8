import { mkdirSync, realpathSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { UndropError } from '../base/index.ts';
import { processStartTime } from '../io/index.ts';
import { readArguments, required } from './arguments.ts';
import { bestEffort } from './best-effort.ts';
import { type StateLayout, stateLayout } from './layout.ts';
import { GuardianLock } from './lock.ts';
import {
  beingSpawned,
  findLiving,
  type ProcessIdentity,
  type ProcessTable,
  type Role,
  readProcessTable,
  writeProcessTable,
} from './processes.ts';
import { type SpawnedRole, spawnRole } from './spawn.ts';

/** Exit code when another guardian runs (sysexits.h EX_TEMPFAIL). */
const exitBusy = 75;

/**
 * `undrop start --conf DIR --state DIR [--wait]`. Starts media as its first deed: calls of a crashed host are silent until then.
 * Gives the exit code.
 */
export async function runGuardian(words: readonly string[]): Promise<number> {
  const found = readArguments(words, ['conf', 'state'], ['wait']);
  const configDirectory = existing(required(found, 'conf'));
  const layout = prepareState(required(found, 'state'));
  const lock = new GuardianLock(layout);
  if (!lock.takeQuickly()) {
    if (!found.has('wait')) return refuse(layout, lock);
    await lock.waitQuickly();
  }
  const before = readProcessTable(layout.processes);
  const self = { pid: process.pid, startTime: processStartTime(process.pid) ?? -1 };
  rmSync(layout.startError, { force: true });
  const table: Table = { configDirectory, guardian: self, media: before.media, switch: before.switch };
  const media = startOrAdopt('media', before, table, layout);
  const switchProcess = startOrAdopt('switch', before, table, layout);
  const { Guardian } = await import('./guardian.ts');
  if (!lock.confirm()) {
    // Only from another network namespace or container on the same directory.
    for (const started of [media, switchProcess]) if ('child' in started) started.child.kill('SIGKILL');
    writeProcessTable(layout.processes, before);
    return refuse(layout, lock);
  }
  const guardian = new Guardian({ layout, configDirectory, self, media, switch: switchProcess, before });
  process.on('SIGTERM', () => guardian.stop('restart'));
  process.on('SIGINT', () => guardian.stop('restart'));
  // A closed terminal ends no call.
  process.on('SIGHUP', () => undefined);
  process.stdout.on('error', () => undefined);
  process.stderr.on('error', () => undefined);
  return guardian.run();
}

type Table = { -readonly [Key in keyof ProcessTable]: ProcessTable[Key] };

function startOrAdopt(role: Role, before: ProcessTable, table: Table, layout: StateLayout): SpawnedRole | ProcessIdentity {
  const living = findLiving(before[role], role, layout.state);
  if (living !== null) {
    table[role] = living;
    return living;
  }
  if (role === 'switch') rmSync(layout.ready, { force: true });
  table[role] = beingSpawned;
  bestEffort(() => writeProcessTable(layout.processes, table));
  const spawned = spawnRole(role, layout, table.configDirectory);
  table[role] = spawned.identity;
  bestEffort(() => writeProcessTable(layout.processes, table));
  return spawned;
}

function existing(directory: string): string {
  try {
    return realpathSync(directory);
  } catch {
    throw new UndropError('USAGE', 'the configuration directory does not exist', { where: directory, fix: 'Name it with --conf.' });
  }
}

function prepareState(directory: string): StateLayout {
  try {
    for (const name of ['run', 'db', 'cdr', 'log']) mkdirSync(join(directory, name), { recursive: true, mode: 0o750 });
    return stateLayout(realpathSync(directory));
  } catch (error) {
    throw new UndropError(
      'STATE_DIRECTORY',
      `the state directory cannot be used: ${error instanceof Error ? error.message : String(error)}`,
      {
        where: directory,
        fix: 'Name a directory that you may write to with --state.',
      },
    );
  }
}

function refuse(layout: StateLayout, lock: GuardianLock): number {
  const error = new UndropError('ALREADY_RUNNING', `process ${lock.holder()} runs here already`, {
    where: layout.state,
    fix: `Stop it with: undrop stop --state ${layout.state}; or wait for its end with --wait.`,
  });
  process.stderr.write(`undrop: ${error.describe()}\n`);
  return exitBusy;
}
