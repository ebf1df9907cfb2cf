/** Bugs that can be planted in replication: how many seeds it takes to find each, and which check sees it. */
import type { PlantedBug } from '../../src/base/planted.js';
import { type Checker, Violation } from './checkers.js';
import { plant } from './planting.js';
import { anotherStore, twoOwnersOneWiped } from './returns.js';
import { wipedHomeOfFive } from './scenarios.js';
import { type Found, searchReplication } from './search.js';

interface Bug {
  readonly bug: PlantedBug;
  /** What it would do to a user. */
  readonly what: string;
  /** One that shows it: a first guess, the search goes on from seed 1 where it no longer does. */
  readonly seed: number;
}

export const bugs: readonly Bug[] = [
  { bug: 'own-primary', what: 'a regained claim follows its own old sub-log', seed: 7 },
  { bug: 'primary-by-time', what: 'a claim follows what is newest by the clock', seed: 10 },
  { bug: 'degraded-round', what: 'who holds no claim stamps the round it knows', seed: 21 },
  { bug: 'equal-rounds', what: 'two claims of one round both stand', seed: 2 },
  { bug: 'lonely-claim', what: 'a claim needs one home less', seed: 22 },
  { bug: 'small-quorum', what: 'half of the homes is a quorum', seed: 2 },
  { bug: 'tail-by-copies', what: 'an entry of an earlier claim is committed by its copies', seed: 9 },
  { bug: 'empty-is-new', what: 'an empty store is taken for a new one', seed: 35 },
  { bug: 'recovery-without-data', what: 'a wiped home counts before it has what it was told of', seed: 1153 },
  { bug: 'order-by-clock', what: 'a block is sorted by time alone', seed: 174 },
  { bug: 'parents-unchecked', what: 'entries are taken in sequence, whatever they stand on', seed: 78 },
  { bug: 'ack-before-sync', what: 'a home acks what it only received', seed: 6 },
  { bug: 'stale-fence', what: 'a home acks under a claim that a higher one has fenced', seed: 760 },
  { bug: 'claim-without-pull', what: 'a new owner stamps before it heard what homes hold', seed: 78 },
  { bug: 'no-merge-after-claim', what: 'what a new owner found is left uncommitted', seed: 3 },
  { bug: 'forgotten-promise', what: 'a restart forgets what was promised', seed: 8 },
  { bug: 'alive-quorum', what: 'the quorum is one of those that are connected', seed: 8 },
  { bug: 'ack-counted-twice', what: 'the same ack again counts for another home', seed: 78 },
  { bug: 'held-is-committed', what: 'a repeat of what is held is acked as committed', seed: 13 },
  { bug: 'copies-claimed', what: 'an ack says that all homes have it', seed: 21 },
  { bug: 'no-catch-up', what: 'what nobody uses stays behind at a home that was away', seed: 2 },
  { bug: 'checkpoint-first', what: 'a page counts as applied before its entries are synced', seed: 375 },
  { bug: 'unsynced-arrivals', what: 'arrivals are counted before they are synced', seed: 484 },
  { bug: 'rollback-unnoticed', what: 'a store that was rolled back goes on as if nothing were', seed: 2 },
  { bug: 'floors-by-have', what: 'a trim removes what is held, wherever its place is', seed: 10 },
  { bug: 'trim-uncommitted', what: 'a trim takes effect before it is committed', seed: 10 },
  { bug: 'floors-untold', what: 'homes do not tell each other their floors', seed: 55 },
  { bug: 'floors-in-memory', what: 'floors are raised and not written down', seed: 1 },
  { bug: 'trimmed-again', what: 'what is trimmed and was never held is taken in again', seed: 1 },
  { bug: 'trim-by-own-clock', what: 'a home trims what is old without a trim', seed: 1 },
  { bug: 'digest-skips', what: 'a digest misses some of the records', seed: 1 },
  { bug: 'digest-cancels', what: 'a digest is an exclusive or', seed: 1 },
  { bug: 'range-off-by-one', what: 'an item between two ranges is in none', seed: 7 },
  { bug: 'heads-are-content', what: 'equal heads are taken for equal content', seed: 7 },
  { bug: 'reconcile-endless', what: 'a comparison goes on as long as it is answered', seed: 1 },
  { bug: 'fetch-by-majority', what: 'what a majority lacks is said to be lost', seed: 6 },
];

/** Tries the seed known to show it, then those from 1 on. */
export function findBug(bug: PlantedBug, count: number, firstGuess?: number): Found | undefined {
  if (firstGuess !== undefined) {
    const { violations } = searchReplication({ firstSeed: firstGuess, count: 1, planted: bug });
    if (violations[0]) return violations[0];
  }
  return searchReplication({ firstSeed: 1, count, planted: bug, untilFound: true }).violations[0];
}

/** What sees the bug at that seed once the check that saw it is left out. */
export function seenWithout(bug: PlantedBug, { seed, checker }: Found): Found['checker'] | undefined {
  const off = checker as Checker;
  return searchReplication({ firstSeed: seed, count: 1, planted: bug, off }).violations[0]?.checker;
}

/** An assertion ends the run before any other check looks. */
function toldWithout(bug: PlantedBug, found: Found): string {
  return found.checker === 'asserted' ? 'the run ends there' : (seenWithout(bug, found) ?? 'none');
}

interface Told {
  readonly bug: PlantedBug;
  readonly what: string;
  readonly story: () => void;
  /** What sees it. */
  readonly checker: Checker;
}

/** Chance never did it all in thousands of seeds, so each has a story of its own. One needs five homes, one wiped while another
 *  is silent, and both an owner and a rival that count; the other a home that writes alone on a new disk before it is given
 *  back what it had. */
export const toldBugs: readonly Told[] = [
  {
    bug: 'recovery-by-quorum',
    what: 'a wiped home of five counts while another is silent',
    story: wipedHomeOfFive,
    checker: 'order',
  },
  {
    bug: 'recovering-acks',
    what: 'a home that lost its disk acks and grants',
    story: twoOwnersOneWiped,
    checker: 'order',
  },
  {
    bug: 'any-checkpoint',
    what: 'a checkpoint of another store is believed',
    story: anotherStore,
    checker: 'caught-up',
  },
];

/** Which check sees it, if any. */
export function findInStory({ bug, story }: Told): Found['checker'] | undefined {
  plant(bug);
  try {
    story();
  } catch (error) {
    if (error instanceof Violation) return error.checker;
    throw error;
  } finally {
    plant(undefined);
  }
  return undefined;
}

export function bugLines(count: number): {
  readonly lines: readonly string[];
  readonly isEachFound: boolean;
} {
  let isEachFound = true;
  const lines = [
    '| planted | first found at seed | first seen by | with that one off seen by | found in |',
    '|---|---|---|---|---|',
  ];
  for (const { bug, what } of bugs) {
    const found = findBug(bug, count);
    const share = searchReplication({ firstSeed: 1, count: 300, planted: bug });
    isEachFound &&= found !== undefined;
    const seen = found
      ? `${found.seed} | ${found.checker} | ${toldWithout(bug, found)}`
      : `not in ${count} | |`;
    lines.push(`| ${bug}: ${what} | ${seen} | ${share.violations.length} of ${share.stats.seeds} |`);
  }
  for (const told of toldBugs) {
    const inStory = findInStory(told);
    isEachFound &&= inStory !== undefined;
    lines.push(`| ${told.bug}: ${told.what} | a story, not a seed | ${inStory ?? 'nothing'} | | |`);
  }
  return { lines, isEachFound };
}
