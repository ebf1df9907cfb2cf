import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { ChannelRef, WriterId } from '../../src/base/ids.js';
import {
  encodeContent,
  placeOf,
  decodeEntry,
  iterateRecords,
  contentHash,
} from '../../src/log/entry-wire.js';
import { publishersIn } from '../../src/log/publishers-in.js';
import { keyScope } from '../../src/log/run-layout.js';
import { RefCache, parseRunHeader, salvageRun, verifyRun } from '../../src/log/run-reader.js';
import type { RunSummary } from '../../src/log/run.js';
import { type RunEntry, RunWriter } from '../../src/log/run-writer.js';
import { refs, runEntries, timestampSteps, writers } from './arbitraries.js';

const writer = 'ab'.repeat(12) as WriterId;
const ref = { hub: 'default', channel: 'room:1' } as ChannelRef;

interface PlannedRun {
  readonly ref: ChannelRef;
  readonly writer: WriterId;
  readonly round: number;
  readonly firstSeq: number;
  readonly previous: number;
  readonly entries: readonly RunEntry[];
}

const plans: fc.Arbitrary<PlannedRun> = fc
  .array(runEntries, { minLength: 1, maxLength: 6 })
  .chain((entries) =>
    fc.record({
      ref: refs,
      writer: writers,
      round: fc.integer({ min: 0, max: 2 ** 40 }),
      firstSeq: fc.constantFrom(1, 2, 1000, 2 ** 50),
      previous: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
      entries: timestampSteps(entries.length).map((steps) => {
        let timestamp = 0;
        return entries.map((entry, i) => ({ ...entry, timestamp: (timestamp += steps[i]!) }));
      }),
    }),
  )
  .map((plan) => (plan.firstSeq === 1 ? { ...plan, previous: 0 } : plan));

function write(runWriter: RunWriter, plan: PlannedRun): RunSummary {
  runWriter.begin(plan.ref, plan.writer, plan.round, plan.firstSeq, plan.previous);
  plan.entries.forEach((entry, i) => expect(runWriter.append(entry)).toBe(plan.firstSeq + i));
  return runWriter.end();
}

/** A run of plain publishes, with its bytes. */
function publishes(count: number, contentOf = (i: number) => [i, i]): { run: RunSummary; bytes: Uint8Array } {
  const runWriter = new RunWriter();
  runWriter.begin(ref, writer, 4, 11, 99);
  for (let i = 0; i < count; i++) {
    const content = encodeContent({ payload: new Uint8Array(contentOf(i)) });
    runWriter.append({ timestamp: 1000 + i, kind: 'publish', content });
  }
  return { run: runWriter.end(), bytes: runWriter.bytes().slice() };
}

