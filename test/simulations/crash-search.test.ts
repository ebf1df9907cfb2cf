/** A part of the search that `npm run sim` goes on with: a store that loses power at any step, on a disk that lies. */
import { expect, test } from 'vitest';
import { trySeed } from '../../simulations/run.js';

const seeds = Array.from({ length: 30 }, (_, i) => i + 1);

test.each(seeds)('seed %i breaks no promise', async (seed) => {
  expect(await trySeed(seed, false, 'store')).toBeUndefined();
});

test('a seed run twice does the same', async () => {
  expect(await trySeed(31, true, 'store')).toBeUndefined();
});
