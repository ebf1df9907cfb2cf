/** Whether the bytes at a place are those of the run that the index says is there. */
import type { WriterId } from '../base/ids.js';
import { RecordWalk, placeSeed, recordIsWhole } from '../log/record-layout.js';
import { RefCache, parseRunHeader } from '../log/run-reader.js';
import { checksum } from './checksum.js';
import type { RunPlace } from './index-rows.js';
import type { Slot } from './slots.js';

/** Of channels read lately. */
const names = new RefCache();

export function isWholePlace(
  { ref }: Slot,
  writer: WriterId,
  place: RunPlace,
  bytes: Uint8Array,
  at: number,
): boolean {
  const start = at + place.headerBytes;
  const end = start + place.recordBytes;
  if (end > bytes.length) return false;
  if (place.headerBytes > 0) return isWholeRun(bytes, at, writer, place);
  return areWholeRecords(bytes, start, end, placeSeed(ref, writer, place.round));
}

function isWholeRun(bytes: Uint8Array, at: number, writer: WriterId, place: RunPlace): boolean {
  const header = parseRunHeader(bytes, at, names);
  if (!header.ok) return false;
  const { checksum: sum, headerBytes, recordBytes, firstSeq } = header.value;
  const isThisRun =
    header.value.writer === writer &&
    firstSeq === place.firstSeq &&
    headerBytes === place.headerBytes &&
    recordBytes === place.recordBytes;
  return isThisRun && checksum(bytes, at + 4, at + headerBytes + recordBytes) === sum;
}

function areWholeRecords(bytes: Uint8Array, start: number, end: number, seed: number): boolean {
  const walk = new RecordWalk(bytes, start, end);
  while (walk.next()) if (!recordIsWhole(bytes, walk.bodyStart, walk.end, seed)) return false;
  return !walk.malformed;
}
