import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ByteWriter, utf8 } from '../../src/base/bytes.js';
import type { ChannelRef, WriterId } from '../../src/base/ids.js';
import { limits } from '../../src/base/limits.js';
import type { Content, Entry } from '../../src/log/entry.js';
import {
  RecordWalk,
  checkContent,
  decodeContent,
  decodeEntry,
  encodeContent,
  encodeEntry,
  iterateRecords,
  placeOf,
  recordChecksum,
  recordPrevious,
  recordSeq,
  recordTimestamp,
} from '../../src/log/entry-wire.js';
import { isUtf8 } from '../../src/base/protobuf.js';
import { contents, refs, runEntries, seqs, writers } from './arbitraries.js';

const entries: fc.Arbitrary<Entry> = fc
  .tuple(writers, seqs, seqs, fc.integer({ min: 0, max: 2 ** 32 - 1 }), runEntries)
  .map(([writer, seq, timestamp, previous, { content, ...fields }]) => {
    const decoded = content && decodeContent(content);
    const entry = {
      writer,
      seq,
      timestamp,
      round: 7,
      checksum: 0,
      previous: seq === 1 ? 0 : previous,
      ...fields,
    };
    return { ...entry, ...(decoded?.ok ? { content: decoded.value } : {}) } as Entry;
  });

/** The entry with the checksum that its bytes have. */
function signed(entry: Entry, ref: ChannelRef): { readonly entry: Entry; readonly body: Uint8Array } {
  const body = encodeEntry(entry, placeOf(ref, entry.writer, entry.round));
  return { entry: { ...entry, checksum: recordChecksum(body, 0) }, body };
}

