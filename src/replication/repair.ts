/** One search for entries that cannot be read: see repairing.ts. */
import type { NodeId } from '../base/ids.js';
import type { Damaged, Piece, Pieces } from './repair-pieces.js';

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
  /** Entries asked for; of a search one more, whose existence proves theirs. */
  readonly firstSeq: number;
  readonly lastSeq: number;
  askAt: number;
  tries: number;
  /** All answered, and nobody has all that is missing. */
  isNowhere: boolean;
  /** What a home has under these names is not what was here. */
  isOther: boolean;
  /** It waits for a commit. */
  isQueued: boolean;
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
