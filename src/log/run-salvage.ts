/** What is left of a damaged run. Only single records can be told whole or not then, each by its own checksum, so the
 *  place (channel, writer, round) must have survived; lengths and counts need not. */
import type { LostRange } from './entry.js';
import {
  RecordWalk,
  fixedFieldsBytes,
  hasFixedFields,
  placeSeed,
  recordChecksum,
  recordIsWhole,
  recordPrevious,
  recordSeq,
  recordTag,
} from './record-layout.js';
import type { RunSummary } from './run.js';
import { RefCache } from './ref-cache.js';
import { type RunHeader, parseLeniently } from './run-header.js';
import { summarize } from './run-summary.js';

export interface SalvagedRun {
  readonly header: RunHeader;
  /** Whole records, in stretches of consecutive entries: bytes[recordsStart, recordsEnd). */
  readonly pieces: readonly SalvagedPiece[];
  /** Entries the header promises that are not whole. */
  readonly missing: readonly LostRange[];
}

export interface SalvagedPiece {
  /** Its `offset` and `headerBytes` are those of the damaged run. */
  readonly summary: RunSummary;
  readonly recordsStart: number;
  readonly recordsEnd: number;
}

interface Found {
  readonly seq: number;
  readonly start: number;
  readonly bodyStart: number;
  readonly end: number;
}

/** Tag, length and fixed fields. */
const recordBytesMin = 2 + fixedFieldsBytes;

/** Searches the run at `at`, of which at most `length` bytes are its own. `undefined` when its header cannot be read;
 *  when the header reads but names the wrong place, no record is whole. */
export function salvageRun(bytes: Uint8Array, at: number, length: number): SalvagedRun | undefined {
  const parsed = parseLeniently(bytes, at, new RefCache(1));
  if (!parsed.ok) return undefined;
  const header = parsed.value;
  const start = at + header.headerBytes;
  const limit = Math.min(bytes.length, at + length);
  const seed = placeSeed(header.ref, header.writer, header.round);
  const head = leadingRecords(bytes, start, limit, header, seed);
  const damageAt = head.at(-1)?.end ?? start;
  const end = start + header.recordBytes;
  const tail =
    end <= limit
      ? trailingRecords(bytes, damageAt, end, header, head.length)
      : recordsBeforeCut(bytes, damageAt, limit, header.firstSeq + head.length);
  const isWhole = ({ bodyStart, end: bodyEnd, seq }: Found): boolean =>
    hasFixedFields(bytes, bodyStart, bodyEnd) &&
    recordSeq(bytes, bodyStart) === seq &&
    recordIsWhole(bytes, bodyStart, bodyEnd, seed);
  const wholeTail = tail.filter(isWhole);
  const whole = [...head];
  wholeTail.forEach((record, i) => {
    if (isLinked(bytes, whole.at(-1), record, wholeTail[i + 1])) whole.push(record);
  });
  const pieces = stretches(bytes, whole).flatMap((records) => pieceOf(bytes, at, header, records) ?? []);
  // The count itself may be what was hit: no more is missing than there is room for.
  const room = damageAt === end ? 0 : Math.floor((limit - damageAt) / recordBytesMin);
  const count = Math.min(header.count, head.length + room);
  return { header, pieces, missing: missingOf({ ...header, count }, pieces) };
}

/** Whole records from the start on, each right behind the one before, up to the first that is not. */
function leadingRecords(
  bytes: Uint8Array,
  start: number,
  limit: number,
  header: RunHeader,
  seed: number,
): Found[] {
  const found: Found[] = [];
  const walk = new RecordWalk(bytes, start, limit);
  while (walk.next()) {
    const seq = recordSeq(bytes, walk.bodyStart);
    const follows = seq === header.firstSeq + found.length;
    if (!follows || !recordIsWhole(bytes, walk.bodyStart, walk.end, seed)) break;
    found.push({ seq, start: walk.start, bodyStart: walk.bodyStart, end: walk.end });
  }
  return found;
}

/** Records behind the damage, whole or not, with the seqs they must have. */
function trailingRecords(
  bytes: Uint8Array,
  damageAt: number,
  end: number,
  header: RunHeader,
  countBefore: number,
): Found[] {
  // Mostly a body is hit and the lengths still lead from record to record to the run's end.
  const walk = new RecordWalk(bytes, damageAt, end, false);
  const found: Found[] = [];
  while (walk.next()) {
    const seq = header.firstSeq + countBefore + found.length;
    found.push({ seq, start: walk.start, bodyStart: walk.bodyStart, end: walk.end });
  }
  const isWholeChain = !walk.malformed && countBefore + found.length === header.count;
  return isWholeChain ? found : recordsBeforeEnd(bytes, damageAt, end, header, header.firstSeq + countBefore);
}

