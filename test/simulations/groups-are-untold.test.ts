/** What a checker holds against nodes that cannot tell whose groups are: all of it, but where the log of groups has lost entries
 *  (H14 in docs/guarantees.md). */
import { expect, test } from 'vitest';
import type { Evidence } from '../../simulations/cluster/checkers/evidence.js';
import { groupsHaveOneMaker } from '../../simulations/cluster/checkers/groups.js';
import { type StoredEntry, gapKind, givenUpKind } from '../../simulations/cluster/checkers/store-log.js';

function entry(seq: number, more: Partial<StoredEntry> = {}): StoredEntry {
  const place = { writer: 'a', seq, round: 1, timestamp: seq, kind: 0, parents: [], line: 0 };
  return { ...place, sum: seq, payloadSum: 0, ...more };
}

const lost = [
  entry(1, { kind: givenUpKind }),
  entry(2, { kind: gapKind, lost: { writer: 'a', fromSeq: 1, toSeq: 1 } }),
];

/** `ada` made a group, and this is what nodes say of it. */
function findings(log: readonly StoredEntry[], ...said: string[]): number {
  const channel = { name: '$groups', writers: new Map([['a', log]]) };
  const groupRaces = [{ group: 'team', user: 'ada', outcome: 'made' }];
  const groups = [new Map(said.map((owner, i) => [`n${i}`, new Map([['team', owner]])]))];
  const homesOf = () => [{ node: 'n1', channels: new Map([[channel.name, channel]]) }];
  const evidence = { record: { groupRaces, groups }, homesOf };
  return [...groupsHaveOneMaker(evidence as unknown as Evidence)].length;
}

test('a group that was made is there, unless entries of the log of groups are lost', () => {
  expect(findings([entry(1)], 'ada', 'ada')).toBe(0);
  expect(findings([entry(1)], 'UNAVAILABLE', 'UNAVAILABLE')).toBe(2);
  expect(findings(lost, 'UNAVAILABLE', 'UNAVAILABLE')).toBe(0);
});

test('all nodes say the same of it, and nothing else', () => {
  expect(findings(lost, 'ada', 'UNAVAILABLE')).toBe(1);
  expect(findings(lost, 'bob', 'bob')).toBe(2);
  expect(findings(lost, '', '')).toBe(2);
});
