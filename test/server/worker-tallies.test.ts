/** Processes that serve clients of one node count together. */
import { expect, test, vi } from 'vitest';
import { limits } from '../../src/base/limits.js';
import { OwnTallies } from '../../src/engine/people/tallies.js';
import { systemClock } from '../../src/server/system-ports.js';
import { WorkerTallies, tallied } from '../../src/server/worker-tallies.js';

function worker(node: OwnTallies): WorkerTallies {
  const made: WorkerTallies = new WorkerTallies((message) => {
    // As it comes out at the other end of a pipe.
    const answer = tallied(node, structuredClone(message));
    if (answer) queueMicrotask(() => made.received(structuredClone(answer)));
  });
  return made;
}

test('tries are counted for all of them, and given back for all of them', async () => {
  const node = new OwnTallies(systemClock);
  const workers = [worker(node), worker(node)] as const;
  const attempt = (i: number) => workers[i % 2]!.attempt('hub ada', '10.0.0.1');
  for (let i = 0; i < limits.loginFailuresAccountMax; i++) expect((await attempt(i)).waitMs).toBe(0);
  for (const i of [0, 1]) expect((await attempt(i)).waitMs).toBeGreaterThan(0);
  workers[0].succeeded('hub ada', '10.0.0.1');
  for (let i = 0; i < 20; i++) {
    const { waitMs, counted } = await attempt(i);
    expect(waitMs).toBe(0);
    workers[i % 2]!.giveBack(counted);
  }
});

test('what is good once is good once for all of them, by its kind', async () => {
  const node = new OwnTallies(systemClock);
  const [one, two] = [worker(node), worker(node)];
  expect([await one.use('ticket', 'a', 1_000), await two.use('ticket', 'a', 1_000)]).toEqual([true, false]);
  expect(await two.use('challenge', 'a', 1_000)).toBe(true);
});

test('no more is remembered than there may be: further ones are refused, and none is forgotten', () => {
  let nowMs = 0;
  const tallies = new OwnTallies({ monotonicMs: () => nowMs });
  for (let i = 0; i < limits.usedOnceKnownMax; i++) tallies.use('ticket', `${i}`, 40_000);
  expect([tallies.use('ticket', 'x', 40_000), tallies.use('ticket', '0', 40_000)]).toEqual([
    undefined,
    false,
  ]);
  expect(tallies.use('challenge', 'x', 40_000)).toBe(true);
  nowMs += 40_000;
  expect(tallies.use('ticket', 'x', 40_000)).toBe(true);
});

test('where the node does not answer a worker counts by itself', async () => {
  vi.useFakeTimers();
  try {
    const alone = new WorkerTallies(() => undefined);
    const used = async () => {
      const asked = alone.use('ticket', 'a', 1_000);
      await vi.advanceTimersByTimeAsync(2_000);
      return asked;
    };
    expect([await used(), await used()]).toEqual([true, false]);
  } finally {
    vi.useRealTimers();
  }
});
