/** Bugs on purpose: one branch of wrong code each, so that a search can be shown to find what it looks for. Nothing defines
 *  `__RINGLOG_PLANTED__` but the searches, before the code under test is loaded; everywhere else every answer is a
 *  constant `false`. */
export type PlantedBug =
  | 'ack-before-sync'
  | 'ack-counted-twice'
  | 'alive-quorum'
  | 'asked-is-reached'
  | 'claim-without-pull'
  | 'clock-bound-lost'
  | 'clock-follows-all'
  | 'copies-claimed'
  | 'cursor-reset'
  | 'damage-served'
  | 'degraded-round'
  | 'delivered-at-sync'
  | 'doubt-forgotten'
  | 'empty-is-new'
  | 'equal-rounds'
  | 'fetch-by-majority'
  | 'follow-uncovered'
  | 'forgotten-promise'
  | 'gap-by-majority'
  | 'gap-untold'
  | 'held-is-committed'
  | 'here-overtakes'
  | 'keyless-again'
  | 'keys-in-memory'
  | 'keys-of-one-owner'
  | 'late-unmarked'
  | 'live-before-end'
  | 'lonely-claim'
  | 'no-merge-after-claim'
  | 'order-by-clock'
  | 'own-primary'
  | 'parents-unchecked'
  | 'primary-by-time'
  | 'recovering-acks'
  | 'recovery-by-quorum'
  | 'recovery-without-data'
  | 'repeat-at-once'
  | 'rest-goes-first'
  | 'slow-reader-skips'
  | 'small-quorum'
  | 'stale-fence'
  | 'sync-left-out'
  | 'tail-by-copies'
  | 'unpromised-answer'
  | 'writer-of-the-disk';

declare const __RINGLOG_PLANTED__: ((bug: PlantedBug) => boolean) | undefined;

const isPlanted = typeof __RINGLOG_PLANTED__ === 'undefined' ? undefined : __RINGLOG_PLANTED__;

export function planted(bug: PlantedBug): boolean {
  return isPlanted !== undefined && isPlanted(bug);
}
