/** What comparing homes came upon is looked for elsewhere by whoever has it damaged. */
import { expect, test } from 'vitest';
import { SimulatedClock } from '../../../simulations/world/clock.js';
import { limits } from '../../../src/base/limits.js';
import type { WriterId } from '../../../src/base/ids.js';
import { Mending } from '../../../src/engine/cluster/mending.js';
import { ref, writerId } from '../../storage/support.js';

const writer = writerId(1);
const missing = (seqs: readonly number[]) => seqs.map((seq) => ({ writer, fromSeq: seq, toSeq: seq }));

function mending(channels: Record<string, readonly number[]>, scrub = () => Promise.resolve(false)) {
  const examined: string[] = [];
  const digested: string[] = [];
  const learned: string[] = [];
  const clock = new SimulatedClock();
  const made = new Mending({
    store: {
      read: () => Promise.resolve({ slices: [], missing: [] }),
      peek: () => undefined,
      scrub,
      damaged: () => [],
      waiting: () => [ref('waits')],
      digest: ({ channel }) => {
        digested.push(channel);
        const empty = { digest: new Uint8Array(32), entries: 0, through: new Map<WriterId, number>() };
        return Promise.resolve({
          ...empty,
          floors: new Map(),
          missing: missing(channels[channel]!),
          readAt: 0,
        });
      },
    },
    timers: { after: (ms, callback) => clock.after(ms, callback), soon: (callback) => callback() },
    examine: ({ channel }, _writer, seq) => {
      examined.push(`${channel} ${seq}`);
      return Promise.resolve();
    },
    learn: ({ channel }) => {
      learned.push(channel);
      return Promise.resolve();
    },
    mayMend: () => true,
    failed: (error) => {
      throw error;
    },
  });
  const pass = (ms: number): Promise<void> => clock.until(clock.sleep(ms));
  return { made, examined, digested, learned, pass };
}

test('a channel that is damaged is examined once for each time it was found, a few entries at a time', async () => {
  const { made, examined, digested, pass } = mending({ one: [1, 3, 5, 7, 9], two: [], three: [4] });
  for (const name of ['one', 'one', 'two', 'three']) made.damaged(ref(name));
  await pass(1.5 * limits.mendEveryMs);
  expect(digested).toEqual(['one']);
  await pass(5 * limits.mendEveryMs);
  expect(digested).toEqual(['one', 'two', 'three']);
  expect(examined).toEqual(['one 1', 'one 3', 'one 5', 'one 7', 'three 4']);
  expect(examined).toHaveLength(limits.mendsAtOnce + 1);
});

test('what upkeep waits for is asked for every time', async () => {
  const { made, learned } = mending({});
  for (let i = 0; i < 2; i++) await made.mend(0.1);
  expect(learned).toEqual(['waits', 'waits']);
});

test('more channels than are kept in mind are left for the next comparison', async () => {
  const names = Array.from({ length: limits.damagedChannelsMax + 3 }, (_, i) => `c${i}`);
  const { made, digested, pass } = mending(Object.fromEntries(names.map((name) => [name, []])));
  for (const name of names) made.damaged(ref(name));
  await pass(2 * names.length * limits.mendEveryMs);
  expect(digested).toHaveLength(limits.damagedChannelsMax);
});

test('nothing is looked at any more once the node stops', async () => {
  const { made, digested, pass } = mending({ one: [1], two: [1] });
  for (const name of ['one', 'two']) made.damaged(ref(name));
  await pass(1.5 * limits.mendEveryMs);
  made.stop();
  made.damaged(ref('two'));
  await pass(10 * limits.mendEveryMs);
  expect(digested).toEqual(['one']);
});

test('what was read through to its end is not read again at once', async () => {
  let steps = 0;
  const { made, pass } = mending({}, () => Promise.resolve(++steps % 2 === 0));
  for (let i = 0; i < 5; i++) await made.mend(0.1);
  expect(steps).toBe(2);
  await pass(limits.scrubRestMs);
  for (let i = 0; i < 5; i++) await made.mend(0.1);
  expect(steps).toBe(4);
  made.stop();
});
