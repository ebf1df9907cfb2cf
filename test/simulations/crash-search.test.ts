/** A part of the search that `npm run sim` goes on with: a store that loses power at any step, on a disk that lies. */
import { expect, test } from 'vitest';
import { trySeed } from '../../simulations/run.js';

const seeds = Array.from({ length: 30 }, (_, i) => i + 1);

test.each(seeds)('seed %i breaks no promise', async (seed) => {
  expect(await trySeed(seed, false, 'store')).toBeUndefined();
});

// What each of these seeds taught, in words.
test.each([
  ['what was salvaged and nothing asked for is taken in although something newer is held', 81],
  ['a commit is no torn tail where entries behind it strayed elsewhere and the index is gone', 3_830],
  ['a torn tail is cut although something else was salvaged', 4_008],
  ['what strayed and has no place in the order any more is left out', 10_761],
  ['what is whole of a damaged run that is partly below floors is taken in before they are', 883],
  ['a start that ends between taking in what was stored again and reading it from there begins anew', 581],
  ['a whole entry behind a damaged one is found in a run that lost its end', 10_424],
])('%s', async (_, seed) => {
  expect(await trySeed(seed, false, 'store')).toBeUndefined();
});

test.each(seeds.slice(0, 10))('seed %i run twice does the same', async (seed) => {
  expect(await trySeed(1_000 + seed, true, 'store')).toBeUndefined();
});
