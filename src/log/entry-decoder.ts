/** Untrusted bodies to entries. */
import { ByteReader, toHex } from '../base/bytes.js';
import type { Dot, WriterId } from '../base/ids.js';
import { type Result, err, ok } from '../base/result.js';
import { decodeContent } from './content-wire.js';
import {
  type Deletion,
  type Entry,
  type Forced,
  type LostRange,
  type Publisher,
  type Trim,
  entryKinds,
} from './entry.js';
import { nestedReader, readTag, readText, skipValue } from '../base/protobuf.js';
import {
  type Place,
  entryTags,
  fixedFieldsBytes,
  hasFixedFields,
  isRedactedTag,
  recordChecksum,
  recordIsWhole,
  recordPrevious,
  recordSeq,
  recordTimestamp,
} from './record-layout.js';

/** `damaged`: the checksum does not fit bytes or place. `unknown-kind`: whole, but of a newer version. */
export type EntryFault = 'malformed' | 'damaged' | 'unknown-kind';

const writerBytes = 12;
const trimKind = entryKinds.indexOf('trim');
const gapKind = entryKinds.indexOf('gap');
const deleteKind = entryKinds.indexOf('delete');

/** Decodes an untrusted body (a record without tag and length). Bytes in the result are views of it; fields that this
 *  version does not know are skipped. */
export function decodeEntry(body: Uint8Array, place: Place): Result<Entry, EntryFault> {
  if (!hasFixedFields(body, 0, body.length)) return err('malformed');
  if (!recordIsWhole(body, 0, body.length, place.seed)) return err('damaged');
  const entry: MutableEntry = {
    writer: place.writer,
    seq: recordSeq(body, 0),
    timestamp: recordTimestamp(body, 0),
    round: place.round,
    kind: 'publish',
    checksum: recordChecksum(body, 0),
    previous: recordPrevious(body, 0),
  };
  const reader = new ByteReader(body, fixedFieldsBytes);
  const kind = readFields(reader, entry);
  if (reader.failed || !isConsistent(entry, kind)) return err('malformed');
  const name = entryKinds[kind];
  if (!name) return err('unknown-kind');
  entry.kind = name;
  return ok(entry);
}

type MutableEntry = { -readonly [K in keyof Entry]: Entry[K] };

/** Fills in the fields after the fixed ones; returns the number of the kind. */
function readFields(reader: ByteReader, entry: MutableEntry): number {
  let kind = 0;
  const marks = { retain: false, push: false, createParents: false };
  const parents: Dot[] = [];
  const voids: LostRange[] = [];
  while (!reader.done) {
    const tag = readTag(reader);
    if (tag === entryTags.kind) kind = reader.varint();
    else if (tag === entryTags.actor) entry.actor = readText(reader);
    else if (tag === entryTags.publisher) entry.publisher = readPublisher(nestedReader(reader));
    else if (tag === entryTags.idempotencyKey) entry.idempotencyKey = readText(reader);
    else if (tag === entryTags.parent) parents.push(readDot(nestedReader(reader)));
    else if (tag === entryTags.trim) entry.trim = readTrim(nestedReader(reader));
    else if (tag === entryTags.lost) entry.lost = readLost(nestedReader(reader));
    else if (tag === entryTags.voids) voids.push(readLost(nestedReader(reader)));
    else if (tag === entryTags.retain) marks.retain = reader.varint() !== 0;
    else if (tag === entryTags.push) marks.push = reader.varint() !== 0;
    else if (tag === entryTags.createParents) marks.createParents = reader.varint() !== 0;
    else if (tag === entryTags.content) readContent(reader, entry);
    else if (tag === entryTags.redacts) entry.redacts = readDot(nestedReader(reader));
    else if (isRedactedTag(tag)) {
      skipValue(reader, tag);
      entry.redacted = true;
    } else if (tag >>> 3 <= 18) reader.fail();
    else skipValue(reader, tag);
  }
  if (parents.length > 0) entry.parents = parents;
  if (voids.length > 0) entry.voids = voids;
  if (marks.retain) entry.retain = true;
  if (marks.push) entry.push = true;
  if (marks.createParents) entry.createParents = true;
  return kind;
}

function readContent(reader: ByteReader, entry: MutableEntry): void {
  const content = decodeContent(reader.take(reader.varint()));
  if (content.ok) entry.content = content.value;
  else reader.fail();
}

