import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { WriterId } from '../../src/base/ids.js';
import {
  type Claim,
  compareClaims,
  decodeIntervalNote,
  encodeIntervalNote,
  sameClaim,
} from '../../src/replication/claim.js';

const claims = fc.record({
  round: fc.integer({ min: 1, max: 3 }),
  writer: fc.constantFrom('a', 'b', 'c').map((digit) => digit.repeat(24) as WriterId),
});
const maybe = fc.option(claims, { nil: undefined });

describe('claims', () => {
  test('are ordered totally: two that differ are never equal, whatever their round', () => {
    fc.assert(
      fc.property(claims, claims, (a, b) => {
        expect(sameClaim(a, b)).toBe(a.round === b.round && a.writer === b.writer);
        expect(Math.sign(compareClaims(a, b))).toBe(-Math.sign(compareClaims(b, a)) + 0);
      }),
    );
  });

  test('are ordered transitively, and none is below all', () => {
    fc.assert(
      fc.property(maybe, maybe, maybe, (a, b, c) => {
        const isRising = compareClaims(a, b) <= 0 && compareClaims(b, c) <= 0;
        expect(!isRising || compareClaims(a, c) <= 0).toBe(true);
      }),
    );
    expect(compareClaims(undefined, { round: 1, writer: '0'.repeat(24) as WriterId })).toBeLessThan(0);
  });

  test('of a higher round win over any writer', () => {
    const low: Claim = { round: 1, writer: 'f'.repeat(24) as WriterId };
    expect(compareClaims({ round: 2, writer: '0'.repeat(24) as WriterId }, low)).toBeGreaterThan(0);
  });
});

describe('the note of an interval', () => {
  test('comes back as it was written', () => {
    fc.assert(
      fc.property(maybe, fc.boolean(), (promise, recovering) => {
        const note = { promise, recovering };
        expect(decodeIntervalNote(encodeIntervalNote(note).slice())).toEqual(note);
      }),
    );
  });

  test('cut short is no note', () => {
    const bytes = encodeIntervalNote({
      promise: { round: 5, writer: 'a'.repeat(24) as WriterId },
      recovering: false,
    });
    for (let end = 0; end < bytes.length; end++)
      expect(decodeIntervalNote(bytes.slice(0, end))).toBeUndefined();
    expect(decodeIntervalNote(undefined)).toBeUndefined();
  });
});
