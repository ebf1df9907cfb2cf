import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { toHex } from '../../src/base/bytes.js';
import type { WriterId } from '../../src/base/ids.js';
import { ChannelDigestSum } from '../../src/log/digest.js';
import {
  type RetentionInput,
  type RetentionRule,
  isAboveCount,
  trimPosition,
} from '../../src/log/retention.js';

const writer = 'aa'.repeat(12) as WriterId;

/** A log with positions [first, end) of one writer, whose seqs are positions plus one. */
function logOf(first: number, end: number, bytes = 100 * (end - first)) {
  return {
    firstPosition: first,
    endPosition: end,
    entries: end - first,
    bytes,
    positionOf: ({ seq }: { seq: number }) => (seq > first && seq <= end ? seq - 1 : undefined),
  };
}

describe('retention', () => {
  test.each<[string, RetentionRule, RetentionInput, number | undefined]>([
    ['by nothing', {}, {}, undefined],
    ['by count', { maxCount: 100 }, { keptFrom: 900 }, 900],
    ['by a count that nobody counted', { maxCount: 100 }, {}, undefined],
    ['by a count that is nearly kept', { maxCount: 790 }, { keptFrom: 201 }, undefined],
    ['by bytes', { maxBytes: 10_000 }, {}, 900],
    ['by bytes that are nearly kept', { maxBytes: 79_000 }, {}, undefined],
    ['by age', { maxAgeMs: 1 }, { oldestKept: new Map([[writer, 651]]) }, 650],
    ['by age, all of it old', { maxAgeMs: 1 }, { oldestKept: new Map() }, 1000],
    ['by age, unknown', { maxAgeMs: 1 }, {}, undefined],
    ['by what removes most', { maxCount: 500, maxBytes: 30_000 }, { keptFrom: 500 }, 700],
  ])('%s', (_, rule, input, position) => {
    expect(trimPosition(rule, logOf(200, 1000), input)).toBe(position);
  });

  test('comes to rest: a channel with only its last trim is left alone', () => {
    expect(trimPosition({ maxAgeMs: 1 }, logOf(200, 201), { oldestKept: new Map() })).toBeUndefined();
    expect(trimPosition({ maxCount: 1 }, logOf(0, 2), { keptFrom: 1 })).toBeUndefined();
    expect(trimPosition({ maxCount: 0 }, logOf(0, 2), { keptFrom: 2 })).toBe(2);
    expect(trimPosition({ maxBytes: 0 }, logOf(5, 5, 0), {})).toBeUndefined();
  });

  test('by count waits for an eighth more', () => {
    expect([0, 1, 2].map((messages) => isAboveCount(1, messages))).toEqual([false, false, true]);
    expect([112, 113].map((messages) => isAboveCount(100, messages))).toEqual([false, true]);
    expect([0, 1].map((messages) => isAboveCount(0, messages))).toEqual([false, true]);
  });
});

describe('the digest of a channel', () => {
  const sha256 = (bytes: Uint8Array) => Uint8Array.from(createHash('sha256').update(bytes).digest());
  const entries = fc.array(
    fc.record({ seq: fc.integer({ min: 1, max: 2 ** 50 }), body: fc.uint8Array({ maxLength: 2000 }) }),
    { maxLength: 12 },
  );

  test('is the sum that its definition says, whatever the order of the entries', () => {
    fc.assert(
      fc.property(entries, fc.nat(), (some, cut) => {
        const forward = new ChannelDigestSum(sha256);
        for (const { seq, body } of some) forward.add(writer, seq, body);
        const [left, right] = [new ChannelDigestSum(sha256), new ChannelDigestSum(sha256)];
        [...some].reverse().forEach(({ seq, body }, i) => {
          const framed = Uint8Array.from([9, ...body, 9]);
          (i % (1 + (cut % 3)) === 0 ? left : right).add(writer, seq, framed, 1, framed.length - 1);
        });
        left.merge(right);
        expect(toHex(left.digest())).toBe(toHex(forward.digest()));
        expect(toHex(forward.digest())).toBe(toHex(byDefinition(some)));
        expect(left.count).toBe(some.length);
      }),
      { numRuns: 50 },
    );
  });

  function byDefinition(some: readonly { readonly seq: number; readonly body: Uint8Array }[]): Uint8Array {
    const little = (value: bigint, length: number) =>
      Uint8Array.from({ length }, (_, i) => Number((value >> BigInt(8 * i)) & 255n));
    const number = (bytes: Uint8Array) => bytes.reduceRight((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
    let sum = 0n;
    for (const { seq, body } of some) {
      sum += number(
        sha256(Uint8Array.from([...Buffer.from(writer, 'hex'), ...little(BigInt(seq), 8), ...body])),
      );
    }
    return sha256(Uint8Array.from([...little(sum % (1n << 256n), 32), ...little(BigInt(some.length), 8)]));
  }
});
