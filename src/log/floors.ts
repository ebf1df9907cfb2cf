/** Floors as a run: what a store writes down when it raises the floors of a channel, so that they are durable like entries
 *  and found again like entries, however old they are. Such a run is no part of the log and has no place in its order.
 *  Its writer is twelve zero bytes, which no start of a node ever is; it has one record of kind `trim`, whose seq is the
 *  number of entries that are trimmed in all: it rises with every trim. See docs/decisions/0014-adopted-floors.md. */
import type { ChannelRef, WriterId } from '../base/ids.js';
import type { Trim, Vector } from './entry.js';
import type { RunSummary } from './run.js';
import { RunWriter } from './run-writer.js';

export const floorWriter = '0'.repeat(24) as WriterId;

export interface FloorRun {
  readonly bytes: Uint8Array;
  readonly run: RunSummary;
}

export function isFloorRun({ writer }: Pick<RunSummary, 'writer'>): boolean {
  return writer === floorWriter;
}

/** `trim` removes something: its floors are above zero. */
export function floorRun(ref: ChannelRef, trim: Trim): FloorRun {
  const out = new RunWriter(512);
  out.begin(ref, floorWriter, 0, trimmedCount(trim.floors), 0);
  out.append({ timestamp: 0, kind: 'trim', trim });
  const run = out.end();
  return { bytes: out.bytes().slice(), run };
}

/** What a floor run says; `undefined` when it is none. */
export function floorsIn(run: RunSummary): Trim | undefined {
  const trim = isFloorRun(run) && run.count === 1 ? run.marked[0]?.trim : undefined;
  return trim && trimmedCount(trim.floors) === run.firstSeq ? trim : undefined;
}

/** Entries at or below the floors. */
export function trimmedCount(floors: Vector): number {
  let count = 0;
  for (const floor of floors.values()) count += floor;
  return count;
}
