/** Entries to records. The length comes first in a record, so it is computed before anything is written, and what is
 *  rare (parents, trims, lost ranges) is encoded aside: the usual publish is written in one pass, without garbage. */
import { assert } from '../base/assert.js';
import { ByteWriter, fromHex, varintLength, writeFixed32, writeFixed64 } from '../base/bytes.js';
import { crc32 } from '../base/crc32.js';
import type { Dot } from '../base/ids.js';
import { encodeContent } from './content-wire.js';
import {
  type Deletion,
  type Forced,
  type Entry,
  type EntryKind,
  type LostRange,
  type Publisher,
  type Timestamp,
  type Trim,
  type Vector,
  entryKinds,
} from './entry.js';
import { closeField, openField, utf8Length, writeUtf8, writeVarintField } from '../base/protobuf.js';
import { type Place, entryTags, fixedFieldsBytes, recordTag } from './record-layout.js';

/** What stands in a record, its place and its own numbers left out. */
export interface RunEntry {
  readonly timestamp: Timestamp;
  readonly kind: EntryKind;
  readonly actor?: string | undefined;
  readonly publisher?: Publisher | undefined;
  readonly idempotencyKey?: string | undefined;
  readonly parents?: readonly Dot[] | undefined;
  readonly trim?: Trim | undefined;
  readonly lost?: LostRange | undefined;
  readonly voids?: readonly LostRange[] | undefined;
  readonly retain?: boolean | undefined;
  readonly push?: boolean | undefined;
  readonly createParents?: boolean | undefined;
  readonly redacts?: Dot | undefined;
  /** Encoded `Content`, copied. */
  readonly content?: Uint8Array | undefined;
}

/** The body: a record without tag and length. Checksum and place come out as they are in `entry` if they were right. */
export function encodeEntry(entry: Entry, place: Place): Uint8Array {
  const out = new ByteWriter();
  const content = entry.content && encodeContent(entry.content);
  const length = writeRecord(out, new ByteWriter(64), place.seed, entry.seq, entry.previous, {
    ...entry,
    content,
  });
  return out.buffer.slice(out.length - length, out.length);
}

/** Appends a record to `out` and returns the length of its body, which ends it. `scratch` is overwritten. */
export function writeRecord(
  out: ByteWriter,
  scratch: ByteWriter,
  seed: number,
  seq: number,
  previous: number,
  entry: RunEntry,
): number {
  const { actor = '', publisher, idempotencyKey = '', content } = entry;
  const kind = entry.kind === 'publish' ? 0 : entryKinds.indexOf(entry.kind);
  const actorBytes = utf8Length(actor);
  const keyBytes = utf8Length(idempotencyKey);
  scratch.clear();
  if (entry.parents || entry.trim || entry.lost || entry.voids) writeRare(scratch, entry);
  const length =
    fixedFieldsBytes +
    (kind === 0 ? 0 : 2) +
    (actorBytes === 0 ? 0 : fieldBytes(actorBytes)) +
    (publisher ? fieldBytes(publisherBytes(publisher)) : 0) +
    (keyBytes === 0 ? 0 : fieldBytes(keyBytes)) +
    scratch.length +
    (entry.retain ? 2 : 0) +
    (entry.push ? 3 : 0) +
    (entry.createParents ? 3 : 0) +
    (content ? fieldBytes(content.length) : 0) +
    (entry.redacts ? 1 + fieldBytes(dotBytes(entry.redacts)) : 0);
  out.reserve(length + 8);
  out.u8(recordTag);
  out.varint(length);
  const start = out.length;
  writeFixedFields(out.buffer, start, previous, seq, entry.timestamp);
  out.length = start + fixedFieldsBytes;
  if (kind !== 0) writeVarintField(out, entryTags.kind, kind);
  if (actorBytes > 0) writeTextField(out, entryTags.actor, actor, actorBytes);
  if (publisher) writePublisher(out, publisher);
  if (keyBytes > 0) writeTextField(out, entryTags.idempotencyKey, idempotencyKey, keyBytes);
  if (scratch.length > 0) out.raw(scratch.bytes());
  if (entry.retain) writeVarintField(out, entryTags.retain, 1);
  if (entry.push) writeVarintField(out, entryTags.push, 1);
  if (entry.createParents) writeVarintField(out, entryTags.createParents, 1);
  if (content) {
    writeVarintField(out, entryTags.content, content.length);
    out.raw(content);
  }
  if (entry.redacts) writeDot(out, entryTags.redacts, entry.redacts);
  assert(out.length - start === length, 'a record is as long as it says');
  writeFixed32(out.buffer, start + 1, crc32(out.buffer, start + 5, out.length, seed));
  return length;
}