function readDot(reader: ByteReader): Dot {
  let writer = '' as WriterId;
  let seq = 0;
  while (!reader.done) {
    const tag = readTag(reader);
    if (tag === 0x0a) writer = readWriter(reader);
    else if (tag === 0x10) seq = reader.varint();
    else skipValue(reader, tag);
  }
  if (writer === '' || seq < 1) reader.fail();
  return { writer, seq };
}

function readWriter(reader: ByteReader): WriterId {
  const bytes = reader.take(reader.varint());
  if (bytes.length !== writerBytes) reader.fail();
  return toHex(bytes) as WriterId;
}

function readPublisher(reader: ByteReader): Publisher {
  const publisher = { id: '', epoch: 0, seq: 0 };
  while (!reader.done) {
    const tag = readTag(reader);
    if (tag === 0x0a) publisher.id = readText(reader);
    else if (tag === 0x10) publisher.epoch = reader.varint();
    else if (tag === 0x18) publisher.seq = reader.varint();
    else skipValue(reader, tag);
  }
  return publisher;
}

function readTrim(reader: ByteReader): Trim {
  let through: Dot = { writer: '' as WriterId, seq: 0 };
  const floors = new Map<WriterId, number>();
  let round = 0;
  let deletion: Deletion | undefined;
  let forced: Forced | undefined;
  while (!reader.done) {
    const tag = readTag(reader);
    if (tag === 0x0a) through = readDot(nestedReader(reader));
    else if (tag === 0x12) readInto(floors, nestedReader(reader));
    else if (tag === 0x18) round = reader.varint();
    else if (tag === 0x22) deletion = readDeletion(nestedReader(reader));
    else if (tag === 0x2a) forced = readForced(nestedReader(reader));
    else skipValue(reader, tag);
  }
  // The entry a trim names is itself the newest of its writer that goes.
  if (floors.get(through.writer) !== through.seq) reader.fail();
  return {
    through,
    floors,
    round,
    ...(deletion ? { deletion } : {}),
    ...(forced ? { forced } : {}),
  };
}

function readForced(reader: ByteReader): Forced {
  let through: Dot = { writer: '' as WriterId, seq: 0 };
  let end = 0;
  while (!reader.done) {
    const tag = readTag(reader);
    if (tag === 0x0a) through = readDot(nestedReader(reader));
    else if (tag === 0x10) end = reader.varint();
    else skipValue(reader, tag);
  }
  if (through.seq === 0) reader.fail();
  return { through, end };
}

function readDeletion(reader: ByteReader): Deletion {
  let through: Dot = { writer: '' as WriterId, seq: 0 };
  const old = new Map<WriterId, number>();
  let end = 0;
  let timestamp = 0;
  while (!reader.done) {
    const tag = readTag(reader);
    if (tag === 0x0a) through = readDot(nestedReader(reader));
    else if (tag === 0x10) end = reader.varint();
    else if (tag === 0x18) timestamp = reader.varint();
    else if (tag === 0x22) readInto(old, nestedReader(reader));
    else skipValue(reader, tag);
  }
  if (through.seq < 1 || end < 1) reader.fail();
  return { through, end, timestamp, old };
}

function readInto(vector: Map<WriterId, number>, reader: ByteReader): void {
  const { writer, seq } = readDot(reader);
  vector.set(writer, seq);
}

function readLost(reader: ByteReader): LostRange {
  let writer = '' as WriterId;
  let fromSeq = 0;
  let toSeq = 0;
  while (!reader.done) {
    const tag = readTag(reader);
    if (tag === 0x0a) writer = readWriter(reader);
    else if (tag === 0x10) fromSeq = reader.varint();
    else if (tag === 0x18) toSeq = reader.varint();
    else skipValue(reader, tag);
  }
  if (writer === '' || fromSeq < 1 || toSeq < fromSeq) reader.fail();
  return { writer, fromSeq, toSeq };
}

/** What the fields demand of each other. No bounds of length: what is stored is read, whatever the limits are now. */
function isConsistent(entry: Entry, kind: number): boolean {
  return (
    (entry.seq > 1 || entry.previous === 0) &&
    (kind === gapKind) === (entry.lost !== undefined) &&
    (entryKinds[kind] === 'redact') === (entry.redacts !== undefined) &&
    (kind === deleteKind
      ? entry.voids
        ? !entry.trim
        : isEnd(entry)
      : !entry.voids && (kind === trimKind) === (entry.trim !== undefined))
  );
}

/** Whether it ends a generation: it removes all it stands on and itself. */
function isEnd({ writer, seq, trim }: Entry): boolean {
  return trim?.through.writer === writer && trim.through.seq === seq;
}