describe('runs', () => {
  test('are read as they were written, several in one commit', () => {
    const cache = new RefCache(2);
    fc.assert(
      fc.property(fc.array(plans, { minLength: 1, maxLength: 3 }), (some) => {
        const runWriter = new RunWriter(64);
        const written = some.map((plan) => write(runWriter, plan));
        const bytes = runWriter.bytes();
        expect(runWriter.runs).toEqual(written);
        expect(runWriter.entryCount).toBe(some.reduce((sum, { entries }) => sum + entries.length, 0));
        expect(runWriter.lastChecksum).toBe(written.at(-1)!.lastChecksum);
        let at = 0;
        some.forEach((plan, i) => {
          const read = verifyRun(bytes, at, bytes.length - at, cache);
          expect(read).toEqual({ ok: true, value: written[i] });
          expectRecords(bytes, written[i]!, plan);
          expect(salvageRun(bytes, at, bytes.length - at)).toMatchObject({ missing: [] });
          at += written[i]!.headerBytes + written[i]!.recordBytes;
        });
        expect(at).toBe(bytes.length);
        runWriter.clear();
        expect([runWriter.bytes().length, runWriter.entryCount, runWriter.runs.length]).toEqual([0, 0, 0]);
      }),
      { numRuns: 150 },
    );
  });

  test('know the timestamp of every entry, and which have marks and keys and are retained', () => {
    fc.assert(
      fc.property(plans, (plan) => {
        const {
          marked,
          keys,
          timestampSteps: steps = [],
          retained = [],
          ...run
        } = write(new RunWriter(), plan);
        let timestamp = run.firstTimestamp - 1;
        plan.entries.forEach((entry, i) => {
          const step = steps.findIndex((seq, at) => at % 2 === 0 && seq === plan.firstSeq + i);
          timestamp = step >= 0 ? steps[step + 1]! : timestamp + 1;
          expect(timestamp).toBe(entry.timestamp);
        });
        const isMarked = ({ kind, parents }: RunEntry) =>
          !['publish', 'patch', 'notification', 'read', 'snapshot'].includes(kind) || parents !== undefined;
        const seqsOf = (holds: (entry: RunEntry) => boolean) =>
          plan.entries.flatMap((entry, i) => (holds(entry) ? [plan.firstSeq + i] : []));
        expect(marked.map(({ seq }) => seq)).toEqual(seqsOf(isMarked));
        expect(keys.map(({ dot }) => dot.seq)).toEqual(seqsOf((entry) => entry.idempotencyKey !== undefined));
        const inRanges = (seq: number) =>
          retained.some((from, i) => i % 2 === 0 && from <= seq && seq <= retained[i + 1]!);
        plan.entries.forEach(({ retain }, i) => expect(inRanges(plan.firstSeq + i)).toBe(retain === true));
        for (const row of keys) {
          const { actor = '', publisher, content } = plan.entries[row.dot.seq - plan.firstSeq]!;
          expect(row.scope).toBe(keyScope(actor, publisher));
          expect(row.contentHash).toBe(content ? contentHash(content) : 0);
        }
      }),
    );
  });

  test('tell how far each publisher has come', () => {
    fc.assert(
      fc.property(plans, (plan) => {
        const runWriter = new RunWriter();
        const run = write(runWriter, plan);
        const newest = new Map<string, { scope: string; epoch: number; seq: number }>();
        for (const { actor = '', publisher } of plan.entries) {
          if (!publisher?.seq) continue;
          const { epoch, seq } = publisher;
          const scope = keyScope(actor, publisher);
          const known = newest.get(scope);
          if (!known || epoch > known.epoch || (epoch === known.epoch && seq > known.seq))
            newest.set(scope, { scope, epoch, seq });
        }
        expect(publishersIn(runWriter.bytes(), run)).toEqual([...newest.values()]);
      }),
    );
  });

  test('with a bit flipped anywhere are refused', () => {
    fc.assert(
      fc.property(plans, fc.nat(), (plan, where) => {
        const runWriter = new RunWriter();
        write(runWriter, plan);
        const bytes = runWriter.bytes().slice();
        const bit = where % (8 * bytes.length);
        bytes[bit >> 3]! ^= 1 << (bit & 7);
        expect(verifyRun(bytes, 0, bytes.length).ok).toBe(false);
      }),
      { numRuns: 500 },
    );
  });

  test('cut short are told as such', () => {
    const { bytes, run } = publishes(3);
    for (let length = 0; length < bytes.length; length++) {
      expect(verifyRun(bytes.subarray(0, length), 0, length)).toEqual({ ok: false, error: 'truncated' });
      expect(verifyRun(bytes, 0, length)).toEqual({ ok: false, error: 'truncated' });
    }
    expect(parseRunHeader(bytes, 0)).toMatchObject({
      ok: true,
      value: { ref, writer, count: 3, firstSeq: 11 },
    });
    expect(run.headerBytes).toBe(46 + 'default'.length + 'room:1'.length);
  });

  test('from random bytes are errors and nothing worse', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(20), (bytes, at) => {
        expect(verifyRun(bytes, at, bytes.length).ok).toBe(false);
        salvageRun(bytes, at, bytes.length);
      }),
      { numRuns: 500 },
    );
  });
});

function expectRecords(bytes: Uint8Array, run: RunSummary, plan: PlannedRun): void {
  const start = run.offset + run.headerBytes;
  const records = bytes.subarray(start, start + run.recordBytes);
  const place = placeOf(run.ref, run.writer, run.round);
  let { previous } = plan;
  const found = [...iterateRecords(records)];
  expect(found).toHaveLength(plan.entries.length);
  found.forEach(({ bodyStart, end, seq, timestamp }, i) => {
    const entry = decodeEntry(records.subarray(bodyStart, end), place);
    if (!entry.ok) throw new Error(entry.error);
    expect([seq, timestamp]).toEqual([plan.firstSeq + i, plan.entries[i]!.timestamp]);
    expect(entry.value).toMatchObject({ seq, timestamp, previous, kind: plan.entries[i]!.kind });
    previous = entry.value.checksum;
  });
  expect(run.lastChecksum).toBe(previous);
}

