/** The incremental log against its plain twin, on random histories. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Dot, dotText } from '../../src/base/ids.js';
import { ChannelLog, type Span } from '../../src/log/channel-log.js';
import { History, type Home, dots, ref } from './history.js';
import {
  entryOf,
  includes,
  primaryOf,
  referenceHeads,
  referenceOrder,
  referencePrimary,
} from './reference-order.js';

const seeds = fc.integer({ min: 0, max: 2 ** 31 - 1 });
const runs = { numRuns: 20 };

function dotsOfSpans(spans: readonly Span[]): string[] {
  return spans.flatMap(({ writer, firstSeq, count }) =>
    Array.from({ length: count }, (_, i) => dotText({ writer, seq: firstSeq + i })),
  );
}

function eachHome(
  seed: number,
  options: { trims?: boolean },
  check: (home: Home, history: History) => void,
): void {
  History.run(seed, {
    ...options,
    check: (history) => {
      for (const home of history.homes) check(home, history);
    },
  });
}

describe('the committed order', () => {
  test('is that of the definition, for every home and whatever the order of arrival', () => {
    fc.assert(
      fc.property(seeds, (seed) => {
        const history = History.run(seed);
        expect(history.committed).toBeDefined();
        for (const { log } of history.homes) {
          expect(log.committed).toEqual({ writer: history.committed!.writer, seq: history.committed!.seq });
          expect(log.endPosition).toBe(history.order.length);
          expect(dotsOfSpans(log.spans(0, log.endPosition))).toEqual(dots(history.order));
        }
      }),
      runs,
    );
  });

  test('only grows at its end, by what commitThrough returns', () => {
    fc.assert(
      fc.property(seeds, (seed) => {
        let known: string[] = [];
        History.run(seed, {
          check: ({ order, homes }) => {
            expect(dots(order).slice(0, known.length)).toEqual(known);
            known = dots(order);
            for (const { log } of homes) {
              const { endPosition } = log;
              expect(dotsOfSpans(log.spans(0, endPosition))).toEqual(known.slice(0, endPosition));
              expect(log.committed ? log.commitThrough(log.committed) : []).toEqual([]);
            }
          },
        });
      }),
      { numRuns: 30 },
    );
  });
});

describe.each([{ trims: false }, { trims: true }])('a log that grows ($trims)', (options) => {
  test('knows the heads, the primary and the parents that are due', () => {
    fc.assert(
      fc.property(seeds, (seed) => {
        eachHome(seed, options, (home, history) => {
          const { log, held, writer } = home;
          expect(dots(log.heads()).sort()).toEqual(dots(referenceHeads(held)).sort());
          const primary = referencePrimary(held);
          expect(log.primary()).toEqual(primary && { writer: primary.writer, seq: primary.seq });
          for (const opening of [true, false]) {
            const due = history.parentsDue(home, opening);
            const told = log.parentsFor(writer, opening);
            expect(told?.[0]).toEqual(due?.[0]);
            expect(told && dots(told).sort()).toEqual(due && dots(due).sort());
          }
        });
      }),
      { numRuns: 15 },
    );
  });

  test('knows the last entry of the order that is marked to be retained, until it is trimmed', () => {
    let found = 0;
    fc.assert(
      fc.property(seeds, (seed) => {
        eachHome(seed, options, ({ log }, { dag, order }) => {
          const placed = order.slice(0, log.endPosition).map((dot) => dag.get(dotText(dot))!);
          const last = placed.findLast(({ retain }) => retain);
          const isKept = last && last.seq > (log.floors.get(last.writer) ?? 0);
          expect(log.retained).toEqual(isKept ? dotOf(last) : undefined);
          if (isKept) found++;
        });
      }),
      { numRuns: 30 },
    );
    expect(found).toBeGreaterThan(0);
  });

  test('knows what is held, and everything an entry stands on', () => {
    fc.assert(
      fc.property(seeds, (seed) => {
        const { homes } = History.run(seed, options);
        for (const { log, held, have } of homes) {
          expect(new Map(log.writers().map(({ writer, seq }) => [writer, seq]))).toEqual(have);
          const floorSum = [...log.floors.values()].reduce((sum, floor) => sum + floor, 0);
          expect(log.entries).toBe(held.length - floorSum);
          for (const entry of held) {
            if (entry.seq <= (log.floors.get(entry.writer) ?? 0)) continue;
            const past = new Map(entry.past);
            for (const [writer, floor] of log.floors)
              past.set(writer, Math.max(floor, past.get(writer) ?? 0));
            expect(new Map(log.pastOf(entry))).toEqual(past);
          }
        }
      }),
      runs,
    );
  });

  test('knows the heads of every prefix of the order, and every position', () => {
    fc.assert(
      fc.property(seeds, (seed) => {
        eachHome(seed, options, ({ log }, { order }) => {
          for (let position = log.firstPosition; position <= log.endPosition; position++) {
            const heads = referenceHeads(order.slice(0, position));
            expect(dots(log.headsAt(position)).sort()).toEqual(dots(heads).sort());
            expect(log.placementOf(log.headsAt(position)).position).toBe(position);
            if (position === log.endPosition) continue;
            expect(log.positionOf(order[position]!)).toBe(position);
            expect(log.dotAt(position)).toEqual(dotOf(order[position]!));
          }
        });
      }),
      { numRuns: 12 },
    );
  });

  test('orders what is not committed as it would be were it committed now', () => {
    fc.assert(
      fc.property(seeds, (seed) => {
        eachHome(seed, options, ({ log, held }, { dag, order }) => {
          const committed = order.slice(0, log.endPosition);
          for (const entry of held.slice(-3)) {
            const chain: Dot[] = [];
            for (let dot: Dot | undefined = entry; dot; dot = primaryOf(entryOf(dag, dot))) chain.push(dot);
            const last = committed.at(-1);
            const provisional = dotsOfSpans(log.provisional(entry));
            const known = new Set(dots(committed));
            const added = held.filter((other) => includes(entry.past, other) && !known.has(dotText(other)));
            expect([...provisional].sort()).toEqual(dots(added).sort());
            // Beside the committed chain only that much is promised.
            const isAbove = !last || chain.some((dot) => dotText(dot) === dotText(last));
            const exact = dots(referenceOrder(dag, entry)).slice(log.endPosition);
            expect(provisional).toEqual(isAbove ? exact : provisional);
          }
        });
      }),
      { numRuns: 30 },
    );
  });

  test('is the same after it was written and read', () => {
    fc.assert(
      fc.property(seeds, (seed) => {
        const history = History.run(seed, {
          ...options,
          check: ({ homes, now }) => {
            for (const home of homes) {
              // Not the history's own chance: a log that was written and read must live the same life.
              if (now % 3 !== home.index) continue;
              const bytes = home.log.encode();
              const decoded = ChannelLog.decode(ref, bytes);
              if (!decoded.ok) throw new Error(decoded.error);
              expect(decoded.value.encode()).toEqual(bytes);
              expect(decoded.value.entries).toBe(home.log.entries);
              home.log = decoded.value;
            }
          },
        });
        for (const { log } of history.homes) {
          const order = dots(history.order).slice(log.firstPosition);
          expect(dotsOfSpans(log.spans(0, log.endPosition))).toEqual(order);
        }
      }),
      runs,
    );
  });
});

function dotOf({ writer, seq }: Dot): Dot {
  return { writer, seq };
}
