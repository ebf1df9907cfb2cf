/** Bugs that can be planted in replication, and how many seeds it takes to find each. */
import type { PlantedBug } from '../../src/base/planted.js';
import { searchReplication } from './search.js';

/** What each would do to a user, and a seed that shows it: a first guess, the search goes on from seed 1 where it no
 *  longer does. */
export const bugs: readonly { readonly bug: PlantedBug; readonly what: string; readonly seed: number }[] = [
  { bug: 'own-primary', what: 'a regained claim follows its own old sub-log', seed: 22 },
  { bug: 'degraded-round', what: 'who holds no claim stamps the round it knows', seed: 43 },
  { bug: 'equal-rounds', what: 'two claims of one round both stand', seed: 11 },
  { bug: 'tail-by-copies', what: 'an entry of an earlier claim is committed by its copies', seed: 4 },
  { bug: 'recovering-acks', what: 'a home that lost its disk acks and grants', seed: 296 },
  { bug: 'order-by-clock', what: 'a block is sorted by time alone', seed: 70 },
  { bug: 'parents-unchecked', what: 'entries are taken in sequence, whatever they stand on', seed: 279 },
  { bug: 'ack-before-sync', what: 'a home acks what it only received', seed: 4 },
  { bug: 'stale-fence', what: 'a home acks under a claim that a higher one has fenced', seed: 1679 },
  { bug: 'claim-without-pull', what: 'a new owner stamps before it heard what homes hold', seed: 22 },
  { bug: 'forgotten-promise', what: 'a restart forgets what was promised', seed: 604 },
  { bug: 'alive-quorum', what: 'the quorum is one of those that are connected', seed: 6 },
  { bug: 'ack-counted-twice', what: 'the same ack again counts for another home', seed: 41 },
];

/** Tries the seed known to show it, then those from 1 on; the number of seeds it took from 1, or `undefined`. */
export function findBug(bug: PlantedBug, count: number, firstGuess?: number): string | undefined {
  if (firstGuess !== undefined) {
    const { violations } = searchReplication({ firstSeed: firstGuess, count: 1, planted: bug });
    if (violations[0]) return violations[0].what;
  }
  return searchReplication({ firstSeed: 1, count, planted: bug, untilFound: true }).violations[0]?.what;
}

export function bugLines(count: number): {
  readonly lines: readonly string[];
  readonly isEachFound: boolean;
} {
  let isEachFound = true;
  const lines = ['| planted | first found at seed | found in |', '|---|---|---|'];
  for (const { bug, what } of bugs) {
    const first = searchReplication({ firstSeed: 1, count, planted: bug, untilFound: true });
    const found = first.violations[0];
    const share = searchReplication({ firstSeed: 1, count: 300, planted: bug });
    isEachFound &&= found !== undefined;
    const seed = found ? `${found.seed}` : `not in ${count}`;
    lines.push(`| ${bug}: ${what} | ${seed} | ${share.violations.length} of ${share.stats.seeds} |`);
  }
  return { lines, isEachFound };
}
