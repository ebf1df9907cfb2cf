/** What comparing two stores costs, at the size of a test: docs/reconciliation.md has the size of the promise. */
import { describe, expect, test } from 'vitest';
import { missedReach, reach, reachCases } from '../../simulations/scale/reconcile-reach.js';

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

  // The goal is 1.3. Naming a channel, its heads and its claim costs as much whatever it lacks: of ten entries of 128 bytes a third, so
  // 1.4 for that row whatever the number of channels; the other rows are held to what their channels lack.
  test.each([
    [all!, 1.4],
    [some!, 1.1],
    [empty!, 1.2],
  ])('$name: hardly more than the entries', async (each, share) => {
    const { isEqual, compareBytes, mendBytes, runBytes } = await reach(each, size);
    expect(isEqual).toBe(true);
    expect((compareBytes + mendBytes) / runBytes).toBeLessThan(share);
  });

  test('one of which missed half while it was away: hardly more than what it missed', async () => {
    const { isEqual, missedBytes, cameBytes } = await missedReach({
      channels: 200,
      entries: 50,
      missed: 50,
      payloadBytes: 128,
    });
    expect(isEqual).toBe(true);
    expect(cameBytes).toBeGreaterThan(missedBytes);
    // The goal is 1.1. Claims of all intervals, 300 kB whatever is missed, are a fifth of these 10,000 entries.
    expect(cameBytes / missedBytes).toBeLessThan(1.25);
  });
});
