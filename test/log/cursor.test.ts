import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { ChannelName, ChannelRef, Dot, WriterId } from '../../src/base/ids.js';
import { limits } from '../../src/base/limits.js';
import { ByteWriter, fromHex } from '../../src/base/bytes.js';
import { crc32 } from '../../src/base/crc32.js';
import { advanceHeads, decodeCursor, encodeCursor } from '../../src/log/cursor.js';
import { dotsOf, refs } from './arbitraries.js';

const heads = fc.uniqueArray(dotsOf, { selector: ({ writer }) => writer, maxLength: 20 });
const byWriter = (dots: readonly Dot[]) => [...dots].sort((a, b) => (a.writer < b.writer ? -1 : 1));

describe('a cursor', () => {
  test('comes back with its heads, and is the same bytes in whatever order they were given', () => {
    fc.assert(
      fc.property(refs, heads, (ref, dots) => {
        const bytes = encodeCursor(ref, dots);
        expect(decodeCursor(ref, bytes)).toEqual({ ok: true, value: byWriter(dots) });
        expect(encodeCursor(ref, [...dots].reverse())).toEqual(bytes);
      }),
    );
  });

  test('attack 13: of another channel, and of the same name in another hub, is told', () => {
    fc.assert(
      fc.property(refs, refs, heads, (ref, other, dots) => {
        fc.pre(ref.hub !== other.hub);
        const error = { ok: false, error: 'other-channel' };
        expect(decodeCursor(other, encodeCursor(ref, dots))).toEqual(error);
        expect(decodeCursor({ hub: other.hub, channel: ref.channel }, encodeCursor(ref, dots))).toEqual(
          error,
        );
        const longer = { hub: ref.hub, channel: `${ref.channel}:x` as ChannelName };
        expect(decodeCursor(longer, encodeCursor(ref, dots))).toEqual(error);
      }),
    );
  });

  test('attack 13: with any bit flipped, cut anywhere or made up is refused', () => {
    fc.assert(
      fc.property(refs, heads, fc.nat(), fc.uint8Array({ maxLength: 100 }), (ref, dots, where, noise) => {
        const bytes = encodeCursor(ref, dots);
        expect(decodeCursor(ref, bytes.subarray(0, where % bytes.length)).ok).toBe(false);
        const bit = where % (8 * bytes.length);
        bytes[bit >> 3]! ^= 1 << (bit & 7);
        expect(decodeCursor(ref, bytes).ok).toBe(false);
        expect(decodeCursor(ref, noise).ok).toBe(false);
      }),
      { numRuns: 500 },
    );
  });

  test('that names a writer twice, or has no canonical form, is malformed', () => {
    const ref = { hub: 'h', channel: 'c' } as ChannelRef;
    const [a, b] = ['aa'.repeat(12), 'bb'.repeat(12)] as WriterId[];
    for (const dots of [
      [
        { writer: a!, seq: 1 },
        { writer: a!, seq: 2 },
      ],
    ]) {
      expect(decodeCursor(ref, encodeCursor(ref, dots))).toEqual({ ok: false, error: 'malformed' });
    }
    expect(decodeCursor(ref, encodeCursor(ref, [{ writer: b!, seq: 0 }]))).toEqual({
      ok: false,
      error: 'malformed',
    });
    expect(decodeCursor(ref, new Uint8Array(8))).toEqual({ ok: false, error: 'malformed' });
    expect(decodeCursor(ref, new Uint8Array(2049))).toEqual({ ok: false, error: 'too-large' });
  });

  test('attack 14: of a million writers, or of a number beyond all, is refused by its length and its numbers', () => {
    const ref = { hub: 'h', channel: 'c' } as ChannelRef;
    const made = (writers: number, seq: readonly number[]): Uint8Array => {
      const head = encodeCursor(ref, []).subarray(0, 5);
      const out = new ByteWriter();
      out.raw(head);
      for (let i = 0; i < writers; i++) {
        out.raw(fromHex(i.toString(16).padStart(24, '0')));
        out.raw(Uint8Array.from(seq));
      }
      out.fixed32(crc32(out.buffer, 0, out.length));
      return out.bytes().slice();
    };
    expect(decodeCursor(ref, made(2, [1]))).toMatchObject({ ok: true, value: [{ seq: 1 }, { seq: 1 }] });
    expect(decodeCursor(ref, made(1_000_000, [1]))).toEqual({ ok: false, error: 'too-large' });
    const above = (bits: number) => [
      ...Array.from({ length: Math.floor(bits / 7) }, () => 0x80),
      1 << (bits % 7),
    ];
    for (const seq of [above(53), above(63), above(69), [0xff], [], [0x80, 0x80]])
      expect(decodeCursor(ref, made(1, seq)), seq.join()).toEqual({ ok: false, error: 'malformed' });
  });

  test('keeps as many heads as fit, the first ones', () => {
    const ref = { hub: 'h', channel: 'c' } as ChannelRef;
    const many = Array.from({ length: 300 }, (_, i) => ({
      writer: (1000 - i).toString(16).padStart(24, '0') as WriterId,
      seq: 2 ** 50 + i,
    }));
    const bytes = encodeCursor(ref, many);
    expect(bytes.length).toBeLessThanOrEqual(limits.cursorBytesMax);
    const decoded = decodeCursor(ref, bytes);
    expect(decoded).toEqual({ ok: true, value: byWriter(many.slice(0, 101)) });
  });
});

test('a delivered entry replaces its writer’s head and those it names', () => {
  const [a, b, c] = ['aa'.repeat(12), 'bb'.repeat(12), 'cc'.repeat(12)] as [WriterId, WriterId, WriterId];
  const before = [
    { writer: a, seq: 5 },
    { writer: b, seq: 2 },
    { writer: c, seq: 7 },
  ];
  expect(advanceHeads([], { writer: a, seq: 1 }, undefined)).toEqual([{ writer: a, seq: 1 }]);
  expect(advanceHeads(before, { writer: a, seq: 6 }, undefined)).toEqual([
    ...before.slice(1),
    { writer: a, seq: 6 },
  ]);
  const parents = [
    { writer: b, seq: 3 },
    { writer: c, seq: 6 },
  ];
  expect(advanceHeads(before, { writer: a, seq: 6 }, parents)).toEqual([
    { writer: c, seq: 7 },
    { writer: a, seq: 6 },
  ]);
});
