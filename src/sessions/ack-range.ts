/** Acks of consecutive publishes gathered into one: request ids, seqs and timestamps each rising by one. */
import type { Dot } from '../base/ids.js';
import type { Timestamp } from '../log/entry.js';
import type { Ack, Level } from '../protocol/messages.js';

export class AckRange {
  #requestId = 0;
  #dot: Dot | undefined;
  #timestamp: Timestamp = 0;
  #level: Level = 'quorum';
  #copies = 0;
  #duplicate = false;
  #count = 0;

  get isEmpty(): boolean {
    return this.#count === 0;
  }

  /** Adds an ack that follows the range; false when it does not. */
  extend(
    requestId: number,
    dot: Dot | undefined,
    timestamp: Timestamp,
    level: Level,
    copies: number,
    duplicate: boolean,
  ): boolean {
    const first = this.#dot;
    if (this.#count === 0 || !first || !dot || duplicate || this.#duplicate) return false;
    const follows =
      requestId === this.#requestId + this.#count &&
      dot.writer === first.writer &&
      dot.seq === first.seq + this.#count &&
      timestamp === this.#timestamp + this.#count &&
      level === this.#level &&
      copies === this.#copies;
    if (follows) this.#count++;
    return follows;
  }

  /** Begins anew; what was gathered must have been taken. */
  start(
    requestId: number,
    dot: Dot | undefined,
    timestamp: Timestamp,
    level: Level,
    copies: number,
    duplicate: boolean,
  ): void {
    this.#requestId = requestId;
    this.#dot = dot;
    this.#timestamp = timestamp;
    this.#level = level;
    this.#copies = copies;
    this.#duplicate = duplicate;
    this.#count = 1;
  }

  take(): { requestId: number; message: Ack } | undefined {
    if (this.#count === 0) return undefined;
    const message: Ack = {
      type: 'ack',
      ...(this.#dot ? { dot: this.#dot } : {}),
      timestamp: this.#timestamp,
      level: this.#level,
      copies: this.#copies,
      count: this.#count,
      duplicate: this.#duplicate,
    };
    this.#count = 0;
    return { requestId: this.#requestId, message };
  }
}
