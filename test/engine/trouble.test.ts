import { expect, test } from 'vitest';
import type { ChannelName, HubName } from '../../src/base/ids.js';
import type { LogStore } from '../../src/engine/ports.js';
import { limits } from '../../src/base/limits.js';
import { toBase64Url, fromBase64 } from '../../src/base/bytes.js';
import { type Json, World, admin, anonymous } from './harness.js';

test('attack 6: a reader that takes nothing is closed after its time with an exact cursor, and loses nothing', async () => {
  const world = await World.start();
  const [alice, slow, quick] = [world.connect(), world.connect(), world.connect()];
  await slow.subscribe('lobby');
  await quick.subscribe('lobby');
  slow.stuck = true;
  const data = 'x'.repeat(20_000);
  for (let i = 0; i < 40; i++) await alice.publish('lobby', `${i} ${data}`);
  expect(slow.bufferedBytes).toBeLessThan(limits.outboxHardBytes);
  expect(quick.data()).toHaveLength(40);
  const got = slow.data();
  expect(got.length).toBeGreaterThan(0);
  expect(got.length).toBeLessThan(40);
  await world.pass(limits.slowReaderMs + 3_000);
  expect(slow.closed?.code).toBe(4503);
  const { close } = slow.messages.at(-1);
  const again = world.connect();
  await again.subscribe('lobby', { cursor: close.cursors[0].cursor });
  await world.settle();
  expect([...got, ...again.data()]).toEqual(quick.data());
});

test('a reader that falls behind reads on from the log once it drains, and goes live again', async () => {
  const world = await World.start();
  const [alice, slow] = [world.connect(), world.connect()];
  await slow.subscribe('lobby');
  slow.stuck = true;
  const data = 'x'.repeat(20_000);
  for (let i = 0; i < 40; i++) await alice.publish('lobby', `${i} ${data}`);
  for (let i = 0; i < 10; i++) {
    slow.unstick();
    await world.settle();
  }
  await alice.publish('lobby', 'live');
  expect(slow.data()).toEqual([...Array.from({ length: 40 }, (_, i) => `${i} ${data}`), 'live']);
  expect(slow.closed).toBeUndefined();
});

test('a commit much larger than a queue reaches a live reader whole', async () => {
  const world = await World.start();
  const [alice, bob] = [world.connect(), world.connect()];
  await bob.subscribe('lobby');
  const data = 'x'.repeat(30_000);
  for (let part = 0; part < 3; part++) {
    const batch = Array.from({ length: 50 }, (_, i) => ({
      publish: { channel: 'lobby', data: `${part * 50 + i} ${data}` },
    }));
    alice.sendText(JSON.stringify(batch));
  }
  await world.settle();
  await world.settle();
  expect(bob.data().map((d) => Number.parseInt(String(d)))).toEqual(Array.from({ length: 150 }, (_, i) => i));
});

test('attack 6: a client that asks and never reads is closed before it costs more than its bound', async () => {
  const world = await World.start();
  const alice = world.connect();
  await alice.publish('lobby', 'x'.repeat(500_000));
  alice.stuck = true;
  for (let i = 0; i < 100 && !alice.closed; i++) {
    alice.sendText(`{"requestId":${i + 10},"history":{"channel":"lobby"}}`);
    await world.settle();
  }
  expect(alice.closed?.code).toBe(4503);
  expect(alice.bufferedBytes).toBeLessThan(limits.outboxHardBytes + 2_000_000);
});

test('a silent client is pinged, then closed; one that answers stays', async () => {
  const world = await World.start();
  const [silent, lively] = [world.connect(), world.connect()];
  for (let i = 0; i < 5; i++) {
    await world.pass(10_000);
    lively.sendText('{"pong":{}}');
  }
  expect(silent.messages.some((m) => m.ping)).toBe(true);
  expect([silent.closed?.code, lively.closed]).toEqual([4508, undefined]);
});

test('a flood is refused with the time to wait, and ends the connection if it goes on', async () => {
  const world = await World.start({ messagesPerSecondMax: 10 });
  const alice = world.connect();
  const flood = (n: number) =>
    alice.sendText(JSON.stringify(Array.from({ length: n }, (_, i) => ({ requestId: i + 1, ping: {} }))));
  flood(15);
  await world.settle();
  expect(alice.messages.filter((m) => m.pong)).toHaveLength(10);
  const refused = alice.messages.filter((m) => m.error);
  expect(refused).toHaveLength(5);
  expect(refused[0].error).toMatchObject({ code: 'RATE_LIMITED', outcome: 'rejected' });
  expect(refused[0].error.retryAfterMs).toBeGreaterThan(0);
  flood(2000);
  await world.settle();
  expect(alice.closed?.code).toBe(4429);
  expect((await world.connect().publish('lobby', 1)).ack).toBeDefined();
});

