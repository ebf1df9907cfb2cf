/** A reader's place in a channel: everything before a position of the committed order, and sometimes single entries
 *  beyond it, had from a node that had ordered them provisionally. Pure; `next` says what to send, `advance` that it was. */
import { assert } from '../base/assert.js';
import type { Dot, WriterId } from '../base/ids.js';
import { type Result, err, ok } from '../base/result.js';
import type { ChannelLog, Span } from './channel-log.js';
import type { LostRange, Vector } from './entry.js';

/** Consecutive entries of one writer. */
export interface EntriesStep {
  readonly type: 'entries';
  readonly writer: WriterId;
  readonly firstSeq: number;
  readonly count: number;
  /** The order places them before something this reader already has. */
  readonly late: boolean;
}

/** What was trimmed before this reader had it, or is of an older generation of the channel. */
export interface GapStep {
  readonly type: 'gap';
  readonly reason: 'trimmed' | 'forced' | 'deleted';
  /** At most these, where that is known; part of them it may have had. */
  readonly ranges: readonly LostRange[];
  /** The reader's heads after the gap. */
  readonly heads: readonly Dot[];
  /** It has no place in the committed order yet. */
  readonly isProvisional?: true;
}

export type Step = EntriesStep | GapStep | { readonly type: 'end' };

/** How a reader starts, beside its position. */
interface Start {
  /** Had beyond the position: for each writer the seq through which. */
  readonly beyond?: ReadonlyMap<WriterId, number> | undefined;
  /** Not wanted beyond the position, though not had. */
  readonly skipped?: ReadonlyMap<WriterId, number> | undefined;
  /** Entries known to be had. */
  readonly heads?: readonly Dot[] | undefined;
}

export class LogReader {
  #position: number;
  // There are as many readers as subscriptions, and nearly all are plain positions: no empty maps.
  #beyond: Map<WriterId, number> | undefined;
  readonly #skipped: ReadonlyMap<WriterId, number> | undefined;
  /** Told beyond the position to be of an older generation: for each writer the seq through which. */
  #toldDeleted: Map<WriterId, number> | undefined;
  /** Its heads when the log last said them, and what was delivered since: where a trim overtakes the reader, the log does not
   *  know any more what stood before its position. */
  #known: readonly Dot[];
  #since: Map<WriterId, number> | undefined;
  /** What `next` handed out last and `advance` has not taken yet. */
  #ahead: Span | undefined;
  #gapEnd = 0;
  #hadGivenUp = false;

  private constructor(position: number, start: Start) {
    this.#position = position;
    this.#beyond = start.beyond?.size ? new Map(start.beyond) : undefined;
    this.#skipped = start.skipped?.size ? start.skipped : undefined;
    this.#known = start.heads ?? [];
  }

  /** Behind everything that `heads` stand on. Heads of which entries are not held are an error: a cursor may be ahead of
   *  this replica. */
  static atCursor(
    log: ChannelLog,
    heads: readonly Dot[],
  ): Result<LogReader, { readonly missingHeads: readonly Dot[] }> {
    const missingHeads = heads.filter((head) => head.seq > log.have(head.writer));
    if (missingHeads.length > 0) return err({ missingHeads });
    const { position, beyond } = log.placementOf(heads);
    return ok(new LogReader(position, { beyond, heads }));
  }

  /** Behind everything before `position`, which may lie below what is kept. */
  static atPosition(log: ChannelLog, position: number): LogReader {
    return new LogReader(Math.max(0, Math.min(position, log.endPosition)), {});
  }

  /** For each writer the first seq wanted, as `LogStore.seqsSince` says. Older entries are passed over where they lie, as
   *  is everything held of writers that are not named. Begins with a gap where wanted entries may have been trimmed. */
  static atVector(log: ChannelLog, firstWanted: Vector): LogReader {
    let position = log.endPosition;
    const forcedEnd = log.trim?.forced?.end ?? 0;
    for (const [writer, seq] of firstWanted) {
      const floor = log.floors.get(writer) ?? 0;
      if (floor > 0 && seq <= floor + 1) position = Math.min(position, (forcedEnd || log.firstPosition) - 1);
      else position = Math.min(position, log.positionOf({ writer, seq }) ?? position);
    }
    const skipped = new Map<WriterId, number>();
    for (const { writer, seq } of log.writers()) {
      const through = (firstWanted.get(writer) ?? seq + 1) - 1;
      const at = log.positionOf({ writer, seq: through });
      if (through > (log.floors.get(writer) ?? 0) && (at === undefined || at >= position))
        skipped.set(writer, through);
    }
    return new LogReader(position, { skipped });
  }

