import type { Scenario } from './scenarios.ts';
import type { NetworkFaults } from './simulated-network.ts';
import type { CrashKind } from './simulated-node.ts';
import { SimulatedWorld } from './simulated-world.ts';

export interface Crash {
  /** Counted from 0 over all lives. */
  readonly point: number;
  readonly kind: CrashKind;
}

export interface Outcome {
  readonly violations: readonly string[];
  readonly points: readonly string[];
}

/** One run of a scenario to its end. */
export async function simulate(
  scenario: Scenario,
  options: {
    readonly seed: number;
    readonly crashes?: readonly Crash[];
    readonly sipFaults?: NetworkFaults;
    readonly rtpFaults?: NetworkFaults;
  },
): Promise<Outcome> {
  const world = new SimulatedWorld({
    seed: options.seed,
    ...(options.sipFaults === undefined ? {} : { sipFaults: options.sipFaults }),
    ...(options.rtpFaults === undefined ? {} : { rtpFaults: options.rtpFaults }),
    ...(scenario.profileParameters === undefined ? {} : { profileParameters: scenario.profileParameters }),
  });
  for (const { point, kind } of options.crashes ?? []) world.crashAtPoint(point, kind);
  scenario.begin(world);
  await world.run();
  scenario.check(world);
  return { violations: world.violations, points: world.points };
}

/** Every point of a scenario, each as one run in which that process dies there. */
export async function crashEverywhere(
  scenario: Scenario,
  seed: number,
  kind: CrashKind,
): Promise<{ readonly runs: number; readonly failures: readonly string[] }> {
  const calm = await simulate(scenario, { seed });
  const failures = calm.violations.map((violation) => `without a crash: ${violation}`);
  for (const [point, name] of calm.points.entries()) {
    const { violations } = await simulate(scenario, { seed, crashes: [{ point, kind }] });
    for (const violation of violations) failures.push(`${kind} killed at point ${point} (${name}): ${violation}`);
  }
  return { runs: calm.points.length, failures };
}
