/** A fold in memory, as a place in its channel's log: what the committed order before `position` comes to, and beyond it
 *  what this node has stamped and is not committed yet. Synchronous; entries are read elsewhere (folds.ts). */
import type { Dot, WriterId } from '../../base/ids.js';
import { limits } from '../../base/limits.js';
import { planted } from '../../base/planted.js';
import type { ChannelLog } from '../../log/channel-log.js';
import type { Folding } from './folding.js';

/** A fold and where it is. */
export interface Folded<F> {
  readonly fold: F;
  /** Every entry of the committed order before it is in the fold. */
  readonly position: number;
  /** Of the newest snapshot before it that counts. */
  readonly snapshotAt: number | undefined;
  /** Of what came since then (`foldCost`). */
  readonly costSince: number;
}

/** Of an entry of so many bytes, about. */
export function foldCost(bytes: number): number {
  return bytes + limits.foldedEntryCost;
}

export interface Ahead<F> extends Dot {
  readonly fold: F;
  readonly isSnapshot?: boolean;
}

export class OpenFold<F> {
  #folded: Folded<F>;
  /** Folds of the last positions, for who asks for one that has just been passed; they share all but what changed. */
  #recent: { readonly position: number; readonly fold: F }[] = [];
  /** In the order in which they follow: the order of the newest of them, beyond what is committed. */
  #ahead: Ahead<F>[] = [];
  /** Entries are being read: what is known changes by that alone. */
  isMoving = false;

  constructor(
    readonly log: ChannelLog,
    readonly folding: Folding<F>,
  ) {
    this.#folded = { fold: folding.empty, position: 0, snapshotAt: undefined, costSince: 0 };
  }

  get folded(): Folded<F> {
    return this.#folded;
  }

  /** The newest fold there is. */
  get tip(): F {
    return this.#ahead.at(-1)?.fold ?? this.#folded.fold;
  }

  /** Of all that is kept: of what is committed, of what was before it, and of what is beyond. */
  get weight(): number {
    const { folding } = this;
    const oldest = this.#recent[0]?.fold ?? this.#folded.fold;
    return folding.weightOf(oldest) + Math.max(0, folding.madeOf(this.tip) - folding.madeOf(oldest));
  }

  get isAhead(): boolean {
    return this.#ahead.length > 0;
  }

  /** Nothing is read for it, and nothing was stamped that is not committed yet. */
  isAtRest(): boolean {
    if (this.isMoving) return false;
    this.settle();
    return !this.isAhead;
  }

  /** All that is committed is folded. */
  get isAtEnd(): boolean {
    return this.#folded.position >= this.log.endPosition;
  }

  /** Whether `tip` is what the order through the log's only head gives, so that an entry with these parents follows it.
   *  `undefined`: none are due. */
  isBefore(parents: readonly Dot[] | undefined, writer: WriterId): boolean {
    if (this.isMoving) return false;
    this.settle();
    const heads = this.log.heads();
    const [head] = heads;
    if (!this.isAtEnd || heads.length > 1) return false;
    if (!head) return parents === undefined && !this.isAhead;
    const [parent] = parents ?? [{ writer, seq: head.seq }];
    if ((parents?.length ?? 1) > 1 || !parent || !isSame(parent, head)) return false;
    const last = this.#ahead.at(-1) ?? this.log.committed;
    return last !== undefined && isSame(last, head);
  }

  /** An entry was stamped behind `tip`. */
  push(entry: Ahead<F>): void {
    this.#ahead.push(entry);
  }

  /** What is beyond the committed order is not known any more. */
  forgetAhead(): void {
    this.#ahead = [];
  }

  /** Takes in what was committed since, as far as that is what was stamped here. */
  settle(): void {
    const { log } = this;
    let taken = 0;
    let { position } = this.#folded;
    for (; position < log.endPosition && taken < this.#ahead.length; position++, taken++) {
      const dot = log.dotAt(position);
      // Ordered otherwise, or given up by all since: what was ahead is no fold of anything.
      const isOther =
        dot && (!isSame(dot, this.#ahead[taken]!) || log.isGivenUp(dot.writer, dot.seq, dot.seq));
      if (!dot || (isOther && !planted('ahead-kept'))) {
        this.#ahead = [];
        return;
      }
    }
    if (taken === 0) return;
    const settled = this.#ahead.splice(0, taken);
    const first = position - taken + 1;
    this.#note(settled.map(({ fold }, i) => ({ position: first + i, fold })));
    const snapshot = settled.map(({ isSnapshot }) => isSnapshot).lastIndexOf(true);
    const at = position - taken + snapshot;
    this.#folded = {
      ...this.#folded,
      fold: settled[taken - 1]!.fold,
      position,
      ...(snapshot >= 0 && log.isOnChain(at) ? { snapshotAt: at } : {}),
    };
  }

  /** What the order before `position` gives, where that is not long ago. */
  foldAt(position: number): F | undefined {
    if (position === this.#folded.position) return this.#folded.fold;
    return this.#recent.find((recent) => recent.position === position)?.fold;
  }

  /** As many as there may be, as long as they take no more beside the newest than that itself. */
  #note(folds: readonly { readonly position: number; readonly fold: F }[]): void {
    const recent = [...this.#recent, ...folds.map(({ position, fold }) => ({ position, fold }))];
    const { folding } = this;
    const newest = recent.at(-1)!.fold;
    const made = folding.madeOf(newest);
    const most = folding.weightOf(newest) + limits.recentFoldsBytes;
    const enough = recent.findIndex(
      ({ fold }) => made - folding.madeOf(fold) <= most && folding.weightOf(fold) <= 2 * most,
    );
    this.#recent = recent.slice(Math.max(enough, recent.length - limits.documentRecentFolds));
  }

  /** A snapshot was stamped here at the tip. */
  snapshotStamped(): void {
    this.#folded = { ...this.#folded, costSince: 0 };
  }

  grew(bytes: number): void {
    this.#folded = { ...this.#folded, costSince: this.#folded.costSince + foldCost(bytes) };
  }

  /** `isApart`: it was not folded from what there was, and shares nothing with that. */
  moveTo(folded: Folded<F>, isApart = false): void {
    if (isApart) this.#recent = [];
    this.#folded = folded;
    this.#note([folded]);
    this.#ahead = [];
  }

  moveAhead(ahead: Ahead<F>[]): void {
    this.#ahead = ahead;
  }
}

function isSame(a: Dot, b: Dot): boolean {
  return a.seq === b.seq && a.writer === b.writer;
}
