import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { utf8 } from '../../src/base/bytes.js';
import { xxhash64 } from '../../src/base/xxhash64.js';

const mask = 0xffffffffffffffffn;
const [p1, p2, p3, p4, p5] = [
  0x9e3779b185ebca87n,
  0xc2b2ae3d27d4eb4fn,
  0x165667b19e3779f9n,
  0x85ebca77c2b2ae63n,
  0x27d4eb2f165667c5n,
] as const;

const hashText = (bytes: Uint8Array, seed = 0, start = 0, end = bytes.length) => {
  const { high, low } = xxhash64(bytes, seed, start, end);
  return high.toString(16).padStart(8, '0') + low.toString(16).padStart(8, '0');
};

const rotate = (word: bigint, bits: bigint) => ((word << bits) | (word >> (64n - bits))) & mask;
const round = (lane: bigint, input: bigint) => (rotate((lane + input * p2) & mask, 31n) * p1) & mask;

/** The algorithm as its description says it, in BigInt. */
function naive(bytes: Uint8Array, seedNumber: number): string {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const seed = BigInt(seedNumber);
  let at = 0;
  let hash = (seed + p5) & mask;
  if (bytes.length >= 32) {
    const lanes = [(seed + p1 + p2) & mask, (seed + p2) & mask, seed, (seed - p1) & mask];
    for (; at + 32 <= bytes.length; at += 32) {
      for (let i = 0; i < 4; i++) lanes[i] = round(lanes[i]!, view.getBigUint64(at + 8 * i, true));
    }
    hash = lanes.reduce((sum, lane, i) => (sum + rotate(lane, [1n, 7n, 12n, 18n][i]!)) & mask, 0n);
    for (const lane of lanes) hash = ((hash ^ round(0n, lane)) * p1 + p4) & mask;
  }
  hash = (hash + BigInt(bytes.length)) & mask;
  for (; at + 8 <= bytes.length; at += 8) {
    hash = (rotate(hash ^ round(0n, view.getBigUint64(at, true)), 27n) * p1 + p4) & mask;
  }
  if (at + 4 <= bytes.length) {
    hash = (rotate(hash ^ ((BigInt(view.getUint32(at, true)) * p1) & mask), 23n) * p2 + p3) & mask;
    at += 4;
  }
  for (; at < bytes.length; at++) hash = (rotate(hash ^ ((BigInt(bytes[at]!) * p5) & mask), 11n) * p1) & mask;
  hash = ((hash ^ (hash >> 33n)) * p2) & mask;
  hash = ((hash ^ (hash >> 29n)) * p3) & mask;
  return (hash ^ (hash >> 32n)).toString(16).padStart(16, '0');
}

/** The buffer of xxHash's own self-test. */
function selfTestBytes(length: number): Uint8Array {
  let state = 2654435761n;
  return Uint8Array.from({ length }, () => {
    const byte = Number(state >> 56n);
    state = (state * 11400714785074694797n) & mask;
    return byte;
  });
}

describe('xxHash64', () => {
  test.each([
    ['', 'ef46db3751d8e999'],
    ['a', 'd24ec4f1a98c6e5b'],
    ['abc', '44bc2cf5ad770999'],
    ['message digest', '066ed728fceeb3be'],
    ['abcdefghijklmnopqrstuvwxyz', 'cfe1f278fa89835c'],
    ['Nobody inspects the spammish repetition', 'fbcea83c8a378bf1'],
  ])('of %j is what is published', (text, hash) => {
    expect(hashText(utf8(text))).toBe(hash);
  });

  test.each([
    [0, 'ef46db3751d8e999', 'ac75fda2929b17ef'],
    [1, 'e934a84adb052768', '5014607643a9b4c3'],
    [4, '9136a0dca57457ee', 'caab286bd8e9fdb5'],
    [14, '8282dcc4994e35c8', 'c3bd6bf63deb6df0'],
    [222, 'b641ae8cb691c174', '20cb8ab7ae10c14a'],
  ])(
    'of the %d first bytes of the self-test is what is published, with and without seed',
    (length, hash, seeded) => {
      expect(hashText(selfTestBytes(length))).toBe(hash);
      expect(hashText(selfTestBytes(length), 2654435761)).toBe(seeded);
    },
  );

  test('equals the algorithm in BigInt, whatever the bytes, the seed and the place in a buffer', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.maxSafeNat(), fc.nat(9), (bytes, seed, offset) => {
        const placed = new Uint8Array(offset + bytes.length + 3);
        placed.set(bytes, offset);
        expect(hashText(placed, seed, offset, offset + bytes.length)).toBe(naive(bytes, seed));
      }),
      { numRuns: 2000 },
    );
  });

  test('of numbers at the edges of a word is exact', () => {
    const edges = [0, 1, 0x7f, 0x80, 0xff];
    for (const x of edges) {
      for (const y of edges) {
        const bytes = Uint8Array.from({ length: 47 }, (_, i) => (i % 3 === 0 ? x : y));
        expect(hashText(bytes)).toBe(naive(bytes, 0));
        expect(hashText(bytes, Number.MAX_SAFE_INTEGER)).toBe(naive(bytes, Number.MAX_SAFE_INTEGER));
      }
    }
  });
});
