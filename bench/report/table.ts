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
    goals.map((goal) => {
      const { name, value, bound, sense, unit, perProcessorSecond } = goal;
      const missedBy = Math.abs(value / bound - 1) * 100;
      const verdict = isMet(goal) ? 'met' : `missed by ${missedBy.toFixed(0)} %`;
      const beside = perProcessorSecond === undefined ? '' : `; ${plain(perProcessorSecond)} × per CPU-s`;
      return [name, `${plain(value)} ${unit}`.trim(), `${sense} ${plain(bound)}`, verdict + beside];
    }),
  );
}

function isMet({ value, bound, sense }: Goal): boolean {
  return sense === 'at least' ? value >= bound : value <= bound;
}
