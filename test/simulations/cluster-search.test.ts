/** A part of the search that `npm run sim -- --of cluster` goes on with, and proof that it would find what it looks for. */
import { describe, expect, test } from 'vitest';
import { clusterBugs, findClusterBug } from '../../simulations/cluster/bugs.js';
import { faultText, parseSchedule } from '../../simulations/cluster/schedule.js';
import { drawPlan } from '../../simulations/cluster/resized.js';
import { ClusterSearch } from '../../simulations/cluster/search.js';

const seeds = [7, 22];

test.each(seeds)('seed %i on one node breaks no promise', async (seed) => {
  const { kind, lines } = await new ClusterSearch({ nodes: 1 }).run(seed);
  expect(lines.join('\n')).toBe('');
  expect(kind).toBe('held');
});

test('a seed run twice does the same', async () => {
  const hashes = [];
  for (let i = 0; i < 2; i++) hashes.push((await new ClusterSearch({ nodes: 1 }).run(12)).hash);
  expect(hashes[0]).toBe(hashes[1]);
});

test('several nodes run twice do the same', async () => {
  const hashes = [];
  for (let i = 0; i < 2; i++) hashes.push((await new ClusterSearch({ nodes: 3 }).run(1)).hash);
  expect(hashes[0]).toBe(hashes[1]);
});

test('a schedule is read as it was written', () => {
  const { faults } = drawPlan(5, 3);
  expect(faults.length).toBeGreaterThan(3);
  expect(parseSchedule(['a story', ...faults.map(faultText), ''].join('\n'))).toEqual(faults);
});

describe('a planted bug is found', () => {
  // Of a reader, and of a start; the stories show others, and `npm run sim -- --bugs` all.
  const some = ['late-unmarked', 'clock-bound-lost'];
  const bugs = clusterBugs.filter(({ bug }) => some.includes(bug));

  test.each(bugs)('$bug: $what', async (bug) => {
    const found = await findClusterBug(bug, 0);
    expect(found?.by).toBe(`seed ${bug.seed}`);
    expect(found?.without.split(', ')).not.toContain(found?.checker);
  });
});
