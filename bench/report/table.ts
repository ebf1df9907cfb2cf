/** Rows as text. */
import type { Goal } from './goal.js';
import { type Row, type Rows, median } from './rows.js';
import type { Sample } from './sample.js';

/** From this share of a processor on the load is what was measured, not the server. */
const fullShare = 0.9;
const foreignShareNoted = 0.15;

export function tableLines(unit: string, rows: Rows): string[] {
  const head = ['', `${unit}/s`, 'per CPU-s', 'server', 'load', 'p50 ms', 'p99 ms', 'notes'];
  const lines: string[][] = [];
  let cell = '';
  for (const row of rows.all) {
    if (row.cell !== cell) lines.push([(cell = row.cell)]);
    lines.push(rowCells(row));
  }
  return aligned([head, ...lines]);
}

function rowCells({ target, samples }: Row): string[] {
  const of = (value: (sample: Sample) => number | undefined) =>
    median(samples.flatMap((sample) => value(sample) ?? []));
  const rates = samples.flatMap(({ rate }) => rate ?? []);
  return [
    `  ${target}`,
    formatRate(of(({ rate }) => rate)),
    formatRate(of(({ perProcessorSecond }) => perProcessorSecond)),
    percent(of(({ serverShare }) => serverShare)),
    percent(of(({ loadShare }) => loadShare)),
    milliseconds(of(({ latencies }) => latencies?.p50Ms)),
    milliseconds(of(({ latencies }) => latencies?.p99Ms)),
    notes(samples, rates).join('; '),
  ];
}

function notes(samples: readonly Sample[], rates: readonly number[]): string[] {
  const found: string[] = [];
  if (rates.length > 1) found.push(`${formatRate(Math.min(...rates))}–${formatRate(Math.max(...rates))}`);
  if (samples.some(({ loadShare = 0 }) => loadShare > fullShare)) found.push('load is full');
  const foreign = Math.max(...samples.map(({ foreignShare = 0 }) => foreignShare));
  if (foreign > foreignShareNoted) found.push(`others took up to ${percent(foreign)}`);
  const perCommit = median(samples.flatMap(({ values }) => values?.['acksPerCommit'] ?? []));
  if (perCommit !== undefined) found.push(`${perCommit.toFixed(1)} a sync`);
  return found;
}

export function goalLines(goals: readonly Goal[]): string[] {
  return aligned(
    goals.map(({ name, value, bound, sense, unit }) => {
      const isMet = sense === 'at least' ? value >= bound : value <= bound;
      const missedBy = Math.abs(value / bound - 1) * 100;
      return [
        name,
        `${number(value)} ${unit}`,
        `${sense} ${number(bound)}`,
        isMet ? 'met' : `missed by ${missedBy.toFixed(0)} %`,
      ];
    }),
  );
}

/** Text left, numbers right. */
function aligned(lines: readonly (readonly string[])[]): string[] {
  const widths: number[] = [];
  for (const line of lines)
    if (line.length > 1)
      for (const [i, text] of line.entries()) widths[i] = Math.max(widths[i] ?? 0, text.length);
  return lines.map((line) =>
    line
      .map((text, i) =>
        i === 0 || i === line.length - 1 ? text.padEnd(widths[i]!) : text.padStart(widths[i]!),
      )
      .join('  ')
      .trimEnd(),
  );
}

export function formatRate(value: number | undefined): string {
  if (value === undefined) return '–';
  if (value >= 999_500) return `${(value / 1e6).toFixed(2)}M`;
  if (value >= 9_950) return `${(value / 1e3).toFixed(0)}k`;
  return value >= 1_000 ? `${(value / 1e3).toFixed(1)}k` : value.toFixed(0);
}

const number = (value: number) => (value >= 1_000 ? formatRate(value) : value.toFixed(2));
const percent = (share: number | undefined) => (share === undefined ? '–' : `${(share * 100).toFixed(0)} %`);
const milliseconds = (ms: number | undefined) => (ms === undefined ? '–' : ms.toFixed(ms < 1 ? 3 : 2));
