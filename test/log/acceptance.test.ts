/** What a log takes in, what it refuses and why, and what it does where entries cannot be read any more. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Dot, type WriterId, dotText } from '../../src/base/ids.js';
import { ChannelLog } from '../../src/log/channel-log.js';
import type { RunEntry } from '../../src/log/run-writer.js';
import { RunWriter } from '../../src/log/run-writer.js';
import type { RunSummary } from '../../src/log/run.js';
import { History, type WrittenEntry, ref } from './history.js';
import { type ReferenceEntry, entryOf, primaryOf } from './reference-order.js';

const a = 'aa'.repeat(12) as WriterId;
const b = 'bb'.repeat(12) as WriterId;

interface RunStart {
  readonly writer?: WriterId;
  readonly round?: number;
  readonly firstSeq?: number;
  readonly previous?: number;
  readonly timestamp?: number;
}

/** A run of `count` publishes, or of the given entries. */
function runOf(start: RunStart, entries: number | readonly Partial<RunEntry>[]): RunSummary {
  const { writer = a, round = 1, firstSeq = 1, previous = 0, timestamp = 100 * firstSeq } = start;
  const list = typeof entries === 'number' ? Array.from({ length: entries }, () => ({})) : entries;
  const runWriter = new RunWriter();
  runWriter.begin(ref, writer, round, firstSeq, previous);
  list.forEach((entry, i) => runWriter.append({ timestamp: timestamp + i, kind: 'publish', ...entry }));
  return runWriter.end();
}

/** A log that holds three entries of one writer. */
function logOfThree(): { log: ChannelLog; run: RunSummary } {
  const log = new ChannelLog(ref);
  const run = runOf({}, 3);
  log.apply(run);
  return { log, run };
}

describe('a run', () => {
  test('is taken when it goes on where its writer ended', () => {
    const { log, run } = logOfThree();
    const next = runOf({ firstSeq: 4, previous: run.lastChecksum }, 2);
    expect(log.accepts(next)).toEqual({ ok: true, value: undefined });
    log.apply(next);
    expect(log.have(a)).toBe(5);
    expect([log.entries, log.bytes]).toEqual([5, run.recordBytes + next.recordBytes]);
    expect(log.writer(a)).toEqual({
      writer: a,
      seq: 5,
      round: 1,
      lastChecksum: next.lastChecksum,
      lastTimestamp: 401,
      floor: 0,
      goneThrough: 0,
    });
    expect(log.lastTimestamp).toBe(401);
    expect(log.writer(b)).toBeUndefined();
  });

  test.each<[string, RunSummary, object]>([
    [
      'entries before it are missing',
      runOf({ firstSeq: 5 }, 1),
      { type: 'gap', expected: { writer: a, seq: 4 } },
    ],
    ['all of it is held', runOf({}, 3), { type: 'duplicate' }],
    ['all of it is held, more besides', runOf({}, 2), { type: 'duplicate' }],
    [
      'another entry is held under its dot',
      runOf({ round: 2 }, 3),
      { type: 'conflict', dot: { writer: a, seq: 3 } },
    ],
    [
      'it follows another entry than the one held',
      runOf({ firstSeq: 4, previous: 7 }, 1),
      { type: 'conflict', dot: { writer: a, seq: 3 } },
    ],
    ['its first entries are held', runOf({}, 4), { type: 'overlap', expected: { writer: a, seq: 4 } }],
    [
      'it names what is not held',
      runOf({ writer: b }, [{ parents: [{ writer: a, seq: 3 }] }, { parents: [{ writer: a, seq: 4 }] }]),
      { type: 'parents', missing: [{ writer: a, seq: 4 }] },
    ],
    [
      'it names itself',
      runOf({ writer: b }, [{}, { parents: [{ writer: b, seq: 2 }] }]),
      { type: 'parents', missing: [{ writer: b, seq: 2 }] },
    ],
  ])('is refused when %s', (_, run, refusal) => {
    const { log } = logOfThree();
    expect(log.accepts(run)).toEqual({ ok: false, error: refusal });
    expect(() => log.apply(run)).toThrow('once it is accepted');
    expect(log.have(b)).toBe(0);
  });

  test('is refused when its timestamps do not rise, or when it was trimmed', () => {
    const { log, run } = logOfThree();
    const next = { firstSeq: 4, previous: run.lastChecksum };
    expect(log.accepts(runOf({ ...next, timestamp: 102 }, 1))).toMatchObject({
      error: { type: 'timestamp' },
    });
    expect(log.accepts(runOf({ ...next, timestamp: 103 }, 1))).toMatchObject({ ok: true });
    log.commitThrough({ writer: a, seq: 3 });
    log.applyTrim(log.trimAt(2)!, 60);
    expect(log.accepts(runOf({}, 2))).toEqual({ ok: false, error: { type: 'trimmed' } });
    expect(log.accepts(runOf({}, 3))).toEqual({ ok: false, error: { type: 'duplicate' } });
    expect([log.entries, log.bytes]).toEqual([1, run.recordBytes - 60]);
  });

  test('may name the entries before it in the same run', () => {
    const log = new ChannelLog(ref);
    const run = runOf({ writer: b }, [{}, { parents: [{ writer: b, seq: 1 }] }]);
    expect(log.accepts(run).ok).toBe(true);
  });

  test('may begin right above a floor that came before any entry', () => {
    const log = new ChannelLog(ref);
    const floors = new Map([
      [a, 3],
      [b, 4],
    ]);
    log.applyTrim({ through: { writer: a, seq: 3 }, floors, round: 5 }, 0);
    expect([log.firstPosition, log.endPosition, log.entries, log.isEmpty]).toEqual([7, 7, 0, false]);
    expect(log.committed).toEqual({ writer: a, seq: 3 });
    expect(log.heads()).toEqual([{ writer: a, seq: 3 }]);
    expect(log.primary()).toEqual({ writer: a, seq: 3 });
    const next = runOf({ firstSeq: 4, previous: 1234 }, [
      {
        parents: [
          { writer: a, seq: 3 },
          { writer: b, seq: 2 },
        ],
      },
    ]);
    expect(log.accepts(next)).toMatchObject({ ok: true });
    log.apply(next);
    expect(log.commitThrough({ writer: a, seq: 4 })).toEqual([
      { position: 7, writer: a, firstSeq: 4, count: 1 },
    ]);
  });
});

