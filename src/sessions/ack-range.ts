/** Acks of consecutive publishes gathered into one: request ids, seqs and timestamps each rising by one. */
import type { Dot } from '../base/ids.js';
import type { Timestamp } from '../log/entry.js';
import type { Ack, Level } from '../protocol/messages.js';

/** A publish that was taken. */
export interface Accepted {
  readonly requestId: number;
  /** Absent for a signal. */
  readonly dot: Dot | undefined;
  readonly timestamp: Timestamp;
  /** Its key was taken before: dot and timestamp are the first one's. */
  readonly duplicate: boolean;
  /** Of a patch: the document's version behind it. */
  readonly version?: number | undefined;
}

/** What an ack claims: the same for all publishes of a commit. */
export interface Reached {
  readonly level: Level;
  readonly copies: number;
}

export class AckRange {
  #first: Accepted | undefined;
  #reached: Reached | undefined;
  #count = 0;

  get isEmpty(): boolean {
    return this.#first === undefined;
  }

  /** Adds an ack that follows the range; false when it does not, or when there is none yet. */
  extend(next: Accepted, reached: Reached): boolean {
    const first = this.#first;
    if (!first?.dot || !next.dot || next.duplicate || first.duplicate) return false;
    const count = this.#count;
    const follows =
      next.requestId === first.requestId + count &&
      next.dot.writer === first.dot.writer &&
      next.dot.seq === first.dot.seq + count &&
      next.timestamp === first.timestamp + count &&
      next.version === (first.version === undefined ? undefined : first.version + count) &&
      reached.level === this.#reached?.level &&
      reached.copies === this.#reached.copies;
    if (follows) this.#count++;
    return follows;
  }

  /** Begins anew; what was gathered must have been taken. */
  start(first: Accepted, reached: Reached): void {
    this.#first = first;
    this.#reached = reached;
    this.#count = 1;
  }

  take(): { requestId: number; message: Ack } | undefined {
    const [first, reached] = [this.#first, this.#reached];
    if (!first || !reached) return undefined;
    this.#first = undefined;
    const { requestId, dot, timestamp, duplicate, version } = first;
    const { level, copies } = reached;
    return {
      requestId,
      message: { type: 'ack', dot, timestamp, level, copies, count: this.#count, duplicate, version },
    };
  }
}
