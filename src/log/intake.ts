/** What a log would hold once some runs were stored: a node decides on everything that waits for one commit before any
 *  of it is durable, and the log itself only ever has what is. */
import type { WriterId } from '../base/ids.js';
import { planted } from '../base/planted.js';
import { type Result, err, ok } from '../base/result.js';
import { type HeldWriter, type HeldWriters, type Refusal, refusalOf } from './acceptance.js';
import type { Vector } from './entry.js';
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

const taken = ok<void>(undefined);
