/** What the plot shows; times are milliseconds relative to the kill. */
export interface Plot {
  readonly title: string;
  /** Packets heard by all phones, per bucket. */
  readonly packets: { readonly firstAt: number; readonly bucketMilliseconds: number; readonly counts: readonly number[] };
  readonly marks: readonly { readonly at: number; readonly label: string }[];
  /** Longest silence of each stream. */
  readonly gaps: readonly number[];
}

const width = 960;
const panel = { left: 60, right: 20, height: 220 } as const;
const plotWidth = width - panel.left - panel.right;
const ink = '#1f2933';
const accent = '#0b6bcb';
const alarm = '#c62828';

function escapeText(text: string): string {
  return text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;');
}

function text(x: number, y: number, content: string, extra = ''): string {
  return `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" fill="${ink}" ${extra}>${escapeText(content)}</text>`;
}

/** A step of 1, 2 or 5 × 10ⁿ that gives about `count` lines. */
function tickStep(span: number, count: number): number {
  const rough = Math.max(span, 1) / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  return [1, 2, 5, 10].map((factor) => factor * power).find((step) => step >= rough) ?? rough;
}

function axes(top: number, xFrom: number, xTo: number, yTo: number, xLabel: string, yLabel: string): string[] {
  const bottom = top + panel.height;
  const lines: string[] = [];
  for (
    let value = Math.ceil(xFrom / tickStep(xTo - xFrom, 10)) * tickStep(xTo - xFrom, 10);
    value <= xTo;
    value += tickStep(xTo - xFrom, 10)
  ) {
    const x = panel.left + ((value - xFrom) / (xTo - xFrom)) * plotWidth;
    lines.push(
      `<line x1="${x}" x2="${x}" y1="${bottom}" y2="${bottom + 4}" stroke="${ink}"/>`,
      text(x, bottom + 18, String(Math.round(value)), 'text-anchor="middle"'),
    );
  }
  for (let value = 0; value <= yTo; value += tickStep(yTo, 4)) {
    const y = bottom - (value / yTo) * panel.height;
    lines.push(
      `<line x1="${panel.left}" x2="${width - panel.right}" y1="${y}" y2="${y}" stroke="#d9e2ec"/>`,
      text(panel.left - 6, y + 4, String(Math.round(value)), 'text-anchor="end"'),
    );
  }
  lines.push(text(panel.left + plotWidth / 2, bottom + 36, xLabel, 'text-anchor="middle"'), text(panel.left, top - 8, yLabel));
  return lines;
}

function packetPanel(plot: Plot, top: number): string[] {
  const { firstAt, bucketMilliseconds, counts } = plot.packets;
  const lastAt = firstAt + counts.length * bucketMilliseconds;
  const highest = Math.max(1, ...counts);
  const bottom = top + panel.height;
  const place = (at: number): number => panel.left + ((at - firstAt) / (lastAt - firstAt)) * plotWidth;
  const parts = axes(
    top,
    firstAt,
    lastAt,
    highest,
    'milliseconds since the kill',
    `packets heard by all phones, per ${bucketMilliseconds} ms`,
  );
  const points = counts.map(
    (count, index) => `${place(firstAt + index * bucketMilliseconds).toFixed(1)},${(bottom - (count / highest) * panel.height).toFixed(1)}`,
  );
  parts.push(`<polyline fill="none" stroke="${accent}" stroke-width="1.2" points="${points.join(' ')}"/>`);
  plot.marks.forEach((mark, index) => {
    const x = place(mark.at);
    if (x < panel.left || x > width - panel.right) return;
    parts.push(
      `<line x1="${x.toFixed(1)}" x2="${x.toFixed(1)}" y1="${top}" y2="${bottom}" stroke="${alarm}" stroke-dasharray="4 3"/>`,
      text(x + 4, top + 12 + 14 * index, `${mark.label} ${Math.round(mark.at)} ms`, 'font-size="11"'),
    );
  });
  return parts;
}

function gapPanel(plot: Plot, top: number): string[] {
  const longest = Math.max(50, ...plot.gaps) * 1.05;
  const bins = 60;
  const counts = new Array<number>(bins).fill(0);
  for (const gap of plot.gaps) {
    const bin = Math.min(bins - 1, Math.floor((gap / longest) * bins));
    counts[bin] = (counts[bin] ?? 0) + 1;
  }
  const highest = Math.max(1, ...counts);
  const parts = axes(top, 0, longest, highest, 'longest silence of a stream, milliseconds', 'streams');
  counts.forEach((count, bin) => {
    const height = (count / highest) * panel.height;
    const x = panel.left + (bin / bins) * plotWidth;
    if (count > 0)
      parts.push(
        `<rect x="${x.toFixed(1)}" y="${(top + panel.height - height).toFixed(1)}" width="${(plotWidth / bins - 1).toFixed(1)}" height="${height.toFixed(1)}" fill="${accent}"/>`,
      );
  });
  return parts;
}

/** The plot as an SVG document. */
export function drawPlot(plot: Plot): string {
  const height = 2 * panel.height + 200;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" font-family="system-ui, sans-serif" font-size="12">`,
    `<rect width="${width}" height="${height}" fill="white"/>`,
    text(panel.left, 28, plot.title, 'font-size="16" font-weight="600"'),
    ...packetPanel(plot, 70),
    ...gapPanel(plot, 70 + panel.height + 80),
    '</svg>',
    '',
  ].join('\n');
}
