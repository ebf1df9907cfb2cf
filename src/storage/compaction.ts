/** Rewrites sealed segments of which most is trimmed: what is left of some neighbours goes into one new file, runs of one
 *  channel together, bytes, dots and arrival numbers as they were. The new file stands for the same segments, so the
 *  order of the log does not change. Until it is complete it has a name that no start looks at; only when it and its
 *  name are durable and the index points into it are the old files removed. A run may be found twice after a crash,
 *  never not at all. */
import { ByteWriter } from '../base/bytes.js';
import { assert } from '../base/assert.js';
import { channelKey } from '../base/ids.js';
import { limits } from '../base/limits.js';
import { RefCache } from '../log/run-reader.js';
import {
  bodySums,
  commitAlignment,
  commitHeaderBytes,
  commitLength,
  lineageSeed,
  writeCommitHeader,
} from './commit-format.js';
import { type StoreFile, removeIfPresent } from './files.js';
import { decodeRun, tagged, tags } from './index-rows.js';
import { rowsOf } from './index-tables.js';
import { type KeptRun, arrivalsOf, rowKeyOf } from './kept-run.js';
import { type StoreParts, keysSince, storeDirectory } from './options.js';
import type { Timestamp } from '../log/entry.js';
import { indexRewritten } from './rewritten-index.js';
import { type ScanItem, scanSegment } from './scan.js';
import { encodeSegmentHeader, roundUp, segmentHeaderBytes, storeFormat } from './segment-format.js';
import type { Segment } from './segments.js';

/** A segment is worth rewriting when less than this part of it is alive … */
const livePartMax = 0.5;
/** … and, to keep files few, joins a neighbour's rewriting when it is smaller than this part of a full one. */
const smallPart = 1 / 8;
/** … and more than that of it is dead: a disk frees no less. */
const deadBytesMin = 4_096;
const groupMax = 16;
/** Of dead ones: all of them is read before they go. */
const deadGroupMax = 4;
const blockBytes = 1_048_576;
/** Written beside what is alive: headers, and rows of the index. */
const overheadBytes = 16_384;

/** Segments that must stay as they are, and until when by the monotonic clock. */
export type Postponed = Map<number, number>;

/** True when there was something to do. On a full disk what frees most for what it writes comes first, and keys stand in the
 *  way of nothing: they are in the index, and would be missed only in one that was made anew. */
export async function compactStep(parts: StoreParts, postponed: Postponed, unixMs: number): Promise<boolean> {
  const isFull = parts.space.state !== 'ok';
  const group = isFull ? chooseDead(parts, postponed) : chooseGroup(parts, postponed);
  if (group.length === 0) return false;
  if (isFull && !(await parts.space.hasRoomFor(roomFor(group)))) return false;
  // Every row of a sealed segment must be where it can be looked up.
  await parts.index.flushAll();
  const bytes = new ByteWriter(blockBytes);
  const kept: KeptRun[] = [];
  for (const segment of group) {
    const since = isFull ? Infinity : keysSince(unixMs);
    const obstacle = await collect(parts, segment, since, bytes, kept);
    if (obstacle) {
      // What cannot be read and is not stored elsewhere by now may still be repaired: it is not thrown away. Keys are found
      // in a rebuilt index only as long as their entries are stored.
      const waitMs = obstacle === 'keys' ? 2 * limits.idempotencyWindowMs : Number.POSITIVE_INFINITY;
      postponed.set(segment.number, parts.options.clock.monotonicMs() + waitMs);
      return true;
    }
  }
  kept.sort(byChannel);
  const replacement = await writeSegment(parts, group, kept, bytes.buffer);
  await indexRewritten(parts.index, parts.segments, replacement, kept);
  await parts.index.flushAll();
  parts.segments.replace(replacement);
  for (const segment of group) await removeIfPresent(parts.options.files, parts.segments.pathOf(segment));
  await parts.options.files.syncDirectory(segmentsDirectory(parts));
  return true;
}

/** The segment of which least is alive, and what is dead behind it. */
function chooseDead({ segments }: StoreParts, postponed: Postponed): Segment[] {
  const sealed = segments.all().slice(0, -2);
  // What cannot be read stays where it is; keys do not count.
  const mayGo = (segment: Segment): boolean =>
    postponed.get(segment.number) !== Infinity && isWhole(segment) && isSparse(segment);
  const first = sealed.reduce(
    (least, segment, i) =>
      mayGo(segment) && !(sealed[least] && sealed[least].liveBytes <= segment.liveBytes) ? i : least,
    -1,
  );
  if (first < 0) return [];
  let end = first + 1;
  while (end < sealed.length && end - first < deadGroupMax) {
    const segment = sealed[end]!;
    if (segment.number !== sealed[end - 1]!.through + 1 || segment.liveBytes > 0 || !mayGo(segment)) break;
    end++;
  }
  return sealed.slice(first, end);
}

