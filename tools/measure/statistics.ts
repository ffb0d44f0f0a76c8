import { cpus, release, totalmem } from 'node:os';

export interface GapSummary {
  readonly streams: number;
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

/** The value below which a share (0…1) of `sorted` lies; 0 for nothing. */
export function percentile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}

/** Longest silences of streams in milliseconds. */
export function summarizeGaps(gaps: readonly number[]): GapSummary {
  const sorted = gaps.toSorted((a, b) => a - b);
  return { streams: sorted.length, p50: percentile(sorted, 0.5), p99: percentile(sorted, 0.99), max: sorted.at(-1) ?? 0 };
}

/** Where a measurement was taken, in one line. */
export function describeMachine(): string {
  const processors = cpus();
  return `${processors.length} × ${processors[0]?.model.trim() ?? 'unknown processor'}, ${Math.round(totalmem() / 2 ** 30)} GiB, ${process.platform} ${release()}, Node.js ${process.version}`;
}

/** Rows as a table of columns that end at the same place. */
export function formatTable(rows: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const row of rows) {
    for (const [column, cell] of row.entries()) widths[column] = Math.max(widths[column] ?? 0, cell.length);
  }
  return rows
    .map((row) =>
      row.map((cell, column) => (column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0))).join('  '),
    )
    .join('\n');
}