describe('an entry', () => {
  test('comes back as it was written, with its fixed fields at their offsets', () => {
    fc.assert(
      fc.property(entries, refs, (unsigned, ref) => {
        const { entry, body } = signed(unsigned, ref);
        const place = placeOf(ref, entry.writer, entry.round);
        expect(decodeEntry(body, place)).toEqual({ ok: true, value: entry });
        expect(encodeEntry(entry, place)).toEqual(body);
        expect(recordSeq(body, 0)).toBe(entry.seq);
        expect(recordTimestamp(body, 0)).toBe(entry.timestamp);
        expect(recordPrevious(body, 0)).toBe(entry.previous);
        expect([body[0], body[5], body[10], body[19]]).toEqual([0x0d, 0x15, 0x19, 0x21]);
      }),
      { numRuns: 300 },
    );
  });

  test('of kind trim, gap or redact carries what it names', () => {
    const ref = { hub: 'h', channel: 'c' } as ChannelRef;
    const [a, b] = ['a'.repeat(24) as WriterId, 'b'.repeat(24) as WriterId];
    const base = { writer: a, seq: 5, timestamp: 9, round: 7, checksum: 0, previous: 1 };
    const trim = {
      through: { writer: b, seq: 900 },
      floors: new Map([
        [a, 4],
        [b, 900],
      ]),
      round: 6,
    };
    const lost = { writer: b, fromSeq: 1, toSeq: 2 ** 40 };
    for (const unsigned of [
      { ...base, kind: 'trim', trim } as const,
      { ...base, kind: 'gap', lost } as const,
      { ...base, kind: 'redact', redacts: { writer: b, seq: 900 } } as const,
    ]) {
      const { entry, body } = signed(unsigned, ref);
      expect(decodeEntry(body, placeOf(ref, a, 7))).toEqual({ ok: true, value: entry });
    }
    for (const unsigned of [
      { ...base, kind: 'trim' } as const,
      { ...base, kind: 'publish', lost } as const,
      { ...base, kind: 'trim', trim: { ...trim, floors: new Map([[a, 4]]) } } as const,
      { ...base, kind: 'gap', lost: { ...lost, fromSeq: 9, toSeq: 8 } } as const,
      { ...base, kind: 'redact' } as const,
      { ...base, kind: 'publish', redacts: { writer: b, seq: 1 } } as const,
      { ...base, kind: 'publish', seq: 1 } as const,
    ]) {
      expect(decodeEntry(signed(unsigned, ref).body, placeOf(ref, a, 7))).toEqual({
        ok: false,
        error: 'malformed',
      });
    }
  });

  test('is whole in its own channel, under its own writer and round only', () => {
    fc.assert(
      fc.property(entries, refs, refs, writers, (unsigned, ref, otherRef, otherWriter) => {
        fc.pre(otherRef.channel !== ref.channel && otherWriter !== unsigned.writer);
        const { writer, round } = unsigned;
        const { body } = signed(unsigned, ref);
        for (const place of [
          placeOf(otherRef, writer, round),
          placeOf(ref, otherWriter, round),
          placeOf(ref, writer, round + 1),
        ]) {
          expect(decodeEntry(body, place)).toEqual({ ok: false, error: 'damaged' });
        }
      }),
    );
  });

  test('with any bit flipped or any end cut off is refused', () => {
    fc.assert(
      fc.property(entries, refs, fc.nat(), (unsigned, ref, where) => {
        const { entry, body } = signed(unsigned, ref);
        const place = placeOf(ref, entry.writer, entry.round);
        const flipped = body.slice();
        const bit = where % (8 * body.length);
        flipped[bit >> 3]! ^= 1 << (bit & 7);
        expect(decodeEntry(flipped, place).ok).toBe(false);
        expect(decodeEntry(body.subarray(0, where % body.length), place).ok).toBe(false);
      }),
      { numRuns: 500 },
    );
  });

  test('from random bytes is an error and nothing worse', () => {
    const place = placeOf({ hub: 'h', channel: 'c' } as ChannelRef, 'a'.repeat(24) as WriterId, 0);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        expect(decodeEntry(bytes, place).ok).toBe(false);
        for (const { end } of iterateRecords(bytes)) expect(end).toBeLessThanOrEqual(bytes.length);
      }),
      { numRuns: 500 },
    );
  });

  test('of a newer version keeps what this one knows, and tells a kind it does not', () => {
    const ref = { hub: 'h', channel: 'c' } as ChannelRef;
    const writer = 'a'.repeat(24) as WriterId;
    const place = placeOf(ref, writer, 7);
    const plain = {
      writer,
      seq: 1,
      timestamp: 9,
      round: 7,
      kind: 'publish',
      checksum: 0,
      previous: 0,
    } as const;
    const extended = resigned(encodeEntry(plain, place), [0x9a, 0x01, 2, 1, 2], place.seed);
    expect(decodeEntry(extended, place)).toEqual({
      ok: true,
      value: { ...plain, checksum: recordChecksum(extended, 0) },
    });
    const unknown = resigned(encodeEntry(plain, place), [0x28, 99], place.seed);
    expect(decodeEntry(unknown, place)).toEqual({ ok: false, error: 'unknown-kind' });
    // False may be written out.
    const declining = resigned(encodeEntry(plain, place), [0x60, 1, 0x60, 0], place.seed);
    expect(decodeEntry(declining, place)).toEqual({
      ok: true,
      value: { ...plain, checksum: recordChecksum(declining, 0) },
    });
    // A known field of another wire type is no field of a newer version.
    const mistyped = resigned(encodeEntry(plain, place), [0x30, 1], place.seed);
    expect(decodeEntry(mistyped, place)).toEqual({ ok: false, error: 'malformed' });
  });
});

/** The body with more bytes at its end and the checksum that fits. */
function resigned(body: Uint8Array, more: readonly number[], seed: number): Uint8Array {
  const out = new Uint8Array([...body, ...more]);
  let crc = ~seed;
  for (const byte of out.subarray(5)) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  }
  new DataView(out.buffer).setUint32(1, ~crc >>> 0, true);
  return out;
}

describe('records', () => {
  test('are walked one by one, to the end or to the first that is none', () => {
    const ref = { hub: 'h', channel: 'c' } as ChannelRef;
    fc.assert(
      fc.property(fc.array(entries, { maxLength: 5 }), fc.uint8Array({ maxLength: 3 }), (some, rest) => {
        const out = new ByteWriter();
        const bodies = some.map((entry) => signed(entry, ref).body);
        for (const body of bodies) {
          out.u8(0x12);
          out.varint(body.length);
          out.raw(body);
        }
        out.raw(rest);
        const bytes = out.bytes();
        const found = [...iterateRecords(bytes)].map(({ bodyStart, end }) => bytes.slice(bodyStart, end));
        expect(found).toEqual(bodies);
        const walk = new RecordWalk(bytes);
        while (walk.next());
        expect(walk.malformed).toBe(rest.length > 0);
      }),
    );
  });
});

