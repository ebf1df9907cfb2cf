/** What is counted of those who try to log in, and what was used of that which is good once. One process may do so for all that serve
 *  clients of one node (`EnginePorts.tallies`): else somebody would have as many tries as there are processes. */
import { limits } from '../../base/limits.js';
import type { SignedUse } from '../../people/signed.js';
import { type Counted, LogIns } from './log-ins.js';

export interface Attempt {
  /** 0: it may be tried, and is counted. */
  readonly waitMs: number;
  /** To give it back by, where it was no failure. */
  readonly counted: readonly Counted[];
}

export interface Tallies {
  /** Counts one more try, unless whoever tries has to wait. */
  attempt(account: string, address: string): Attempt | Promise<Attempt>;
  giveBack(counted: readonly Counted[]): void;
  succeeded(account: string, address: string): void;
  /** False where it was used before; `undefined` where more was used than is remembered: one of those might be used again. */
  use(what: SignedUse, id: string, keptMs: number): Used | Promise<Used>;
}

export type Used = boolean | undefined;

export class OwnTallies implements Tallies {
  readonly #logIns = new LogIns();
  /** When each was used, the oldest first. */
  readonly #used = new Map<SignedUse, Map<string, number>>();

  constructor(readonly clock: { monotonicMs(): number }) {}

  attempt(account: string, address: string): Attempt {
    const nowMs = this.clock.monotonicMs();
    const waitMs = this.#logIns.waitMs(account, address, nowMs);
    return { waitMs, counted: waitMs > 0 ? [] : this.#logIns.tried(account, address, nowMs) };
  }

  giveBack(counted: readonly Counted[]): void {
    this.#logIns.giveBack(counted);
  }

  succeeded(account: string, address: string): void {
    this.#logIns.succeeded(account, address);
  }

  use(what: SignedUse, id: string, keptMs: number): Used {
    const nowMs = this.clock.monotonicMs();
    let used = this.#used.get(what);
    if (!used) this.#used.set(what, (used = new Map()));
    for (const [known, usedMs] of used) {
      if (nowMs - usedMs < keptMs) break;
      used.delete(known);
    }
    if (used.has(id)) return false;
    if (used.size >= limits.usedOnceKnownMax) return undefined;
    used.set(id, nowMs);
    return true;
  }
}
