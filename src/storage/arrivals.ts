/** What was stored since an arrival number, in order of arrival: one range of the index, then the headers of the runs.
 *  A peer that was away asks for this, because an entry's own timestamp says nothing about when it came here. */
import type { Arrived } from '../engine/ports.js';
import { RefCache, parseRunHeader } from '../log/run-reader.js';
import { commitHeaderBytes, lineageSeed, parseCommitHeader } from './commit-format.js';
import { IndexDoubtError } from './index-doubt.js';
import { type ArrivalPlace, arrivalKey, decodeArrival, keyAfter, tagged, tags } from './index-rows.js';
import type { SegmentSet } from './segments.js';
import type { StoreIndex } from './store-index.js';

export interface ArrivalSource {
  readonly index: StoreIndex;
  readonly segments: SegmentSet;
  readonly lineage: string;
}

/** Runs with entries above `after`, those of about `limit` commits. What cannot be read any more is left out: it is
 *  told where it is read. */
export async function arrivedSince(source: ArrivalSource, after: number, limit: number): Promise<Arrived[]> {
  const { index } = source;
  await index.flushAll();
  const first = await index.keyValue.range({
    gte: tagged(tags.arrival),
    lt: arrivalKey(after + 1),
    limit: 1,
    reverse: true,
  });
  const gte = first[0]?.[0] ?? tagged(tags.arrival);
  const rows = await index.keyValue.range({
    gte,
    lt: keyAfter(tagged(tags.arrival)),
    limit: limit + first.length,
  });
  const arrived: Arrived[] = [];
  for (const [key, value] of rows) {
    const place = decodeArrival(key, value);
    if (!place) throw new IndexDoubtError('a row of arrivals is damaged');
    for (const run of await runsAt(source, place)) if (run.arrival + run.count - 1 > after) arrived.push(run);
  }
  return arrived;
}

async function runsAt({ segments, lineage }: ArrivalSource, place: ArrivalPlace): Promise<Arrived[]> {
  const segment = segments.get(place.segment, place.generation);
  if (!segment) return [];
  const bytes = await segments.read(segment, place.offset, place.bytes);
  const start = place.kind === 'run' ? 0 : runsStart(bytes, lineage);
  const cache = new RefCache(16);
  const runs: Arrived[] = [];
  let { arrival } = place;
  for (let at = start; at !== undefined && arrival < place.arrival + place.entries;) {
    const header = parseRunHeader(bytes, at, cache);
    if (!header.ok) break;
    const { ref, writer, firstSeq, count, headerBytes, recordBytes } = header.value;
    runs.push({ arrival, ref, writer, firstSeq, count });
    arrival += count;
    at += headerBytes + recordBytes;
  }
  return runs;
}

function runsStart(bytes: Uint8Array, lineage: string): number | undefined {
  const header = parseCommitHeader(bytes, 0, lineageSeed(lineage));
  return header && commitHeaderBytes + header.sectionBytes;
}
