/** A run on its way into a rewritten segment. */
import type { ChannelRef, WriterId } from '../base/ids.js';
import type { RunSummary } from '../log/run.js';
import { commitHeaderBytes, decodeOrigins } from './commit-format.js';
import { type RunPlace, channelBytes, runKey, runKeyPrefix } from './index-rows.js';
import type { ScanItem } from './scan.js';

export interface KeptRun {
  readonly ref: ChannelRef;
  readonly writer: WriterId;
  readonly firstSeq: number;
  readonly count: number;
  readonly arrival: number;
  readonly headerBytes: number;
  readonly recordBytes: number;
  /** In the bytes collected, later in the new segment. */
  offset: number;
  /** Its row as it was. */
  readonly place: RunPlace;
}

export function rowKeyOf({
  ref,
  writer,
  firstSeq,
}: Pick<RunSummary, 'ref' | 'writer' | 'firstSeq'>): Uint8Array {
  return runKey(runKeyPrefix(channelBytes(ref), writer), firstSeq);
}

/** Arrival number of each run. */
export function arrivalsOf(item: Extract<ScanItem, { type: 'commit' }>): number[] {
  const { header, bytes, at, runs } = item;
  if (header.kind === 'rewritten') {
    const start = at + commitHeaderBytes;
    return decodeOrigins(bytes.subarray(start, start + header.sectionBytes));
  }
  let next = header.firstArrival;
  return runs.map(({ count }) => (next += count) - count);
}