describe('content', () => {
  const check = (bytes: Uint8Array) => checkContent(bytes, 0, bytes.length, limits);

  test('comes back as it was encoded, and passes the check, which tells what its extras say', () => {
    fc.assert(
      fc.property(contents, fc.nat(20), (content, offset) => {
        const bytes = encodeContent(content);
        expect(decodeContent(bytes)).toEqual({ ok: true, value: content });
        const expected = { ok: true, value: content.extras ?? {} };
        expect(check(bytes)).toEqual(expected);
        const framed = new Uint8Array(bytes.length + offset + 7).fill(0xff);
        framed.set(bytes, offset);
        expect(checkContent(framed, offset, offset + bytes.length, limits)).toEqual(expected);
      }),
      { numRuns: 300 },
    );
  });

  test('that passes the check can be decoded, whatever was sent', () => {
    const mutated = fc
      .tuple(contents, fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 4 }))
      .map(([content, edits]) => {
        const bytes = encodeContent(content);
        for (const [at, value] of edits) if (bytes.length > 0) bytes[at % bytes.length] = value;
        return bytes;
      });
    fc.assert(
      fc.property(fc.oneof(mutated, fc.uint8Array({ maxLength: 100 })), (bytes) => {
        expect(check(bytes).ok).toBe(decodeContent(bytes).ok);
      }),
      { numRuns: 2000 },
    );
  });

  test.each<[string, Content, string]>([
    ['an event', { event: 'é'.repeat(65), payload: new Uint8Array() }, 'event-too-long'],
    ['a content type', { contentType: 'x'.repeat(129), payload: new Uint8Array() }, 'content-type-too-long'],
    ['a payload', { payload: new Uint8Array(1_048_576) }, 'too-large'],
    [
      'headers',
      { payload: new Uint8Array(), headers: new Map(Array.from({ length: 65 }, (_, i) => [`${i}`, ''])) },
      'too-many-headers',
    ],
    [
      'a header',
      { payload: new Uint8Array(), headers: new Map([['a', 'x'.repeat(8_192)]]) },
      'headers-too-large',
    ],
  ])('with %s above its limit is refused by name', (_, content, fault) => {
    expect(check(encodeContent(content))).toEqual({ ok: false, error: fault });
  });

  test.each<[string, number[]]>([
    ['text that is not UTF-8', [0x0a, 2, 0xc3, 0x28]],
    ['a header that is not UTF-8', [0x22, 3, 0x0a, 1, 0xff]],
    ['a field longer than the rest', [0x1a, 5, 1]],
    ['a group', [0x3b, 0x3c]],
    ['field number 0', [0x02, 0]],
    ['a known field of another type', [0x08, 1]],
    ['a length without end', [0x1a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]],
    ['half a varint', [0x38, 0x80]],
    ['a cut fixed64', [0x39, 1, 2, 3]],
    ['extras that end too early', [0x2a, 1, 0x08]],
  ])('with %s is malformed', (_, bytes) => {
    expect(check(new Uint8Array(bytes))).toEqual({ ok: false, error: 'malformed' });
    expect(decodeContent(new Uint8Array(bytes)).ok).toBe(false);
  });

  test('may hold fields of a newer version', () => {
    const bytes = new Uint8Array([
      0x38, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 0x42, 1, 7, 0x4d, 1, 2, 3, 4, 0x51, 1, 2,
      3, 4, 5, 6, 7, 8, 0x1a, 1, 9,
    ]);
    expect(check(bytes)).toEqual({ ok: true, value: {} });
    expect(decodeContent(bytes)).toEqual({ ok: true, value: { payload: new Uint8Array([9]) } });
  });
});

test('UTF-8 is told as the platform tells it', () => {
  const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  const isValid = (bytes: Uint8Array): boolean => {
    try {
      strict.decode(bytes);
      return true;
    } catch {
      return false;
    }
  };
  const near = fc.constantFrom(
    0x7f,
    0x80,
    0x8f,
    0x90,
    0x9f,
    0xa0,
    0xbf,
    0xc0,
    0xc1,
    0xc2,
    0xdf,
    0xe0,
    0xe1,
    0xed,
    0xef,
    0xf0,
    0xf4,
    0xf5,
    0xff,
    0x41,
  );
  fc.assert(
    fc.property(
      fc.oneof(
        fc.uint8Array({ maxLength: 8 }),
        fc.array(near, { maxLength: 6 }).map((codes) => new Uint8Array(codes)),
      ),
      (bytes) => {
        expect(isUtf8(bytes, 0, bytes.length)).toBe(isValid(bytes));
      },
    ),
    { numRuns: 5000 },
  );
  expect(isUtf8(utf8('añ€😀'), 0, 10)).toBe(true);
});
