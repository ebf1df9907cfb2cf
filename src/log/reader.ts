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

/** What was trimmed before this reader had it. */
export interface GapStep {
  readonly type: 'gap';
  readonly reason: 'trimmed';
  /** At most these, where that is known; part of them it may have had. */
  readonly ranges: readonly LostRange[];
  /** The reader's heads after the gap. */
  readonly heads: readonly Dot[];
}

export type Step = EntriesStep | GapStep | { readonly type: 'end' };

export class LogReader {
  #position: number;
  /** Had beyond the position: for each writer the seq through which. Empty for nearly every reader. */
  readonly #beyond: Map<WriterId, number>;
  /** Not wanted beyond the position, though not had. */
  readonly #skipped: Map<WriterId, number>;
  /** Before a gap: what is known to be had of what is trimmed; all of it if `exact`. */
  readonly #known: { readonly through: Vector; readonly exact: boolean };
  /** What `next` handed out last and `advance` has not taken yet. */
  #ahead: Span | undefined;
  #gapEnd = 0;

  private constructor(
    position: number,
    place: {
      readonly beyond?: ReadonlyMap<WriterId, number>;
      readonly skipped?: ReadonlyMap<WriterId, number>;
      readonly known?: Vector;
    },
  ) {
    this.#position = position;
    this.#beyond = new Map(place.beyond);
    this.#skipped = new Map(place.skipped);
    const through = place.known ?? nothing;
    this.#known = { through, exact: position === 0 && through.size === 0 };
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
    const known = new Map(heads.map(({ writer, seq }) => [writer, seq]));
    return ok(new LogReader(position, { beyond, known }));
  }

  /** Behind everything before `position`, which may lie below what is kept. */
  static atPosition(log: ChannelLog, position: number): LogReader {
    return new LogReader(Math.max(0, Math.min(position, log.endPosition)), {});
  }

  /** For each writer the first seq wanted, as `LogStore.seqsSince` says. Older entries are passed over where they lie, as
   *  is everything held of writers that are not named. Begins with a gap where wanted entries may have been trimmed. */
  static atVector(log: ChannelLog, firstWanted: Vector): LogReader {
    let position = log.endPosition;
    for (const [writer, seq] of firstWanted) {
      const floor = log.floors.get(writer) ?? 0;
      if (floor > 0 && seq <= floor + 1) position = Math.min(position, log.firstPosition - 1);
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

  /** Everything before it in the committed order is delivered or passed over. */
  get position(): number {
    return this.#position;
  }

  /** What is due: at most `countMax` entries, all of one writer. Asking again gives the same. */
  next(log: ChannelLog, countMax: number): Step {
    assert(countMax >= 1, 'at least one entry is asked for');
    if (this.#position < log.firstPosition) return this.#gap(log);
    const span = this.#settle(log);
    if (!span) return { type: 'end' };
    const { writer, firstSeq } = span;
    const count = Math.min(span.count, countMax);
    this.#ahead = { ...span, count };
    return { type: 'entries', writer, firstSeq, count, late: this.#beyond.size > 0 };
  }

  /** Says that a step was delivered; of entries also only the first ones, the rest in further calls. */
  advance(step: Step): void {
    if (step.type === 'end') return;
    if (step.type === 'gap') {
      this.#position = Math.max(this.#position, this.#gapEnd);
      return;
    }
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

  /** Says that entries beyond the committed order were delivered: all of `writer` through `seq`. */
  took(writer: WriterId, seq: number): void {
    this.#beyond.set(writer, Math.max(seq, this.#beyond.get(writer) ?? 0));
  }

  /** The reader's cursor. */
  heads(log: ChannelLog): readonly Dot[] {
    if (this.#beyond.size > 0 && this.#position >= log.firstPosition) this.#settle(log);
    return log.headsOf({ position: this.#position, beyond: this.#beyond });
  }

  isAtEnd(log: ChannelLog): boolean {
    return this.#position >= log.firstPosition && this.#settle(log) === undefined;
  }

  /** Moves over what is had or not wanted; returns what comes then. */
  #settle(log: ChannelLog): Span | undefined {
    for (let span = log.spanAt(this.#position); span; span = log.spanAt(this.#position)) {
      const { writer, firstSeq, count } = span;
      const through = Math.max(this.#beyond.get(writer) ?? 0, this.#skipped.get(writer) ?? 0);
      if (through < firstSeq) {
        // What now lies before the position is no longer beyond it.
        if (this.#beyond.size > 0) forgetBefore(log, this.#beyond, this.#position);
        return span;
      }
      this.#position += Math.min(count, through - firstSeq + 1);
    }
    if (this.#beyond.size > 0) forgetBefore(log, this.#beyond, this.#position);
    return undefined;
  }

  #gap(log: ChannelLog): GapStep {
    this.#gapEnd = log.firstPosition;
    const heads = log.headsOf({ position: log.firstPosition, beyond: this.#beyond });
    return { type: 'gap', reason: 'trimmed', ranges: this.#trimmedRanges(log), heads };
  }

  #trimmedRanges(log: ChannelLog): LostRange[] {
    const { through, exact } = this.#known;
    const ranges: LostRange[] = [];
    for (const [writer, toSeq] of log.floors) {
      const had = through.get(writer) ?? (exact && this.#position === 0 ? 0 : undefined);
      if (had !== undefined && had < toSeq) ranges.push({ writer, fromSeq: had + 1, toSeq });
    }
    return ranges;
  }
}

const nothing: Vector = new Map();

function forgetBefore(log: ChannelLog, through: Map<WriterId, number>, position: number): void {
  for (const [writer, seq] of through) {
    const at = log.positionOf({ writer, seq });
    if ((at !== undefined && at < position) || seq <= (log.floors.get(writer) ?? 0)) through.delete(writer);
  }
}
