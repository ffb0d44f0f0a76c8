import { SCENARIOS, type Scenario } from './scenarios.ts';
import { SeededRandom } from './seeded-random.ts';
import type { Crash } from './simulate.ts';
import { simulate } from './simulate.ts';
import { type NetworkFaults, NO_FAULTS } from './simulated-network.ts';
import type { CrashKind } from './simulated-node.ts';

export interface RandomRun {
  readonly seed: number;
  readonly scenario: Scenario;
  readonly crashes: readonly Crash[];
  readonly sipFaults: NetworkFaults;
  readonly rtpFaults: NetworkFaults;
}

const KINDS: readonly CrashKind[] = ['switch', 'switch', 'media', 'all'];
/** Crash points that a scenario has at most, with room for those of its recoveries. */
const POINTS = 200;
const MAXIMUM_CRASHES = 4;

/** What a seed stands for: a scenario, up to four crashes (a row whose recovery dies more often than its limit is set aside on purpose), and what the networks do to datagrams. */
export function randomRun(seed: number): RandomRun {
  const random = new SeededRandom(seed);
  const scenario = SCENARIOS[random.uint32() % SCENARIOS.length];
  if (scenario === undefined) throw new Error('there is a scenario');
  const crashes = Array.from({ length: random.uint32() % (MAXIMUM_CRASHES + 1) }, () => ({
    point: Math.floor(random.between(0, POINTS) * random.between(0, 1)),
    kind: KINDS[random.uint32() % KINDS.length] ?? 'switch',
  }));
  const faults = (): NetworkFaults =>
    random.chance(0.5)
      ? NO_FAULTS
      : {
          loss: random.between(0, 0.08),
          duplication: random.between(0, 0.1),
          reordering: random.between(0, 0.1),
          heldBackMilliseconds: 80,
        };
  return { seed, scenario, crashes, sipFaults: faults(), rtpFaults: faults() };
}

/** Runs it; the violations, each with what is needed to see it again. */
export async function playRandomRun(run: RandomRun): Promise<readonly string[]> {
  const { violations } = await simulate(run.scenario, run);
  const crashes = run.crashes.map(({ point, kind }) => `${kind}@${point}`).join(' ');
  return violations.map((violation) => `UNDROP_SEED=${run.seed} (${run.scenario.name}; ${crashes}): ${violation}`);
}
