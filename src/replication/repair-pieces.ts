/** Putting a run together again from what is left of it here and what other homes sent. Nothing is taken that does not fit all
 *  that is known of it: its own checksum, the checksum each entry names of the one before, and the run's length. */
import type { ChannelRef, WriterId } from '../base/ids.js';
import {
  RecordWalk,
  placeSeed,
  recordChecksum,
  recordIsWhole,
  recordPrevious,
  recordSeq,
} from '../log/record-layout.js';
import { redactBody } from '../log/redaction.js';
import type { Redactions } from '../log/redactions.js';
import { runOf } from '../log/run-bytes.js';
import { verifyRun } from '../log/run-reader.js';
import type { RunSummary } from '../log/run.js';
import { overlaps } from '../log/seq-ranges.js';
import type { StoredSlice } from './stored-slice.js';

/** Entries of which some cannot be read here. */
export interface Damaged {
  readonly ref: ChannelRef;
  readonly writer: WriterId;
  readonly firstSeq: number;
  readonly count: number;
  /** `undefined` where nothing is known but that they were there: then a beginning of them is as good. */
  readonly known: { readonly round: number; readonly recordBytes: number | undefined } | undefined;
  /** What of them can be read. */
  readonly whole: readonly StoredSlice[];
  /** Checksums of the entry before the first, and of the last. */
  readonly before: number | undefined;
  readonly last: number | undefined;
}

/** One entry as it is stored. */
export interface Piece {
  readonly round: number;
  readonly record: Uint8Array;
  readonly checksum: number;
  readonly previous: number;
}

export type Pieces = ReadonlyMap<number, Piece>;

export interface Composed {
  readonly bytes: Uint8Array;
  readonly run: RunSummary;
}

/** Entries of a run that a home sent; only those whose own checksum fits. What is redacted comes without its content, whoever
 *  still has it; what is not redacted here, with it or not at all: no home's word alone takes the content from an entry. */
export function piecesOfRun(
  bytes: Uint8Array,
  { ref, writer, round, headerBytes, recordBytes, redacted = [] }: RunSummary,
  redactions: Pick<Redactions, 'of'>,
): Pieces {
  const seed = placeSeed(ref, writer, round);
  const pieces = new Map(piecesOf(bytes.subarray(headerBytes, headerBytes + recordBytes), round, seed));
  for (const [seq, { record }] of pieces) {
    if (redactions.of({ writer, seq })) redactRecord(record, seed);
    else if (overlaps(redacted, seq, seq).length > 0) pieces.delete(seq);
  }
  return pieces;
}

function redactRecord(record: Uint8Array, seed: number): void {
  const walk = new RecordWalk(record);
  if (walk.next()) redactBody(record, walk.bodyStart, walk.end, seed);
}

export function piecesHere({ ref, writer, whole }: Damaged): Pieces {
  const pieces = new Map<number, Piece>();
  for (const { round, records } of whole) {
    for (const [seq, piece] of piecesOf(records, round, placeSeed(ref, writer, round)))
      pieces.set(seq, piece);
  }
  return pieces;
}

function piecesOf(records: Uint8Array, round: number, seed: number): Pieces {
  const pieces = new Map<number, Piece>();
  for (const walk = new RecordWalk(records); walk.next();) {
    const { start, bodyStart, end } = walk;
    if (!recordIsWhole(records, bodyStart, end, seed)) continue;
    pieces.set(recordSeq(records, bodyStart), {
      round,
      record: records.slice(start, end),
      checksum: recordChecksum(records, bodyStart),
      previous: recordPrevious(records, bodyStart),
    });
  }
  return pieces;
}

/** The seqs of which no piece is here. */
export function missingIn({ firstSeq, count }: Damaged, pieces: Pieces): number[] {
  const missing: number[] = [];
  for (let seq = firstSeq; seq < firstSeq + count; seq++) if (!pieces.has(seq)) missing.push(seq);
  return missing;
}

/** The run, in parts where its round changes and where `isGivenUp` says that an entry is nowhere any more. `missing` while
 *  there is not enough of it, `other` when what there is does not fit what is known. */
export function compose(
  damaged: Damaged,
  pieces: Pieces,
  isGivenUp: (seq: number) => boolean,
): readonly Composed[] | 'missing' | 'other' {
  const { firstSeq, count, known, before, last } = damaged;
  const taken: Numbered[] = [];
  let expected = before;
  let bytes = 0;
  let seq = firstSeq;
  for (; seq < firstSeq + count; seq++) {
    const piece = pieces.get(seq);
    if (!piece && known && isGivenUp(seq)) {
      expected = undefined;
      continue;
    }
    if (!piece) break;
    const follows = expected === undefined || piece.previous === expected;
    if (!(follows && (!known || piece.round === known.round))) return 'other';
    taken.push({ seq, ...piece });
    expected = piece.checksum;
    bytes += piece.record.length;
  }
  const isAll = seq === firstSeq + count;
  if (taken.length === 0 || (known && !isAll)) return 'missing';
  if (isAll && last !== undefined && expected !== undefined && expected !== last) return 'other';
  const isWhole = taken.length === count;
  if (isWhole && known?.recordBytes !== undefined && known.recordBytes !== bytes) return 'other';
  return inRuns(damaged, taken);
}

interface Numbered extends Piece {
  readonly seq: number;
}

function inRuns({ ref, writer }: Damaged, pieces: readonly Numbered[]): readonly Composed[] | 'other' {
  const runs: Composed[] = [];
  for (let from = 0; from < pieces.length;) {
    const { round, seq: firstSeq } = pieces[from]!;
    const isNext = (at: number): boolean =>
      at < pieces.length && pieces[at]!.round === round && pieces[at]!.seq === firstSeq + at - from;
    let to = from + 1;
    while (isNext(to)) to++;
    const records = joined(pieces.slice(from, to));
    const bytes = runOf({ ref, writer, round, firstSeq, count: to - from, records });
    const run = verifyRun(bytes, 0, bytes.length);
    if (!run.ok) return 'other';
    runs.push({ bytes, run: run.value });
    from = to;
  }
  return runs;
}

function joined(pieces: readonly Piece[]): Uint8Array {
  const out = new Uint8Array(pieces.reduce((sum, { record }) => sum + record.length, 0));
  let at = 0;
  for (const { record } of pieces) {
    out.set(record, at);
    at += record.length;
  }
  return out;
}
