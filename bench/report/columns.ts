/** What a table tells of each row: medians of its samples. */
import { type Row, median } from './rows.js';
import type { Sample } from './sample.js';
import { formatRate, milliseconds, percent } from './text.js';

export interface Column {
  readonly title: string;
  readonly text: (row: Row) => string;
}

/** From this share of a processor on the load is what was measured, not the server. */
const fullShare = 0.9;
const foreignShareNoted = 0.15;

export function rateColumns(unit: string): Column[] {
  return [
    column(`${unit}/s`, ({ rate }) => rate, formatRate),
    column('per CPU-s', ({ perProcessorSecond }) => perProcessorSecond, formatRate),
    column('server', ({ serverShare }) => serverShare, percent),
    column('load', ({ loadShare }) => loadShare, percent),
  ];
}

export const latencyColumns: readonly Column[] = [
  column('p50 ms', ({ latencies }) => latencies?.p50Ms, milliseconds),
  column('p99 ms', ({ latencies }) => latencies?.p99Ms, milliseconds),
];

export function valueColumn(title: string, key: string, format: (value: number) => string): Column {
  return column(title, ({ values }) => values?.[key], format);
}

export const notesColumn: Column = { title: 'notes', text: ({ samples }) => notes(samples).join('; ') };

function column(
  title: string,
  value: (sample: Sample) => number | undefined,
  format: (value: number) => string,
): Column {
  return {
    title,
    text({ samples }) {
      const middle = median(samples.flatMap((sample) => value(sample) ?? []));
      return middle === undefined ? '–' : format(middle);
    },
  };
}

function notes(samples: readonly Sample[]): string[] {
  const found: string[] = [];
  const rates = samples.flatMap(({ rate }) => rate ?? []);
  if (rates.length > 1) found.push(`${formatRate(Math.min(...rates))}–${formatRate(Math.max(...rates))}`);
  if (samples.some(({ loadShare = 0 }) => loadShare > fullShare)) found.push('load is full');
  const foreign = Math.max(...samples.map(({ foreignShare = 0 }) => foreignShare));
  if (foreign > foreignShareNoted) found.push(`others took up to ${percent(foreign)}`);
  return found;
}
