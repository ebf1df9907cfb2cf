/** A part of the search that `npm run sim -- --of cluster` goes on with, and proof that it would find what it looks for. */
import { expect, test } from 'vitest';
import { ClusterSearch } from '../../simulations/cluster/search.js';

const seeds = [1, 3, 7, 13, 18, 22];

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