describe('a damaged run', () => {
  test('gives back every record that is whole and names the rest', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 8 }),
        fc.array(fc.nat(), { minLength: 1, maxLength: 3 }),
        (count, hits) => {
          const { run, bytes } = publishes(count);
          const recordBytes = run.recordBytes / count;
          const damaged = bytes.slice();
          const hit = new Set<number>();
          for (const where of hits) {
            // Behind tag and length of a record: the lengths stay readable.
            const record = where % count;
            const at = run.headerBytes + record * recordBytes + 2 + (where % (recordBytes - 2));
            damaged[at]! ^= 0x10;
            hit.add(record);
          }
          const salvaged = salvageRun(damaged, 0, damaged.length)!;
          const whole = salvaged.pieces.flatMap(({ summary }) =>
            Array.from({ length: summary.count }, (_, i) => summary.firstSeq - 11 + i),
          );
          const lost = salvaged.missing.flatMap(({ fromSeq, toSeq }) =>
            Array.from({ length: toSeq - fromSeq + 1 }, (_, i) => fromSeq - 11 + i),
          );
          expect([...whole, ...lost].sort((a, b) => a - b)).toEqual(
            Array.from({ length: count }, (_, i) => i),
          );
          for (const record of whole)
            expect(Buffer.compare(part(damaged, record), part(bytes, record))).toBe(0);
          for (const record of lost) expect(hit.has(record)).toBe(true);
          function part(from: Uint8Array, record: number): Uint8Array {
            const start = run.headerBytes + record * recordBytes;
            return from.subarray(start, start + recordBytes);
          }
        },
      ),
      { numRuns: 300 },
    );
  });

  test('with a damaged length is read on behind it', () => {
    const { run, bytes } = publishes(6);
    const recordBytes = run.recordBytes / 6;
    for (const length of [1, 200]) {
      const damaged = bytes.slice();
      damaged[run.headerBytes + 2 * recordBytes + 1] = length;
      const salvaged = salvageRun(damaged, 0, damaged.length)!;
      expect(salvaged.missing).toEqual([{ writer, fromSeq: 13, toSeq: 13 }]);
      expect(salvaged.pieces.map(({ summary }) => [summary.firstSeq, summary.count])).toEqual([
        [11, 2],
        [14, 3],
      ]);
    }
  });

  test('with a damaged header that still names its place loses nothing', () => {
    const { bytes } = publishes(4);
    for (const at of [0, 4, 6, 12, 15]) {
      const damaged = bytes.slice();
      damaged[at]! ^= 1;
      const salvaged = salvageRun(damaged, 0, damaged.length)!;
      expect(salvaged.pieces.map(({ summary }) => [summary.firstSeq, summary.count])).toEqual([[11, 4]]);
      expect(salvaged.missing).toEqual([]);
    }
  });

  test('does not take for a record what a message made look like one', () => {
    // A publisher who knows channel, writer and round can compute a right checksum, and put a record into a payload
    // that ends with its own record. When the length of that record is damaged, the forgery must not come out.
    const forger = new RunWriter();
    forger.begin(ref, writer, 4, 12, 1234);
    forger.append({ timestamp: 5_000, kind: 'settings', actor: 'admin' });
    const { headerBytes } = forger.end();
    const forged = forger.bytes().subarray(headerBytes);
    const payload = [...forged];
    for (const count of [2, 3]) {
      const { run, bytes } = publishes(count, (i) => (i === 1 ? payload : [i]));
      const records = [...iterateRecords(bytes.subarray(run.headerBytes))];
      const damaged = bytes.slice();
      damaged[run.headerBytes + records[1]!.start + 1]! ^= 0x40;
      const salvaged = salvageRun(damaged, 0, damaged.length)!;
      for (const { summary } of salvaged.pieces) expect(summary.marked).toEqual([]);
      expect(salvaged.missing).toEqual([{ writer, fromSeq: 12, toSeq: 12 }]);
    }
  });

  test('whose header is not one gives nothing', () => {
    const { bytes } = publishes(1);
    bytes[44]! ^= 1;
    expect(salvageRun(bytes, 0, bytes.length)).toBeUndefined();
  });
});

describe('the run writer', () => {
  test('refuses what no log could take', () => {
    const runWriter = new RunWriter();
    expect(() => runWriter.begin(ref, writer, 1, 1, 5)).toThrow('the first entry follows none');
    expect(() => runWriter.append({ timestamp: 1, kind: 'publish' })).toThrow('between begin and end');
    runWriter.begin(ref, writer, 1, 1, 0);
    expect(() => runWriter.end()).toThrow('a run has an entry');
    expect(() => runWriter.begin(ref, writer, 1, 1, 0)).toThrow('a run ends before the next begins');
    runWriter.append({ timestamp: 5, kind: 'publish' });
    expect(() => runWriter.append({ timestamp: 5, kind: 'publish' })).toThrow('timestamps rise');
    expect(() => runWriter.bytes()).toThrow('no checksum yet');
    runWriter.clear();
    expect(runWriter.bytes()).toHaveLength(0);
  });

  test('copies what it keeps: marked entries do not change with the buffers they came from', () => {
    const runWriter = new RunWriter();
    const content = encodeContent({ payload: new Uint8Array([1, 2, 3]) });
    runWriter.begin(ref, writer, 1, 1, 0);
    runWriter.append({ timestamp: 5, kind: 'member', content });
    const { marked } = runWriter.end();
    const read = verifyRun(runWriter.bytes(), 0, runWriter.bytes().length);
    content.fill(0);
    runWriter.bytes().fill(0);
    for (const entries of [marked, read.ok ? read.value.marked : []]) {
      expect(entries[0]?.content?.payload).toEqual(new Uint8Array([1, 2, 3]));
    }
  });
});
