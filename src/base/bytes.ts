/** Bytes without Node: a growable writer, varints, hex, base64url, and fixed little-endian integers.
 *  64-bit integers here are JavaScript safe integers, written as two 32-bit halves (no BigInt). */
import { assert } from './assert.js';

const utf8Encoder = new TextEncoder();
// A byte order mark is text like any other: what was sent comes back.
const utf8Decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

export function utf8(text: string): Uint8Array {
  return utf8Encoder.encode(text);
}

/** Throws TypeError on invalid UTF-8. */
export function utf8Text(bytes: Uint8Array): string {
  return utf8Decoder.decode(bytes);
}

/** A byte buffer that grows; `bytes()` is a view, valid until the next write. */
export class ByteWriter {
  buffer: Uint8Array;
  length = 0;

  constructor(capacity = 1024) {
    this.buffer = new Uint8Array(capacity);
  }

  clear(): void {
    this.length = 0;
  }

  /** Makes room for `extra` more bytes. */
  reserve(extra: number): void {
    const needed = this.length + extra;
    if (needed <= this.buffer.length) return;
    const grown = new Uint8Array(Math.max(needed, this.buffer.length * 2));
    grown.set(this.buffer.subarray(0, this.length));
    this.buffer = grown;
  }

  u8(value: number): void {
    this.reserve(1);
    this.buffer[this.length++] = value;
  }

  fixed32(value: number): void {
    this.reserve(4);
    writeFixed32(this.buffer, this.length, value);
    this.length += 4;
  }

  fixed64(value: number): void {
    this.reserve(8);
    writeFixed64(this.buffer, this.length, value);
    this.length += 8;
  }

  varint(value: number): void {
    this.reserve(8);
    this.length = writeVarint(this.buffer, this.length, value);
  }

  raw(bytes: Uint8Array): void {
    this.reserve(bytes.length);
    this.buffer.set(bytes, this.length);
    this.length += bytes.length;
  }

  bytes(): Uint8Array {
    return this.buffer.subarray(0, this.length);
  }
}

export function writeFixed32(out: Uint8Array, at: number, value: number): void {
  out[at] = value;
  out[at + 1] = value >>> 8;
  out[at + 2] = value >>> 16;
  out[at + 3] = value >>> 24;
}

