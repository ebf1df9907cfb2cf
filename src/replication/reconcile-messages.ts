/** What two homes say to each other while they compare what they hold (reconcile-ranges.ts). A question stands alone: the
 *  home that answers it keeps nothing. Safe to lose, repeat and reorder: an answer names its question. */
import type { ChannelRef } from '../base/ids.js';

/** A place between the items of the ring: the position of a channel as 16 hex digits, behind channels of the same position
 *  with the id of one as 16 more. Text compares as the ring goes. */
export type RingBound = string;

export const ringStart: RingBound = '0'.repeat(16);
/** Behind every position. */
export const ringEnd: RingBound = 'g';

/** Items at or behind `from`, before `to`. */
export interface RingRange {
  readonly from: RingBound;
  readonly to: RingBound;
}

/** What was found out about one channel, as the sender sees it. lacking: the sender has nothing of it. only: the receiver
 *  has nothing. heads: what they hold differs. content: they hold the same entries, and their records differ. damaged: one of
 *  them cannot read all of it. */
export type Difference = 'lacking' | 'only' | 'heads' | 'content' | 'damaged';

export interface FoundItem {
  readonly difference: Difference;
  /** Of the channel: 16 hex digits. */
  readonly id: string;
  /** Where the receiver may not know it. */
  readonly ref?: ChannelRef;
}

/** sum: what the sender has there comes to this. items: it has these. found: the end of it. */
export type ComparedRange = RingRange &
  (
    | { readonly kind: 'sum'; readonly fingerprint: Uint8Array }
    | { readonly kind: 'items'; readonly items: Uint8Array }
    | { readonly kind: 'found'; readonly found: readonly FoundItem[] }
  );

/** mend: what differs is brought together by whoever finds it. learn: whoever asks is told of all that differs, and brings
 *  it here. prove: the same, as both ends read it from disk anew, and of very much only how much it is. */
export type Purpose = 'mend' | 'learn' | 'prove';

export interface Reconcile {
  readonly type: 'reconcile';
  /** Random, of one comparison. */
  readonly session: number;
  /** Of the question in its session. */
  readonly number: number;
  readonly purpose: Purpose;
  readonly ranges: readonly ComparedRange[];
}

/** The answer to one question. */
export interface Reconciled {
  readonly type: 'reconciled';
  readonly session: number;
  readonly number: number;
  /** Not yet: what it holds is still being read. Ask again. */
  readonly isBusy: boolean;
  /** Ranges that it finds to differ, each within one of the question. */
  readonly ranges: readonly ComparedRange[];
  /** Differences that are not named, since there are too many. */
  readonly more: number;
  /** Everything that arrived at the store of the sender through this one was looked at; 0 where that is not known. */
  readonly arrival: number;
}
