/** What the owner remembers of publishers: keys that were taken, numbers that come next. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { ChannelRef, WriterId } from '../../src/base/ids.js';
import { KeyTable, canonical, shadowed } from '../../src/log/idempotency.js';
import { PublisherTable } from '../../src/log/publisher-sequence.js';
import type { KeyRow } from '../../src/log/run.js';

const ref = { hub: 'h', channel: 'c' } as ChannelRef;
const windowMs = 10;
const window = windowMs * 4096;

function row(fields: Partial<KeyRow> = {}): KeyRow {
  const dot = { writer: 'aa'.repeat(12) as WriterId, seq: 1 };
  return { ref, scope: 'alice/', key: 'k', dot, timestamp: 1_000_000, contentHash: 7, ...fields };
}

describe('the table of keys', () => {
  const tableOf = (completeFrom: number, keysMax = 100) => new KeyTable({ completeFrom, windowMs, keysMax });

  test('attack 20: answers a repeat with the first, and the same key for something else with a conflict', () => {
    const table = tableOf(0);
    expect(table.check(row())).toBe('new');
    table.add(row());
    const later = row({
      timestamp: 1_000_000 + window,
      dot: { writer: 'bb'.repeat(12) as WriterId, seq: 9 },
    });
    expect(table.check(later)).toEqual({ duplicateOf: row() });
    expect(table.check({ ...later, contentHash: 8 })).toBe('conflict');
    expect(table.check({ ...later, timestamp: 1_000_001 + window })).toBe('new');
    expect(table.check({ ...later, scope: 'bob/' })).toBe('new');
    expect(table.check({ ...later, scope: 'alice', key: '/k' })).toBe('new');
  });

  test('says where it does not know: keys from before it was filled, or that it let go', () => {
    const table = tableOf(1_000_001, 3);
    expect(table.check(row())).toBe('unknown');
    expect(table.check(row({ timestamp: 1_000_001 + window }))).toBe('new');
    for (let i = 0; i < 5; i++) table.add(row({ key: `${i}`, timestamp: 2_000_000 + i }));
    expect(table.size).toBe(3);
    expect(table.check(row({ key: '1', timestamp: 2_000_010 }))).toBe('unknown');
    expect(table.check(row({ key: '2', timestamp: 2_000_010 }))).toMatchObject({ duplicateOf: { key: '2' } });
    expect(table.check(row({ key: '1', timestamp: 2_000_002 + window }))).toBe('new');
  });

  test('forgets what has left the window without forgetting that it knows', () => {
    const table = tableOf(0);
    for (let i = 0; i < 50; i++) {
      const each = row({ key: `${i}`, timestamp: 1_000_000 + (i * window) / 5 });
      expect(table.check(each)).toBe('new');
      table.add(each);
    }
    expect(table.size).toBe(6);
    expect(table.check(row({ key: 'other', timestamp: 1_000_000 + 10 * window }))).toBe('new');
  });

  test('keeps a key that is looked up once a clock that was far ahead is set right (seed 717)', () => {
    const table = tableOf(1_000_001);
    expect(table.check(row({ timestamp: 1_000_000 + 20 * window }))).toBe('new');
    const later = row({ timestamp: 1_000_000 + window });
    expect(table.check(later)).toBe('unknown');
    table.add(row());
    expect(table.check(later)).toEqual({ duplicateOf: row() });
  });

  test('knows a key though somebody whose clock was far ahead wrote it again', () => {
    const table = tableOf(0);
    const ahead = row({ timestamp: 1_000_000 + 20 * window, dot: { ...row().dot, seq: 2 } });
    const others = Array.from({ length: 5 }, (_, i) => row({ timestamp: 1_000_000 + (30 + 2 * i) * window }));
    for (const each of [row(), ahead]) table.add(each);
    expect(table.check(row({ timestamp: 1_000_001 }))).toEqual({ duplicateOf: row() });
    for (const each of others) table.add(each);
    // Too many of one key: what was let go is asked for.
    expect(table.check(row({ timestamp: 1_000_001 }))).toBe('unknown');
    expect(table.check(row({ timestamp: others[4]!.timestamp + 1 }))).toEqual({ duplicateOf: others[4] });
  });

  test('is a plain search over all rows, told in the order of time', () => {
    const rows = fc.array(
      fc.record({
        key: fc.constantFrom('a', 'b', 'c'),
        stepMs: fc.nat(2 * windowMs),
        contentHash: fc.nat(1),
      }),
      { maxLength: 30 },
    );
    fc.assert(
      fc.property(rows, fc.integer({ min: 1, max: 4 }), (some, keysMax) => {
        const table = tableOf(0, keysMax);
        const taken: KeyRow[] = [];
        let timestamp = 1_000_000;
        some.forEach(({ key, stepMs, contentHash }, i) => {
          timestamp += stepMs * 4096 + 1;
          const candidate = row({ key, contentHash, timestamp, dot: { ...row().dot, seq: i + 1 } });
          const known = taken.findLast((each) => each.key === key && timestamp - each.timestamp <= window);
          const verdict = table.check(candidate);
          // It may not know any more; what it says else is true.
          const truth = !known
            ? 'new'
            : known.contentHash === contentHash
              ? { duplicateOf: known }
              : 'conflict';
          expect(keysMax >= 3 ? [truth] : [truth, 'unknown']).toContainEqual(verdict);
          if (truth === 'new') {
            taken.push(candidate);
            table.add(candidate);
          }
        });
      }),
    );
  });
});

describe('copies of one key', () => {
  const rows = fc.array(
    fc
      .record({ timestamp: fc.nat(100), writer: fc.constantFrom('aa', 'bb'), seq: fc.nat(3) })
      .map(({ timestamp, writer, seq }) =>
        row({ timestamp: 1_000_000 + timestamp * 1024, dot: { writer: writer.repeat(12) as WriterId, seq } }),
      ),
    { minLength: 1, maxLength: 8 },
  );

  test('have one canonical, whatever the order they meet in', () => {
    fc.assert(
      fc.property(rows, rows, rows, ([a], [b], [c]) => {
        expect(canonical(a!, b!)).toEqual(canonical(b!, a!));
        expect(canonical(a!, canonical(b!, c!))).toEqual(canonical(canonical(a!, b!), c!));
        expect(canonical(a!, a!)).toBe(a);
      }),
    );
  });

  test('leave one that counts in every window, the same on every home', () => {
    fc.assert(
      fc.property(rows, (some) => {
        const without = shadowed(some, windowMs);
        const counting = some.filter((each) => !without.includes(each));
        expect(new Set(shadowed([...some].reverse(), windowMs).map((each) => JSON.stringify(each)))).toEqual(
          new Set(without.map((each) => JSON.stringify(each))),
        );
        expect(counting).toContain(some.reduce(canonical));
        const times = counting.map(({ timestamp }) => timestamp).sort((x, y) => x - y);
        times.slice(1).forEach((time, i) => expect(time - times[i]!).toBeGreaterThan(window));
        for (const { timestamp } of without) {
          expect(times.some((time) => time <= timestamp && timestamp - time <= window)).toBe(true);
        }
      }),
    );
  });
});

describe('the table of publishers', () => {
  const scope = 'alice/phone';

  test('takes numbers in sequence, and tells a repeat from a jump', () => {
    const table = new PublisherTable();
    expect(table.check({ scope, epoch: 1, seq: 2 })).toEqual({ outOfOrder: { lastKnown: 0 } });
    expect(table.check({ scope, epoch: 1, seq: 1 })).toBe('next');
    table.add(scope, 1, 1);
    expect(table.check({ scope, epoch: 1, seq: 1 })).toBe('repeat');
    expect(table.check({ scope, epoch: 1, seq: 2 })).toBe('next');
    expect(table.check({ scope, epoch: 1, seq: 4 })).toEqual({ outOfOrder: { lastKnown: 1 } });
    expect(table.check({ scope, epoch: 1, seq: 4, ackedThrough: 3 })).toBe('next');
    expect(table.check({ scope, epoch: 1, seq: 4, ackedThrough: 2 })).toEqual({
      outOfOrder: { lastKnown: 1 },
    });
    expect(table.check({ scope: 'bob/phone', epoch: 1, seq: 9, ackedThrough: 8 })).toBe('next');
  });

  test('starts anew with a higher epoch and refuses a lower one', () => {
    const table = new PublisherTable();
    table.add(scope, 5, 7);
    expect(table.check({ scope, epoch: 6, seq: 1 })).toBe('next');
    expect(table.check({ scope, epoch: 6, seq: 8 })).toEqual({ outOfOrder: { lastKnown: 0 } });
    expect(table.check({ scope, epoch: 4, seq: 8 })).toEqual({ outOfOrder: { lastKnown: 7 } });
    table.add(scope, 6, 1);
    table.add(scope, 5, 8);
    table.add(scope, 6, 0);
    expect(table.check({ scope, epoch: 6, seq: 2 })).toBe('next');
  });

  test('keeps those used last', () => {
    const table = new PublisherTable(2);
    for (const name of ['a', 'b', 'a', 'c']) table.add(name, 1, 3);
    expect(table.size).toBe(2);
    expect(table.check({ scope: 'a', epoch: 1, seq: 4 })).toBe('next');
    expect(table.check({ scope: 'b', epoch: 1, seq: 4 })).toEqual({ outOfOrder: { lastKnown: 0 } });
    expect(table.check({ scope: 'b', epoch: 1, seq: 4, ackedThrough: 3 })).toBe('next');
  });
});
