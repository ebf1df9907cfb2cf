/** What comparing two stores costs, at the size of a test: docs/reconciliation.md has the size of the promise. */
import { describe, expect, test } from 'vitest';
import { reach, reachCases } from '../../simulations/scale/reconcile-reach.js';

const size = { channels: 500, payloadBytes: 128 };
const [same, few, all, some, empty] = reachCases(size.channels, 20);

describe('two stores of ten thousand entries', () => {
  test('that hold the same: one question, and its answer', async () => {
    expect(await reach(same!, size)).toMatchObject({ isEqual: true, questions: 1, legs: 2, mendBytes: 0 });
  });

  test('that differ in ten entries: four round trips at most', async () => {
    const { isEqual, legs, compareBytes, mendBytes } = await reach(few!, size);
    expect([isEqual, legs <= 8, compareBytes + mendBytes < 65_536]).toEqual([true, true, true]);
  });

  test.each([all!, some!, empty!])('$name: hardly more than the entries', async (each) => {
    const { isEqual, compareBytes, mendBytes, runBytes } = await reach(each, size);
    // Two entries in a run of a channel: the smallest that mends at this size.
    expect([isEqual, (compareBytes + mendBytes) / runBytes < 1.6]).toEqual([true, true]);
  });
});