/** The end of the run is gone, so nothing says whether lengths lead to it: only what names the checksum that stands in the
 *  record before it is taken for a record. */
function recordsBeforeCut(bytes: Uint8Array, damageAt: number, limit: number, firstSeq: number): Found[] {
  const walk = new RecordWalk(bytes, damageAt, limit, false);
  const found: Found[] = [];
  let before: number | undefined;
  for (let seq = firstSeq; walk.next(); seq++) {
    const { start, bodyStart, end } = walk;
    if (!hasFixedFields(bytes, bodyStart, end)) break;
    if (before !== undefined && recordPrevious(bytes, bodyStart) === recordChecksum(bytes, before))
      found.push({ seq, start, bodyStart, end });
    before = bodyStart;
  }
  return found;
}

/** Where a length was hit it is not known where the next record begins: only that chain of lengths is followed which
 *  ends where the run ends, with seqs rising by one up to the run's last. */
function recordsBeforeEnd(
  bytes: Uint8Array,
  damageAt: number,
  end: number,
  header: RunHeader,
  seqMin: number,
): Found[] {
  const chained = new Map<number, Found>();
  let first: Found | undefined;
  for (let at = end - 1; at > damageAt; at--) {
    const walk = bytes[at] === recordTag ? new RecordWalk(bytes, at, end) : undefined;
    if (!walk?.next()) continue;
    const seq = recordSeq(bytes, walk.bodyStart);
    const next = walk.end === end ? header.firstSeq + header.count : chained.get(walk.end)?.seq;
    if (next !== seq + 1 || seq < seqMin) continue;
    first = { seq, start: at, bodyStart: walk.bodyStart, end: walk.end };
    chained.set(at, first);
  }
  const out: Found[] = [];
  for (let record = first; record; record = chained.get(record.end)) out.push(record);
  return out;
}

/** Whether a whole record behind the damage is the one that its whole neighbours name. A message may hold bytes that
 *  look like a record with a right checksum; but its author cannot know the checksums of the entry before it and of the
 *  entry that it is part of. */
function isLinked(
  bytes: Uint8Array,
  before: Found | undefined,
  record: Found,
  next: Found | undefined,
): boolean {
  const previous = recordPrevious(bytes, record.bodyStart);
  const checksum = recordChecksum(bytes, record.bodyStart);
  return (
    (before?.seq !== record.seq - 1 || previous === recordChecksum(bytes, before.bodyStart)) &&
    (next?.seq !== record.seq + 1 || checksum === recordPrevious(bytes, next.bodyStart))
  );
}

/** Cuts where records are not consecutive, or do not name the one before. */
function stretches(bytes: Uint8Array, found: readonly Found[]): Found[][] {
  const out: Found[][] = [];
  let previous: Found | undefined;
  for (const record of found) {
    const follows =
      previous !== undefined &&
      record.seq === previous.seq + 1 &&
      record.start === previous.end &&
      recordPrevious(bytes, record.bodyStart) === recordChecksum(bytes, previous.bodyStart);
    if (follows) out.at(-1)?.push(record);
    else out.push([record]);
    previous = record;
  }
  return out;
}

function pieceOf(
  bytes: Uint8Array,
  at: number,
  header: RunHeader,
  records: readonly Found[],
): SalvagedPiece | undefined {
  const recordsStart = records[0]!.start;
  const recordsEnd = records.at(-1)!.end;
  const { ref, writer, round, headerBytes } = header;
  const place = {
    ref,
    writer,
    round,
    firstSeq: records[0]!.seq,
    count: records.length,
    offset: at,
    headerBytes,
  };
  const summary = summarize(bytes, recordsStart, recordsEnd, place);
  return summary && { summary, recordsStart, recordsEnd };
}

function missingOf(header: RunHeader, pieces: readonly SalvagedPiece[]): LostRange[] {
  const missing: LostRange[] = [];
  const add = (fromSeq: number, toSeq: number): void => {
    if (fromSeq <= toSeq) missing.push({ writer: header.writer, fromSeq, toSeq });
  };
  let next = header.firstSeq;
  for (const { summary } of pieces) {
    add(next, summary.firstSeq - 1);
    next = Math.max(next, summary.firstSeq + summary.count);
  }
  add(next, header.firstSeq + header.count - 1);
  return missing;
}