/** Neighbours to be rewritten together; the newest two segments are left alone, the notes being in them. */
function chooseGroup({ segments, options }: StoreParts, postponed: Postponed): Segment[] {
  const sealed = segments.all().slice(0, -2);
  const full = options.segmentBytes;
  const nowMs = options.clock.monotonicMs();
  const mayJoin = (segment: Segment): boolean =>
    !((postponed.get(segment.number) ?? 0) > nowMs) &&
    isWhole(segment) &&
    (isSparse(segment) || contentBytes(segment) < full * smallPart);
  for (let start = 0; start < sealed.length; start++) {
    let liveBytes = 0;
    let end = start;
    for (; end < sealed.length && end - start < groupMax; end++) {
      const segment = sealed[end]!;
      const isNext = end === start || segment.number === sealed[end - 1]!.through + 1;
      liveBytes += segment.liveBytes;
      if (!isNext || !mayJoin(segment) || (end > start && liveBytes > full * livePartMax)) break;
    }
    const group = sealed.slice(start, end);
    if (group.some(isSparse) || group.length === groupMax) return group;
  }
  return [];
}

/** What is dead in it is worth a rewriting: what heads and pads a few small runs is as large as they are, and there again
 *  afterwards. */
function isSparse(segment: Segment): boolean {
  const { liveBytes } = segment;
  const deadBytes = contentBytes(segment) - liveBytes;
  return deadBytes > (liveBytes === 0 ? 0 : deadBytesMin) && liveBytes < contentBytes(segment) * livePartMax;
}

/** Its commits are known. */
function isWhole({ firstCommit, lastCommit }: Segment): boolean {
  return firstCommit > 0 && lastCommit > 0;
}

/** A write that does not fit ends the store: with as much again there is no doubt that it does. */
function roomFor(group: readonly Segment[]): number {
  return 2 * group.reduce((sum, { liveBytes }) => sum + liveBytes, 0) + overheadBytes;
}

function contentBytes(segment: Segment): number {
  return segment.end - segmentHeaderBytes;
}

/** Adds what stays of a segment, or says why it must stay as it is: some of it cannot be read, or something trimmed has
 *  an idempotency key that is still to be remembered. */
async function collect(
  { segments, index, lineage }: StoreParts,
  segment: Segment,
  since: Timestamp,
  bytes: ByteWriter,
  kept: KeptRun[],
): Promise<'damage' | 'keys' | undefined> {
  const source = {
    number: segment.number,
    generation: segment.generation,
    size: segment.end,
    async read(into: Uint8Array, position: number): Promise<number> {
      const wanted = Math.max(0, Math.min(into.length, segment.end - position));
      const part = await segments.read(segment, position, wanted);
      into.set(part);
      return part.length;
    },
  };
  let lastCommit = 0;
  let skips = false;
  const isNeeded = async (from: number, to: number): Promise<boolean> => {
    skips = true;
    return await hasRows(index, segment, from, to);
  };
  for await (const items of scanSegment(source, segmentHeaderBytes, lineageSeed(lineage), new RefCache())) {
    for (const item of items) {
      if (item.type === 'damage') {
        if (await isNeeded(item.from, item.to)) return 'damage';
        continue;
      }
      if (item.type === 'end') {
        const isWhole = item.garbage <= item.content && item.content >= segment.end;
        if (!isWhole && (await isNeeded(item.content, Math.max(item.garbage, segment.end)))) return 'damage';
        continue;
      }
      if (item.header.kind === 'written') lastCommit = item.header.number;
      if (!(await keepLive(index, segment, item, since, bytes, kept))) return 'keys';
    }
  }
  return segment.generation > 0 || skips || lastCommit === segment.lastCommit ? undefined : 'damage';
}

/** Whether something in this part of a segment is still read from there. Rows do not lie in the order of places, so all are
 *  looked at: that is for damage alone. */
async function hasRows(
  { keyValue }: StoreParts['index'],
  { number, generation }: Segment,
  from: number,
  to: number,
): Promise<boolean> {
  for await (const [key, value] of rowsOf(keyValue, tagged(tags.run))) {
    const place = decodeRun(key, value);
    // One that cannot be read is told of where it is used.
    if (!place) return true;
    const isHere = place.segment === number && place.generation === generation;
    if (isHere && place.offset < to && place.offset + place.headerBytes + place.recordBytes > from)
      return true;
  }
  return false;
}

