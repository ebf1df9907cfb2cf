/** Bugs on purpose: one branch of wrong code each, so that a search can be shown to find what it looks for. Nothing defines
 *  `__RINGLOG_PLANTED__` but the searches, before the code under test is loaded; everywhere else every answer is a
 *  constant `false`. */
export type PlantedBug =
  | 'ack-before-sync'
  | 'ack-counted-twice'
  | 'alive-quorum'
  | 'any-checkpoint'
  | 'asked-is-reached'
  | 'checkpoint-first'
  | 'claim-without-pull'
  | 'clock-bound-lost'
  | 'clock-follows-all'
  | 'copies-claimed'
  | 'cursor-reset'
  | 'degraded-round'
  | 'delivered-at-sync'
  | 'doubt-forgotten'
  | 'empty-is-new'
  | 'equal-rounds'
  | 'fetch-by-majority'
  | 'floors-by-have'
  | 'floors-in-memory'
  | 'floors-untold'
  | 'follow-uncovered'
  | 'forgotten-promise'
  | 'gap-untold'
  | 'held-is-committed'
  | 'here-overtakes'
  | 'keyless-again'
  | 'keys-in-memory'
  | 'keys-of-one-owner'
  | 'numbers-of-one-owner'
  | 'late-unmarked'
  | 'live-before-end'
  | 'lonely-claim'
  | 'no-catch-up'
  | 'no-merge-after-claim'
  | 'order-by-clock'
  | 'own-primary'
  | 'own-writes-unheld'
  | 'parents-unchecked'
  | 'primary-by-time'
  | 'recovering-acks'
  | 'recovery-by-quorum'
  | 'recovery-without-data'
  | 'repeat-at-once'
  | 'rest-goes-first'
  | 'rollback-unnoticed'
  | 'slow-reader-skips'
  | 'small-quorum'
  | 'stale-fence'
  | 'sync-left-out'
  | 'tail-by-copies'
  | 'trim-by-own-clock'
  | 'trim-uncommitted'
  | 'trimmed-again'
  | 'twin-unnoticed'
  | 'unpromised-answer'
  | 'unsynced-arrivals'
  | 'writer-of-the-disk';

declare const __RINGLOG_PLANTED__: ((bug: PlantedBug) => boolean) | undefined;

const isPlanted = typeof __RINGLOG_PLANTED__ === 'undefined' ? undefined : __RINGLOG_PLANTED__;

export function planted(bug: PlantedBug): boolean {
  return isPlanted !== undefined && isPlanted(bug);
}
