/** Bugs planted in what a store does with redacted entries are seen at these seeds, and by a check of redactions. */
import { expect, test } from 'vitest';
import { seenWithout, storeBugs, tryBug } from '../../simulations/store/bugs.js';

test.each(storeBugs)('$bug: $what', async ({ bug, seed }) => {
  const found = await tryBug(bug, seed);
  expect(found?.seed).toBe(seed);
  expect(found?.checker).not.toBe('another');
  expect(await seenWithout(bug, found!)).not.toBe(found!.checker);
});
