/** What one home sends another, decided before it is stored, and delivered before it is committed. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Dot, dotText } from '../../src/base/ids.js';
import { ChannelLog } from '../../src/log/channel-log.js';
import { RecordWalk } from '../../src/log/entry-wire.js';
import { LogReader } from '../../src/log/reader.js';
import { runFrom, runOf } from '../../src/log/run-bytes.js';
import { verifyRun } from '../../src/log/run-reader.js';
import { RunWriter } from '../../src/log/run-writer.js';
import { refs, runEntries, writers } from './arbitraries.js';
import { History, type Home, type WrittenEntry, dots, ref, runLength } from './history.js';
import { entryOf, includes } from './reference-order.js';

const seeds = fc.integer({ min: 0, max: 2 ** 31 - 1 });

/** The entries of the ranges that `home` names for a home that has `have`. */
function lacking(history: History, home: Home, have: ReadonlyMap<Dot['writer'], number>): WrittenEntry[] {
  return home.log
    .lacking(have)
    .flatMap(({ writer, firstSeq, count }) =>
      Array.from(
        { length: count },
        (_, i) => entryOf(history.dag, { writer, seq: firstSeq + i }) as WrittenEntry,
      ),
    );
}

describe('what another home lacks', () => {
  test('is everything it does not have, in an order in which it can take it', () => {
    fc.assert(
      fc.property(seeds, fc.boolean(), (seed, trims) => {
        History.run(seed, {
          trims,
          check: (history) => {
            const [from, to] = [history.pick(history.homes), history.pick(history.homes)];
            const have = new Map(to.have);
            for (const entry of lacking(history, from, to.have)) {
              const below = new Map(entry.past);
              below.set(entry.writer, entry.seq - 1);
              for (const [writer, seq] of below) {
                const floor = from.log.floors.get(writer) ?? 0;
                expect(Math.max(have.get(writer) ?? 0, floor)).toBeGreaterThanOrEqual(seq);
              }
              expect(includes(have, entry)).toBe(false);
              have.set(entry.writer, entry.seq);
            }
            for (const { writer, seq } of from.log.writers()) {
              const floor = from.log.floors.get(writer) ?? 0;
              expect(Math.max(have.get(writer) ?? 0, floor)).toBeGreaterThanOrEqual(seq);
            }
          },
        });
      }),
      { numRuns: 25 },
    );
  });

  test('taken in one commit is decided as one after the other would be', () => {
    fc.assert(
      fc.property(seeds, (seed) => {
        const history = History.run(seed);
        const [from, to] = history.homes as [Home, Home];
        const log = new ChannelLog(ref);
        const intake = log.intake();
        const left = [...to.held, ...lacking(history, from, to.have)];
        const runs = [];
        while (left.length > 0) runs.push(history.run(left.splice(0, runLength(left, 3))));
        // In another order they do not fit, and nothing changes.
        const later = runs.filter(({ firstSeq }) => firstSeq > 1);
        for (const run of later) expect(log.intake().take(run).ok).toBe(false);
        for (const run of runs) expect(intake.take(run)).toEqual({ ok: true, value: undefined });
        for (const run of runs) log.apply(run);
        expect(dots(log.heads()).sort()).toEqual(dots(from.log.heads()).sort());
        expect(intake.take(runs[0]!)).toMatchObject({ ok: false });
      }),
      { numRuns: 25 },
    );
  });
});

describe('the round of an entry', () => {
  test('is told for everything held above the floor', () => {
    fc.assert(
      fc.property(seeds, (seed) => {
        const history = History.run(seed, { trims: true });
        for (const { log, held } of history.homes) {
          for (const entry of held) {
            const isKept = entry.seq > (log.floors.get(entry.writer) ?? 0);
            expect(log.roundOf(entry)).toBe(isKept ? entry.round : 0);
          }
        }
      }),
      { numRuns: 20 },
    );
  });
});

describe('a part of a run', () => {
  test('is a run of the same entries', () => {
    fc.assert(
      fc.property(
        refs,
        writers,
        fc.array(runEntries, { minLength: 2, maxLength: 5 }),
        fc.nat(),
        (ref_, writer, entries, cut) => {
          const out = new RunWriter();
          out.begin(ref_, writer, 3, 1, 0);
          entries.forEach((entry, i) => out.append({ ...entry, timestamp: 10 + 2 * i }));
          const run = out.end();
          const bytes = out.bytes().slice();
          const seq = 2 + (cut % (entries.length - 1));
          const part = verifyRun(runFrom(bytes, run, seq), 0, bytes.length);
          expect(part).toMatchObject({
            ok: true,
            value: {
              firstSeq: seq,
              count: entries.length + 1 - seq,
              lastChecksum: run.lastChecksum,
              round: 3,
            },
          });
          const whole = runOf({ ...run, records: bytes.subarray(run.headerBytes) });
          expect(whole.slice()).toEqual(bytes);
          expect(new RecordWalk(whole, run.headerBytes).next()).toBe(true);
        },
      ),
      { numRuns: 100 },
    );
  });
});

