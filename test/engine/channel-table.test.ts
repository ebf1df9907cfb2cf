import { getHeapStatistics, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, test } from 'vitest';
import type { ChannelName, ChannelRef, HubName, WriterId } from '../../src/base/ids.js';
import { limits } from '../../src/base/limits.js';
import { defaultRules } from '../../src/channels/rules.js';
import type { ActiveChannel } from '../../src/engine/active-channel.js';
import { Alone } from '../../src/engine/alone.js';
import { ChannelTable } from '../../src/engine/channel-table.js';
import { Delivery } from '../../src/engine/delivery.js';
import type { LogStore } from '../../src/engine/ports.js';
import { ChannelLog } from '../../src/log/channel-log.js';
import { RunWriter } from '../../src/log/run-writer.js';
import { Slot, Slots } from '../../src/storage/slots.js';

const writer = '0123456789abcdef01234567' as WriterId;
const content = new Uint8Array(16);

/** A table over slots as the store has them, whose index is empty and counts what is asked of it. */
function setUp() {
  const world = { nowMs: 0, loads: 0 };
  const slots = new Slots((refs) => {
    world.loads += refs.length;
    return Promise.resolve(refs.map((ref) => new Slot(ref, new ChannelLog(ref))));
  }, 0);
  const store = {
    open: async (ref: ChannelRef) => (await slots.use(ref)).log,
    release: (ref: ChannelRef) => slots.release(ref),
  } as Partial<LogStore> as LogStore;
  const delivery = new Delivery({ touched: () => {}, planFlush: () => {}, broken: () => {} });
  const table = new ChannelTable(
    store,
    new Alone({ round: 1, writer }, delivery),
    () => defaultRules,
    () => world.nowMs,
  );
  const use = async (count: number): Promise<ActiveChannel[]> => {
    const used = Array.from({ length: count }, (_, i) => table.use(refOf(i)));
    // The last one asked for comes last.
    await table.ready(used.at(-1)!);
    return used;
  };
  const pass = (ms: number) => {
    for (const end = world.nowMs + ms; world.nowMs < end; world.nowMs += 2_500) table.dropIdle();
  };
  return { world, slots, table, use, pass };
}

function refOf(i: number): ChannelRef {
  return { hub: 'default' as HubName, channel: `room:${i}` as ChannelName };
}

test('channels used in turn stay in memory, also where a turn takes longer than a crowd allows', async () => {
  const { world, table, use, pass } = setUp();
  const count = limits.channelsAtEaseMax;
  for (let turn = 0; turn < 3; turn++) {
    await use(count);
    pass(2 * limits.channelCrowdedIdleMs);
  }
  expect([table.size, world.loads]).toEqual([count, count]);
});

test('more channels than that leave sooner', async () => {
  const { table, use, pass } = setUp();
  await use(limits.channelsAtEaseMax + 1);
  pass(2 * limits.channelCrowdedIdleMs);
  expect(table.size).toBe(0);
});

test('a channel in memory costs little: what most of them lack is not made', async () => {
  // Files share a process: what else grows or shrinks in it while this is measured does not do so each time.
  const costs: number[] = [];
  for (let i = 0; i < 3; i++) costs.push(await bytesEach(10_000));
  const [, middle] = costs.toSorted((a, b) => a - b);
  expect(middle).toBeGreaterThan(500);
  expect(middle).toBeLessThan(1_600);
});

/** Of channels with one entry each. */
async function bytesEach(count: number): Promise<number> {
  const { slots, use } = setUp();
  // Whatever is made once.
  await use(100);
  const before = liveBytes();
  const runs = new RunWriter();
  for (const channel of await use(count)) {
    runs.clear();
    runs.begin(channel.ref, writer, 1, 1, 0);
    runs.append({ timestamp: 1_000_000_000_000, kind: 'publish', content });
    const run = runs.end();
    channel.log.apply(run);
    channel.log.commitThrough({ writer, seq: 1 });
    slots.get(channel.ref)!.subLog(writer).totalBytes += run.recordBytes;
  }
  return (liveBytes() - before) / count;
}

function liveBytes(): number {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  collect();
  return getHeapStatistics().used_heap_size;
}
