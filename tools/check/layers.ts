import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { root, sourceFiles } from './source-files.ts';

/**
 * Runs dependency-cruiser and makes sure that it looked at every source file: with a compiler it does not understand it
 * reports "0 modules cruised" and stays green.
 */
interface Cruise {
  readonly modules: readonly { readonly source: string }[];
  readonly summary: {
    readonly violations: readonly {
      readonly from: string;
      readonly to: string;
      readonly rule: { readonly name: string; readonly severity: string };
    }[];
  };
}

const program = join(root, 'node_modules', 'dependency-cruiser', 'bin', 'dependency-cruise.mjs');
const run = spawnSync(process.execPath, [program, '--config', '.dependency-cruiser.cjs', '--output-type', 'json', 'src', 'tools'], {
  cwd: root,
  encoding: 'utf8',
  maxBuffer: 256 << 20,
});
if (run.stdout === '') {
  console.error(run.stderr);
  process.exit(1);
}
const cruise = JSON.parse(run.stdout) as Cruise;
const cruised = new Set(cruise.modules.map((module) => module.source));
const missed = [...sourceFiles('src'), ...sourceFiles('tools')].filter((file) => !cruised.has(file));
for (const file of missed) console.error(`${file}: was not looked at`);
for (const violation of cruise.summary.violations) console.error(`${violation.rule.name}: ${violation.from} → ${violation.to}`);
console.log(`layers: ${cruised.size} modules, ${cruise.summary.violations.length} violations`);
process.exitCode = missed.length === 0 && cruise.summary.violations.length === 0 && cruised.size > 0 ? 0 : 1;
