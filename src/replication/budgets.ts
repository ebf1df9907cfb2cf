/** What peers may be given for their questions: so much at once, and so much a second from then on. Nothing is kept of what was
 *  given: who asks for the same again and again is told from who was away by how much that comes to. */
import type { NodeId } from '../base/ids.js';
import { limits } from '../base/limits.js';
import type { SeqRange } from '../log/channel-log.js';
import type { Channel } from './channel.js';

/** In units of the caller's. */
export interface Allowance {
  /** Without a pause, by what is so now. */
  readonly atOnce: () => number;
  readonly perSecond: number;
}

/** Of one peer: what it was given lately flows off. */
export class Budget {
  readonly #allowance: Allowance;
  #given = 0;
  #at = 0;

  constructor(allowance: Allowance) {
    this.#allowance = allowance;
  }

  /** Whether there is room; if so `cost` is taken of it, or more than there was: nothing is too large to be given at all. */
  take(cost: number, now: number): boolean {
    const { atOnce, perSecond } = this.#allowance;
    this.#given = Math.max(0, this.#given - ((now - this.#at) / 1_000) * perSecond);
    this.#at = now;
    if (this.#given >= atOnce()) return false;
    this.#given += cost;
    return true;
  }
}

/** Of all peers, one each. */
export class Budgets {
  readonly #allowance: Allowance;
  readonly #budgets = new Map<NodeId, Budget>();

  constructor(allowance: Allowance) {
    this.#allowance = allowance;
  }

  take(peer: NodeId, cost: number, now: number): boolean {
    let budget = this.#budgets.get(peer);
    if (!budget) this.#budgets.set(peer, (budget = new Budget(this.#allowance)));
    return budget.take(cost, now);
  }
}

/** In bytes. `heldBytes`: of everything that is held here. */
export function allowanceOf(heldBytes: () => number): Allowance {
  return {
    atOnce: () => limits.givenBytesMax + limits.givenTimesMax * heldBytes(),
    perSecond: limits.givenBytesPerSecond,
  };
}

/** About how many bytes one read of some of a log takes. */
export function pageBytes({ log: { entries, bytes } }: Channel, ranges: readonly SeqRange[]): number {
  const count = ranges.reduce((sum, range) => sum + range.count, 0);
  return Math.min(limits.peerReadBytes, entries === 0 ? 0 : Math.ceil((bytes * count) / entries));
}