  /** Entries were had that the committed order does not have yet, or places later. */
  get isBeyond(): boolean {
    return this.#beyond !== undefined;
  }

  /** Of how many writers: entries of several may come in another order once the committed order has them. */
  get writersBeyond(): number {
    return this.#beyond?.size ?? 0;
  }

  /** Whether something had beyond the order was given up since, so that no order has it. Says so once. */
  tellsGivenUp(): boolean {
    const had = this.#hadGivenUp;
    this.#hadGivenUp = false;
    return had;
  }

  /** Whether some of what lies before it was given up: who comes from another log may have had that. */
  coversGivenUp(log: ChannelLog): boolean {
    return log
      .givenUp()
      .some(({ writer, toSeq }) => (log.positionOf({ writer, seq: toSeq }) ?? Infinity) < this.#position);
  }

  /** Everything before it in the committed order is delivered or passed over. */
  get position(): number {
    return this.#position;
  }

  /** What is due: at most `countMax` entries, all of one writer. Asking again gives the same. */
  next(log: ChannelLog, countMax: number): Step {
    assert(countMax >= 1, 'at least one entry is asked for');
    this.#passGone(log);
    if (this.#position < startOf(log)) return this.#gap(log);
    const span = this.#settle(log);
    if (!span) return { type: 'end' };
    const { writer, firstSeq } = span;
    if (firstSeq <= log.generation.oldThrough(writer)) return this.#deletedGap(log, span);
    const count = Math.min(span.count, countMax);
    this.#ahead = { ...span, count };
    return { type: 'entries', writer, firstSeq, count, late: this.#beyond !== undefined };
  }

  /** Says that a step was delivered; of entries also only the first ones, the rest in further calls. */
  advance(step: Step): void {
    if (step.type === 'end') return;
    if (step.type === 'gap') {
      if (step.isProvisional) this.#toldDeletedOf(step.ranges);
      else this.#position = Math.max(this.#position, this.#gapEnd);
      this.#knows(step.heads);
      return;
    }
    this.#since ??= new Map();
    this.#since.set(step.writer, step.firstSeq + step.count - 1);
    const ahead = this.#ahead;
    const fits =
      ahead?.writer === step.writer && ahead.firstSeq === step.firstSeq && step.count <= ahead.count;
    assert(ahead && fits, 'a reader advances over what it was handed');
    this.#position = ahead.position + step.count;
    this.#ahead = {
      ...ahead,
      position: this.#position,
      firstSeq: ahead.firstSeq + step.count,
      count: ahead.count - step.count,
    };
  }

  /** What is due of order(tip) behind the committed order, at whose end this reader is: provisional, since a merge may
   *  place other entries before these. Late is what comes before something that was had in that order, or beside it.
   *  Nobody gets across an end of the generation before it is known to take effect, which is told first. What was written
   *  beside an end is a gap here too: the cursor behind it covers that, so whoever goes on from there is not told any more.
   *  `took` says that entries were delivered, `advance` that a gap was told. */
  nextProvisional(log: ChannelLog, tip: Dot, countMax: number): Step {
    assert(countMax >= 1, 'at least one entry is asked for');
    assert(this.isAtEnd(log), 'what is committed comes first');
    const had = this.#beyond;
    const { generation } = log;
    const spans = generation.beforeEnds(log.provisional(tip));
    const passed = ({ writer }: Span): number =>
      Math.max(had?.get(writer) ?? 0, this.#toldDeleted?.get(writer) ?? 0);
    const at = spans.findIndex((span) => span.firstSeq + span.count - 1 > passed(span));
    const span = spans[at];
    if (!span) return { type: 'end' };
    const { writer } = span;
    const firstSeq = Math.max(span.firstSeq, passed(span) + 1);
    const toSeq = span.firstSeq + span.count - 1;
    const deletedTo = Math.min(toSeq, generation.oldThrough(writer));
    if (firstSeq <= deletedTo) {
      const ranges = [{ writer, fromSeq: firstSeq, toSeq: deletedTo }];
      return { type: 'gap', reason: 'deleted', ranges, heads: this.heads(log), isProvisional: true };
    }
    const count = Math.min(toSeq + 1 - firstSeq, countMax);
    const late = had !== undefined && reachesBeyond(had, spans.slice(at + 1), log.pastOf(tip));
    return { type: 'entries', writer, firstSeq, count, late };
  }

  /** Says that entries beyond the committed order were delivered: all of `writer` through `seq`. */
  took(writer: WriterId, seq: number): void {
    this.#beyond ??= new Map();
    this.#beyond.set(writer, Math.max(seq, this.#beyond.get(writer) ?? 0));
  }

  /** The reader's cursor. */
  heads(log: ChannelLog): readonly Dot[] {
    if (this.#position < log.firstPosition) return this.#knownHeads();
    if (this.#beyond) this.#settle(log);
    this.#knows(this.#headsAt(log, this.#position));
    return this.#known;
  }

  isAtEnd(log: ChannelLog): boolean {
    this.#passGone(log);
    return this.#position >= startOf(log) && this.#settle(log) === undefined;
  }

  /** The first place behind all that was had; where the order has others between, they lie before it too. `undefined`
   *  while the order does not have all of it. */
  placeBehind(log: ChannelLog): number | undefined {
    this.#passGone(log);
    if (this.#position < startOf(log)) return this.#position;
    this.#settle(log);
    let position = this.#position;
    for (const [writer, seq] of this.#beyond ?? []) {
      const at = log.positionOf({ writer, seq });
      if (at === undefined) return undefined;
      position = Math.max(position, at + 1);
    }
    return position;
  }

  #knows(heads: readonly Dot[]): void {
    this.#known = heads;
    this.#since = undefined;
  }

  /** What it is known to have: nothing else, and not all that a home behind this one still has before it. */
  #knownHeads(): readonly Dot[] {
    const known = new Map(this.#known.map(({ writer, seq }) => [writer, seq]));
    for (const had of [this.#since ?? [], this.#beyond ?? []])
      for (const [writer, seq] of had) known.set(writer, Math.max(seq, known.get(writer) ?? 0));
    return [...known].map(([writer, seq]) => ({ writer, seq }));
  }

  #headsAt(log: ChannelLog, position: number): readonly Dot[] {
    return this.#beyond ? log.headsOf({ position, beyond: this.#beyond }) : log.headsAt(position);
  }

  #toldDeletedOf(ranges: readonly LostRange[]): void {
    this.#toldDeleted ??= new Map();
    for (const { writer, toSeq } of ranges) this.#toldDeleted.set(writer, toSeq);
  }

  /** Passes over what is gone and was had, or was told: it may have gone on at a node whose order was ahead of this one, or have
   *  had what is committed here only now. Nobody has anything of a generation without being told of the end before it. */
  #passGone(log: ChannelLog): void {
    const { generation, firstPosition } = log;
    if (this.#position >= startOf(log)) return;
    const known = new Map(this.#knownHeads().map(({ writer, seq }) => [writer, seq]));
    const isOld = ([writer, seq]: [WriterId, number]): boolean => seq <= generation.oldThrough(writer);
    if (this.#position < generation.start) {
      if ([...known].every(isOld)) return;
      this.#position = generation.start;
    }
    const gone = [...log.vectorAt(firstPosition)].filter((through) => !isOld(through));
    if (gone.every(([writer, seq]) => (known.get(writer) ?? 0) >= seq)) this.#position = startOf(log);
  }

  /** Moves over what is had or not wanted; returns what comes then. */
  #settle(log: ChannelLog): Span | undefined {
    if (this.#beyond && log.generation.deletion) this.#forgetDeleted(log, this.#beyond);
    let span = log.spanAt(this.#position);
    while (span) {
      const { writer, firstSeq, count } = span;
      const had = this.#beyond?.get(writer) ?? 0;
      const through = Math.max(had, this.#skipped?.get(writer) ?? 0, this.#toldDeleted?.get(writer) ?? 0);
      if (through < firstSeq) break;
      const passed = Math.min(count, through - firstSeq + 1);
      if (had >= firstSeq && log.givenUp().some((range) => isWithin(range, writer, firstSeq, passed)))
        this.#hadGivenUp = true;
      this.#position += passed;
      span = log.spanAt(this.#position);
    }
    if (this.#beyond && this.#forgetPassed(log, this.#beyond)) this.#beyond = undefined;
    if (this.#toldDeleted && this.#forgetPassed(log, this.#toldDeleted)) this.#toldDeleted = undefined;
    return span;
  }

  /** What was had of an older generation stands before nothing of this one. */
  #forgetDeleted({ generation }: ChannelLog, beyond: Map<WriterId, number>): void {
    for (const [writer, seq] of beyond) if (seq <= generation.oldThrough(writer)) beyond.delete(writer);
    if (beyond.size === 0) this.#beyond = undefined;
  }

  /** What lies before the position now is no longer beyond it. Whether nothing is. */
  #forgetPassed(log: ChannelLog, beyond: Map<WriterId, number>): boolean {
    for (const [writer, seq] of beyond) {
      const at = log.positionOf({ writer, seq });
      const isPassed = at === undefined ? seq <= (log.floors.get(writer) ?? 0) : at < this.#position;
      if (isPassed) beyond.delete(writer);
    }
    return beyond.size === 0;
  }

  #gap(log: ChannelLog): GapStep {
    const start = startOf(log);
    this.#gapEnd = start;
    const known = new Map(this.#knownHeads().map(({ writer, seq }) => [writer, seq]));
    const isOfOlder = this.#position < log.generation.start;
    const heads = this.#headsAt(log, start);
    const ranges = this.#rangesBefore(log, start, known);
    return { type: 'gap', reason: isOfOlder ? 'deleted' : this.#trimReason(log, known), ranges, heads };
  }

  /** Where it is not known whether this reader had what was forced out, too much is told rather than too little. */
  #trimReason({ trim, generation }: ChannelLog, known: Vector): 'trimmed' | 'forced' {
    const forced = trim?.forced;
    if (!forced || forced.end <= generation.start || this.#position >= forced.end) return 'trimmed';
    const { writer, seq } = forced.through;
    return (known.get(writer) ?? 0) >= seq ? 'trimmed' : 'forced';
  }

  /** What was written beside the end of its generation: nobody is to have it any more. */
  #deletedGap(log: ChannelLog, { position, writer, firstSeq, count }: Span): GapStep {
    const toSeq = Math.min(firstSeq + count - 1, log.generation.oldThrough(writer));
    this.#gapEnd = position + toSeq - firstSeq + 1;
    const heads = this.#headsAt(log, this.#gapEnd);
    return { type: 'gap', reason: 'deleted', ranges: [{ writer, fromSeq: firstSeq, toSeq }], heads };
  }

  #rangesBefore(log: ChannelLog, start: number, known: Vector): LostRange[] {
    // Heads do not name all that stands below them, and what they stood on is not known any more: too much is told rather
    // than too little. Who has neither heads nor nothing is told no ranges.
    const mayLackAll = known.size > 0 || this.#position === 0;
    const ranges: LostRange[] = [];
    for (const [writer, toSeq] of log.vectorAt(start)) {
      const had = known.get(writer) ?? (mayLackAll ? 0 : toSeq);
      if (had < toSeq) ranges.push({ writer, fromSeq: had + 1, toSeq });
    }
    return ranges;
  }
}

/** Position of the first entry that may be for anybody. */
function startOf(log: ChannelLog): number {
  return Math.max(log.firstPosition, log.generation.start);
}

function isWithin(
  { writer, fromSeq, toSeq }: LostRange,
  of: WriterId,
  firstSeq: number,
  count: number,
): boolean {
  return writer === of && fromSeq < firstSeq + count && toSeq >= firstSeq;
}

/** Whether something that was had comes later in an order, or not in it at all. */
function reachesBeyond(had: Vector, later: readonly Span[], past: Vector): boolean {
  for (const [writer, seq] of had) if (seq > (past.get(writer) ?? 0)) return true;
  return later.some(({ writer, firstSeq }) => firstSeq <= (had.get(writer) ?? 0));
}
