import fc from 'fast-check';
import { crc32 as zlibCrc32 } from 'node:zlib';
import { expect, test } from 'vitest';
import {
  ByteReader,
  ByteWriter,
  fromBase64,
  fromHex,
  readOrdered64,
  toBase64Url,
  toHex,
  utf8,
  utf8Text,
  varintLength,
  writeOrdered64,
} from '../../src/base/bytes.js';
import { crc32 } from '../../src/base/crc32.js';

const safe = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER });

test('integers come back as they were written, in every form', () => {
  fc.assert(
    fc.property(safe, safe, (a, b) => {
      const writer = new ByteWriter(1);
      writer.varint(a);
      writer.fixed64(b);
      writer.varint(b);
      const reader = new ByteReader(writer.bytes());
      expect([reader.varint(), reader.fixed64(), reader.varint(), reader.done, reader.failed]).toEqual([
        a,
        b,
        b,
        true,
        false,
      ]);
      expect(varintLength(a) + 8 + varintLength(b)).toBe(writer.length);
    }),
  );
});

test('byte order of ordered integers is number order', () => {
  fc.assert(
    fc.property(safe, safe, (a, b) => {
      const left = new Uint8Array(8);
      const right = new Uint8Array(8);
      writeOrdered64(left, 0, a);
      writeOrdered64(right, 0, b);
      expect(readOrdered64(left, 0)).toBe(a);
      expect(Math.sign(Buffer.compare(left, right))).toBe(Math.sign(a - b));
    }),
  );
});

test('a varint beyond the safe integers, without an end, or too long fails and gives 0', () => {
  for (const hex of ['ffffffffffffffffff01', '8080808080808080808001', 'ff', '', '80808080808080']) {
    const reader = new ByteReader(fromHex(hex));
    expect([reader.varint(), reader.failed]).toEqual([0, true]);
  }
});

test('text comes back as it was, a byte order mark included', () => {
  for (const text of ['', 'a', '\uFEFFa', 'ü€😀']) expect(utf8Text(utf8(text))).toBe(text);
  expect(() => utf8Text(new Uint8Array([0xc3]))).toThrow(TypeError);
});

test('hex and base64url agree with the platform', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 70 }), (bytes) => {
      const buffer = Buffer.from(bytes);
      expect(toHex(bytes)).toBe(buffer.toString('hex'));
      expect(toBase64Url(bytes)).toBe(buffer.toString('base64url'));
      expect([...fromHex(toHex(bytes))]).toEqual([...bytes]);
      expect([...fromBase64(buffer.toString('base64'))!]).toEqual([...bytes]);
      expect([...fromBase64(toBase64Url(bytes))!]).toEqual([...bytes]);
    }),
  );
  for (const text of ['a', 'ab$d', 'ü', 'abc=d', '====']) expect(fromBase64(text)).toBeUndefined();
});

test('CRC-32 is that of zlib, over any range and continued from any point', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(200), fc.nat(200), (bytes, a, b) => {
      const [start, middle] = [Math.min(a, b, bytes.length), Math.min(Math.max(a, b), bytes.length)];
      expect(crc32(bytes)).toBe(zlibCrc32(bytes));
      const first = crc32(bytes, start, middle);
      expect(first).toBe(zlibCrc32(bytes.subarray(start, middle)));
      expect(crc32(bytes, middle, bytes.length, first)).toBe(zlibCrc32(bytes.subarray(start)));
    }),
  );
});
