/** The little of protobuf that entries and messages need: tags, fields, skipping what is unknown, and UTF-8 that is
 *  checked without throwing. https://protobuf.dev/programming-guides/encoding/ */
import { ByteReader, type ByteWriter, utf8, utf8Text, varintLength, writeVarint } from './bytes.js';

export const wireVarint = 0;
export const wireFixed64 = 1;
export const wireBytes = 2;
export const wireFixed32 = 5;

const fieldMax = 536_870_911;

/** Reads a tag that is followed by a value of a known wire type; 0 and `failed` otherwise. */
export function readTag(reader: ByteReader): number {
  const tag = reader.varint();
  const field = Math.floor(tag / 8);
  const wire = tag % 8;
  const known = wire === wireVarint || wire === wireFixed64 || wire === wireBytes || wire === wireFixed32;
  return known && field >= 1 && field <= fieldMax ? tag : reader.fail();
}

/** Steps over the value of a field that this version does not know. */
export function skipValue(reader: ByteReader, tag: number): void {
  switch (tag % 8) {
    case wireVarint:
      skipVarint(reader);
      return;
    case wireFixed64:
      skipBytes(reader, 8);
      return;
    case wireBytes:
      skipBytes(reader, reader.varint());
      return;
    default:
      skipBytes(reader, 4);
  }
}

/** Unknown varints may hold what is no safe integer, such as negative numbers. */
export function skipVarint(reader: ByteReader): void {
  const { bytes, end } = reader;
  for (let i = 0; i < 10; i++) {
    if (reader.position >= end) break;
    if (bytes[reader.position++]! < 0x80) return;
  }
  reader.fail();
}

export function skipBytes(reader: ByteReader, length: number): void {
  if (length > reader.end - reader.position) reader.fail();
  else reader.position += length;
}

/** Reads the fields of untrusted messages, one inside the other. After anything that is no message `failed` stays true. */
export class FieldReader extends ByteReader {
  tag(): number {
    return readTag(this);
  }

  /** Passes over a field that this version does not know. */
  skip(tag: number): void {
    skipValue(this, tag);
  }

  /** Narrows the reader to the length-delimited field at hand; `leave` takes what this returns. */
  enter(): number {
    const length = this.varint();
    const outer = this.end;
    if (this.failed || length > outer - this.position) {
      this.fail();
      return outer;
    }
    this.end = this.position + length;
    return outer;
  }

  leave(outer: number): void {
    this.end = outer;
    if (this.failed) this.position = outer;
  }

  /** A view of a length-delimited field. */
  chunk(): Uint8Array {
    return this.take(this.varint());
  }
}

/** Reads the next length-prefixed field on its own; a failure inside is one of the whole. */
export function nestedReader(outer: ByteReader): ByteReader {
  const length = outer.varint();
  const start = outer.position;
  skipBytes(outer, length);
  const nested = new NestedReader(outer, start, outer.position);
  if (outer.failed) nested.fail();
  return nested;
}

class NestedReader extends ByteReader {
  readonly #outer: ByteReader;

  constructor(outer: ByteReader, start: number, end: number) {
    super(outer.bytes, start, end);
    this.#outer = outer;
  }

  override fail(): number {
    this.#outer.fail();
    return super.fail();
  }
}

/** Text of the next length-prefixed field; '' and `failed` when it is not UTF-8. */
export function readText(reader: ByteReader): string {
  const bytes = reader.take(reader.varint());
  if (isUtf8(bytes, 0, bytes.length)) return utf8Text(bytes);
  reader.fail();
  return '';
}

export function writeText(out: ByteWriter, tag: number, text: string): void {
  const length = utf8Length(text);
  out.varint(tag);
  out.varint(length);
  writeUtf8(out, text, length);
}

export function writeVarintField(out: ByteWriter, tag: number, value: number): void {
  out.varint(tag);
  out.varint(value);
}

/** Opens a length-delimited field whose length is not known yet; `closeField` takes what this returns. */
export function openField(out: ByteWriter, tag: number): number {
  out.varint(tag);
  out.u8(0);
  return out.length;
}

/** Fills the length in; content of 128 bytes and more moves up to make room for it. */
export function closeField(out: ByteWriter, start: number): void {
  const length = out.length - start;
  const extra = varintLength(length) - 1;
  if (extra > 0) {
    out.reserve(extra);
    out.buffer.copyWithin(start + extra, start, out.length);
    out.length += extra;
  }
  writeVarint(out.buffer, start - 1, length);
}

/** Bytes of a text as UTF-8; a lone surrogate counts as U+FFFD, which is what the encoder makes of it. */
export function utf8Length(text: string): number {
  let length = text.length;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code < 0x80) continue;
    if (code < 0x800) length++;
    else if (code >= 0xd800 && code < 0xdc00 && (text.charCodeAt(i + 1) & 0xfc00) === 0xdc00) {
      length += 2;
      i++;
    } else length += 2;
  }
  return length;
}

/** Writes a text whose UTF-8 length is known. Names and keys are nearly always ASCII: no call into native code then. */
export function writeUtf8(out: ByteWriter, text: string, length: number): void {
  if (length !== text.length) {
    out.raw(utf8(text));
    return;
  }
  out.reserve(length);
  const { buffer } = out;
  let at = out.length;
  for (let i = 0; i < length; i++) buffer[at++] = text.charCodeAt(i);
  out.length = at;
}

/** Whether bytes[start, end) are UTF-8 as Unicode 15 table 3-7 has it: shortest forms, no surrogates. */
export function isUtf8(bytes: Uint8Array, start: number, end: number): boolean {
  let at = start;
  while (at < end) {
    const lead = bytes[at++]!;
    if (lead < 0x80) continue;
    if (lead < 0xc2 || lead > 0xf4) return false;
    const more = lead < 0xe0 ? 1 : lead < 0xf0 ? 2 : 3;
    if (at + more > end) return false;
    const second = bytes[at]!;
    const low = lead === 0xe0 ? 0xa0 : lead === 0xf0 ? 0x90 : 0x80;
    const high = lead === 0xed ? 0x9f : lead === 0xf4 ? 0x8f : 0xbf;
    if (second < low || second > high) return false;
    for (let i = 1; i < more; i++) if ((bytes[at + i]! & 0xc0) !== 0x80) return false;
    at += more;
  }
  return true;
}
