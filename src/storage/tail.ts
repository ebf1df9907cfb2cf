/** Torn or rotten? What stands behind the last whole commit of the newest segment is either a commit that a crash cut
 *  short, which nobody was told of and which must go, or one that was synced and damaged later, of which all that is
 *  whole must stay.
 *
 *  A commit is written over zeros, and a disk writes sectors whole. So a torn one lacks a sector: it is still zero. One
 *  with all its sectors was written to the end, and what is wrong with it came later. */
import { type CommitHeader, commitHeaderBytes, commitLength } from './commit-format.js';
import type { FoundSegment } from './directory.js';
import type { Files } from './files.js';
import type { Meta } from './index-rows.js';
import { encodeSegmentHeader, isZero, segmentHeaderBytes, storeFormat } from './segment-format.js';
import type { RunSummary } from '../log/run.js';
import { salvage } from './salvage.js';
import type { Segment, SegmentSet } from './segments.js';

const sectorBytes = 512;

/** `bytes` begin at `position` of the file, where a commit should, and reach to the last byte that is not zero. */
export function isTorn(bytes: Uint8Array, position: number, header: CommitHeader | undefined): boolean {
  // The header lies in one sector: all zero, and that sector never came; damaged, and it did.
  if (!header) return isZero(bytes, 0, Math.min(bytes.length, commitHeaderBytes));
  const end = commitHeaderBytes + header.sectionBytes + header.runsBytes;
  if (end > bytes.length) return true;
  let at = sectorBytes - (position % sectorBytes);
  for (; at < end; at += sectorBytes) if (isZero(bytes, at, Math.min(end, at + sectorBytes))) return true;
  return false;
}

/** A stretch that is no whole commit. With `header`, of a commit that is known to have been there. */
export interface HeldDamage {
  readonly type: 'damage';
  readonly segment: Segment;
  readonly from: number;
  readonly to: number;
  readonly header: CommitHeader | undefined;
}

/** The newest segment as the scan left it. */
export interface TailEnd {
  readonly segment: Segment;
  readonly found: FoundSegment;
  /** Bytes other than zero end here. */
  readonly garbage: number;
}

export interface TailOptions {
  readonly files: Files;
  readonly segments: SegmentSet;
  readonly lineage: string;
  readonly end: TailEnd;
  /** Behind the last whole commit, in order. */
  readonly damage: readonly HeldDamage[];
  /** The last whole commit, unless the index covers it already. */
  readonly last:
    | { readonly segment: Segment; readonly header: CommitHeader; readonly length: number }
    | undefined;
  readonly covered: Meta;
  /** Whether entries were found elsewhere that their writer wrote behind this run. */
  readonly isFollowed: (run: RunSummary) => boolean;
}

/** Cuts what is torn by overwriting it with zeros, so that nothing of it can ever pass for a later commit, and returns
 *  what is rotten, which stays. The last whole commit is written again before it is synced: after a failed sync the
 *  system takes pages for written that are not, and only new writes reach the disk for sure. */
export async function repairTail(options: TailOptions): Promise<{ cutBytes: number; rotten: HeldDamage[] }> {
  const { damage, last } = options;
  const rotten: HeldDamage[] = [];
  let cutBytes = 0;
  for (const stretch of damage) {
    const torn = cutBytes > 0 || (await isTornStretch(options, stretch));
    if (torn) cutBytes += await cut(options, stretch);
    else rotten.push(stretch);
  }
  if (last) await writeAgain(options, last);
  return { cutBytes, rotten };
}

async function isTornStretch(
  { files, segments, covered, isFollowed }: TailOptions,
  stretch: HeldDamage,
): Promise<boolean> {
  const { segment, from, header } = stretch;
  if (segment.number === covered.segment && from < covered.end) return false;
  const to = header ? from + commitLength(header) : stretch.to;
  const bytes = await readStretch(files, segments.pathOf(segment), from, to);
  if (!isTorn(bytes, from, header)) return false;
  // Its writer went on: it was synced, and whatever stood behind it has strayed.
  return !salvage(bytes, header).saved.some(({ summary }) => isFollowed(summary));
}

async function cut({ files, segments }: TailOptions, { segment, from, to }: HeldDamage): Promise<number> {
  const file = await files.open(segments.pathOf(segment), 'write');
  try {
    file.write(new Uint8Array(to - from), from);
    await file.sync();
  } finally {
    await file.close();
  }
  return to - from;
}

async function writeAgain(
  { files, segments, lineage }: TailOptions,
  { segment, header, length }: NonNullable<TailOptions['last']>,
): Promise<void> {
  const isFirst = header.offset === segmentHeaderBytes;
  const path = segments.pathOf(segment);
  const bytes = await readStretch(files, path, header.offset, header.offset + length);
  const file = await files.open(path, 'write');
  try {
    if (isFirst && header.kind === 'written') {
      const { number, generation, through } = segment;
      const { number: firstCommit, firstArrival } = header;
      const rest = { firstCommit, firstArrival, lastCommit: 0, end: 0 };
      file.write(
        encodeSegmentHeader({ format: storeFormat, lineage, number, generation, through, ...rest }),
        0,
      );
    }
    file.write(bytes, header.offset);
    await file.sync();
  } finally {
    await file.close();
  }
}

export async function readStretch(files: Files, path: string, from: number, to: number): Promise<Uint8Array> {
  const file = await files.open(path, 'read');
  try {
    const bytes = new Uint8Array(to - from);
    const length = await file.read(bytes, from);
    return bytes.subarray(0, length);
  } finally {
    await file.close();
  }
}