describe('trims', () => {
  test('that remove less than one before change nothing', () => {
    const { log } = logOfThree();
    log.commitThrough({ writer: a, seq: 3 });
    const [small, large] = [log.trimAt(1)!, log.trimAt(2)!];
    log.applyTrim(large, 0);
    const before = log.encode();
    log.applyTrim(small, 100);
    log.applyTrim(large, 100);
    expect(log.encode()).toEqual(before);
    expect(log.trim).toEqual(large);
    expect(log.trimAt(2)).toBeUndefined();
  });

  test('name the newest entry of the primary chain that may go, with its round', () => {
    const { log, run } = logOfThree();
    log.apply(runOf({ round: 4, firstSeq: 4, previous: run.lastChecksum }, 2));
    log.commitThrough({ writer: a, seq: 5 });
    expect(log.trimAt(0)).toBeUndefined();
    expect(log.trimAt(3)).toEqual({ through: { writer: a, seq: 3 }, floors: new Map([[a, 3]]), round: 1 });
    expect(log.trimAt(99)).toEqual({ through: { writer: a, seq: 5 }, floors: new Map([[a, 5]]), round: 4 });
  });
});

describe('a log that got floors before the entries above them', () => {
  const floors = new Map([
    [a, 3],
    [b, 4],
  ]);
  const c = 'cc'.repeat(12) as WriterId;
  const through = { writer: a, seq: 3 };

  function trimmedLog(): ChannelLog {
    const log = new ChannelLog(ref);
    log.applyTrim({ through, floors, round: 5 }, 0);
    return log;
  }

  test('has the trimmed entry as its head until something stands on it', () => {
    const log = trimmedLog();
    log.apply(runOf({ writer: c, round: 0 }, 1));
    log.apply(runOf({ writer: b, round: 0, firstSeq: 5 }, 1));
    const [onC, onB] = [
      { writer: c, seq: 1 },
      { writer: b, seq: 5 },
    ];
    expect(log.heads()).toEqual([onC, onB, through]);
    expect(log.parentsFor(b, false)).toEqual([onB, onC, through]);
    log.apply(runOf({ firstSeq: 4 }, 1));
    expect(log.heads()).toEqual([onC, onB, { writer: a, seq: 4 }]);
  });

  test('has it no more once an entry names it', () => {
    const log = trimmedLog();
    expect(log.parentsFor(c, true)).toEqual([through]);
    log.apply(runOf({ writer: c, round: 6 }, [{ parents: [through] }]));
    expect(log.heads()).toEqual([{ writer: c, seq: 1 }]);
    expect(log.parentsFor(c, false)).toBeUndefined();
    expect(log.commitThrough({ writer: c, seq: 1 })).toEqual([
      { position: 7, writer: c, firstSeq: 1, count: 1 },
    ]);
  });

  test('follows it under a new claim, whatever lower rounds wrote beside it', () => {
    const log = trimmedLog();
    log.apply(runOf({ writer: c, round: 4 }, 2));
    expect(log.primary()).toEqual(through);
    expect(log.parentsFor(b, true)).toEqual([through, { writer: c, seq: 2 }]);
    // Equal rounds are told apart by the writer.
    const other = trimmedLog();
    other.apply(runOf({ writer: c, round: 5 }, 2));
    expect(other.primary()).toEqual({ writer: c, seq: 2 });
    const same = trimmedLog();
    same.apply(runOf({ firstSeq: 4, round: 5 }, 2));
    expect(same.primary()).toEqual({ writer: a, seq: 5 });
    const lower = trimmedLog();
    lower.apply(runOf({ firstSeq: 4, round: 0 }, 2));
    expect(lower.primary()).toEqual(through);
    expect(lower.parentsFor(c, true)).toEqual([through, { writer: a, seq: 5 }]);
  });
});

