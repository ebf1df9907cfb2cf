/** Hybrid logical clock (Kulkarni, Demirbas, Madeppa, Avva, Leone: "Logical Physical Clocks", 2014) in one number:
 *  the milliseconds are physical time or ahead of it, the counter tells readings of one millisecond apart.
 *
 *  Nothing is stamped above a bound that was persisted before, so a restart at max(bound, newest stored) never stamps
 *  below its own past. */
import { assert } from '../base/assert.js';
import { planted } from '../base/planted.js';
import type { Timestamp } from './entry.js';
import { countersPerMs, timestampFromUnixMs, timestampMax } from './timestamp.js';

const boundAheadMs = 2_000;
const boundLeftMinMs = 1_000;

export interface HybridClockStart {
  /** max(persisted bound, newest timestamp stored) at a restart; 0 for a new node. */
  readonly last: Timestamp;
  /** The persisted bound; 0 when none is. */
  readonly bound: Timestamp;
  /** A reading of another node further ahead than this is ignored. */
  readonly offsetMsMax: number;
}

export class HybridClock {
  #last: Timestamp;
  #bound: Timestamp;
  readonly #offsetMsMax: number;

  constructor(start: HybridClockStart) {
    this.#last = start.last;
    this.#bound = start.bound;
    this.#offsetMsMax = start.offsetMsMax;
  }

  /** The greatest timestamp given out or merged. */
  get last(): Timestamp {
    return this.#last;
  }

  get bound(): Timestamp {
    return this.#bound;
  }

  /** The first of `count` consecutive timestamps, all above everything before; `physicalMs` in Unix milliseconds.
   *  More than 4096 of one millisecond run into the next. The bound must have been raised far enough. */
  stamp(physicalMs: number, count = 1): Timestamp {
    assert(count >= 1, 'at least one timestamp is asked for');
    const first = Math.max(this.#last + 1, timestampFromUnixMs(physicalMs));
    const last = first + count - 1;
    assert(last <= timestampMax, 'a timestamp is a safe integer');
    assert(last <= this.#bound, 'nothing is stamped above the persisted bound');
    this.#last = last;
    return first;
  }

  /** Takes in another node's reading. One too far ahead leaves the clock as it is; its entry is stored all the same. */
  receive(timestamp: Timestamp, physicalMs: number): 'merged' | 'ahead' {
    const most = timestampFromUnixMs(physicalMs) + this.#offsetMsMax * countersPerMs;
    if (timestamp > most && !planted('clock-follows-all')) return 'ahead';
    if (timestamp > this.#last) this.#last = timestamp;
    return 'merged';
  }

  /** The bound to persist, before or in one commit with stamps above the present one: two seconds ahead, when less
   *  than one is left for the next `count` stamps; else `undefined`. */
  boundNeeded(physicalMs: number, count = 1): Timestamp | undefined {
    const next = Math.max(this.#last, timestampFromUnixMs(physicalMs)) + count;
    if (this.#bound - next >= boundLeftMinMs * countersPerMs) return undefined;
    return Math.min(timestampMax, next + boundAheadMs * countersPerMs);
  }

  /** Says that `bound` is persisted, or is part of the commit that its stamps are part of. Never lowers it. */
  raiseBound(bound: Timestamp): void {
    this.#bound = Math.max(this.#bound, bound);
  }
}
