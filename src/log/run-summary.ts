/** What a log keeps of a run, collected from its records in one walk that decodes only what is marked. */
import { ByteReader } from '../base/bytes.js';
import type { ChannelRef, WriterId } from '../base/ids.js';
import { contentHash } from './content-wire.js';
import { type Entry, type Timestamp, isContentKind } from './entry.js';
import { decodeEntry } from './entry-decoder.js';
import { readTag, skipValue } from '../base/protobuf.js';
import {
  type Place,
  RecordWalk,
  entryTags,
  fixedFieldsBytes,
  isRedactedTag,
  placeOf,
  recordChecksum,
  recordPrevious,
  recordSeq,
  recordTimestamp,
} from './record-layout.js';
import { redactedHash } from './redaction.js';
import { keyScope } from './run-layout.js';
import type { KeyRow, RunSummary } from './run.js';
import { addSeq } from './seq-ranges.js';

/** The run that records are part of; `firstSeq` and `count` are those of the records. */
export interface RunPlace {
  readonly ref: ChannelRef;
  readonly writer: WriterId;
  readonly round: number;
  readonly firstSeq: number;
  readonly count: number;
  readonly offset: number;
  readonly headerBytes: number;
}

/** The summary of the records bytes[start, end), or `undefined` when they are not `count` consecutive entries of one
 *  writer. Checksums of unmarked records are taken as verified. */
export function summarize(
  bytes: Uint8Array,
  start: number,
  end: number,
  place: RunPlace,
): RunSummary | undefined {
  const walk = new RecordWalk(bytes, start, end);
  const found = new Findings(bytes, place);
  let count = 0;
  let firstTimestamp: Timestamp = 0;
  let lastTimestamp: Timestamp = -1;
  let firstPrevious = 0;
  let lastChecksum = 0;
  let timestampSteps: number[] | undefined;
  while (walk.next()) {
    const { bodyStart } = walk;
    const seq = place.firstSeq + count;
    const timestamp = recordTimestamp(bytes, bodyStart);
    const previous = recordPrevious(bytes, bodyStart);
    if (recordSeq(bytes, bodyStart) !== seq || timestamp <= lastTimestamp) return undefined;
    if (count === 0) {
      firstTimestamp = timestamp;
      firstPrevious = previous;
    } else {
      if (previous !== lastChecksum) return undefined;
      if (timestamp !== lastTimestamp + 1) (timestampSteps ??= []).push(seq, timestamp);
    }
    if (!found.visit(seq, bodyStart, walk.end)) return undefined;
    lastTimestamp = timestamp;
    lastChecksum = recordChecksum(bytes, bodyStart);
    count++;
  }
  if (walk.malformed || count !== place.count) return undefined;
  // One shape for all: a scan makes millions of these.
  return {
    ref: place.ref,
    writer: place.writer,
    round: place.round,
    firstSeq: place.firstSeq,
    count,
    firstTimestamp,
    lastTimestamp,
    timestampSteps,
    retained: found.retained,
    redacted: found.redacted,
    firstPrevious,
    lastChecksum,
    recordBytes: end - start,
    marked: found.marked,
    keys: found.keys,
    offset: place.offset,
    headerBytes: place.headerBytes,
  };
}

const noEntries: Entry[] = [];
const noKeys: KeyRow[] = [];

/** Looks into records for marks, keys and what is to be retained. Most runs have none of these, and share empty lists. */
class Findings {
  marked = noEntries;
  keys = noKeys;
  retained: number[] | undefined;
  redacted: number[] | undefined;
  readonly #bytes: Uint8Array;
  readonly #run: RunPlace;
  #place: Place | undefined;

  constructor(bytes: Uint8Array, run: RunPlace) {
    this.#bytes = bytes;
    this.#run = run;
  }

  /** False when the body is no entry. */
  visit(seq: number, bodyStart: number, end: number): boolean {
    if (isContentAlone(this.#bytes, bodyStart + fixedFieldsBytes, end)) return true;
    const reader = new ByteReader(this.#bytes, bodyStart + fixedFieldsBytes, end);
    let collects = false;
    let retain = false;
    while (!reader.done) {
      const tag = readTag(reader);
      if (tag === entryTags.retain) retain = reader.varint() !== 0;
      else {
        collects ||= tag === entryTags.kind || tag === entryTags.idempotencyKey || tag === entryTags.parent;
        if (isRedactedTag(tag)) addSeq((this.redacted ??= []), seq);
        skipValue(reader, tag);
      }
    }
    if (reader.failed) return false;
    if (retain) addSeq((this.retained ??= []), seq);
    return !collects || this.#collect(bodyStart, end);
  }

  #collect(bodyStart: number, end: number): boolean {
    const { ref, writer, round } = this.#run;
    this.#place ??= placeOf(ref, writer, round);
    // A copy: views of the entry's content must not keep the whole run in memory.
    const decoded = decodeEntry(this.#bytes.slice(bodyStart, end), this.#place);
    if (!decoded.ok) return decoded.error === 'unknown-kind';
    const entry = decoded.value;
    if (!isContentKind(entry.kind) || entry.parents) {
      if (this.marked === noEntries) this.marked = [];
      this.marked.push(entry);
    }
    if (entry.idempotencyKey) this.#addKey(entry, bodyStart, end);
    return true;
  }

  #addKey(entry: Entry, bodyStart: number, end: number): void {
    const { ref, writer } = this.#run;
    if (this.keys === noKeys) this.keys = [];
    this.keys.push({
      ref,
      scope: keyScope(entry.actor, entry.publisher),
      key: entry.idempotencyKey ?? '',
      dot: { writer, seq: entry.seq },
      timestamp: entry.timestamp,
      contentHash: this.#contentHash(bodyStart, end),
    });
  }

  #contentHash(bodyStart: number, end: number): number {
    const reader = new ByteReader(this.#bytes, bodyStart + fixedFieldsBytes, end);
    let hash = redactedHash(this.#bytes, bodyStart, end, this.#place!.seed) ?? 0;
    while (!reader.done) {
      const tag = readTag(reader);
      if (tag === entryTags.content) {
        const length = reader.varint();
        hash = contentHash(this.#bytes, reader.position, reader.position + length);
        reader.take(length);
      } else skipValue(reader, tag);
    }
    return hash;
  }
}

/** Whether bytes[start, end) are a content field and nothing else, as in the usual publish. */
function isContentAlone(bytes: Uint8Array, start: number, end: number): boolean {
  if (bytes[start] !== entryTags.content) return false;
  let at = start + 1;
  let length = 0;
  // Four bytes hold any content there is.
  for (let shift = 0; shift < 28 && at < end; shift += 7) {
    const byte = bytes[at++]!;
    length |= (byte & 0x7f) << shift;
    if (byte < 0x80) return at + length === end;
  }
  return false;
}
