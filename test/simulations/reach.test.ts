/** What comparing two stores costs, at the size of a test: docs/reconciliation.md has the size of the promise. */
import { describe, expect, test } from 'vitest';
import { reach, reachCases } from '../../simulations/scale/reconcile-reach.js';

const size = { channels: 200, payloadBytes: 128 };
const [same, few, all, some, empty] = reachCases(size.channels, 20);

describe('two stores of four thousand entries', () => {
  test('that hold the same: one question, and its answer', async () => {
    expect(await reach(same!, size)).toMatchObject({ isEqual: true, questions: 1, legs: 2, mendBytes: 0 });
  });

  test('that differ in ten entries: four round trips at most', async () => {
    const { isEqual, legs, compareBytes, mendBytes } = await reach(few!, size);
    expect([isEqual, legs <= 8, compareBytes + mendBytes < 65_536]).toEqual([true, true, true]);
  });

  test.each([all!, some!, empty!])('$name: hardly more than the entries', async (each) => {
    const { isEqual, compareBytes, mendBytes, runBytes } = await reach(each, size);
    // Ten entries of a channel at least: naming it costs a third of that.
    expect([isEqual, (compareBytes + mendBytes) / runBytes < 1.5]).toEqual([true, true]);
  });
});