test('attack 13: damaged and foreign cursors are refused, whatever bit is flipped', async () => {
  const world = await World.start();
  const alice = world.connect();
  const { cursor } = await alice.subscribe('lobby', { beginning: true });
  await alice.publish('lobby', 1);
  const good = alice.cursor('lobby')!;
  const bytes = fromBase64(good)!;
  for (let bit = 0; bit < bytes.length * 8; bit += 3) {
    const flipped = bytes.slice();
    flipped[bit >> 3]! ^= 1 << (bit & 7);
    const result = await world.connect().subscribe('lobby', { cursor: toBase64Url(flipped) });
    expect(result.error?.code, `bit ${bit}`).toBe('BAD_CURSOR');
  }
  expect((await world.connect().subscribe('elsewhere', { cursor: good })).error.code).toBe('BAD_CURSOR');
  expect((await world.connect().subscribe('lobby', { cursor: good })).error).toBeUndefined();
  expect(cursor).toBeDefined();
});

test('a cursor ahead of a store that lost its disk is told as lost, then goes on', async () => {
  const world = await World.start();
  const alice = world.connect();
  await alice.subscribe('lobby');
  for (let i = 0; i < 3; i++) await alice.publish('lobby', i);
  const cursor = alice.cursor('lobby');
  const fresh = await World.start();
  const bob = fresh.connect();
  expect((await bob.subscribe('lobby', { cursor })).error).toBeUndefined();
  await fresh.connect().publish('lobby', 'new');
  expect(bob.gaps()).toMatchObject([{ channel: 'lobby', reason: 'lost' }]);
  expect(bob.data()).toEqual(['new']);
});

test('retention trims by count; a reader below the floor is told a gap and gets the rest', async () => {
  const rules = { sets: { short: { retention: { maxCount: 10 } } }, hubs: { default: { rules: 'short' } } };
  const world = await World.start({ rules });
  const [alice, bob] = [world.connect(), world.connect()];
  await bob.subscribe('lobby');
  await alice.publish('lobby', 0);
  const cursor = bob.cursor('lobby');
  for (let i = 1; i < 50; i++) await alice.publish('lobby', i);
  await world.pass(10_000);
  const channels = await world.run(world.engine.channels('default', { limit: 1 }));
  if (!channels.ok) throw new Error();
  expect(channels.value[0]!.entries).toBeLessThanOrEqual(12);
  const late = world.connect();
  await late.subscribe('lobby', { cursor });
  await world.settle();
  expect(late.gaps()).toMatchObject([{ reason: 'trimmed' }]);
  const data = late.data() as number[];
  expect(data.at(-1)).toBe(49);
  expect(data).toEqual(Array.from({ length: data.length }, (_, i) => 50 - data.length + i));
  await world.restart();
  const after = world.connect();
  await after.subscribe('lobby', { cursor: late.gaps()[0].cursor });
  await world.settle();
  expect(after.data()).toEqual(data);
});

test('retention by age trims what is too old, channels out of memory too', async () => {
  const rules = {
    sets: { short: { retention: { maxAgeMs: 60_000 } } },
    hubs: { default: { rules: 'short' } },
  };
  const world = await World.start({ rules });
  for (let i = 0; i < 5; i++) await world.connect().publish('lobby', i);
  await world.pass(30_000);
  for (let i = 5; i < 8; i++) await world.connect().publish('lobby', i);
  await world.pass(45_000);
  const bob = world.connect();
  const { history } = await bob.ask({ history: { channel: 'lobby' } });
  const kept = history.entries.filter((e: Json) => e.kind !== 'trim');
  expect(kept.map((e: Json) => e.data)).toEqual([5, 6, 7]);
});

test('a full disk refuses publishes by name, serves reads, and takes publishes again with space', async () => {
  const world = await World.start();
  const alice = world.connect();
  await alice.publish('lobby', 'before');
  const roomy = world.disk.capacityBytes;
  world.disk.capacityBytes = 1;
  await world.pass(5_000);
  expect((await alice.publish('lobby', 'refused')).error).toMatchObject({
    code: 'DISK_FULL',
    outcome: 'rejected',
  });
  await alice.subscribe('lobby', { beginning: true });
  await world.settle();
  expect(alice.data()).toEqual(['before']);
  world.disk.capacityBytes = roomy;
  await world.pass(5_000);
  expect((await alice.publish('lobby', 'after')).ack).toBeDefined();
});

test('a commit that meets a full disk is indeterminate; the store is opened anew under a new writer and nothing acked is lost', async () => {
  const world = await World.start();
  const alice = world.connect();
  const before = (await alice.publish('lobby', 'before')).ack;
  world.failNextWrite = 'ENOSPC';
  const failed = await alice
    .publish('lobby', 'perhaps', { idempotencyKey: 'k' })
    .catch(() => alice.messages.find((m) => m.error));
  expect(failed.error).toMatchObject({ outcome: 'indeterminate' });
  await world.pass(2_000);
  expect(alice.closed?.code).toBe(4500);
  const again = world.connect();
  const retried = (await again.publish('lobby', 'perhaps', { idempotencyKey: 'k' })).ack;
  expect(retried.id.split('-')[0]).not.toBe(before.id.split('-')[0]);
  await again.subscribe('lobby', { beginning: true });
  await world.settle();
  expect(again.data()).toEqual(['before', 'perhaps']);
  expect(world.observations.map((o) => o.type)).toContain('store-reopened');
});

