/** How busy a node says it is: in steps, and not often. */
import { expect, test } from 'vitest';
import { OwnLoad } from '../../src/engine/cluster/own-load.js';
import { SimulatedClock } from '../../simulations/world/clock.js';
import { systemBusyShare } from '../../src/server/system-ports.js';

/** What is told, with the second in which it is, of a machine that is as busy as this in every 10 s. */
async function told(shares: readonly number[]): Promise<(readonly [second: number, load: number])[]> {
  const clock = new SimulatedClock();
  const said: (readonly [number, number])[] = [];
  const left = [...shares];
  const say = (load: number): void => void said.push([Math.round(clock.monotonicMs() / 1_000), load]);
  const load = new OwnLoad({ timers: clock, busyShare: () => left.shift() ?? NaN }, say);
  load.start();
  await clock.until(clock.sleep(shares.length * 10_000 + 1));
  load.stop();
  await clock.until(clock.sleep(60_000));
  return said;
}

test('every ten seconds at most, and only a tenth or more from what was told last', async () => {
  expect(await told([0.02, 0.09, 0.31, 0.38, 0.23, 0.19, 1.2, 0.97])).toEqual([
    [30, 300],
    [60, 200],
    [70, 1_000],
  ]);
});

test('a share that goes to and fro about the edge of a step is told once', async () => {
  expect(await told([0.26, 0.24, 0.26, 0.24, 0.26])).toEqual([[10, 300]]);
});

test('a machine that cannot say is idle', async () => {
  const clock = new SimulatedClock();
  const said: number[] = [];
  const load = new OwnLoad({ timers: clock }, (each) => void said.push(each));
  load.start();
  await clock.until(clock.sleep(60_000));
  expect([said, load.told]).toEqual([[], 0]);
});

test('the share of this thread is between none and all of the time', () => {
  const share = systemBusyShare();
  for (let i = 0; i < 3; i++) {
    const value = share();
    expect([value >= 0, value <= 1]).toEqual([true, true]);
  }
});
