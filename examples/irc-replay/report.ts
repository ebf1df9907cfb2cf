/** The result as a table for people and as NDJSON for programs. */
import {
  type ViolationKind,
  type Violations,
  violationKinds,
} from '../../simulations/checkers/violations.js';
import type { Result } from './run.js';

const count = (value: number) => Math.round(value).toLocaleString('en-US');
const things = (value: number, name: string) => `${count(value)} ${name}${value === 1 ? '' : 's'}`;

interface Column {
  readonly name: string;
  readonly entries: number;
  readonly violations: Violations | undefined;
}

const explained: Readonly<Record<ViolationKind, string>> = {
  lost: 'acknowledged, and absent',
  doubled: 'one line as two entries',
  duplicate: 'delivered more than once',
  'out-of-order': 'not in the order of the store, or of its nick',
  gap: 'left out, or declared missing',
  phantom: 'nobody published it, or it is not in the store',
  altered: 'not the bytes that were published',
  damaged: 'the store contradicts itself',
};

export function* tableLines(result: Result): Generator<string, void, undefined> {
  const { overview, kill } = result;
  yield '';
  yield `lines        ${count(overview.lines)}: ${things(overview.days, 'day')}, ${things(overview.nicks, 'nick')}, ${things(overview.channels.length, 'channel')}`;
  yield `published    ${count(result.published)} by ${things(result.sessions, 'session')}`;
  yield `acked        ${count(result.acked)}`;
  if (kill) {
    yield `killed       after ${count(kill.atAcked)} acked lines, with ${count(kill.waiting)} on their way; served again after ${count(kill.downMs)} ms`;
    yield `sent again   ${count(result.repeats)} lines that were stored and whose answer was lost with the node`;
    yield `resumed      ${count(result.raw.resumes)} raw and ${count(result.sdk.resumes)} SDK readers, at their cursors`;
  }
  yield `rates        ${count(rateOf(result.acked, result.publishMs))} acked lines/s, ${count(rateOf(result.raw.delivered + result.sdk.delivered, result.readMs))} deliveries/s`;
  yield '';
  const columns = columnsOf(result);
  const row = (name: string, cells: readonly string[], note = '') =>
    `${name.padEnd(13)}${cells.map((cell) => cell.padStart(18)).join('')}  ${note}`.trimEnd();
  yield row(
    '',
    columns.map(({ name }) => name),
  );
  yield row(
    'entries',
    columns.map(({ entries }) => count(entries)),
  );
  for (const kind of violationKinds)
    yield row(
      kind,
      columns.map(({ violations }) => (violations ? count(violations.count(kind)) : '-')),
      explained[kind],
    );
  yield '';
  for (const problem of result.problems) yield `problem: ${problem}`;
  for (const { violations } of columns) if (violations) yield* violations.lines();
  yield result.passed ? 'Nothing is lost, doubled or out of order.' : 'FAILED: see above.';
}

export function* jsonLines(result: Result): Generator<string, void, undefined> {
  const { verdict: _, raw: _raw, sdk: _sdk, overview, problems, ...rest } = result;
  yield JSON.stringify({ type: 'result', ...overview, ...rest });
  for (const { name, entries, violations } of columnsOf(result)) {
    const counts = violationKinds.map((kind) => [kind, violations?.count(kind) ?? null]);
    yield JSON.stringify({ type: 'count', by: name, entries, ...Object.fromEntries(counts) });
    for (const what of violations?.lines() ?? []) yield JSON.stringify({ type: 'violation', by: name, what });
  }
  for (const what of problems) yield JSON.stringify({ type: 'problem', what });
}

function columnsOf({ verdict, raw, sdk }: Result): Column[] {
  const store = verdict.store;
  return [
    { name: 'store', entries: store?.totals.records ?? 0, violations: store?.violations },
    { name: things(raw.readers, 'raw reader'), entries: raw.delivered, violations: raw.violations },
    { name: things(sdk.readers, 'SDK reader'), entries: sdk.delivered, violations: sdk.violations },
  ];
}

function rateOf(things: number, ms: number): number {
  return ms > 0 ? (things * 1_000) / ms : 0;
}
