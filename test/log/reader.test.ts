/** Readers against the rules in their plainest form: what a cursor has is a set of entries. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Dot, type WriterId, dotText } from '../../src/base/ids.js';
import type { ChannelLog } from '../../src/log/channel-log.js';
import { advanceHeads, decodeCursor, encodeCursor } from '../../src/log/cursor.js';
import { LogReader } from '../../src/log/reader.js';
import { History, type WrittenEntry, dots, ref } from './history.js';
import {
  type Past,
  type ReferenceEntry,
  entryOf,
  includes,
  isWithin,
  referenceHeads,
  union,
} from './reference-order.js';

const seeds = fc.integer({ min: 0, max: 2 ** 31 - 1 });
const runs = { numRuns: 40 };

interface Delivered {
  readonly dot: string;
  readonly late: boolean;
}

/** Reads to the end, in steps of random length, sometimes taken over in parts. `each` is told of every entry. */
function readAll(
  log: ChannelLog,
  reader: LogReader,
  history: History,
  each: (dot: Dot) => void = () => undefined,
): { readonly delivered: Delivered[]; readonly gapHeads: readonly Dot[] | undefined } {
  const delivered: Delivered[] = [];
  let gapHeads: readonly Dot[] | undefined;
  for (;;) {
    const step = reader.next(log, 1 + history.integer(5));
    expect(reader.next(log, 1).type).toBe(step.type);
    reader.next(log, 5);
    if (step.type === 'end') return { delivered, gapHeads };
    if (step.type === 'gap') {
      if (gapHeads) throw new Error('a gap is told once');
      gapHeads = step.heads;
      reader.advance(step);
      continue;
    }
    for (let i = 0; i < step.count; i++) {
      const dot = { writer: step.writer, seq: step.firstSeq + i };
      reader.advance({ ...step, firstSeq: dot.seq, count: 1 });
      delivered.push({ dot: dotText(dot), late: step.late });
      each(dot);
    }
  }
}

function readerAt(log: ChannelLog, heads: readonly Dot[]): LogReader {
  const reader = LogReader.atCursor(log, heads);
  if (!reader.ok) throw new Error('a cursor is ahead');
  return reader.value;
}

/** The rules for one reader: `had` and then the order, without what it has. */
function expectedOf(log: ChannelLog, history: History, had: Past): { delivered: Delivered[]; gap: boolean } {
  const gap = log.trim !== undefined && !includes(had, log.trim.through);
  let has = union(had, log.floors);
  const order = history.order.slice(log.firstPosition, log.endPosition);
  const committed = union(log.floors, order.at(-1)?.past ?? new Map());
  const delivered: Delivered[] = [];
  order.forEach((entry, i) => {
    if (includes(has, entry)) return;
    const late = !isWithin(has, committed) || order.slice(i + 1).some((later) => includes(has, later));
    delivered.push({ dot: dotText(entry), late });
    has = union(has, new Map([[entry.writer, entry.seq]]));
  });
  return { delivered, gap };
}

/** Some entries and all they stand on. */
function closedSet(history: History, held: readonly WrittenEntry[]): Past {
  const picked = held.filter(() => history.chance(0.15)).slice(0, 4);
  return union(...picked.map((entry) => entry.past));
}

function entriesOf(history: History, past: Past): ReferenceEntry[] {
  return [...history.dag.values()].filter((entry) => includes(past, entry));
}

/** Of any home in any history, and any set of what it holds that somebody may have had. */
function withAnySet(
  options: { readonly trims: boolean },
  check: (history: History, log: ChannelLog, had: Past) => void,
): void {
  const run = (seed: number): void => {
    History.run(seed, {
      ...options,
      check: (history) => {
        const { log, held } = history.pick(history.homes);
        check(history, log, closedSet(history, held));
      },
    });
  };
  fc.assert(fc.property(seeds, run), { numRuns: 25 });
}

