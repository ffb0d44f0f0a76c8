import type { RecoveryRunView } from '../switch-view.ts';
import { localTime } from '../time-text.ts';
import { type Command, splitWords } from './command.ts';

const USAGE = 'list [as json] | show <run|last> [failed] [as json]';
const FAILED = ['quarantined', 'failed'];

/** Columns padded to their widest cell. */
function alignedTable(rows: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const row of rows) for (const [index, cell] of row.entries()) widths[index] = Math.max(widths[index] ?? 0, cell.length);
  return rows
    .map((row) => `${row.map((cell, index) => (index === row.length - 1 ? cell : cell.padEnd(widths[index] ?? 0))).join('  ')}\n`)
    .join('');
}

function counts(run: RecoveryRunView): string {
  const byOutcome = new Map<string, number>();
  for (const call of run.calls) byOutcome.set(call.outcome, (byOutcome.get(call.outcome) ?? 0) + 1);
  return [...byOutcome].map(([outcome, count]) => `${count} ${outcome}`).join(', ') || 'no calls';
}

/** Milliseconds since the process started, `-` when it has not happened. */
function since(run: RecoveryRunView, at: number): string {
  return at === 0 ? '-' : `${((at - run.processStartedAt) / 1000).toFixed(0)} ms`;
}

function listRuns(runs: readonly RecoveryRunView[]): string {
  if (runs.length === 0) return 'No recovery runs.\n';
  const rows = runs.map((run) => [
    run.id,
    localTime(run.startedAt),
    run.finishedAt === 0 ? 'running' : `${((run.finishedAt - run.startedAt) / 1000).toFixed(0)} ms`,
    run.trigger,
    counts(run),
  ]);
  return alignedTable([['RUN', 'STARTED', 'TOOK', 'TRIGGER', 'CALLS'], ...rows]);
}

function showRun(run: RecoveryRunView): string {
  const head = `Recovery ${run.id} (${run.trigger}), started ${localTime(run.startedAt)}: ${counts(run)}\nTimes count from the start of the process.\n`;
  if (run.calls.length === 0) return head;
  const rows = run.calls.map((call) => [
    call.uuid,
    call.outcome,
    call.gapMilliseconds === null ? '-' : `${call.gapMilliseconds} ms`,
    since(run, call.rowReadAt),
    since(run, call.portOpenAt),
    since(run, call.firstPacketOutAt),
    since(run, call.firstPacketInAt),
    since(run, call.verifiedAt),
    call.reason.replace(/[\r\n]+/g, ' '),
  ]);
  return `${head}\n${alignedTable([['UUID', 'OUTCOME', 'GAP', 'ROW READ', 'PORT OPEN', 'FIRST OUT', 'FIRST IN', 'VERIFIED', 'REASON'], ...rows])}`;
}

export const recoveryCommands: readonly Command[] = [
  {
    name: 'recovery',
    usage: USAGE,
    description: 'Reports of recovery runs',
    async run(argument, context) {
      const words = splitWords(argument);
      const json = words.length >= 2 && words.at(-2) === 'as' && words.at(-1) === 'json';
      const [action = '', which, filter] = json ? words.slice(0, -2) : words;
      if (action !== 'list' && (action !== 'show' || which === undefined)) return `-USAGE: ${USAGE}\n`;
      // Newest first, whatever order the store gave.
      const runs = (await context.view.recoveryRuns()).toSorted((left, right) => right.startedAt - left.startedAt);
      if (action === 'list') return json ? `${JSON.stringify(runs)}\n` : listRuns(runs);
      const found = which === 'last' ? runs[0] : runs.find((run) => run.id === which);
      if (found === undefined) return which === 'last' ? '-ERR No recovery runs.\n' : `-ERR No recovery run ${which}: see recovery list\n`;
      const run = filter === 'failed' ? { ...found, calls: found.calls.filter((call) => FAILED.includes(call.outcome)) } : found;
      return json ? `${JSON.stringify(run)}\n` : showRun(run);
    },
    complete(words) {
      if (words.length === 0) return ['list', 'show'];
      if (words[0] === 'list') return words.length === 1 ? ['as'] : ['json'];
      return words.length === 1 ? ['last'] : words.at(-1) === 'as' ? ['json'] : ['failed', 'as'];
    },
  },
];
