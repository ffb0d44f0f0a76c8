import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

/**
 * When a process started, as a number that differs between two processes which had the same pid:
 * clock ticks since boot on Linux (proc(5), stat field 22), seconds since the epoch elsewhere.
 * null when there is no such process, or only what is left of it (a zombie).
 */
export function processStartTime(pid: number): number | null {
  if (!Number.isSafeInteger(pid) || pid <= 0) return null;
  return process.platform === 'linux' ? startTimeFromProc(pid) : startTimeFromPs(pid);
}

function startTimeFromProc(pid: number): number | null {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  } catch {
    return null;
  }
  // The second field is the command in parentheses and may itself hold spaces and parentheses.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const state = fields[0];
  if (state === 'Z' || state === 'X') return null;
  const startTime = Number(fields[19]);
  return Number.isSafeInteger(startTime) ? startTime : null;
}

function startTimeFromPs(pid: number): number | null {
  try {
    const text = execFileSync('ps', ['-o', 'stat=,lstart=', '-p', String(pid)], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
    const [state = '', ...started] = text.trim().split(/\s+/);
    if (state === '' || state.startsWith('Z')) return null;
    return Math.floor(Date.parse(started.join(' ')) / 1000);
  } catch {
    return null;
  }
}

/** Whether exactly that process, not a later one with its pid, is alive. */
export function processAlive(pid: number, startTime: number): boolean {
  return processStartTime(pid) === startTime;
}
