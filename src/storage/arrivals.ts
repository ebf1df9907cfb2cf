/** What was stored since an arrival number, in order of arrival: one range of the index, then the headers of the runs; the
 *  records between them are passed over. A peer that was away asks for this, because an entry's own timestamp says
 *  nothing about when it came here. */
import { limits } from '../base/limits.js';
import type { Arrived, ArrivedRuns } from '../engine/ports.js';
import { isFloorRun } from '../log/floors.js';
import { RefCache, parseRunHeader } from '../log/run-reader.js';
import { commitHeaderBytes, lineageSeed, parseCommitHeader } from './commit-format.js';
import { IndexDoubtError } from './index-doubt.js';
import { type ArrivalPlace, arrivalKey, decodeArrival, keyAfter, tagged, tags } from './index-rows.js';
import type { Segment, SegmentSet } from './segments.js';
import type { StoreIndex } from './store-index.js';

export interface ArrivalSource {
  readonly index: StoreIndex;
  readonly segments: SegmentSet;
  readonly lineage: string;
}

/** Read at once: some commits of few entries, or a run's header with what follows it. */
const windowBytes = 16_384;
/** The same where what is looked at lies further apart: little of each commit is. */
const farWindowBytes = 2_048;
/** More than the header of a run takes. */
const runHeaderBytesMax = 512;

/** Runs with entries above `after`, those of about `limit` commits, fewer where these have many runs. What cannot be read
 *  any more is left out: it is told where it is read. */
export async function arrivedSince(
  source: ArrivalSource,
  after: number,
  limit: number,
): Promise<ArrivedRuns> {
  const { index } = source;
  const newest = index.newestArrival;
  await index.flushAll();
  const rows = await rowsSince(index, after, limit);
  const window = new Window(source.segments);
  const runs: Arrived[] = [];
  let through = after;
  for (const [key, value] of rows) {
    if (runs.length >= limits.arrivedRunsMax) return { runs, through };
    const place = decodeArrival(key, value);
    if (!place) throw new IndexDoubtError('a row of arrivals is damaged');
    for (const run of await runsAt(source, window, place)) if (endOf(run) > after) runs.push(run);
    through = Math.max(through, place.arrival + place.entries - 1);
  }
  return { runs, through: rows.length < limit ? Math.max(through, newest) : through };
}

/** The row with the first of them, which may begin before it, and those behind it. */
async function rowsSince({ keyValue }: StoreIndex, after: number, limit: number) {
  const lt = arrivalKey(after + 1);
  const [first] = await keyValue.range({ gte: tagged(tags.arrival), lt, limit: 1, reverse: true });
  const gte = first?.[0] ?? tagged(tags.arrival);
  return await keyValue.range({ gte, lt: keyAfter(tagged(tags.arrival)), limit: limit + 1 });
}

async function runsAt(
  { segments, lineage }: ArrivalSource,
  window: Window,
  place: ArrivalPlace,
): Promise<Arrived[]> {
  const segment = segments.get(place.segment, place.generation);
  if (!segment) return [];
  const end = place.offset + place.bytes;
  let at = place.kind === 'run' ? place.offset : await runsStart(window, segment, place, lineage);
  const cache = new RefCache(16);
  const runs: Arrived[] = [];
  let { arrival } = place;
  while (at !== undefined && at < end && arrival < place.arrival + place.entries) {
    const start = await window.at(segment, at, runHeaderBytesMax);
    const header = parseRunHeader(window.bytes, start, cache);
    if (!header.ok) break;
    const { ref, writer, firstSeq, count, headerBytes, recordBytes } = header.value;
    // Each store raises its own floors.
    if (!isFloorRun(header.value)) runs.push({ arrival, ref, writer, firstSeq, count });
    arrival += count;
    at += headerBytes + recordBytes;
  }
  return runs;
}

async function runsStart(
  window: Window,
  segment: Segment,
  { offset }: ArrivalPlace,
  lineage: string,
): Promise<number | undefined> {
  const start = await window.at(segment, offset, commitHeaderBytes);
  const header = parseCommitHeader(window.bytes, start, lineageSeed(lineage));
  return header && offset + commitHeaderBytes + header.sectionBytes;
}

function endOf({ arrival, count }: Arrived): number {
  return arrival + count - 1;
}

/** A part of a segment that moves on with what is looked at. */
class Window {
  bytes: Uint8Array = new Uint8Array(0);
  readonly #segments: SegmentSet;
  #segment: Segment | undefined;
  #offset = 0;

  constructor(segments: SegmentSet) {
    this.#segments = segments;
  }

  /** Where in `bytes` the place is; `needed` bytes are there from it on, fewer only at the end of the file. */
  async at(segment: Segment, offset: number, needed: number): Promise<number> {
    const start = offset - this.#offset;
    const isThere = this.#segment === segment && start >= 0 && start + needed <= this.bytes.length;
    if (isThere) return start;
    const isFar = this.#segment === segment && start >= windowBytes;
    this.bytes = await this.#segments.read(segment, offset, isFar ? farWindowBytes : windowBytes);
    this.#segment = segment;
    this.#offset = offset;
    return 0;
  }
}
