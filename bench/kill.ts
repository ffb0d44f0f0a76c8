import { mkdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type CallSet, legs, type Scene, callSet as smallOrLarge, startScene, waitFlowing } from '../test/harness/scene.ts';
import { describeMachine, formatTable, type GapSummary, summarizeGaps } from '../tools/measure/statistics.ts';
import type { CallKind } from '../tools/phone/report.ts';

/**
 * `npm run bench`: how long phones hear nothing when a process is killed. The `none` rows are the same measurement without
 * a kill: what the machine and the phones themselves add. `UNDROP_BENCH_SMALL=1` takes the small set.
 */
interface Measurement {
  readonly kill: 'none' | 'switch' | 'media' | 'all';
  readonly kind: CallKind;
  readonly gaps: GapSummary;
  readonly survivors: number;
  readonly lostFrames: number;
  readonly generatorLatenessMilliseconds: number;
}

const set: CallSet = process.env['UNDROP_BENCH_SMALL'] === '1' ? smallOrLarge : { bridge: 100, echo: 50, conference: 30 };
const settle = 2000;

async function measure(scene: Scene, kill: Measurement['kill']): Promise<Measurement[]> {
  await scene.phones.mark();
  await new Promise((resolve) => setTimeout(resolve, 500));
  if (kill === 'switch') await scene.undrop.waitReady({ switch: scene.undrop.killSwitch() });
  if (kill === 'media') await scene.undrop.waitReady({ media: scene.undrop.killMedia() });
  if (kill === 'all') {
    await scene.undrop.killAll();
    await scene.undrop.start();
  }
  await waitFlowing(scene.phones);
  await new Promise((resolve) => setTimeout(resolve, settle));
  const report = await scene.phones.report();
  return (['bridge', 'echo', 'conference'] as const).map((kind) => {
    const streams = report.streams.filter((stream) => stream.kind === kind);
    return {
      kill,
      kind,
      gaps: summarizeGaps(streams.map((stream) => stream.longestSilenceMilliseconds)),
      survivors: streams.filter((stream) => stream.flowing && stream.ssrcChanges === 0 && stream.wrongSound === 0).length,
      lostFrames: streams.reduce((sum, stream) => sum + stream.lostFrames, 0),
      generatorLatenessMilliseconds: report.generatorLatenessMilliseconds,
    };
  });
}

const scene = await startScene(set);
const measurements: Measurement[] = [];
try {
  for (const kill of ['none', 'switch', 'media', 'all'] as const) measurements.push(...(await measure(scene, kill)));
} finally {
  await scene.close();
}

const milliseconds = (value: number): string => value.toFixed(1);
console.log(
  `${describeMachine()}; ${set.bridge} bridged, ${set.echo} echo, ${set.conference} conference calls, ${legs(set)} legs, PCMU, 20 ms`,
);
console.log(
  formatTable([
    ['killed', 'calls', 'streams', 'gap p50 ms', 'p99', 'max', 'survivors', 'lost frames', 'generator late ms'],
    ...measurements.map((row) => [
      row.kill,
      row.kind,
      String(row.gaps.streams),
      milliseconds(row.gaps.p50),
      milliseconds(row.gaps.p99),
      milliseconds(row.gaps.max),
      String(row.survivors),
      String(row.lostFrames),
      milliseconds(row.generatorLatenessMilliseconds),
    ]),
  ]),
);
const directory = fileURLToPath(new URL('results/', import.meta.url));
mkdirSync(directory, { recursive: true });
writeFileSync(
  `${directory}kill.json`,
  `${JSON.stringify({ machine: describeMachine(), takenAt: new Date().toISOString(), set, measurements }, null, 2)}\n`,
);
console.log(JSON.stringify(measurements));
