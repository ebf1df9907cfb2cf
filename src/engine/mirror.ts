/** The log of a channel at a node that does not store it: what a home told of it, and the records of what is not
 *  committed yet. Everything older is read from the home. */
import { type ChannelRef, type Dot, channelKey } from '../base/ids.js';
import { limits } from '../base/limits.js';
import type { ChannelLog, SeqRange } from '../log/channel-log.js';
import type { Trim } from '../log/entry.js';
import { RecordWalk, placeSeed, recordIsWhole, recordSeq } from '../log/entry-wire.js';
import { runFrom, runOf } from '../log/run-bytes.js';
import { verifyRun } from '../log/run-reader.js';
import type { RunSummary } from '../log/run.js';
import type { RecordSlice } from './ports.js';

/** Records of consecutive entries as far as they are in memory: all of the range or nothing. */
export type RecordsOf = (range: SeqRange) => readonly RecordSlice[] | undefined;

/** Bytes kept in all mirrors together. */
export interface MirrorBudget {
  bytes: number;
}

export class Mirror {
  readonly ref: ChannelRef;
  /** The newest entry that was delivered before it was committed. */
  tip: Dot | undefined;
  readonly recordsOf: RecordsOf = (range) => this.#recordsOf(range);
  readonly #budget: MirrorBudget;
  #bytes = 0;
  #kept: RecordSlice[] = [];
  #trims: { readonly dot: Dot; readonly trim: Trim }[] = [];

  constructor(
    readonly log: ChannelLog,
    budget: MirrorBudget,
  ) {
    this.ref = log.ref;
    this.#budget = budget;
  }

  /** What was delivered from here: whoever serves the channel next must hold it. */
  covers(): readonly Dot[] {
    const { log, tip } = this;
    const heads = log.headsAt(log.endPosition);
    return tip && log.positionOf(tip) === undefined ? [...heads, tip] : heads;
  }

  holds(ranges: readonly SeqRange[]): boolean {
    return ranges.every(({ writer, firstSeq, count }) => this.log.have(writer) >= firstSeq + count - 1);
  }

  /** Takes in a run that the home has synced. False when it does not follow what is held here: the two went apart. */
  take(bytes: Uint8Array): boolean {
    const verified = verifyRun(bytes, 0, bytes.length);
    if (!verified.ok || channelKey(verified.value.ref) !== channelKey(this.ref)) return false;
    const run = verified.value;
    const accepted = this.log.accepts(run);
    if (accepted.ok) {
      this.log.apply(run);
      this.#keep(bytes, run);
      return true;
    }
    const refusal = accepted.error;
    if (refusal.type === 'overlap') return this.take(runFrom(bytes, run, refusal.expected.seq));
    return refusal.type === 'duplicate' || refusal.type === 'trimmed';
  }

  /** Everything through `dot` is committed. Gives the positions that are new, or `undefined` when that cannot be so. */
  commit(dot: Dot): { readonly from: number; readonly to: number } | undefined {
    const { log } = this;
    if (dot.seq > log.have(dot.writer) || !log.canCommitThrough(dot)) return undefined;
    const from = log.endPosition;
    log.commitThrough(dot);
    return { from, to: log.endPosition };
  }

  /** What is delivered before it is committed goes up to `tip`. False when there is nothing to it. */
  advance(tip: Dot): boolean {
    const { log } = this;
    if (log.have(tip.writer) < tip.seq || log.positionOf(tip) !== undefined) return false;
    this.tip = tip;
    return true;
  }

