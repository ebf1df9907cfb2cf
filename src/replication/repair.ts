/** One search for entries that cannot be read: see repairing.ts. */
import type { NodeId } from '../base/ids.js';
import type { Damaged, Piece, Pieces } from './repair-pieces.js';

/** How far behind what a home cannot read an entry that can be read is looked for: some full commits. */
const searchedMax = 65_536;

/** What one home said so far. */
export interface Answer {
  readonly pieces: Map<number, Piece>;
  /** It is to go on with this. */
  next: number;
  recovering: boolean;
  floor: number;
}

export interface Repair {
  /** mend: held here, to be stored again. search: held elsewhere, and it stands in the way of what follows it. */
  readonly kind: 'mend' | 'search';
  /** Random, so that an answer belongs to this question. */
  readonly session: number;
  readonly damaged: Damaged;
  readonly here: Pieces;
  readonly answers: Map<NodeId, Answer>;
  /** Entries asked for; of a search more, since what exists behind them proves theirs. */
  readonly firstSeq: number;
  lastSeq: number;
  askAt: number;
  tries: number;
  /** All answered, and nobody has all that is missing. */
  isNowhere: boolean;
  /** What a home has under these names is not what was here. */
  isOther: boolean;
  /** It waits for a commit. */
  isQueued: boolean;
}

/** Here or at another home, or trimmed there. */
export function isThere({ here, answers }: Repair, seq: number): boolean {
  return here.has(seq) || [...answers.values()].some(({ pieces, floor }) => pieces.has(seq) || floor >= seq);
}

/** The newest of what is looked for that is at another home, or trimmed there; 0 without any. */
export function newestThere({ answers, lastSeq }: Repair): number {
  let newest = 0;
  for (const { pieces, floor } of answers.values())
    for (const seq of [...pieces.keys(), floor]) newest = Math.max(newest, Math.min(seq, lastSeq));
  return newest;
}

/** One entry is enough to show that all before it were. */
export function searchNoFurther(repair: Repair): void {
  const newest = newestThere(repair);
  if (newest > repair.firstSeq) repair.lastSeq = newest;
}

/** Nobody shows an entry behind what is looked for. What comes next may be as unreadable, each entry for itself, so one is looked
 *  for further on. False where that was far enough. */
export function searchFurther(repair: Repair): boolean {
  const width = repair.lastSeq - repair.firstSeq;
  if (width >= searchedMax) return false;
  repair.lastSeq = repair.firstSeq + Math.min(8 * width, searchedMax);
  return true;
}

/** All homes are asked again at once: others than before may be asked, or decide. */
export function askAnew(repairs: readonly Repair[], now: number): void {
  for (const repair of repairs) {
    repair.isNowhere = false;
    repair.isOther = false;
    repair.answers.clear();
    repair.tries = 0;
    repair.askAt = now;
  }
}
