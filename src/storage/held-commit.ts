/** A whole commit as recovery keeps it, without the scan's buffer. */
import { ChannelMap } from '../base/channel-map.js';
import type { ChannelRef } from '../base/ids.js';
import type { RunSummary } from '../log/run.js';
import { type CommitHeader, commitHeaderBytes, decodeNotes, decodeOrigins } from './commit-format.js';
import type { ScanItem } from './scan.js';
import type { Segment } from './segments.js';
import type { HeldDamage } from './tail.js';

/** A whole commit, held back until the next one or the repair of the tail proves it durable. */
export interface HeldCommit {
  readonly type: 'commit';
  readonly segment: Segment;
  readonly header: CommitHeader;
  readonly length: number;
  readonly runs: readonly { readonly run: RunSummary; readonly offset: number; readonly arrival: number }[];
  readonly notes: ReadonlyMap<string, Uint8Array> | undefined;
}

export type Held = HeldCommit | HeldDamage;

/** Keeps nothing of the scan's buffer. */
export function heldCommit(segment: Segment, item: Extract<ScanItem, { type: 'commit' }>): HeldCommit {
  const { header, bytes, at, length } = item;
  const section = bytes.subarray(at + commitHeaderBytes, at + commitHeaderBytes + header.sectionBytes);
  const origins = header.kind === 'rewritten' ? decodeOrigins(section) : undefined;
  let arrival = header.firstArrival;
  const runs = item.runs.map((run, i) => {
    const held = { run, offset: header.offset + run.offset - at, arrival: origins?.[i] ?? arrival };
    arrival += run.count;
    return held;
  });
  const notes = header.kind === 'written' && header.sectionBytes > 0 ? decodeNotes(section) : undefined;
  return { type: 'commit', segment, header, length, runs, notes };
}

/** Channels of the whole commits among these, each once. */
export function refsOf(items: readonly ScanItem[]): ChannelRef[] {
  const refs = new ChannelMap<ChannelRef>();
  for (const item of items) {
    if (item.type !== 'commit') continue;
    for (const { ref } of item.runs) if (!refs.has(ref)) refs.set(ref, ref);
  }
  return [...refs.values()];
}
