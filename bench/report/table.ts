/** Rows and goals as lines of text. */
import type { Column } from './columns.js';
import type { Goal } from './goal.js';
import type { Rows } from './rows.js';
import { aligned, plain } from './text.js';

export function tableLines(columns: readonly Column[], rows: Rows): string[] {
  const lines: string[][] = [['', ...columns.map(({ title }) => title)]];
  let cell = '';
  for (const row of rows.all) {
    if (row.cell !== cell) lines.push([(cell = row.cell)]);
    lines.push([`  ${row.target}`, ...columns.map(({ text }) => text(row))]);
  }
  return aligned(lines);
}

export function goalLines(goals: readonly Goal[]): string[] {
  return aligned(
    goals.map(({ name, value, bound, sense, unit }) => {
      const isMet = sense === 'at least' ? value >= bound : value <= bound;
      const missedBy = Math.abs(value / bound - 1) * 100;
      const verdict = isMet ? 'met' : `missed by ${missedBy.toFixed(0)} %`;
      return [name, `${plain(value)} ${unit}`.trim(), `${sense} ${plain(bound)}`, verdict];
    }),
  );
}
