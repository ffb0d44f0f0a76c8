import { writeFileSync } from 'node:fs';
import { type CallSet, legs, startScene, waitFlowing } from '../../test/harness/scene.ts';
import { formatTable, summarizeGaps } from '../measure/statistics.ts';
import type { FarmReport } from '../phone/report.ts';
import { drawPlot } from './plot.ts';

/** `npm run demo`: kills a switch full of calls with SIGKILL and shows what its phones heard. Ends by itself. */
const set: CallSet = { bridge: 50, echo: 20, conference: 20 };
const before = 1000;
const after = 3000;
const plotFile = 'demo.svg';

interface TimelineEntry {
  readonly at: number;
  readonly label: string;
}

/** What `recovery show last as json` tells about the run; wall microseconds. */
interface RecoveryRun {
  readonly processStartedAt?: number;
  readonly finishedAt?: number;
  readonly calls?: readonly {
    readonly portOpenAt?: number;
    readonly firstPacketOutAt?: number;
    readonly verifiedAt?: number;
    readonly outcome?: string;
  }[];
}

function readRun(output: string): RecoveryRun {
  try {
    const parsed = JSON.parse(output) as RecoveryRun | { run?: RecoveryRun } | RecoveryRun[];
    if (Array.isArray(parsed)) return parsed[0] ?? {};
    return 'run' in parsed ? (parsed.run ?? {}) : (parsed as RecoveryRun);
  } catch {
    return {};
  }
}

function fromRun(run: RecoveryRun, killedAt: number): TimelineEntry[] {
  const entries: TimelineEntry[] = [];
  const add = (label: string, microseconds: number): void => {
    if (microseconds > 0) entries.push({ at: microseconds / 1000 - killedAt, label });
  };
  const calls = run.calls ?? [];
  const last = (pick: (call: (typeof calls)[number]) => number | undefined): number => Math.max(0, ...calls.map((call) => pick(call) ?? 0));
  const first = (pick: (call: (typeof calls)[number]) => number | undefined): number => {
    const values = calls.map((call) => pick(call) ?? 0).filter((value) => value > 0);
    return values.length === 0 ? 0 : Math.min(...values);
  };
  add('switch process started', run.processStartedAt ?? 0);
  add(
    'first media port open',
    first((call) => call.portOpenAt),
  );
  add(
    'last media port open',
    last((call) => call.portOpenAt),
  );
  add(
    'first call verified',
    first((call) => call.verifiedAt),
  );
  add(
    'last call verified',
    last((call) => call.verifiedAt),
  );
  return entries;
}

/** First and last of: each stream's first packet after its longest silence. */
function fromStreams(report: FarmReport, killedAt: number): TimelineEntry[] {
  const returns = report.streams
    .filter((stream) => stream.longestSilenceMilliseconds > 0)
    .map((stream) => stream.longestSilenceStartedAt + stream.longestSilenceMilliseconds - killedAt)
    .filter((at) => at > 0);
  if (returns.length === 0) return [];
  return [
    { at: Math.min(...returns), label: 'first phone hears again' },
    { at: Math.max(...returns), label: 'last phone hears again' },
  ];
}

function printGaps(report: FarmReport): void {
  const rows = (['bridge', 'echo', 'conference'] as const).map((kind) => {
    const streams = report.streams.filter((stream) => stream.kind === kind);
    const gaps = summarizeGaps(streams.map((stream) => stream.longestSilenceMilliseconds));
    const survivors = streams.filter((stream) => stream.flowing).length;
    const sameNumbers = streams.filter((stream) => stream.ssrcChanges + stream.sequenceBackward + stream.wrongSound === 0).length;
    const expected = kind === 'bridge' ? 2 * set.bridge : set[kind];
    return [kind, gaps.p50.toFixed(0), gaps.p99.toFixed(0), gaps.max.toFixed(0), `${survivors}/${expected}`, `${sameNumbers}/${expected}`];
  });
  console.log(formatTable([['calls', 'gap p50 ms', 'p99', 'max', 'survivors', 'same SSRC, sound in order'], ...rows]));
}

console.log(`Starting a switch with ${set.bridge} bridged, ${set.echo} echo and ${set.conference} conference calls (${legs(set)} legs) …`);
const scene = await startScene(set);
try {
  await scene.phones.mark();
  await new Promise((resolve) => setTimeout(resolve, before));
  console.log('Killing guardian, switch and media with SIGKILL, then starting again …\n');
  const killedAt = performance.timeOrigin + performance.now();
  await scene.undrop.killAll();
  await scene.undrop.start();
  const readyAt = performance.timeOrigin + performance.now() - killedAt;
  await waitFlowing(scene.phones);
  await new Promise((resolve) => setTimeout(resolve, after));
  const report = await scene.phones.report();
  const run = readRun((await scene.undrop.cli('recovery show last as json')).output);
  const timeline = [
    { at: 0, label: 'SIGKILL of all three processes' },
    ...fromRun(run, killedAt),
    ...fromStreams(report, killedAt),
    { at: readyAt, label: 'ready, as seen from outside' },
  ];
  console.log(formatTable(timeline.toSorted((a, b) => a.at - b.at).map((entry) => [entry.label, `${entry.at.toFixed(0)} ms`])));
  console.log('');
  printGaps(report);
  console.log(`\n${(await scene.undrop.cli('show channels count')).output.trim()}`);
  writeFileSync(
    plotFile,
    drawPlot({
      title: `${legs(set)} legs, every process killed with SIGKILL`,
      packets: {
        firstAt: report.windowStartedAt - killedAt,
        bucketMilliseconds: report.arrivals.bucketMilliseconds,
        counts: report.arrivals.counts.slice(0, -1),
      },
      marks: [{ at: 0, label: 'SIGKILL' }, ...fromStreams(report, killedAt)],
      gaps: report.streams.map((stream) => stream.longestSilenceMilliseconds),
    }),
  );
  console.log(`The plot is in ./${plotFile}`);
  if (report.streams.some((stream) => !stream.flowing)) process.exitCode = 1;
} finally {
  await scene.close();
}
