/** Keeps work that can wait within a share of a node's time, while somebody needs the rest: some pieces of it, then a rest. Pure: it
 *  is told the time, and for how long the node's loop has had work. */
import { type Pace, restAfter } from './pace.js';

export const pacing = {
  /** Pieces under way at a time: together they wait for the disk. */
  atOnceMax: 8,
  /** Work of the loop after which no more of them begin before there was a rest. A publish waits for about so much. */
  stretchMs: 5,
  /** No rest is longer. */
  restMaxMs: 1_000,
  /** A piece that waited so long is done whatever the share: so long is also what homes wait at most until they ask again. */
  waitMaxMs: 4_000,
  /** A publish needs the node, and whoever made it may make more: others rest for it meanwhile. */
  neededMs: 250,
};

export class Pacer<T> {
  readonly #pace: Pace;
  readonly #waiting = new Map<string, { readonly piece: T; readonly until: number }>();
  #underWay = 0;
  /** When the first of those under way began, or the last ended, and what the loop had worked by then. */
  #since = 0;
  #workedBefore = 0;
  /** Of the loop, what others took when none was under way last. */
  #othersShare = 0;
  #restUntil = -Infinity;
  #neededUntil = -Infinity;

  constructor(pace: Pace) {
    this.#pace = pace;
  }

  /** The node has other work. */
  needed(now: number): void {
    this.#neededUntil = now + pacing.neededMs;
  }

  /** The piece waits for its turn; returns the one of the same key in whose place it waits. */
  add(key: string, piece: T, now: number): T | undefined {
    const before = this.#waiting.get(key);
    this.#waiting.set(key, { piece, until: before?.until ?? now + pacing.waitMaxMs });
    return before?.piece;
  }

  /** A piece whose turn it is: it has begun. */
  next(now: number, workedMs: number): T | undefined {
    const [first] = this.#waiting;
    if (!first) return undefined;
    const [key, { piece, until }] = first;
    if (now < until && !this.#mayBegin(now, workedMs)) return undefined;
    this.#waiting.delete(key);
    this.begin(now, workedMs);
    return piece;
  }

  /** A piece that cannot wait: those after it rest for it too. */
  begin(now: number, workedMs: number): void {
    if (this.#underWay++ > 0) return;
    if (now > this.#since)
      this.#othersShare = Math.min(1, (workedMs - this.#workedBefore) / (now - this.#since));
    this.#mark(now, workedMs);
  }

  /** Others went on meanwhile, as it is taken, as they did before: that is not its own. */
  ended(now: number, workedMs: number): void {
    if (--this.#underWay > 0) return;
    const ownMs = workedMs - this.#workedBefore - this.#othersShare * (now - this.#since);
    const restMs = restAfter(this.#pace, Math.max(0, ownMs), 0);
    this.#restUntil = now + Math.min(restMs, pacing.restMaxMs);
    this.#mark(now, workedMs);
  }

  #mark(now: number, workedMs: number): void {
    this.#since = now;
    this.#workedBefore = workedMs;
  }

  /** When one that waits may have its turn, unless one that is under way ends earlier; Infinity where none waits. */
  get deadline(): number {
    const [first] = this.#waiting.values();
    if (!first) return Infinity;
    if (this.#underWay >= pacing.atOnceMax) return first.until;
    return Math.min(first.until, this.#neededUntil, this.#underWay > 0 ? Infinity : this.#restUntil);
  }

  #mayBegin(now: number, workedMs: number): boolean {
    if (this.#underWay >= pacing.atOnceMax) return false;
    if (now >= this.#neededUntil) return true;
    return this.#underWay === 0 ? now >= this.#restUntil : workedMs - this.#workedBefore < pacing.stretchMs;
  }
}
