/** The outcome of a run of kills as text. */
import { violationKinds } from '../checkers/violations.js';
import type { KillsResult } from './run.js';

const count = (value: number) => value.toLocaleString('en-US');

export function* reportLines(result: KillsResult, kills: number): Generator<string, void, undefined> {
  const { ledger, verdict, raw, sdk, startMs } = result;
  const store = verdict.store!;
  const unknown = ledger.published - ledger.acked - ledger.rejected;
  const sorted = [...startMs].sort((a, b) => a - b);
  const at = (part: number) => Math.round(sorted[Math.floor((sorted.length - 1) * part)] ?? 0);
  yield `kills ${kills}, ${(result.elapsedMs / 1000).toFixed(1)} s; start until serving: median ${at(0.5)} ms, longest ${at(1)} ms`;
  yield `lines ${count(ledger.published)}: acked ${count(ledger.acked)}, refused ${count(ledger.rejected)}, never answered ${count(unknown)}`;
  yield `store ${count(store.totals.records)} records of ${count(store.lines)} lines in ${count(store.totals.commits)} commits, ${count(store.totals.segments)} segments`;
  yield '';
  const columns = [
    { name: 'store', violations: store.violations },
    { name: `${raw.readers} raw readers`, violations: raw.violations },
    { name: `${sdk.readers} SDK reader`, violations: sdk.violations },
  ];
  const row = (cells: readonly string[]) =>
    cells.map((cell, i) => (i === 0 ? cell.padEnd(14) : cell.padStart(16))).join('');
  yield row(['', ...columns.map(({ name }) => name)]);
  yield row(['entries', ...[store.totals.records, raw.delivered, sdk.delivered].map(count)]);
  for (const kind of violationKinds)
    yield row([kind, ...columns.map(({ violations }) => count(violations.count(kind)))]);
  for (const problem of result.problems) yield `problem: ${problem}`;
  for (const { violations } of columns) yield* violations.lines();
}
