/** Bugs planted where no search comes by, or does no harm that one could see: a test of its own shows each. */
import { existsSync, readFileSync } from 'node:fs';
import type { PlantedBug } from '../../src/base/planted.js';

interface ShownBug {
  readonly bug: PlantedBug;
  /** What it would do to a user. */
  readonly what: string;
  /** The file of the test, from the project's folder. */
  readonly test: string;
}

export const shownBugs: readonly ShownBug[] = [
  {
    bug: 'snapshot-anywhere',
    what: 'a document is begun from a snapshot of the side that lost',
    test: 'test/engine/cluster/documents.test.ts',
  },
  {
    bug: 'orphans-left',
    what: 'what a node wrote alone stays there once it is no home any more',
    test: 'test/engine/cluster/ring-change.test.ts',
  },
  {
    bug: 'numbers-of-one-owner',
    what: 'an owner that comes back takes in what a publisher sent before what the one between has',
    test: 'test/engine/cluster/cluster.test.ts',
  },
  {
    bug: 'stuck-is-alive',
    what: 'a node whose loop stands still for ever is never dead',
    test: 'test/cluster/cluster.test.ts',
  },
  {
    bug: 'joint-unchecked',
    what: 'a home that stays does not make sure that it has what was committed before the change',
    test: 'test/replication/replanning.test.ts',
  },
  {
    bug: 'stale-ring-taken',
    what: 'a message of an older version of the ring is taken',
    test: 'test/replication/replica.test.ts',
  },
  {
    bug: 'pause-unheeded',
    what: 'an owner that stood still stamps on without asking whether it still owns',
    test: 'test/replication/pauses.test.ts',
  },
  {
    bug: 'hasty-return',
    what: 'a node that comes back takes its intervals at once, and again each time it comes and goes',
    test: 'test/cluster/acting.test.ts',
  },
  {
    bug: 'start-unwaited',
    what: 'the first node that starts wants everything before it heard of the others',
    test: 'test/cluster/acting.test.ts',
  },
];

/** Whether the test that is named exists and plants the bug. */
export function isShown({ bug, test }: ShownBug): boolean {
  return existsSync(test) && readFileSync(test, 'utf8').includes(`'${bug}'`);
}

export function shownBugLines(tell: (line: string) => void): boolean {
  tell('| planted | shown by a test |');
  tell('|---|---|');
  for (const each of shownBugs)
    tell(`| ${each.bug}: ${each.what} | ${isShown(each) ? each.test : 'no test'} |`);
  return shownBugs.every(isShown);
}
