import { readdirSync, readFileSync } from 'node:fs';
import { processAlive, processStartTime, replaceFile } from '../io/index.ts';

export type Role = 'media' | 'switch';

/** A pid alone may be a stranger's by now; with its start time it is one process for good. */
export interface ProcessIdentity {
  readonly pid: number;
  readonly startTime: number;
}

/** Written before a spawn: the guardian may die between the spawn and noting its pid. */
export const beingSpawned: ProcessIdentity = { pid: 0, startTime: 0 };

/** The content of `run/processes.json`: who runs on this state directory. */
export interface ProcessTable {
  readonly configDirectory: string;
  readonly guardian: ProcessIdentity | null;
  readonly media: ProcessIdentity | null;
  readonly switch: ProcessIdentity | null;
}

const emptyTable: ProcessTable = { configDirectory: '', guardian: null, media: null, switch: null };

/** What the last guardian noted; an empty table when there is none, or none that can be read. */
export function readProcessTable(path: string): ProcessTable {
  try {
    const value: unknown = JSON.parse(readFileSync(path, 'utf8'));
    if (typeof value !== 'object' || value === null) return emptyTable;
    const table = value as Record<string, unknown>;
    return {
      configDirectory: typeof table['configDirectory'] === 'string' ? table['configDirectory'] : '',
      guardian: readIdentity(table['guardian']),
      media: readIdentity(table['media']),
      switch: readIdentity(table['switch']),
    };
  } catch {
    return emptyTable;
  }
}

function readIdentity(value: unknown): ProcessIdentity | null {
  if (typeof value !== 'object' || value === null) return null;
  const { pid, startTime } = value as Record<string, unknown>;
  return typeof pid === 'number' && typeof startTime === 'number' ? { pid, startTime } : null;
}

export function writeProcessTable(path: string, table: ProcessTable): void {
  replaceFile(path, `${JSON.stringify(table)}\n`);
}

export function isAlive(identity: ProcessIdentity): boolean {
  return identity.pid > 0 && processAlive(identity.pid, identity.startTime);
}

/** The living process of a role as noted; when the note was being written as the guardian died, it is searched by its command line. */
export function findLiving(noted: ProcessIdentity | null, role: Role, stateDirectory: string): ProcessIdentity | null {
  if (noted === null) return null;
  if (isAlive(noted)) return noted;
  return noted.pid === beingSpawned.pid ? searchByCommandLine(role, stateDirectory) : null;
}

function searchByCommandLine(role: Role, stateDirectory: string): ProcessIdentity | null {
  if (process.platform !== 'linux') return null;
  for (const name of readdirSync('/proc')) {
    const pid = Number(name);
    if (!Number.isSafeInteger(pid) || pid === process.pid) continue;
    const words = commandLine(pid);
    const state = words.indexOf('--state');
    if (words.includes(`__${role}`) && state >= 0 && words[state + 1] === stateDirectory) {
      const startTime = processStartTime(pid);
      if (startTime !== null) return { pid, startTime };
    }
  }
  return null;
}

function commandLine(pid: number): string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
  } catch {
    return [];
  }
}
