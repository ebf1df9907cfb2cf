/** What is trimmed still has its place in the order that checkers go by, as what it was before. */
import { expect, test } from 'vitest';
import { orderOf } from '../../simulations/cluster/checkers/channel-order.js';
import type { Evidence } from '../../simulations/cluster/checkers/evidence.js';
import { lateIsExact } from '../../simulations/cluster/checkers/readers.js';
import {
  type StoredEntry,
  deleteKind,
  dotText,
  untrimmed,
} from '../../simulations/cluster/checkers/store-log.js';
import type { EntryEvent, SeenDot } from '../../simulations/cluster/record.js';

const channel = 'room:1';

function entry(writer: string, seq: number, more: Partial<StoredEntry> = {}): StoredEntry {
  const sums = { sum: seq, payloadSum: 0, hash: BigInt(seq) };
  return { writer, seq, round: 1, timestamp: seq, kind: 0, parents: [], line: seq, ...sums, ...more };
}

function endAt(seq: number): Partial<StoredEntry> {
  const floors = new Map([
    ['a', seq],
    ['b', 1],
  ]);
  return { kind: deleteKind, line: 0, trim: { through: { writer: 'a', seq }, floors } };
}

const a = (seq: number): SeenDot => ({ writer: 'a', seq });
const beside = entry('b', 1, { round: 0, line: 9, parents: [a(1)] });
const voids = { voids: [{ writer: 'b', fromSeq: 1, toSeq: 1 }] };
/** `b` writes alone, beside the end of a generation. The owner takes that in behind its next entry, `taking` being what it says
 *  of it, and ends another generation. */
const written = (taking: Partial<StoredEntry>): StoredEntry[] => [
  entry('a', 1),
  entry('a', 2, endAt(2)),
  entry('a', 3),
  entry('a', 4, { line: 0, parents: [a(3), { writer: 'b', seq: 1 }], ...taking }),
  entry('a', 5),
  entry('a', 6, endAt(6)),
  entry('a', 7),
];

function event({ writer, seq, line, timestamp }: StoredEntry): EntryEvent {
  const dot = { writer, seq };
  return { type: 'entry', atMs: 0, dot, late: false, kind: 'publish', line, timestamp, crc: 0 };
}

/** With everything up to the second end trimmed. The reader got what was written alone, and then what stands behind the end. */
function told(taking: Partial<StoredEntry>) {
  const all = written(taking);
  const writers = new Map([['a', [all[6]!]]]);
  const floors = new Map([
    ['a', 6],
    ['b', 1],
  ]);
  const everAt = (writer: string, seq: number) => (writer === 'b' ? beside : all[seq - 1]);
  const order = orderOf(untrimmed({ name: channel, writers, floors }, everAt));
  const events = [all[0]!, beside, all[2]!, all[4]!, all[6]!].map(event);
  const readers = [{ name: 'r1', channel, start: 'beginning', phase: 'run', events }];
  const evidence = { record: { readers }, orders: new Map([[channel, order]]) } as unknown as Evidence;
  return { order, findings: [...lateIsExact(evidence)] };
}

test('what was said to be void is so when what said it is trimmed, and keeps its place', () => {
  const { order, findings } = told({ kind: deleteKind, ...voids });
  expect(order.entries.map(dotText)).toEqual(['a-1', 'a-2', 'a-3', 'b-1', 'a-4', 'a-5', 'a-6', 'a-7']);
  expect(order.entries.filter(({ isVoid }) => isVoid).map(dotText)).toEqual(['b-1']);
  expect(order.entries[3]!.line).toBe(beside.line);
  expect(findings).toEqual([]);
});

test('what was merged alone has its place, before which things come late', () => {
  expect(told({ kind: 7 }).findings).toEqual([
    `r1 in ${channel} got a-3 behind its place, and not marked late`,
  ]);
});

// Seed 521: it rotted before its disk had synced it, so that nothing else tells of it.
test('what was given up before it was ever synced keeps its place when what says so is trimmed', () => {
  const lost = { writer: 'a', fromSeq: 2, toSeq: 2 };
  const below = [entry('a', 1), entry('a', 3), entry('b', 1, { parents: [a(1)], kind: 8, lost })];
  const last = entry('b', 2, { kind: 7, parents: [{ writer: 'b', seq: 1 }, a(3)] });
  const floors = new Map([
    ['a', 3],
    ['b', 1],
  ]);
  const everAt = (writer: string, seq: number) =>
    below.find((one) => one.writer === writer && one.seq === seq);
  const { entries, outside } = orderOf(
    untrimmed({ name: channel, writers: new Map([['b', [last]]]), floors }, everAt),
  );
  expect(entries.map(dotText)).toEqual(['a-1', 'b-1', 'a-2', 'a-3', 'b-2']);
  expect(outside).toEqual([]);
});