/** False when a run that is trimmed has keys to be remembered. */
async function keepLive(
  index: StoreParts['index'],
  segment: Segment,
  item: Extract<ScanItem, { type: 'commit' }>,
  keysSinceTimestamp: number,
  bytes: ByteWriter,
  kept: KeptRun[],
): Promise<boolean> {
  const keys = item.runs.map(rowKeyOf);
  const rows = await index.keyValue.getMany(keys);
  const arrivals = arrivalsOf(item);
  return item.runs.every((run, i) => {
    const row = rows[i];
    const place = row && decodeRun(keys[i]!, row);
    const offset = item.header.offset + run.offset - item.at;
    const isHere =
      place?.segment === segment.number && place.generation === segment.generation && place.offset === offset;
    if (!isHere) return run.keys.every(({ timestamp }) => timestamp < keysSinceTimestamp);
    const { ref, writer, firstSeq, count, headerBytes, recordBytes } = run;
    kept.push({
      ref,
      writer,
      firstSeq,
      count,
      arrival: arrivals[i]!,
      headerBytes,
      recordBytes,
      offset: bytes.length,
      place,
    });
    bytes.raw(item.bytes.subarray(run.offset, run.offset + headerBytes + recordBytes));
    return true;
  });
}

function byChannel(a: KeptRun, b: KeptRun): number {
  const left = channelKey(a.ref);
  const right = channelKey(b.ref);
  return left < right ? -1 : left > right ? 1 : a.offset - b.offset;
}

/** Writes the new segment, syncs it, and gives it its name. */
async function writeSegment(
  parts: StoreParts,
  group: readonly Segment[],
  kept: readonly KeptRun[],
  bytes: Uint8Array,
): Promise<Segment> {
  const { options, segments, lineage } = parts;
  const { files } = options;
  const first = group[0]!;
  const last = group.at(-1)!;
  const replacement: Segment = {
    number: first.number,
    generation: Math.max(...group.map(({ generation }) => generation)) + 1,
    through: last.through,
    firstCommit: first.firstCommit,
    firstArrival: first.firstArrival,
    lastCommit: last.lastCommit,
    end: segmentHeaderBytes,
    liveBytes: 0,
  };
  const path = segments.pathOf(replacement);
  await removeIfPresent(files, `${path}.new`);
  const file = await files.open(`${path}.new`, 'create');
  try {
    await writeBlocks(file, replacement, kept, bytes, lineageSeed(lineage));
    file.write(encodeSegmentHeader({ ...replacement, format: storeFormat, lineage }), 0);
    await file.sync();
  } finally {
    await file.close();
  }
  await files.rename(`${path}.new`, path);
  await files.syncDirectory(segmentsDirectory(parts));
  return replacement;
}

/** Blocks of about a megabyte, each with its own sync, so that commits beside them wait little. */
async function writeBlocks(
  file: StoreFile,
  segment: Segment,
  kept: readonly KeptRun[],
  bytes: Uint8Array,
  seed: number,
): Promise<void> {
  let number = 0;
  for (let from = 0; from < kept.length;) {
    let to = from;
    let size = 0;
    while (to < kept.length && (to === from || size + bytesOf(kept[to]!) <= blockBytes))
      size += bytesOf(kept[to++]!);
    number++;
    const block = encodeBlock(segment, number, kept.slice(from, to), bytes, seed);
    file.write(block, segment.end);
    await file.sync();
    segment.end += block.length;
    from = to;
  }
}

function bytesOf({ headerBytes, recordBytes }: KeptRun): number {
  return headerBytes + recordBytes;
}

/** Moves each run's offset to its place in the segment. */
function encodeBlock(
  segment: Segment,
  number: number,
  kept: readonly KeptRun[],
  bytes: Uint8Array,
  seed: number,
): Uint8Array {
  const out = new ByteWriter(blockBytes);
  out.length = commitHeaderBytes;
  for (const { arrival } of kept) out.fixed64(arrival);
  const runsAt = out.length;
  const runs: { offset: number }[] = [];
  let entryCount = 0;
  for (const run of kept) {
    runs.push({ offset: out.length - runsAt });
    const from = run.offset;
    run.offset = segment.end + out.length;
    out.raw(bytes.subarray(from, from + bytesOf(run)));
    entryCount += run.count;
    segment.liveBytes += bytesOf(run);
  }
  const sectionBytes = runsAt - commitHeaderBytes;
  const runsBytes = out.length - runsAt;
  const length = commitLength({ sectionBytes, runsBytes });
  assert(length === roundUp(out.length, commitAlignment), 'a block is as long as its header says');
  out.reserve(length - out.length);
  out.buffer.fill(0, out.length, length);
  const header = {
    kind: 'rewritten',
    sectionBytes,
    runsBytes,
    runCount: kept.length,
    entryCount,
    ...bodySums(out.buffer, commitHeaderBytes, runsAt, runs),
    number,
    firstArrival: 0,
    segment: segment.number,
    offset: segment.end,
    generation: segment.generation,
  } as const;
  writeCommitHeader(out.buffer, 0, header, seed);
  return out.buffer.subarray(0, length);
}

function segmentsDirectory({ options }: StoreParts): string {
  return `${storeDirectory(options)}/segments`;
}
