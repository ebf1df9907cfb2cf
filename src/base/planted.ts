/** Bugs on purpose: one branch of wrong code each, so that a search can be shown to find what it looks for. Nothing defines
 *  `__RINGLOG_PLANTED__` but the searches, before the code under test is loaded; everywhere else every answer is a
 *  constant `false`. */
export type PlantedBug =
  | 'ack-before-sync'
  | 'ack-counted-twice'
  | 'alive-quorum'
  | 'claim-without-pull'
  | 'copies-claimed'
  | 'degraded-round'
  | 'empty-is-new'
  | 'equal-rounds'
  | 'fetch-by-majority'
  | 'forgotten-promise'
  | 'held-is-committed'
  | 'lonely-claim'
  | 'no-merge-after-claim'
  | 'order-by-clock'
  | 'own-primary'
  | 'parents-unchecked'
  | 'primary-by-time'
  | 'recovering-acks'
  | 'recovery-by-quorum'
  | 'recovery-without-data'
  | 'small-quorum'
  | 'stale-fence'
  | 'tail-by-copies'
  | 'unpromised-answer';

declare const __RINGLOG_PLANTED__: ((bug: PlantedBug) => boolean) | undefined;

const isPlanted = typeof __RINGLOG_PLANTED__ === 'undefined' ? undefined : __RINGLOG_PLANTED__;

export function planted(bug: PlantedBug): boolean {
  return isPlanted !== undefined && isPlanted(bug);
}
