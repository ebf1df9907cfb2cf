/** Where things lie in a stored record, and what can be read without decoding it. */
import { ByteWriter, fromHex, readFixed32, readFixed64 } from '../base/bytes.js';
import { crc32 } from '../base/crc32.js';
import type { ChannelRef, WriterId } from '../base/ids.js';
import { type EntryKind, type Timestamp, entryKinds } from './entry.js';
import { utf8Length, writeUtf8 } from '../base/protobuf.js';

/** Where entries belong; their checksums start with `seed`. */
export interface Place {
  readonly writer: WriterId;
  readonly round: number;
  readonly seed: number;
}

export const recordTag = 0x12;
/** Bytes of the four fields every body begins with. */
export const fixedFieldsBytes = 28;
/** Tags of a body, at their offsets in the case of the first four. */
export const entryTags = {
  checksum: 0x0d,
  previous: 0x15,
  seq: 0x19,
  timestamp: 0x21,
  kind: 0x28,
  actor: 0x32,
  publisher: 0x3a,
  idempotencyKey: 0x42,
  parent: 0x4a,
  trim: 0x52,
  lost: 0x5a,
  retain: 0x60,
  voids: 0x6a,
  content: 0x7a,
  redacts: 0x82,
  push: 0x88,
  createParents: 0x90,
} as const;

/** What the field of a content becomes, in either form. */
export function isRedactedTag(tag: number): boolean {
  return tag >>> 3 === 14;
}

/** Of a whole record's body; `undefined` for one of a later version. */
export function recordKind(bytes: Uint8Array, bodyStart: number, end: number): EntryKind | undefined {
  const at = bodyStart + fixedFieldsBytes;
  // The kind comes first of what need not be there, and is left out where it is 0.
  return at + 1 < end && bytes[at] === entryTags.kind ? entryKinds[bytes[at + 1]!] : 'publish';
}

/** CRC-32 of: hub length u8, hub, channel length u8, channel, writer 12, round u64 little-endian. */
export function placeSeed(ref: ChannelRef, writer: WriterId, round: number): number {
  const out = new ByteWriter(64 + ref.hub.length + ref.channel.length);
  for (const name of [ref.hub, ref.channel]) {
    const length = utf8Length(name);
    out.u8(length);
    writeUtf8(out, name, length);
  }
  out.raw(fromHex(writer));
  out.fixed64(round);
  return crc32(out.buffer, 0, out.length);
}

export function placeOf(ref: ChannelRef, writer: WriterId, round: number): Place {
  return { writer, round, seed: placeSeed(ref, writer, round) };
}

/** A walk over untrusted records without an object for each: after `next()` the record is bytes[start, end) and its
 *  body begins at `bodyStart`, its fixed fields in place. What stands in the body is not verified. */
export class RecordWalk {
  start: number;
  bodyStart: number;
  end: number;
  /** The walk ended before the end: what follows is no record. */
  malformed = false;

  /** Without `strict` anything with a record's tag and length is one, damaged bodies too. */
  constructor(
    readonly bytes: Uint8Array,
    start = 0,
    readonly limit = bytes.length,
    readonly strict = true,
  ) {
    this.start = start;
    this.bodyStart = start;
    this.end = start;
  }

  next(): boolean {
    if (this.end >= this.limit || this.malformed) return false;
    const { bytes, end: start } = this;
    let at = start + 1;
    let length = 0;
    let scale = 1;
    let byte = 0x80;
    // Five bytes hold any length that fits a run.
    for (let i = 0; i < 5 && byte >= 0x80 && at < this.limit; i++) {
      byte = bytes[at++]!;
      length += (byte & 0x7f) * scale;
      scale *= 128;
    }
    const end = at + length;
    const isRecord =
      bytes[start] === recordTag &&
      byte < 0x80 &&
      end <= this.limit &&
      (!this.strict || hasFixedFields(bytes, at, end));
    if (!isRecord) {
      this.malformed = true;
      return false;
    }
    this.start = start;
    this.bodyStart = at;
    this.end = end;
    return true;
  }
}

export interface RecordSpan {
  readonly start: number;
  readonly bodyStart: number;
  readonly end: number;
  readonly seq: number;
  readonly timestamp: Timestamp;
}

/** Records one after another, until the end or until something is no record. Hot loops use RecordWalk. */
export function* iterateRecords(records: Uint8Array): Generator<RecordSpan, void, undefined> {
  const walk = new RecordWalk(records);
  while (walk.next()) {
    const { start, bodyStart, end } = walk;
    yield {
      start,
      bodyStart,
      end,
      seq: recordSeq(records, bodyStart),
      timestamp: recordTimestamp(records, bodyStart),
    };
  }
}

// Direct reads of a body whose fixed fields are there.

export function recordChecksum(bytes: Uint8Array, bodyStart: number): number {
  return readFixed32(bytes, bodyStart + 1);
}

export function recordPrevious(bytes: Uint8Array, bodyStart: number): number {
  return readFixed32(bytes, bodyStart + 6);
}

export function recordSeq(bytes: Uint8Array, bodyStart: number): number {
  return readFixed64(bytes, bodyStart + 11);
}

export function recordTimestamp(bytes: Uint8Array, bodyStart: number): Timestamp {
  return readFixed64(bytes, bodyStart + 20);
}

/** Whether the checksum of the body bytes[bodyStart, end) fits its bytes and its place. */
export function recordIsWhole(bytes: Uint8Array, bodyStart: number, end: number, seed: number): boolean {
  return crc32(bytes, bodyStart + 5, end, seed) === recordChecksum(bytes, bodyStart);
}

/** Whether bytes[start, end) begin like a body, with numbers that are numbers here. */
export function hasFixedFields(bytes: Uint8Array, start: number, end: number): boolean {
  return (
    end - start >= fixedFieldsBytes &&
    bytes[start] === entryTags.checksum &&
    bytes[start + 5] === entryTags.previous &&
    bytes[start + 10] === entryTags.seq &&
    bytes[start + 19] === entryTags.timestamp &&
    Number.isSafeInteger(recordSeq(bytes, start)) &&
    Number.isSafeInteger(recordTimestamp(bytes, start)) &&
    recordSeq(bytes, start) >= 1
  );
}
