import fc from 'fast-check';
import { expect, test } from 'vitest';
import { SortedTexts } from '../../src/base/sorted-texts.js';

const nameOf = (number: number): string => number.toString(36).padStart(4, '0');

test('is a sorted set, over many pieces, whatever comes and goes', () => {
  const change = fc.record({
    from: fc.nat(3_000),
    count: fc.integer({ min: 1, max: 900 }),
    adds: fc.boolean(),
  });
  fc.assert(
    fc.property(
      fc.array(change, { maxLength: 12 }),
      fc.nat(4_000),
      fc.nat(1_500),
      (changes, after, limit) => {
        const texts = new SortedTexts();
        const twin = new Set<string>();
        for (const { from, count, adds } of changes) {
          // Neither rising nor falling.
          for (let i = 0; i < count; i++) {
            const name = nameOf(from + ((i * 7) % count));
            if (adds) texts.add(name);
            else texts.delete(name);
            if (adds) twin.add(name);
            else twin.delete(name);
          }
        }
        const sorted = [...twin].sort();
        expect(texts.behind('', Infinity)).toEqual(sorted);
        expect([texts.size, texts.at(after)]).toEqual([sorted.length, sorted[after]]);
        const behind = sorted.filter((text) => text > nameOf(after));
        expect(texts.behind(nameOf(after), limit)).toEqual(behind.slice(0, limit));
      },
    ),
    { numRuns: 100 },
  );
});
