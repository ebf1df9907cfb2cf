/** What is whole of a run that the index knows and whose bytes are damaged. The index also says what the run's header
 *  said, so a damaged header costs nothing. */
import { fromHex, utf8, writeFixed32, writeFixed64 } from '../base/bytes.js';
import type { ChannelRef, WriterId } from '../base/ids.js';
import { runLayout } from '../log/run-layout.js';
import { salvageRun } from '../log/run-reader.js';
import type { RunPlace } from './index-rows.js';

/** Consecutive whole records: bytes[start, end). */
export interface Stretch {
  readonly bytes: Uint8Array;
  start: number;
  end: number;
  readonly round: number;
  readonly firstSeq: number;
  count: number;
}

/** `stored` is what could be read of the run, from its header on where it has one. */
export function wholeStretches(
  ref: ChannelRef,
  writer: WriterId,
  place: RunPlace,
  stored: Uint8Array,
): readonly Stretch[] {
  const header = headerOf(ref, writer, place);
  const records = stored.subarray(place.headerBytes);
  const bytes = new Uint8Array(header.length + records.length);
  bytes.set(header);
  bytes.set(records, header.length);
  const pieces = salvageRun(bytes, 0, bytes.length)?.pieces ?? [];
  return pieces.map(({ summary, recordsStart, recordsEnd }) => {
    const { round, firstSeq, count } = summary;
    return { bytes, start: recordsStart, end: recordsEnd, round, firstSeq, count };
  });
}

/** The header as it was written, its checksum left out: nothing can be said of the whole any more. */
function headerOf({ hub, channel }: ChannelRef, writer: WriterId, place: RunPlace): Uint8Array {
  const names = [utf8(hub), utf8(channel)] as const;
  const header = new Uint8Array(runLayout.hub + names[0].length + 1 + names[1].length);
  header[runLayout.headerBytes] = header.length;
  header[runLayout.headerBytes + 1] = header.length >>> 8;
  writeFixed32(header, runLayout.recordBytes, place.recordBytes);
  writeFixed32(header, runLayout.count, place.count);
  writeFixed64(header, runLayout.firstSeq, place.firstSeq);
  writeFixed64(header, runLayout.round, place.round);
  header.set(fromHex(writer), runLayout.writer);
  header[runLayout.hubLength] = names[0].length;
  header.set(names[0], runLayout.hub);
  header[runLayout.hub + names[0].length] = names[1].length;
  header.set(names[1], runLayout.hub + names[0].length + 1);
  return header;
}