describe.each([{ trims: false }, { trims: true }])('a reader ($trims)', (options) => {
  test('at any position gets exactly what follows, and its cursor is what it has', () => {
    fc.assert(
      fc.property(seeds, (seed) => {
        const history = History.run(seed, options);
        for (const { log } of history.homes) {
          const position = log.firstPosition + history.integer(log.endPosition - log.firstPosition + 1);
          const reader = LogReader.atPosition(log, position);
          let at = position;
          const { delivered, gapHeads } = readAll(log, reader, history, () => {
            at++;
            expect(reader.position).toBe(at);
            const heads = referenceHeads(history.order.slice(0, at));
            expect(dots(reader.heads(log)).sort()).toEqual(dots(heads).sort());
          });
          expect(gapHeads).toBeUndefined();
          expect(delivered.map(({ dot }) => dot)).toEqual(dots(history.order.slice(position)));
          expect(delivered.some(({ late }) => late)).toBe(false);
          expect(reader.isAtEnd(log)).toBe(true);
        }
      }),
      runs,
    );
  });

  test('resumes on another home from the cursor that a client keeps, without a gap or a repetition', () => {
    fc.assert(
      fc.property(seeds, (seed) => {
        const history = History.run(seed, options);
        const { log } = history.homes[0]!;
        let heads: readonly Dot[] = log.headsAt(log.firstPosition);
        const cursors = [heads];
        readAll(log, readerAt(log, heads), history, (dot) => {
          heads = advanceHeads(heads, dot, entryOf(history.dag, dot).parents);
          cursors.push(heads);
        });
        expect(heads).toHaveLength(1);
        cursors.forEach((cursor, i) => {
          const other = history.pick(history.homes).log;
          const decoded = decodeCursor(ref, encodeCursor(ref, cursor));
          if (!decoded.ok) throw new Error(decoded.error);
          const reader = readerAt(other, decoded.value);
          const { delivered } = readAll(other, reader, history);
          expect(delivered.map(({ dot }) => dot)).toEqual(dots(history.order.slice(log.firstPosition + i)));
        });
      }),
      { numRuns: 25 },
    );
  });

  test('with any set of entries gets the others in order, told what is late and what is gone', () => {
    withAnySet(options, (history, log, had) => {
      const reader = readerAt(log, referenceHeads(entriesOf(history, had)));
      const expected = expectedOf(log, history, had);
      let has: Past = union(had, log.floors);
      const { delivered, gapHeads } = readAll(log, reader, history, (dot) => {
        has = union(has, new Map([[dot.writer, dot.seq]]));
        const now = referenceHeads(entriesOf(history, has));
        expect(dots(reader.heads(log)).sort()).toEqual(dots(now).sort());
      });
      expect(delivered).toEqual(expected.delivered);
      expect(gapHeads !== undefined).toBe(expected.gap);
      const after = referenceHeads(entriesOf(history, union(had, log.floors)));
      expect(gapHeads && dots(gapHeads).sort()).toEqual(expected.gap ? dots(after).sort() : undefined);
    });
  });

  test('with any set of entries finds the first place that has all of them, once the order has', () => {
    withAnySet(options, (history, log, had) => {
      // What was trimmed is found by nobody.
      if (log.trim && !includes(had, log.trim.through)) return;
      const reader = readerAt(log, referenceHeads(entriesOf(history, had)));
      const order = history.order.slice(0, log.endPosition);
      const isPlaced = entriesOf(history, had).every(
        (entry) => includes(log.floors, entry) || order.some((placed) => dotText(placed) === dotText(entry)),
      );
      const last = order.findLastIndex((entry) => includes(had, entry));
      expect(reader.placeBehind(log)).toBe(isPlaced ? Math.max(last + 1, log.firstPosition) : undefined);
    });
  });

  test('since a time gets what was stamped since, in order', () => {
    fc.assert(
      fc.property(seeds, (seed) => {
        const history = History.run(seed, options);
        const { log, held } = history.homes[0]!;
        const since = history.pick(held).timestamp;
        const kept = held.filter(({ writer, seq }) => seq > (log.floors.get(writer) ?? 0));
        const firstWanted = new Map<WriterId, number>();
        for (const { writer, seq, timestamp } of [...kept].sort((a, b) => b.seq - a.seq)) {
          if (timestamp >= since) firstWanted.set(writer, seq);
        }
        const reader = LogReader.atVector(log, firstWanted);
        const { delivered, gapHeads } = readAll(log, reader, history);
        const wanted = history.order.slice(log.firstPosition).filter(({ timestamp }) => timestamp >= since);
        expect(delivered).toEqual(wanted.map((entry) => ({ dot: dotText(entry), late: false })));
        const isLossy = [...log.floors].some(([writer, floor]) => firstWanted.get(writer) === floor + 1);
        expect(gapHeads !== undefined).toBe(isLossy);
      }),
      runs,
    );
  });
});

