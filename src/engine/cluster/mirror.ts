/** The log of a channel at a node that does not store it: what a home told of it, and the records of what is not
 *  committed yet. Everything older is read from the home. */
import { type ChannelRef, type Dot, channelKey } from '../../base/ids.js';
import type { ChannelLog, SeqRange } from '../../log/channel-log.js';
import { floorsIn } from '../../log/floors.js';
import { RecordWalk, placeSeed, recordIsWhole, recordSeq } from '../../log/entry-wire.js';
import { runFrom, runOf } from '../../log/run-bytes.js';
import { verifyRun } from '../../log/run-reader.js';
import type { RunSummary } from '../../log/run.js';
import { KeptRuns, type Piece } from '../kept-runs.js';
import { isReadAnew } from '../missing.js';
import type { RecordSlice } from '../ports.js';

export interface NewlyCommitted {
  readonly position: number;
  /** `undefined` where they are to be read. */
  readonly pieces: readonly Piece[] | undefined;
}

export class Mirror {
  readonly ref: ChannelRef;
  /** The newest entry that was delivered before it was committed. */
  tip: Dot | undefined;
  readonly #kept = new KeptRuns();

  constructor(readonly log: ChannelLog) {
    this.ref = log.ref;
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
      // Floors that reach beyond what is here: the home was behind, and its log is another one by now.
      const floors = floorsIn(run)?.floors;
      if (floors && [...floors].some(([writer, floor]) => this.log.have(writer) < floor)) return false;
      this.log.apply(run);
      if (floors) return true;
      // A copy: a view would keep the whole letter in memory.
      this.#keep(bytes.slice(), run);
      return true;
    }
    const refusal = accepted.error;
    if (refusal.type === 'overlap') return this.take(runFrom(bytes, run, refusal.expected.seq));
    return refusal.type === 'duplicate' || refusal.type === 'trimmed';
  }

  /** Everything through `dot` is committed. Gives what is new, or `undefined` when that cannot be so. */
  commit(dot: Dot): NewlyCommitted | undefined {
    const { log } = this;
    if (dot.seq > log.have(dot.writer) || !log.canCommitThrough(dot)) return undefined;
    const position = log.endPosition;
    const spans = log.commitThrough(dot);
    const pieces = this.#kept.take(spans);
    return { position, pieces: isReadAnew(log, spans) ? undefined : pieces };
  }

  /** What is delivered before it is committed goes up to `tip`. False when there is nothing to it. */
  advance(tip: Dot): boolean {
    const { log } = this;
    if (log.have(tip.writer) < tip.seq || log.positionOf(tip) !== undefined) return false;
    this.tip = tip;
    return true;
  }

  /** After what is committed was delivered: its trims take effect. */
  settle(): void {
    const { log } = this;
    const { due } = log.dueTrims();
    if (due) log.applyTrim(due, 0);
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

  #isCommitted({ writer, seq }: Dot): boolean {
    return this.log.committedSeq(writer) >= seq;
  }

  #keep(bytes: Uint8Array, run: RunSummary): void {
    const { writer, firstSeq, count } = run;
    if (!this.#isCommitted({ writer, seq: firstSeq + count - 1 })) this.#kept.add(run, bytes);
  }
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
