import { openSync } from 'node:fs';
import { join } from 'node:path';

/** Where the files of one state directory lie. */
export interface StateLayout {
  readonly state: string;
  readonly run: string;
  readonly log: string;
  readonly lock: string;
  readonly processes: string;
  readonly sockets: string;
  readonly deaths: string;
  readonly ready: string;
  readonly startError: string;
  readonly mediaJournal: string;
}

export function stateLayout(state: string): StateLayout {
  const run = join(state, 'run');
  return {
    state,
    run,
    log: join(state, 'log'),
    lock: join(run, 'guardian.lock'),
    processes: join(run, 'processes.json'),
    sockets: join(run, 'sockets.json'),
    deaths: join(run, 'deaths.json'),
    ready: join(run, 'ready'),
    startError: join(run, 'start-error'),
    mediaJournal: join(run, 'media.journal'),
  };
}

/** Names in `run/` of the control channel and of the two sockets for descriptors. */
export const guardianSocketName = 'guardian.sock';
export const switchDescriptorsName = 'switch-fds.sock';
export const guardianDescriptorsName = 'guardian-fds.sock';

/** Longest path of a Unix socket without its ending zero (unix(7)). */
const maximumSocketPathBytes = 107;
const directories = new Map<string, number>();

/** The path of a Unix socket in `run`, through an open directory when the plain path is too long for the kernel (Linux). */
export function socketPath(run: string, name: string): string {
  const path = join(run, name);
  if (Buffer.byteLength(path) <= maximumSocketPathBytes) return path;
  let directory = directories.get(run);
  if (directory === undefined) {
    directory = openSync(run, 'r');
    directories.set(run, directory);
  }
  return `/proc/self/fd/${directory}/${name}`;
}