  /** After what is committed was delivered: its trims take effect, and its records are not needed any more. */
  settle(): void {
    const { log } = this;
    for (const { dot, trim } of this.#trims) if (this.#isCommitted(dot)) log.applyTrim(trim, 0);
    this.#trims = this.#trims.filter(({ dot }) => !this.#isCommitted(dot));
    this.#kept = this.#kept.filter((slice) => {
      const isDone = log.committedSeq(slice.writer) >= slice.firstSeq + slice.count - 1;
      if (isDone) this.#charge(-slice.records.length);
      return !isDone;
    });
    if (this.tip && log.positionOf(this.tip) !== undefined) this.tip = undefined;
  }

  /** Held beyond what is committed: their records did not come with the log. */
  tail(): readonly SeqRange[] {
    const { log } = this;
    const committed = new Map(log.writers().map(({ writer }) => [writer, log.committedSeq(writer)]));
    return log.lacking(committed);
  }

  /** Records of the tail, read from the home. */
  addTail(slices: readonly RecordSlice[]): void {
    for (const slice of slices) {
      const bytes = runOf({ ref: this.ref, ...slice });
      const run = verifyRun(bytes, 0, bytes.length);
      if (run.ok) this.#keep(bytes, run.value);
    }
    this.settle();
  }

  /** It is not used any more. */
  drop(): void {
    this.#charge(-this.#bytes);
    this.#kept = [];
  }

  #isCommitted({ writer, seq }: Dot): boolean {
    return this.log.committedSeq(writer) >= seq;
  }

  #keep(
    bytes: Uint8Array,
    { writer, round, firstSeq, count, marked, headerBytes, recordBytes }: RunSummary,
  ): void {
    for (const { seq, trim } of marked) if (trim) this.#trims.push({ dot: { writer, seq }, trim });
    const isTooMuch =
      this.#bytes + recordBytes > limits.mirrorBytesMax ||
      this.#budget.bytes + recordBytes > limits.mirrorBytesTotalMax;
    if (isTooMuch) return;
    // A copy: a view would keep the whole letter in memory.
    const records = bytes.slice(headerBytes, headerBytes + recordBytes);
    this.#kept.push({ writer, round, firstSeq, count, records });
    this.#charge(recordBytes);
  }

  #charge(bytes: number): void {
    this.#bytes += bytes;
    this.#budget.bytes += bytes;
  }

  #recordsOf({ writer, firstSeq, count }: SeqRange): readonly RecordSlice[] | undefined {
    const found: RecordSlice[] = [];
    const end = firstSeq + count;
    let next = firstSeq;
    while (next < end) {
      const slice = this.#kept.find(
        (each) => each.writer === writer && each.firstSeq <= next && next < each.firstSeq + each.count,
      );
      if (!slice) return undefined;
      const part = partOf(slice, next, Math.min(end, slice.firstSeq + slice.count));
      found.push(part);
      next += part.count;
    }
    return found;
  }
}

/** The records with seqs [from, to). */
export function partOf(slice: RecordSlice, from: number, to: number): RecordSlice {
  const { writer, round, firstSeq, count, records } = slice;
  if (from === firstSeq && to === firstSeq + count) return slice;
  const walk = new RecordWalk(records);
  let start = 0;
  let seq = firstSeq;
  while (seq < to && walk.next()) {
    if (seq === from) start = walk.start;
    seq++;
  }
  return { writer, round, firstSeq: from, count: to - from, records: records.subarray(start, walk.end) };
}

/** Whether a slice has the records it says it has, undamaged, of entries that were asked for. */
export function isWhole(ref: ChannelRef, slice: RecordSlice, asked: readonly SeqRange[]): boolean {
  const { writer, round, firstSeq, count, records } = slice;
  const isAsked = asked.some(
    (range) =>
      range.writer === writer &&
      range.firstSeq <= firstSeq &&
      firstSeq + count <= range.firstSeq + range.count,
  );
  if (!isAsked) return false;
  const seed = placeSeed(ref, writer, round);
  const walk = new RecordWalk(records);
  let found = 0;
  while (walk.next()) {
    const { bodyStart, end } = walk;
    if (recordSeq(records, bodyStart) !== firstSeq + found++) return false;
    if (!recordIsWhole(records, bodyStart, end, seed)) return false;
  }
  return !walk.malformed && found === count;
}