/** Everything that is not committed, to a reader that has what is; the number of entries. */
function readProvisionally(log: ChannelLog): number {
  const reader = LogReader.atPosition(log, log.endPosition);
  const got = new Set<string>();
  let count = 0;
  for (const tip of log.heads()) {
    for (let step = reader.nextProvisional(log, tip, 2); step.type === 'entries';) {
      for (let i = 0; i < step.count; i++) got.add(dotText({ writer: step.writer, seq: step.firstSeq + i }));
      count += step.count;
      reader.took(step.writer, step.firstSeq + step.count - 1);
      step = reader.nextProvisional(log, tip, 2);
    }
  }
  const open = log.writers().reduce((sum, { writer, seq }) => sum + seq - log.committedSeq(writer), 0);
  expect(got.size).toBe(count);
  expect(count).toBe(open);
  expect(dots(reader.heads(log)).sort()).toEqual(dots(log.heads()).sort());
  return count;
}

describe('a provisional delivery', () => {
  test('gives order(tip) behind what is committed, each entry once and behind what it stands on', () => {
    let delivered = 0;
    fc.assert(
      fc.property(seeds, (seed) => {
        History.run(seed, {
          steps: 40,
          check: ({ homes }) => {
            for (const { log } of homes) delivered += readProvisionally(log);
          },
        });
      }),
      { numRuns: 15 },
    );
    expect(delivered).toBeGreaterThan(100);
  });

  test('is late beside something that was had, and not at the end', () => {
    // Two writers beside each other, nothing committed: who had the later one gets the earlier one late.
    const [a, b] = ['0a'.repeat(12), '0b'.repeat(12)] as Dot['writer'][];
    const log = new ChannelLog(ref);
    const written = (writer: Dot['writer'], timestamp: number, parents?: Dot[]) => {
      const out = new RunWriter();
      const own = log.writer(writer);
      out.begin(ref, writer, 0, (own?.seq ?? 0) + 1, own?.lastChecksum ?? 0);
      out.append({ timestamp, kind: 'publish', parents });
      log.apply(out.end());
    };
    written(a!, 1);
    written(b!, 2);
    const reader = LogReader.atPosition(log, 0);
    expect(reader.nextProvisional(log, { writer: b!, seq: 1 }, 9)).toMatchObject({ writer: b, late: false });
    reader.took(b!, 1);
    written(b!, 3, [
      { writer: b!, seq: 1 },
      { writer: a!, seq: 1 },
    ]);
    // order(b2) is b1, a1, b2: nothing that was had comes behind a1.
    expect(reader.nextProvisional(log, { writer: b!, seq: 2 }, 9)).toMatchObject({ writer: a, late: false });
    // order(a1) has nothing of b: what was had lies beside it.
    expect(reader.nextProvisional(log, { writer: a!, seq: 1 }, 9)).toMatchObject({ writer: a, late: true });
  });

  test('of several writers may turn out to be in another order, with nothing late: the reader says so', () => {
    const [a, b, c] = ['0a'.repeat(12), '0b'.repeat(12), '0c'.repeat(12)] as [
      Dot['writer'],
      Dot['writer'],
      Dot['writer'],
    ];
    const log = new ChannelLog(ref);
    const written = (writer: Dot['writer'], round: number, timestamp: number, parents?: Dot[]) => {
      const out = new RunWriter();
      const own = log.writer(writer);
      out.begin(ref, writer, round, (own?.seq ?? 0) + 1, own?.lastChecksum ?? 0);
      out.append({ timestamp, kind: 'patch', parents });
      log.apply(out.end());
    };
    // A home acts without a claim, and only then hears what the owner before it had written.
    written(b, 0, 2);
    written(a, 1, 1);
    written(b, 0, 3, [
      { writer: b, seq: 1 },
      { writer: a, seq: 1 },
    ]);
    const reader = LogReader.atPosition(log, 0);
    const tip = { writer: b, seq: 2 };
    const had: string[] = [];
    for (let step = reader.nextProvisional(log, tip, 1); step.type === 'entries';) {
      expect(step.late).toBe(false);
      had.push(`${step.writer}-${step.firstSeq}`);
      reader.took(step.writer, step.firstSeq);
      step = reader.nextProvisional(log, tip, 1);
    }
    expect(had).toEqual([`${b}-1`, `${a}-1`, `${b}-2`]);
    expect(reader.writersBeyond).toBe(2);
    // The next owner follows the entry of the greatest round.
    written(c, 2, 4, [{ writer: a, seq: 1 }, tip]);
    log.commitThrough({ writer: c, seq: 1 });
    const ordered = [0, 1, 2].map((position) => dotText(log.dotAt(position)!));
    expect(ordered).toEqual([`${a}-1`, `${b}-1`, `${b}-2`]);
    expect(reader.next(log, 9)).toMatchObject({ type: 'entries', writer: c, firstSeq: 1, late: false });
    expect(reader.writersBeyond).toBe(0);
  });
});
