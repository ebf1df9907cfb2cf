/** Turns the index from some segments to the one that stands for them now. */
import type { Files } from './files.js';
import { RefCache } from '../log/run-reader.js';
import { lineageSeed } from './commit-format.js';
import { type RunPlace, arrivalKey, decodeRun, encodeArrival, encodeRun, segmentKey } from './index-rows.js';
import { type KeptRun, arrivalsOf, rowKeyOf } from './kept-run.js';
import type { Write } from './key-value.js';
import { type ScanItem, scanSegment } from './scan.js';
import { segmentHeaderBytes } from './segment-format.js';
import type { Segment, SegmentSet } from './segments.js';
import type { StoreIndex } from './store-index.js';

const rowsAtOnce = 4_000;

/** Adds to the next batch, which is all or nothing: new places for the runs kept, arrival rows of runs for those of
 *  commits, one row of a segment for many. */
export async function indexRewritten(
  index: StoreIndex,
  segments: SegmentSet,
  replacement: Segment,
  kept: readonly KeptRun[],
): Promise<void> {
  const writes = await staleArrivals(index, segments, replacement);
  for (let number = replacement.number + 1; number <= replacement.through; number++) {
    writes.push({ key: segmentKey(number) });
  }
  const { number: segment, generation } = replacement;
  for (const run of kept) {
    const { arrival, count: entries, offset, headerBytes, recordBytes } = run;
    const rowKey = rowKeyOf(run);
    const moved: RunPlace = { ...run.place, segment, generation, offset };
    writes.push({ key: rowKey, value: encodeRun(rowKey, moved) });
    if (arrival === 0) continue;
    const key = arrivalKey(arrival);
    const place = { arrival, entries, segment, generation, offset, bytes: headerBytes + recordBytes };
    writes.push({ key, value: encodeArrival(key, { ...place, kind: 'run' }) });
  }
  index.addWrites(writes);
  index.touchSegment(replacement);
}

/** Deletes for the arrival rows of what is replaced: they lie between its first arrival and the next segment's. */
async function staleArrivals(
  { keyValue }: StoreIndex,
  segments: SegmentSet,
  { firstArrival, through }: Segment,
): Promise<Write[]> {
  const next = segments.all().find(({ number, firstArrival: first }) => number > through && first > 0);
  const writes: Write[] = [];
  if (!next) return writes;
  const lt = arrivalKey(next.firstArrival);
  let gte = arrivalKey(firstArrival);
  for (;;) {
    const rows = await keyValue.range({ gte, lt, limit: rowsAtOnce });
    for (const [key] of rows) writes.push({ key });
    if (rows.length < rowsAtOnce) return writes;
    gte = new Uint8Array([...rows.at(-1)![0], 0]);
  }
}

/** The index is older than this rewriting: a power loss took its last batches. What it has of the runs still holds, only
 *  their places are new. False when the segment cannot be read whole. */
export async function reindexRewritten(
  index: StoreIndex,
  segments: SegmentSet,
  options: {
    readonly files: Files;
    readonly lineage: string;
    readonly segment: Segment;
    readonly size: number;
  },
): Promise<boolean> {
  const { files, lineage, segment, size } = options;
  const kept: KeptRun[] = [];
  const file = await files.open(segments.pathOf(segment), 'read');
  try {
    const { number, generation } = segment;
    const read = (into: Uint8Array, position: number): Promise<number> => file.read(into, position);
    const source = { number, generation, size, read };
    for await (const items of scanSegment(source, segmentHeaderBytes, lineageSeed(lineage), new RefCache())) {
      for (const item of items) {
        if (item.type === 'damage') return false;
        if (item.type === 'end' && item.content !== segment.end) return false;
        if (item.type === 'commit') await collect(index, segment, item, kept);
      }
    }
  } finally {
    await file.close();
  }
  segments.replace(segment);
  await indexRewritten(index, segments, segment, kept);
  return true;
}

async function collect(
  index: StoreIndex,
  segment: Segment,
  item: Extract<ScanItem, { type: 'commit' }>,
  kept: KeptRun[],
): Promise<void> {
  const keys = item.runs.map(rowKeyOf);
  const rows = await index.keyValue.getMany(keys);
  const arrivals = arrivalsOf(item);
  item.runs.forEach((run, i) => {
    const row = rows[i];
    const known = row && decodeRun(keys[i]!, row);
    // Without a row it was trimmed; with another place it is here twice.
    if (!known || known.segment < segment.number || known.segment > segment.through) return;
    const { ref, writer, firstSeq, count, headerBytes, recordBytes } = run;
    segment.liveBytes += headerBytes + recordBytes;
    kept.push({
      ref,
      writer,
      firstSeq,
      count,
      arrival: arrivals[i]!,
      headerBytes,
      recordBytes,
      offset: item.header.offset + run.offset - item.at,
      place: known,
    });
  });
}