test('a reader overtaken by a trim is told, and goes on behind it', () => {
  fc.assert(
    fc.property(seeds, (seed) => {
      const history = History.run(seed);
      const { log } = history.homes[0]!;
      const reader = LogReader.atPosition(log, history.integer(log.endPosition));
      const { position } = reader;
      const step = reader.next(log, 3);
      const trim = log.trimAt(history.integer(log.endPosition + 1));
      if (!trim || step.type !== 'entries') return;
      log.applyTrim(trim, 0);
      // What was read before the trim may still be delivered after it.
      reader.advance(step);
      const { delivered, gapHeads } = readAll(log, reader, history);
      const from = Math.max(position + step.count, log.firstPosition);
      expect(delivered.map(({ dot }) => dot)).toEqual(dots(history.order.slice(from)));
      expect(gapHeads).toEqual(position + step.count < log.firstPosition ? [trim.through] : undefined);
    }),
    runs,
  );
});

test('a reader that had all that is trimmed meanwhile, ahead of its home, is told no gap', () => {
  fc.assert(
    fc.property(seeds, (seed) => {
      const history = History.run(seed, { trims: true });
      const { log } = history.homes[0]!;
      const through = log.firstPosition + history.integer(log.endPosition - log.firstPosition + 1);
      const reader = LogReader.atPosition(log, 0);
      for (const [writer, seq] of log.vectorAt(through)) reader.took(writer, seq);
      expect(reader.isAtEnd(log)).toBe(through === log.endPosition);
      const { delivered, gapHeads } = readAll(log, reader, history);
      expect(gapHeads).toBeUndefined();
      expect(delivered.map(({ dot }) => dot)).toEqual(
        dots(history.order.slice(through, through + delivered.length)),
      );
      expect(reader.position).toBe(log.endPosition);
    }),
    runs,
  );
});

test('a cursor ahead of a home names what is missing', () => {
  const history = History.run(7);
  const { log } = history.homes[0]!;
  const [head] = log.heads();
  const ahead = { writer: head!.writer, seq: head!.seq + 1 };
  const unknown = { writer: 'ff'.repeat(12) as WriterId, seq: 1 };
  expect(LogReader.atCursor(log, [head!, ahead, unknown])).toEqual({
    ok: false,
    error: { missingHeads: [ahead, unknown] },
  });
});

test('what was delivered beyond the order is not delivered again', () => {
  fc.assert(
    fc.property(seeds, (seed) => {
      History.run(seed, {
        check: (history) => {
          const { log, held, writer } = history.pick(history.homes);
          const own = held.findLast((entry) => entry.writer === writer);
          if (!own) return;
          const reader = LogReader.atPosition(log, log.endPosition);
          for (const span of log.provisional(own)) reader.took(span.writer, span.firstSeq + span.count - 1);
          const known = new Set([
            ...dots(history.order.slice(0, log.endPosition)),
            ...dots(entriesOf(history, own.past)),
          ]);
          expect(dots(reader.heads(log)).sort()).toEqual(
            dots(
              referenceHeads([...history.dag.values()].filter((entry) => known.has(dotText(entry)))),
            ).sort(),
          );
          const { committed } = history;
          if (!committed || !includes(union(...held.map(({ past }) => past)), committed)) return;
          const { delivered } = readAll(log, reader, history);
          for (const { dot } of delivered) expect(known.has(dot)).toBe(false);
        },
      });
    }),
    { numRuns: 30 },
  );
});
