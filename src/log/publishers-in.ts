/** How far publishers that number their messages have come in a run: read from its records, since few who take a run in
 *  need to know. */
import { ByteReader } from '../base/bytes.js';
import { readTag, skipValue } from '../base/protobuf.js';
import { decodeEntry } from './entry-decoder.js';
import { isNumbered } from './entry.js';
import { RecordWalk, entryTags, fixedFieldsBytes, placeOf } from './record-layout.js';
import { keyScope } from './run-layout.js';
import type { RunSummary } from './run.js';

export interface PublisherMark {
  /** As in `KeyRow.scope`. */
  readonly scope: string;
  readonly epoch: number;
  readonly seq: number;
}

/** The newest message of each publisher among the entries of a verified run; `run.offset` is its place in `bytes`. */
export function publishersIn(bytes: Uint8Array, run: RunSummary): readonly PublisherMark[] {
  const start = run.offset + run.headerBytes;
  const walk = new RecordWalk(bytes, start, start + run.recordBytes);
  const place = placeOf(run.ref, run.writer, run.round);
  const newest = new Map<string, PublisherMark>();
  while (walk.next()) {
    if (!namesPublisher(bytes, walk.bodyStart, walk.end)) continue;
    const decoded = decodeEntry(bytes.subarray(walk.bodyStart, walk.end), place);
    if (!decoded.ok || !decoded.value.publisher) continue;
    const { actor, publisher } = decoded.value;
    if (!isNumbered(publisher)) continue;
    const scope = keyScope(actor, publisher);
    const { epoch, seq } = publisher;
    const known = newest.get(scope);
    const isNewer = !known || epoch > known.epoch || (epoch === known.epoch && seq > known.seq);
    if (isNewer) newest.set(scope, { scope, epoch, seq });
  }
  return [...newest.values()];
}

function namesPublisher(bytes: Uint8Array, bodyStart: number, end: number): boolean {
  const reader = new ByteReader(bytes, bodyStart + fixedFieldsBytes, end);
  while (!reader.done) {
    const tag = readTag(reader);
    if (tag === entryTags.publisher) return true;
    skipValue(reader, tag);
  }
  return false;
}
