/** Bugs that can be planted in what a store does with redacted entries: how many seeds it takes to find each, and which check sees it. */
import type { PlantedBug } from '../../src/base/planted.js';
// Before the code that it plants bugs in.
import { plant } from '../replication/planting.js';
import { type RedactionCheck, RedactionViolation, switchOff } from './redactions.js';
import { Violation } from './model.js';
import { runStoreSeed } from './search.js';

interface StoreBug {
  readonly bug: PlantedBug;
  readonly what: string;
  /** One that shows it: a first guess, the search goes on from seed 1 where it no longer does. */
  readonly seed: number;
}

export const storeBugs: readonly StoreBug[] = [
  {
    bug: 'redacted-kept',
    what: 'what is redacted is read without its content and stays on the disk',
    seed: 6,
  },
  { bug: 'redacted-read', what: 'what is redacted is read until it is written over', seed: 6 },
  { bug: 'erased-unsynced', what: 'a record counts as written over before that is synced', seed: 51 },
  { bug: 'erasing-forgotten', what: 'what is to be written over is known in memory alone', seed: 26 },
  {
    bug: 'trimmed-unerased',
    what: 'what is trimmed is not written over before its redaction is committed',
    seed: 418,
  },
];

export interface FoundInStore {
  readonly seed: number;
  readonly checker: RedactionCheck | 'another';
}

/** What sees the bug at this seed; `off`: a check that is left out. */
export async function tryBug(
  bug: PlantedBug,
  seed: number,
  off?: RedactionCheck,
): Promise<FoundInStore | undefined> {
  plant(bug);
  switchOff(off);
  try {
    await runStoreSeed(seed);
    return undefined;
  } catch (error) {
    if (error instanceof RedactionViolation) return { seed, checker: error.checker };
    if (error instanceof Violation) return { seed, checker: 'another' };
    throw error;
  } finally {
    plant(undefined);
    switchOff(undefined);
  }
}

/** Tries the seed known to show it, then those from 1 on; what sees it is a check of redactions. */
export async function findStoreBug(
  { bug, seed }: StoreBug,
  count: number,
): Promise<FoundInStore | undefined> {
  for (const each of [seed, ...Array.from({ length: count }, (_, i) => i + 1)]) {
    const found = await tryBug(bug, each);
    if (found && found.checker !== 'another') return found;
  }
  return undefined;
}

export async function seenWithout(
  bug: PlantedBug,
  { seed, checker }: FoundInStore,
): Promise<FoundInStore['checker'] | undefined> {
  return checker === 'another' ? undefined : (await tryBug(bug, seed, checker))?.checker;
}

export async function storeBugLines(count: number, tell: (line: string) => void): Promise<boolean> {
  let isEachFound = true;
  tell('| planted in the store | first found at seed | first seen by | with that one off seen by |');
  tell('|---|---|---|---|');
  for (const each of storeBugs) {
    const found = await findStoreBug(each, count);
    isEachFound &&= found !== undefined;
    const seen = found
      ? `${found.seed} | ${found.checker} | ${(await seenWithout(each.bug, found)) ?? 'none'}`
      : `not in ${count} | |`;
    tell(`| ${each.bug}: ${each.what} | ${seen} |`);
  }
  return isEachFound;
}
