/** The random search over the replication core, and proof that it finds what it looks for. */
import { describe, expect, test } from 'vitest';
import { bugs, findBug, findInStory, seenWithout, toldBugs } from '../../simulations/replication/bugs.js';
import { runSeed, searchReplication } from '../../simulations/replication/search.js';
import { noStats } from '../../simulations/replication/surroundings.js';
import { World } from '../../simulations/replication/world.js';

test(
  'under crashes, lost disks, cuts, pauses and wrong clocks every promise holds',
  { timeout: 300_000 },
  () => {
    const { violations, stats } = searchReplication({ firstSeed: 1, count: 90 });
    expect(violations).toEqual([]);
    // More seeds are taken behind the tests. A search in which nothing happens would hold anything.
    expect(stats.acksQuorum).toBeGreaterThan(100);
    expect(stats.acksOwner).toBeGreaterThan(100);
    expect(stats.claims).toBeGreaterThan(100);
    expect(stats.late).toBeGreaterThan(40);
    expect(stats.losses).toBeGreaterThan(20);
    expect(stats.duelLosses).toBeGreaterThan(2);
    expect(stats.repeats).toBeGreaterThan(40);
    expect(stats.fetched).toBeGreaterThan(5);
    expect(stats.lies).toBeGreaterThan(200);
    expect(stats.alarms).toBeGreaterThan(40);
    expect(stats.nags).toBeGreaterThan(40);
    expect(stats.askedTooOften).toBeGreaterThan(40);
    // Of 100 ms each: a home that has asked in vain for long asks again after four seconds.
    expect(stats.healRounds).toBeLessThan(50);
    expect(stats.rollbacks).toBeGreaterThan(8);
    expect(stats.renewals).toBe(stats.rollbacks);
    expect(stats.caughtUp).toBeGreaterThan(20);
    expect(stats.scrubs).toBeGreaterThan(200);
    expect(stats.scrubFindings).toBeGreaterThan(40);
  },
);

test('what no home has any more is told to be lost to who asks for it, which is rare', () => {
  const { violations, stats } = searchReplication({ firstSeed: 308, count: 1 });
  expect(violations).toEqual([]);
  expect(stats.fetchedLost).toBeGreaterThan(0);
});

describe('a planted bug is found', () => {
  test.each(bugs)('$bug: $what', ({ bug, seed }) => {
    const found = findBug(bug, 3_000, seed);
    expect(found).toBeDefined();
    expect(seenWithout(bug, found!)).not.toBe(found!.checker);
  });

  test.each(toldBugs)('$bug: in a story', (told) => {
    expect(findInStory(told)).toBe(told.checker);
  });
});

describe('what happened in a seed', () => {
  const hashOf = (firstSeed: number, count: number): string => searchReplication({ firstSeed, count }).hash;

  test('is the same in every run of it', () => {
    expect(hashOf(77, 30)).toBe(hashOf(77, 30));
  });

  test('is told apart by every frame and every byte that is written, not by counts alone', () => {
    const one = runSeed(3, noStats());
    const [first, again] = [new World(3, noStats()), new World(3, noStats())];
    expect(first.trace.hash).toBe(again.trace.hash);
    expect(one.trace.events).toBeGreaterThan(500);
    first.trace.bytes('0 to 1', Uint8Array.of(1));
    again.trace.bytes('0 to 1', Uint8Array.of(2));
    expect(first.trace.hash).not.toBe(again.trace.hash);
    expect(new Set(Array.from({ length: 20 }, (_, i) => hashOf(i + 1, 1))).size).toBe(20);
  });
});
