/** What stands behind what was sent after it, and when that is nobody's fault. */
import { expect, test } from 'vitest';
import type { Evidence } from '../../simulations/cluster/checkers/evidence.js';
import { publishersInOrder } from '../../simulations/cluster/checkers/publishes.js';
import { givenUpKind } from '../../simulations/cluster/checkers/store-log.js';

const lost = 0;

/** Lines in the order of the log; `lost` is an entry that nobody could read any more. */
function findings(...lines: number[]): string[] {
  const entries = lines.map((line, i) => ({
    writer: 'a',
    seq: i + 1,
    line,
    kind: line === lost ? givenUpKind : 1,
  }));
  const of = (line: number) => (line === lost ? undefined : { line, publisher: 'p', isNumbered: true });
  const isBelow = (first: { seq: number }, second: { seq: number }): boolean => first.seq <= second.seq;
  const orders = new Map([['news', { entries, isBelow }]]);
  return [...publishersInOrder({ record: { of }, orders } as unknown as Evidence)];
}

test('what was sent before stands before', () => {
  expect(findings(1, 2, 3)).toEqual([]);
  expect(findings(1, 3, 2)).toEqual(['line 2 of p stands behind line 3 in news']);
});

test('what is said again where its first place was given up may stand behind', () => {
  expect(findings(1, lost, 3, 4, 2)).toEqual([]);
  expect(findings(lost, 2, 1)).toEqual([]);
});

test('what was given up elsewhere excuses nothing', () => {
  expect(findings(lost, 1, 3, lost, 4, 2)).toEqual(['line 2 of p stands behind line 4 in news']);
});
