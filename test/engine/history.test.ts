import { expect, test } from 'vitest';
import { limits } from '../../src/base/limits.js';
import { World, type Json, admin } from './harness.js';
import { fromBase64 } from '../../src/base/bytes.js';

async function filled(count: number): Promise<World> {
  const world = await World.start();
  const alice = world.connect();
  for (let i = 0; i < count; i++) {
    await alice.publish('lobby', i, { event: i % 2 ? 'odd' : 'even' });
    if (i === count / 2 - 1) await world.restart().then(() => Object.assign(alice, world.connect()));
  }
  return world;
}

const values = (history: Json): unknown[] => history.entries.map((e: Json) => e.data);

test('pages forward and backward cover everything once, across restarts', async () => {
  const world = await filled(20);
  const bob = world.connect();
  for (const backward of [false, true]) {
    const seen: unknown[] = [];
    let cursor: string | undefined;
    for (let page = 0; page < 10; page++) {
      const { history } = await bob.ask({
        history: { channel: 'lobby', limit: 3, backward, ...(cursor ? { cursor } : {}) },
      });
      seen.push(...values(history));
      cursor = history.cursor;
      if (!history.more) break;
    }
    const all = Array.from({ length: 20 }, (_, i) => i);
    expect(seen).toEqual(backward ? all.reverse() : all);
  }
});

test('history is bounded by time: from inclusive, to exclusive', async () => {
  const world = await World.start();
  const alice = world.connect();
  const times: number[] = [];
  for (let i = 0; i < 6; i++) {
    times.push(world.clock.wallMs());
    await alice.publish('lobby', i);
    await world.pass(1000);
  }
  for (const backward of [false, true]) {
    const { history } = await alice.ask({
      history: { channel: 'lobby', since: times[2], until: times[4], backward },
    });
    expect(values(history)).toEqual(backward ? [3, 2] : [2, 3]);
  }
});

test('the end of a page is where a subscription can go on', async () => {
  const world = await filled(10);
  const bob = world.connect();
  const { history } = await bob.ask({ history: { channel: 'lobby', limit: 4 } });
  await bob.subscribe('lobby', { cursor: history.cursor });
  await world.settle();
  expect([...values(history), ...bob.data()]).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
});

test('a page of a log that has what one wrote: a node alone has it, or it is lost', async () => {
  const world = await filled(4);
  const bob = world.connect();
  const { ack } = await bob.publish('lobby', 4);
  const { history } = await bob.ask({ history: { channel: 'lobby', including: ack.id } });
  expect([values(history), history.gaps]).toEqual([[0, 1, 2, 3, 4], []]);
  const never = `${ack.id.slice(0, 24)}-99`;
  const { history: lacking } = await bob.ask({ history: { channel: 'lobby', including: never } });
  expect(lacking.gaps).toMatchObject([{ reason: 'lost', ranges: [{ fromSeq: 99, toSeq: 99 }] }]);
  expect(values(lacking)).toEqual([0, 1, 2, 3, 4]);
  const { error } = await bob.ask({ history: { channel: 'lobby', including: 'the last' } });
  expect(error).toMatchObject({ code: 'INVALID', message: expect.stringContaining('"including"') });
});

test('an empty channel has an empty history', async () => {
  const world = await World.start();
  const { history } = await world.connect().ask({ history: { channel: 'nobody' } });
  expect([history.entries, history.more]).toEqual([[], false]);
});

test('a log query filters by event, kind, actor, writer and time, in both orders, page by page', async () => {
  const world = await filled(20);
  const query = async (q: object) => {
    const page = await world.run(world.engine.queryLog('default', 'lobby', q));
    if (!page.ok) throw new Error(page.error.code);
    return page.value;
  };
  const text = (page: Awaited<ReturnType<typeof query>>) =>
    page.entries.map(({ entry }) => Number(new TextDecoder().decode(entry.content!.payload)));
  expect(text(await query({ event: 'odd' }))).toEqual([1, 3, 5, 7, 9, 11, 13, 15, 17, 19]);
  expect(text(await query({ event: 'odd', order: 'newest', limit: 3 }))).toEqual([19, 17, 15]);
  expect(text(await query({ kind: 'merge' }))).toEqual([]);
  expect(text(await query({ actor: 'nobody' }))).toEqual([]);
  const { writer } = (await query({})).entries[15]!.entry;
  expect(text(await query({ writer }))).toEqual([10, 11, 12, 13, 14, 15, 16, 17, 18, 19]);
  for (const order of ['oldest', 'newest'] as const) {
    const seen: number[] = [];
    let cursor: Uint8Array | undefined;
    for (let i = 0; i < 30; i++) {
      const page = await query({
        order,
        limit: 3,
        ...(cursor ? (order === 'oldest' ? { since: cursor } : { until: cursor }) : {}),
      });
      seen.push(...text(page));
      cursor = page.cursor;
      if (!page.more) break;
    }
    const all = Array.from({ length: 20 }, (_, i) => i);
    expect(seen).toEqual(order === 'oldest' ? all : all.reverse());
  }
});

test('waiting for more ends with the next entry, or after the time given', async () => {
  const world = await filled(2);
  const page = await world.run(world.engine.queryLog('default', 'lobby', {}));
  if (!page.ok) throw new Error();
  let woken = 0;
  void world.engine.waitForMore('default', 'lobby', page.value.cursor, 60_000).then(() => woken++);
  await world.pass(1000);
  expect(woken).toBe(0);
  await world.connect().publish('lobby', 'more');
  await world.settle();
  expect(woken).toBe(1);
  void world.engine.waitForMore('default', 'nothing', fromBase64('')!, 500).then(() => woken++);
  await world.pass(1000);
  expect(woken).toBe(2);
  // Whoever gave up waiting holds nothing any more: the channel can leave memory.
  await world.pass(limits.channelIdleMs + 5_000);
  expect(world.engine.status().channelsInMemory).toBe(0);
});

test('the digest tells two logs apart and survives a restart; channels are listed with their sizes', async () => {
  const world = await filled(4);
  const digest = async () => {
    const result = await world.run(world.engine.digest('default', 'lobby'));
    if (!result.ok) throw new Error();
    return result.value;
  };
  const before = await digest();
  expect([before.entries, before.digest.length]).toEqual([4, 64]);
  await world.restart();
  expect(await digest()).toEqual(before);
  await world.connect().publish('lobby', 'more');
  expect((await digest()).digest).not.toBe(before.digest);
  const channels = await world.run(world.engine.channels('default', { limit: 10 }));
  expect(channels).toMatchObject({
    ok: true,
    value: [{ ref: { hub: 'default', channel: 'lobby' }, entries: 5 }],
  });
});

test('history of a channel that may not be read is refused', async () => {
  const rules = { sets: { shut: { public: false } }, hubs: { default: { rules: 'shut' } } };
  const world = await World.start({ rules });
  expect((await world.connect().ask({ history: { channel: 'lobby' } })).error.code).toBe('DENIED');
  expect(
    (await world.connect({ principal: admin }).ask({ history: { channel: 'lobby' } })).history,
  ).toBeDefined();
});
