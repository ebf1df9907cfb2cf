/** What a checker holds against homes that keep what was written beside the end of a generation: all of it, but what nobody can tell
 *  from what stands on the end (C28 in docs/guarantees.md). */
import { expect, test } from 'vitest';
import { orderOf } from '../../simulations/cluster/checkers/channel-order.js';
import { deletedIsGone } from '../../simulations/cluster/checkers/deletions.js';
import type { Evidence } from '../../simulations/cluster/checkers/evidence.js';
import {
  type StoredEntry,
  deleteKind,
  gapKind,
  givenUpKind,
} from '../../simulations/cluster/checkers/store-log.js';

const channel = 'room:1';

function entry(writer: string, seq: number, more: Partial<StoredEntry> = {}): StoredEntry {
  const sums = { sum: seq, payloadSum: 0, hash: BigInt(seq) };
  return { writer, seq, round: 1, timestamp: seq, kind: 0, parents: [], line: seq, ...sums, ...more };
}

/** `b` writes four entries beside the end, in `round`; the next owner takes them in, after it gave up `lost` of them. */
function findings(round: number, lost: number | undefined, isRead = false): string[] {
  const beside = [1, 2, 3, 4].map((seq) =>
    entry('b', seq, { round, ...(seq === 1 && { parents: [{ writer: 'a', seq: 1 }] }) }),
  );
  if (lost !== undefined)
    beside[lost - 1] = { ...beside[lost - 1]!, kind: givenUpKind, round: 0, timestamp: -1, hash: undefined };
  const trim = { through: { writer: 'a', seq: 2 }, floors: new Map([['a', 2]]) };
  const range = { writer: 'b', fromSeq: lost ?? 0, toSeq: lost ?? 0 };
  const after = entry('c', 2, { round: 3, ...(lost !== undefined && { kind: gapKind, lost: range }) });
  const next = [
    entry('c', 1, { round: 3, parents: [{ writer: 'a', seq: 2 }] }),
    after,
    entry('c', 3, {
      round: 3,
      parents: [
        { writer: 'c', seq: 2 },
        { writer: 'b', seq: 4 },
      ],
    }),
  ];
  const writers = new Map([
    ['a', [entry('a', 1), entry('a', 2, { kind: deleteKind, line: 0, trim })]],
    ['b', beside],
    ['c', next],
  ]);
  const order = orderOf({ name: channel, writers });
  // Nothing of the older generation is there but what was written beside its end.
  const held = { name: channel, writers: new Map([...writers].filter(([writer]) => writer !== 'a')) };
  const events = beside
    .filter(({ kind }) => kind !== givenUpKind)
    .map(({ writer, seq }) => ({ type: 'entry', dot: { writer, seq } }));
  const readers = isRead ? [{ name: 'last', channel, phase: 'restart', events }] : [];
  const evidence = {
    orders: new Map([[channel, order]]),
    homesOf: () => (isRead ? [] : [{ node: 'n1', channels: new Map([[channel, held]]) }]),
    record: { readers },
  } as unknown as Evidence;
  return [...deletedIsGone(evidence)].map((what) => /b-\d/.exec(what)![0]);
}

test('what was written beside an end is to be gone, whatever claim it was written under', () => {
  for (const round of [0, 1, 2]) {
    expect(findings(round, undefined)).toEqual(['b-1', 'b-2', 'b-3', 'b-4']);
    expect(findings(round, undefined, true)).toEqual(['b-1', 'b-2', 'b-3', 'b-4']);
  }
});

test('behind what no disk has, it may stay where a claim above that of the end wrote it', () => {
  expect(findings(0, 2)).toEqual(['b-1', 'b-3', 'b-4']);
  // Of one round the writer decides.
  expect(findings(1, 2)).toEqual(['b-1']);
  expect(findings(2, 2)).toEqual(['b-1']);
  expect(findings(2, 2, true)).toEqual(['b-1']);
});
