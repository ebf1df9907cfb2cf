/** What a log would hold once some runs were stored: a node decides on everything that waits for one commit before any
 *  of it is durable, and the log itself only ever has what is. */
import type { Dot, WriterId } from '../base/ids.js';
import { planted } from '../base/planted.js';
import { type Result, err, ok } from '../base/result.js';
import { type HeldWriter, type HeldWriters, type Refusal, refusalOf } from './acceptance.js';
import type { LostRange, Vector } from './entry.js';
import type { RunSummary } from './run.js';

export class Intake {
  readonly #held: HeldWriters;
  readonly #taken = new Map<WriterId, HeldWriter>();

  constructor(held: HeldWriters) {
    this.#held = held;
  }

  get(writer: WriterId): HeldWriter | undefined {
    return this.#taken.get(writer) ?? this.#held.get(writer);
  }

  /** Takes the run if it fits what is held and taken; it must then be part of the commit, in this order. */
  take(run: RunSummary): Result<void, Refusal> {
    const refusal = refusalOf(this, run);
    if (refusal) return err(refusal);
    this.#taken.set(run.writer, {
      seq: run.firstSeq + run.count - 1,
      floor: this.get(run.writer)?.floor ?? 0,
      lastChecksum: run.lastChecksum,
      lastTimestamp: run.lastTimestamp,
    });
    return taken;
  }

  /** Takes a run that stands on entries which are missing here: those of them that were given up are to be counted as held
   *  first (`ChannelLog.lose`), and are returned. The refusal where that is not all. */
  takeBehind(run: RunSummary, givenUp: readonly LostRange[]): Result<readonly LostRange[], Refusal> {
    const lost: LostRange[] = [];
    for (;;) {
      const refusal = refusalOf(this, run);
      if (!refusal) break;
      const more = missingFor(run, refusal).flatMap((dot) => this.#coveredUpTo(dot, givenUp));
      if (more.length === 0) return err(refusal);
      for (const { writer, toSeq } of more) this.#lose(writer, toSeq);
      lost.push(...more);
    }
    this.take(run);
    return ok(lost);
  }

  /** What is missing of a writer up to an entry, where all of it was given up. */
  #coveredUpTo({ writer, seq }: Dot, givenUp: readonly LostRange[]): readonly LostRange[] {
    const lost: LostRange[] = [];
    let next = (this.get(writer)?.seq ?? 0) + 1;
    while (next <= seq) {
      const at = next;
      const range = givenUp.find((each) => each.writer === writer && each.fromSeq <= at && at <= each.toSeq);
      if (!range) return [];
      const toSeq = Math.min(range.toSeq, seq);
      lost.push({ writer, fromSeq: next, toSeq });
      next = toSeq + 1;
    }
    return lost;
  }

  #lose(writer: WriterId, seq: number): void {
    const { floor = 0, lastTimestamp = -1 } = this.get(writer) ?? {};
    this.#taken.set(writer, { seq, floor, lastChecksum: undefined, lastTimestamp });
  }

  /** Floors are raised before what is taken from now on: what they cover counts as held. */
  raise(floors: Vector): void {
    for (const [writer, floor] of floors) {
      const held = this.get(writer);
      const { seq = 0, lastTimestamp = -1 } = held ?? {};
      const isAbove = floor > seq && !planted('trimmed-again');
      this.#taken.set(writer, {
        seq: isAbove ? floor : seq,
        floor: Math.max(held?.floor ?? 0, floor),
        lastChecksum: isAbove ? undefined : held?.lastChecksum,
        lastTimestamp,
      });
    }
  }
}

/** The newest entry of each writer that a run needs and that is not there. */
function missingFor({ writer, firstSeq }: RunSummary, refusal: Refusal): readonly Dot[] {
  if (refusal.type === 'gap') return [{ writer, seq: firstSeq - 1 }];
  return refusal.type === 'parents' ? refusal.missing : [];
}

const taken = ok<void>(undefined);
