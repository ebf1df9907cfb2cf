/** A proof that all homes of a part of the ring hold the same, as administrators ask for it. */
import type { ChannelRef, NodeId } from '../../base/ids.js';

/** unreachable: there is no link to it. interrupted: the link broke, or the ring changed. late: there was not enough time. */
export type VerifiedState = 'compared' | 'unreachable' | 'interrupted' | 'late';

export interface ProofRequest {
  /** `next` of the page before; left out: from the beginning. */
  readonly after?: string;
  /** What differs is to be brought together, and compared again. */
  readonly repair?: boolean;
}

/** bad-cursor: `after` is none. busy: others ask for proofs. not-serving: the node has no log open now. */
export type ProofRefusal = 'bad-cursor' | 'busy' | 'not-serving';

/** missing: the home `at` has nothing of the channel. entries: they hold different ones. records: of the same entries different
 *  records. unreadable: one of them cannot read all it holds. */
export type ProofDifferenceKind = 'missing' | 'entries' | 'records' | 'unreadable';

export interface ProofDifference {
  readonly ref: ChannelRef;
  /** Id of its interval. */
  readonly interval: string;
  readonly kind: ProofDifferenceKind;
  /** The two that were compared; one that has nobody to compare with is alone. */
  readonly homes: readonly NodeId[];
  readonly at?: NodeId;
}

export interface ProofHome {
  readonly node: NodeId;
  /** The worst of what was found in the parts it is a home of. */
  readonly state: 'equal' | 'differs' | Exclude<VerifiedState, 'compared'>;
}

/** What was found in one part of the ring. */
export interface ProofPage {
  /** Every home of every interval of it was reached, and all hold the same. */
  readonly isEqual: boolean;
  /** Channels and entries of it, each counted once, as one home of each has read them. */
  readonly channels: number;
  readonly entries: number;
  readonly homes: readonly ProofHome[];
  readonly differences: readonly ProofDifference[];
  /** Differences that are not named. */
  readonly more: number;
  /** Channels of two homes that differed and do not any more. */
  readonly repaired: number;
  /** How much of the ring lies before its end: 0 to 1. */
  readonly done: number;
  /** Absent once the end of the ring is reached. A part that could not be read in time comes again, smaller. */
  readonly next?: string;
}