export function readFixed32(bytes: Uint8Array, at: number): number {
  return (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0;
}

export function writeFixed64(out: Uint8Array, at: number, value: number): void {
  const high = Math.floor(value / 4294967296);
  writeFixed32(out, at, value >>> 0);
  writeFixed32(out, at + 4, high);
}

/** The value may exceed a safe integer when the bytes are not ours: check where that matters. */
export function readFixed64(bytes: Uint8Array, at: number): number {
  return readFixed32(bytes, at + 4) * 4294967296 + readFixed32(bytes, at);
}

/** Big-endian, so that byte order is number order: for keys of ordered stores. */
export function writeOrdered64(out: Uint8Array, at: number, value: number): void {
  const high = Math.floor(value / 4294967296);
  const low = value >>> 0;
  out[at] = high >>> 24;
  out[at + 1] = high >>> 16;
  out[at + 2] = high >>> 8;
  out[at + 3] = high;
  out[at + 4] = low >>> 24;
  out[at + 5] = low >>> 16;
  out[at + 6] = low >>> 8;
  out[at + 7] = low;
}

export function readOrdered64(bytes: Uint8Array, at: number): number {
  const high = ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0;
  const low =
    ((bytes[at + 4]! << 24) | (bytes[at + 5]! << 16) | (bytes[at + 6]! << 8) | bytes[at + 7]!) >>> 0;
  return high * 4294967296 + low;
}

/** Writes a non-negative safe integer; returns the position after it. */
export function writeVarint(out: Uint8Array, at: number, value: number): number {
  assert(value >= 0 && value <= Number.MAX_SAFE_INTEGER, 'a varint is a non-negative safe integer');
  while (value >= 0x80000000) {
    out[at++] = (value % 128) | 0x80;
    value = Math.floor(value / 128);
  }
  while (value >= 0x80) {
    out[at++] = (value & 0x7f) | 0x80;
    value >>>= 7;
  }
  out[at++] = value;
  return at;
}

export function varintLength(value: number): number {
  let length = 1;
  while (value >= 128) {
    value = Math.floor(value / 128);
    length++;
  }
  return length;
}

/** Reads integers from untrusted bytes. After a failed read `failed` stays true and values are 0. */
export class ByteReader {
  // Declared, and assigned: defining a field goes into the engine's slow path once there are several kinds of readers.
  declare readonly bytes: Uint8Array;
  declare position: number;
  declare end: number;
  declare failed: boolean;

  constructor(bytes: Uint8Array, position = 0, end = bytes.length) {
    this.bytes = bytes;
    this.position = position;
    this.end = end;
    this.failed = false;
  }

  get done(): boolean {
    return this.failed || this.position >= this.end;
  }

  u8(): number {
    return this.position < this.end ? this.bytes[this.position++]! : this.fail();
  }

  fixed32(): number {
    if (this.position + 4 > this.end) return this.fail();
    this.position += 4;
    return readFixed32(this.bytes, this.position - 4);
  }

  /** Fails above the safe integers. */
  fixed64(): number {
    if (this.position + 8 > this.end) return this.fail();
    const value = readFixed64(this.bytes, this.position);
    this.position += 8;
    return Number.isSafeInteger(value) ? value : this.fail();
  }

  /** Fails above the safe integers, past ten bytes, and at the end. */
  varint(): number {
    let value = 0;
    let scale = 1;
    for (let i = 0; i < 10; i++) {
      if (this.position >= this.end) return this.fail();
      const byte = this.bytes[this.position++]!;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return Number.isSafeInteger(value) ? value : this.fail();
      scale *= 128;
    }
    return this.fail();
  }

  /** A view of the next `length` bytes. */
  take(length: number): Uint8Array {
    if (length > this.end - this.position) {
      this.fail();
      return this.bytes.subarray(0, 0);
    }
    this.position += length;
    return this.bytes.subarray(this.position - length, this.position);
  }

  fail(): number {
    this.failed = true;
    this.position = this.end;
    return 0;
  }
}

const hexDigits = utf8('0123456789abcdef');

export function toHex(bytes: Uint8Array): string {
  // Decoded in one go: text put together from pieces would keep all the pieces in memory.
  const digits = new Uint8Array(2 * bytes.length);
  for (let i = 0; i < bytes.length; i++) {
    digits[2 * i] = hexDigits[bytes[i]! >> 4]!;
    digits[2 * i + 1] = hexDigits[bytes[i]! & 15]!;
  }
  return utf8Decoder.decode(digits);
}

/** Expects an even number of lower-case hex digits. */
export function fromHex(text: string): Uint8Array {
  const out = new Uint8Array(text.length >> 1);
  for (let i = 0; i < out.length; i++) {
    out[i] = (digitOf(text.charCodeAt(2 * i)) << 4) | digitOf(text.charCodeAt(2 * i + 1));
  }
  return out;
}

/** "0" to "9" are 0x30 to 0x39, "a" to "f" 0x61 to 0x66. */
function digitOf(code: number): number {
  return code < 0x40 ? code & 15 : (code & 15) + 9;
}

const base64Alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
const base64Values = new Int8Array(128).fill(-1);
for (let i = 0; i < 64; i++) base64Values[base64Alphabet.charCodeAt(i)] = i;
base64Values['+'.charCodeAt(0)] = 62;
base64Values['/'.charCodeAt(0)] = 63;

/** Base64 with the URL-safe alphabet and no padding (RFC 4648 §5). */
export function toBase64Url(bytes: Uint8Array): string {
  let out = '';
  for (let i = 0; i < bytes.length; i += 3) {
    const left = bytes.length - i;
    const word = (bytes[i]! << 16) | ((left > 1 ? bytes[i + 1]! : 0) << 8) | (left > 2 ? bytes[i + 2]! : 0);
    out += base64Alphabet[word >> 18]! + base64Alphabet[(word >> 12) & 63]!;
    if (left > 1) out += base64Alphabet[(word >> 6) & 63]!;
    if (left > 2) out += base64Alphabet[word & 63]!;
  }
  return out;
}

/** Accepts both alphabets and optional padding; `undefined` when the text is not base64. */
export function fromBase64(text: string): Uint8Array | undefined {
  const stripped = text.replace(/={1,2}$/, '');
  if (stripped.length % 4 === 1) return undefined;
  const out = new Uint8Array((stripped.length * 3) >> 2);
  let word = 0;
  let bits = 0;
  let at = 0;
  for (let i = 0; i < stripped.length; i++) {
    const code = stripped.charCodeAt(i);
    const value = code < 128 ? base64Values[code]! : -1;
    if (value < 0) return undefined;
    word = ((word << 6) | value) & 0xffffff;
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      out[at++] = word >> bits;
    }
  }
  return out;
}

export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}
