import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, renameSync, statSync } from 'node:fs';
import { setPriority } from 'node:os';
import { join } from 'node:path';
import { processStartTime, replaceFile } from '../io/index.ts';
import { bestEffort } from './best-effort.ts';
import type { StateLayout } from './layout.ts';
import type { ProcessIdentity, Role } from './processes.ts';

export interface SpawnedRole {
  readonly child: ChildProcess;
  /** null when it could not be started. */
  readonly identity: ProcessIdentity | null;
}

/** A log file beyond this size is put aside (as `.1`) when its process is started again. */
const maximumLogBytes = 20 * 1024 * 1024;

/** Sound before signalling, most of all while both start after a crash. */
const mediaPriority = -10;

/** The script of the roles; `UNDROP_ENTRY` puts another one in its place, for tests. */
function entryScript(): string {
  return process.env['UNDROP_ENTRY'] ?? join(import.meta.dirname, '..', 'main.ts');
}

/**
 * Starts a role in a session of its own, its output in a file: nothing of it depends on the guardian's life.
 * Writes `run/<role>.pid`. Never throws; a failing start shows as the child's `error` event.
 */
export function spawnRole(role: Role, layout: StateLayout, configDirectory: string): SpawnedRole {
  const log = openLog(join(layout.log, `${role}.log`));
  const conf = role === 'switch' ? ['--conf', configDirectory] : [];
  const child = spawn(process.execPath, [...process.execArgv, entryScript(), `__${role}`, ...conf, '--state', layout.state], {
    detached: true,
    stdio: ['ignore', log, log],
  });
  closeSync(log);
  if (child.pid === undefined) return { child, identity: null };
  const { pid } = child;
  if (role === 'media') prefer(pid);
  const identity = { pid: child.pid, startTime: processStartTime(child.pid) ?? -1 };
  bestEffort(() => replaceFile(join(layout.run, `${role}.pid`), `${identity.pid}\n`));
  return { child, identity };
}

function prefer(pid: number): void {
  try {
    setPriority(pid, mediaPriority);
  } catch {
    // Needs CAP_SYS_NICE; without it media shares the cores like everybody.
  }
}

function openLog(path: string): number {
  try {
    if (statSync(path).size > maximumLogBytes) renameSync(path, `${path}.1`);
  } catch {
    // There is no log yet.
  }
  try {
    return openSync(path, 'a', 0o640);
  } catch {
    // A log that cannot be written must not keep calls from being served.
    return openSync('/dev/null', 'w');
  }
}