test('a sync that fails ends the node: it is never retried', async () => {
  const world = await World.start();
  const alice = world.connect();
  world.disk.faults.failSync = 1;
  const failed = await alice.publish('lobby', 'perhaps').catch(() => alice.messages.find((m) => m.error));
  expect(failed.error.outcome).toBe('indeterminate');
  await world.pass(1_000);
  expect(world.engine.status().state).toBe('failed');
  expect(
    world.engine.openSession({ hub: 'default', encoding: 'json', principal: anonymous, sink: alice }),
  ).toMatchObject({ error: { code: 'UNAVAILABLE' } });
});

test('stopping finishes what is under way and tells every session where it was', async () => {
  const world = await World.start();
  const [alice, bob] = [world.connect(), world.connect()];
  await bob.subscribe('lobby');
  alice.sendText('{"requestId":5,"publish":{"channel":"lobby","data":"last"}}');
  await world.run(world.engine.stop());
  expect(alice.messages.find((m) => m.requestId === 5).ack).toBeDefined();
  expect(bob.data()).toEqual(['last']);
  expect(bob.messages.at(-1).close).toMatchObject({ code: 4501, cursors: [{ channel: 'lobby' }] });
  expect(bob.closed?.code).toBe(4501);
});

test('what is still being read when the node stops is refused, and is no bug', async () => {
  const world = new World();
  let slowMs = 0;
  const openStore = (): Promise<LogStore> => World.prototype.openStore.call(world);
  world.openStore = async () => {
    const store = await openStore();
    const read = store.read.bind(store);
    store.read = async (...asked) => {
      await world.clock.sleep(slowMs);
      return await read(...asked);
    };
    return store;
  };
  await world.boot();
  const alice = world.connect();
  await alice.publish('lobby', 'said');
  slowMs = 1_000;
  alice.sendText('{"requestId":5,"history":{"channel":"lobby"}}');
  const asked = world.engine.history(admin, 'default' as HubName, {
    type: 'history',
    channel: 'lobby' as ChannelName,
    backward: false,
  });
  await world.run(world.engine.stop());
  expect(await world.run(asked)).toMatchObject({ ok: false, error: { code: 'SHUTTING_DOWN' } });
  expect(alice.closed?.code).toBe(4501);
  expect(world.observations.filter(({ type }) => type === 'alarm' || type === 'store-failed')).toEqual([]);
});

test('an entry damaged on disk is told as a gap; everything around it is served', async () => {
  const world = await World.start();
  const alice = world.connect();
  const marks = ['first', 'second', 'damaged-here', 'fourth', 'fifth'];
  for (const mark of marks) await alice.publish('lobby', mark);
  await world.run(world.engine.stop());
  let damaged = 0;
  for (const [path, inode] of world.disk.names.files()) {
    if (!path.includes('segments')) continue;
    inode.corrupt((bytes) => {
      const at = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).indexOf('damaged-here');
      if (at < 0) return;
      bytes[at]! ^= 1;
      damaged++;
    });
  }
  expect(damaged).toBe(1);
  await world.boot();
  const bob = world.connect();
  await bob.subscribe('lobby', { beginning: true });
  await world.pass(1_000);
  expect(bob.data()).toEqual(['first', 'second', 'fourth', 'fifth']);
  expect(bob.gaps()).toMatchObject([
    { channel: 'lobby', reason: 'damaged', ranges: [{ fromSeq: 3, toSeq: 3 }] },
  ]);
  const { history } = await bob.ask({ history: { channel: 'lobby', backward: true } });
  expect(history.entries.map((e: Json) => e.data)).toEqual(['fifth', 'fourth', 'second', 'first']);
  expect(history.gaps).toMatchObject([{ reason: 'damaged' }]);
  expect(world.observations.some((o) => o.type === 'damage')).toBe(true);
  expect((await world.connect().publish('lobby', 'goes on')).ack).toBeDefined();
});

test('with the index lost the node starts as if nothing had happened', async () => {
  const world = await World.start();
  for (let i = 0; i < 20; i++) await world.connect().publish(`room:${i % 3}`, i, { idempotencyKey: `k${i}` });
  await world.run(world.engine.stop());
  world.index.drop();
  await world.boot();
  const bob = world.connect();
  for (const channel of ['room:0', 'room:1', 'room:2']) await bob.subscribe(channel, { beginning: true });
  await world.pass(1_000);
  expect(bob.data('room:1')).toEqual([1, 4, 7, 10, 13, 16, 19]);
  expect((await bob.publish('room:0', 0, { idempotencyKey: 'k0' })).ack.duplicate).toBe(true);
  expect(world.observations.at(-1)).toMatchObject({ type: 'recovered', rebuilt: true });
});