/** The home's log once more, from what it held, with some entries unreadable. */
function replayed(
  held: readonly WrittenEntry[],
  history: History,
  isLost: (entry: WrittenEntry) => boolean,
): ChannelLog {
  const log = new ChannelLog(ref);
  for (const entry of held) {
    const { writer, seq } = entry;
    if (isLost(entry)) log.lose({ writer, fromSeq: seq, toSeq: seq });
    else {
      log.apply(history.run([entry]));
    }
  }
  return log;
}

function orderOf(log: ChannelLog): Dot[] {
  return log
    .spans(0, log.endPosition)
    .flatMap(({ writer, firstSeq, count }) =>
      Array.from({ length: count }, (_, i) => ({ writer, seq: firstSeq + i })),
    );
}

describe('lost entries', () => {
  test('count as held: what follows them is taken, and everything is placed once, causes first', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 31 - 1 }), (seed) => {
        const history = History.run(seed);
        const { held } = history.homes[0]!;
        const lost = new Set(held.filter(() => history.chance(0.1)));
        lost.delete(history.committed!);
        const log = replayed(held, history, (entry) => lost.has(entry));
        expect(log.entries).toBe(held.length);
        const lostSeqs = log
          .lostRanges()
          .flatMap(({ writer, fromSeq, toSeq }) =>
            Array.from({ length: toSeq - fromSeq + 1 }, (_, i) => dotText({ writer, seq: fromSeq + i })),
          );
        expect(lostSeqs.sort()).toEqual([...lost].map(dotText).sort());
        log.commitThrough(history.committed!);
        // A merge of everything takes in what the lost parents would have.
        const writer = 'ee'.repeat(12) as WriterId;
        log.apply(
          runOf({ writer, round: 1e6, timestamp: 1e9 }, [{ parents: log.parentsFor(writer, true)! }]),
        );
        log.commitThrough({ writer, seq: 1 });
        const order = orderOf(log);
        expect(new Set(order.map(dotText)).size).toBe(held.length + 1);
        expect(log.endPosition).toBe(held.length + 1);
        const places = new Map(order.map((dot, i) => [dotText(dot), i]));
        for (const entry of held) {
          const below = [...(lost.has(entry) ? [] : (entry.parents ?? []))];
          if (entry.seq > 1) below.push({ writer: entry.writer, seq: entry.seq - 1 });
          for (const dot of below)
            expect(places.get(dotText(dot))!).toBeLessThan(places.get(dotText(entry))!);
        }
        const decoded = ChannelLog.decode(ref, log.encode());
        expect(decoded.ok && decoded.value.lostRanges()).toEqual(log.lostRanges());
      }),
      { numRuns: 60 },
    );
  });

  test('that named nothing do not move the primary chain', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 31 - 1 }), (seed) => {
        const history = History.run(seed);
        const { held } = history.homes[0]!;
        const isLost = (entry: WrittenEntry) => !entry.parents && entry.seq % 3 === 0;
        const log = replayed(held, history, isLost);
        log.commitThrough(history.committed!);
        expect(log.endPosition).toBe(history.order.length);
        const chain: ReferenceEntry[] = [];
        for (let dot: Dot | undefined = history.committed; dot; dot = primaryOf(chain.at(-1)!)) {
          chain.push(entryOf(history.dag, dot));
        }
        for (const entry of chain) {
          expect(log.positionOf(entry)).toBe(history.order.indexOf(entry));
        }
      }),
      { numRuns: 30 },
    );
  });

  test('are given up where the log itself says so', () => {
    const { log, run } = logOfThree();
    const gap = runOf({ writer: b }, [
      { parents: [{ writer: a, seq: 3 }] },
      { kind: 'gap', lost: { writer: a, fromSeq: 2, toSeq: 6 } },
    ]);
    log.apply(gap);
    expect(log.have(a)).toBe(6);
    // What was held stays readable.
    expect(log.lostRanges()).toEqual([{ writer: a, fromSeq: 4, toSeq: 6 }]);
    expect(log.accepts(runOf({ firstSeq: 7, previous: 99 }, 1)).ok).toBe(true);
    expect(log.accepts(runOf({ firstSeq: 4, previous: run.lastChecksum }, 1)).ok).toBe(false);
    log.lose({ writer: a, fromSeq: 2, toSeq: 3 });
    expect(log.lostRanges()).toEqual([{ writer: a, fromSeq: 2, toSeq: 6 }]);
    log.commitThrough({ writer: a, seq: 6 });
    log.applyTrim(log.trimAt(4)!, 0);
    expect(log.lostRanges()).toEqual([{ writer: a, fromSeq: 5, toSeq: 6 }]);
  });
});