/** All but the checksum, which is over what follows it. */
function writeFixedFields(
  out: Uint8Array,
  at: number,
  previous: number,
  seq: number,
  timestamp: Timestamp,
): void {
  out[at] = entryTags.checksum;
  out[at + 5] = entryTags.previous;
  writeFixed32(out, at + 6, previous);
  out[at + 10] = entryTags.seq;
  writeFixed64(out, at + 11, seq);
  out[at + 19] = entryTags.timestamp;
  writeFixed64(out, at + 20, timestamp);
}

/** Length of a length-prefixed field with a one-byte tag. */
function fieldBytes(length: number): number {
  return 1 + varintLength(length) + length;
}

function writeTextField(out: ByteWriter, tag: number, text: string, length: number): void {
  writeVarintField(out, tag, length);
  writeUtf8(out, text, length);
}

function publisherBytes({ id, epoch, seq }: Publisher): number {
  const idBytes = utf8Length(id);
  return (
    (idBytes === 0 ? 0 : fieldBytes(idBytes)) +
    (epoch === 0 ? 0 : 1 + varintLength(epoch)) +
    (seq === 0 ? 0 : 1 + varintLength(seq))
  );
}

function writePublisher(out: ByteWriter, publisher: Publisher): void {
  const idBytes = utf8Length(publisher.id);
  writeVarintField(out, entryTags.publisher, publisherBytes(publisher));
  if (idBytes > 0) writeTextField(out, 0x0a, publisher.id, idBytes);
  if (publisher.epoch > 0) writeVarintField(out, 0x10, publisher.epoch);
  if (publisher.seq > 0) writeVarintField(out, 0x18, publisher.seq);
}

function writeRare(out: ByteWriter, { parents, trim, lost, voids = [] }: RunEntry): void {
  for (const parent of parents ?? []) writeDot(out, entryTags.parent, parent);
  if (trim) writeTrim(out, trim);
  if (lost) writeRange(out, entryTags.lost, lost);
  for (const range of voids) writeRange(out, entryTags.voids, range);
}

function writeRange(out: ByteWriter, tag: number, { writer, fromSeq, toSeq }: LostRange): void {
  writeVarintField(out, tag, 16 + varintLength(fromSeq) + varintLength(toSeq));
  writeWriter(out, writer);
  writeVarintField(out, 0x10, fromSeq);
  writeVarintField(out, 0x18, toSeq);
}

function writeTrim(out: ByteWriter, { through, floors, round, deletion, forced }: Trim): void {
  const field = openField(out, entryTags.trim);
  writeDot(out, 0x0a, through);
  writeVector(out, 0x12, floors);
  if (round > 0) writeVarintField(out, 0x18, round);
  if (deletion) writeDeletion(out, deletion);
  if (forced) writeForced(out, forced);
  closeField(out, field);
}

function writeForced(out: ByteWriter, { through, end }: Forced): void {
  const field = openField(out, 0x2a);
  writeDot(out, 0x0a, through);
  writeVarintField(out, 0x10, end);
  closeField(out, field);
}

function writeDeletion(out: ByteWriter, { through, end, timestamp, old }: Deletion): void {
  const field = openField(out, 0x22);
  writeDot(out, 0x0a, through);
  writeVarintField(out, 0x10, end);
  writeVarintField(out, 0x18, timestamp);
  writeVector(out, 0x22, old);
  closeField(out, field);
}

/** One form, whatever order it was collected in. */
function writeVector(out: ByteWriter, tag: number, vector: Vector): void {
  const dots = [...vector].map(([writer, seq]) => ({ writer, seq }));
  dots.sort((a, b) => (a.writer < b.writer ? -1 : 1));
  for (const dot of dots) writeDot(out, tag, dot);
}

/** Writer with tag and length 14, tag of seq 1, seq. */
function dotBytes({ seq }: Dot): number {
  return 15 + varintLength(seq);
}

function writeDot(out: ByteWriter, tag: number, dot: Dot): void {
  writeVarintField(out, tag, dotBytes(dot));
  writeWriter(out, dot.writer);
  writeVarintField(out, 0x10, dot.seq);
}

function writeWriter(out: ByteWriter, writer: Dot['writer']): void {
  out.u8(0x0a);
  out.u8(12);
  out.raw(fromHex(writer));
}
