import { expect, test } from 'vitest';
import { limits } from '../../src/base/limits.js';
import { type TestSession, World, admin, adminToken } from './harness.js';

test('a publish is stored, acknowledged with its level and copies, and delivered to who listens', async () => {
  const world = await World.start();
  const [alice, bob] = [world.connect(), world.connect()];
  expect((await bob.subscribe('lobby')).error).toBeUndefined();
  const { ack } = await alice.publish('lobby', 'hello', { event: 'greeting' });
  expect(ack).toMatchObject({ level: 'quorum', copies: 1 });
  expect(bob.entries('lobby')).toMatchObject([{ id: ack.id, event: 'greeting', data: 'hello' }]);
  expect(alice.entries()).toEqual([]);
});

test('nothing is acknowledged or delivered before the disk has it', async () => {
  const world = await World.start();
  const [alice, bob] = [world.connect(), world.connect()];
  await bob.subscribe('lobby');
  world.syncDelayMs = 500;
  alice.sendText('{"requestId":9,"publish":{"channel":"lobby","data":"slow"}}');
  await world.pass(400);
  expect([bob.data(), alice.messages.some((m) => m.ack)]).toEqual([[], false]);
  await world.pass(400);
  expect([bob.data(), alice.messages.some((m) => m.ack)]).toEqual([['slow'], true]);
});

test('publishes of one turn share one commit, and each socket gets one write', async () => {
  const world = await World.start();
  const [alice, bob] = [world.connect(), world.connect()];
  await bob.subscribe('lobby');
  await world.settle();
  const before = { commits: world.engine.status().counters['commits']!, writes: bob.writes };
  const batch = Array.from({ length: 50 }, (_, i) => ({
    requestId: 100 + i,
    publish: { channel: 'lobby', data: i },
  }));
  alice.sendText(JSON.stringify(batch));
  await world.settle();
  expect(world.engine.status().counters['commits']! - before.commits).toBe(1);
  expect(bob.writes - before.writes).toBe(1);
  expect(bob.data()).toEqual(batch.map((_, i) => i));
  expect(alice.messages.filter((m) => m.ack).map((m) => m.requestId)).toEqual(batch.map((m) => m.requestId));
});

test('history and live meet without a seam while entries keep coming', async () => {
  const world = await World.start();
  const alice = world.connect();
  for (let i = 0; i < 30; i++) await alice.publish('lobby', i);
  const bob = world.connect();
  bob.sendText('{"requestId":1,"subscribe":{"channels":[{"channel":"lobby","beginning":true}]}}');
  for (let i = 30; i < 60; i++) alice.sendText(`{"publish":{"channel":"lobby","data":${i}}}`);
  await world.settle();
  for (let i = 60; i < 70; i++) await alice.publish('lobby', i);
  expect(bob.data()).toEqual(Array.from({ length: 70 }, (_, i) => i));
});

test('every way to start gives exactly what it says', async () => {
  const world = await World.start();
  const alice = world.connect();
  for (let i = 0; i < 5; i++) await alice.publish('lobby', i);
  await world.pass(10_000);
  const middle = world.clock.wallMs();
  for (let i = 5; i < 10; i++) await alice.publish('lobby', i);
  const starts: [object, number[]][] = [
    [{}, []],
    [{ last: 3 }, [7, 8, 9]],
    [{ last: 100 }, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]],
    [{ beginning: true }, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]],
    [{ since: middle }, [5, 6, 7, 8, 9]],
    [{ since: middle + 1_000_000 }, []],
    [{ since: 0 }, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]],
  ];
  for (const [start, expected] of starts) {
    const bob = world.connect();
    await bob.subscribe('lobby', start);
    await world.settle();
    expect(bob.data(), JSON.stringify(start)).toEqual(expected);
    await alice.ask({ publish: { channel: 'other', data: 0 } });
  }
});

test('a cursor resumes where it was taken, on the node after a restart too', async () => {
  const world = await World.start();
  let alice = world.connect();
  const bob = world.connect();
  await bob.subscribe('lobby');
  await alice.publish('lobby', 'before');
  const cursor = bob.cursor('lobby');
  await world.restart();
  alice = world.connect();
  await alice.publish('lobby', 'after');
  const again = world.connect();
  await again.subscribe('lobby', { cursor });
  await alice.publish('lobby', 'live');
  expect(again.data()).toEqual(['after', 'live']);
  const fresh = world.connect();
  await fresh.subscribe('lobby', { beginning: true });
  await world.settle();
  expect(fresh.data()).toEqual(['before', 'after', 'live']);
});

test('the cursor of the subscribe answer is valid before anything was delivered', async () => {
  const world = await World.start();
  const [alice, bob] = [world.connect(), world.connect()];
  const { cursor } = await bob.subscribe('lobby');
  await alice.publish('lobby', 1);
  const again = world.connect();
  await again.subscribe('lobby', { cursor });
  await world.settle();
  expect(again.data()).toEqual([1]);
});

test('many channels resume in one request, each with its result', async () => {
  const world = await World.start();
  const alice = world.connect();
  const names = Array.from({ length: 1000 }, (_, i) => `room:${i}`);
  alice.sendText(JSON.stringify(names.map((channel) => ({ publish: { channel, data: channel } }))));
  await world.settle();
  const bob = world.connect();
  const channels = [...names.map((channel) => ({ channel, beginning: true })), { channel: 'bad name' }];
  const answer = await bob.ask({ subscribe: { channels } });
  await world.pass(5_000);
  expect(answer.subscribe.results).toHaveLength(1001);
  expect(answer.subscribe.results[1000].error.code).toBe('BAD_NAME');
  expect(new Set(bob.data())).toEqual(new Set(names));
  expect(bob.data()).toHaveLength(names.length);
});

test('after unsubscribing nothing more arrives, and subscribing again is allowed', async () => {
  const world = await World.start();
  const [alice, bob] = [world.connect(), world.connect()];
  await bob.subscribe('lobby');
  expect((await bob.subscribe('lobby')).error.code).toBe('ALREADY_SUBSCRIBED');
  await bob.ask({ unsubscribe: { channels: ['lobby'] } });
  await alice.publish('lobby', 1);
  expect(bob.data()).toEqual([]);
  const answer = await bob.ask({ unsubscribe: { channels: ['lobby'] } });
  expect(answer.unsubscribe.results[0].error.code).toBe('NOT_SUBSCRIBED');
  await bob.subscribe('lobby', { beginning: true });
  await world.settle();
  expect(bob.data()).toEqual([1]);
});

test('a signal reaches who listens now, is not in the log, and says so in its ack', async () => {
  const rules = { sets: { live: { liveHistory: 2 } }, hubs: { default: { namespaces: { live: 'live' } } } };
  const world = await World.start({ rules });
  const [alice, bob] = [world.connect(), world.connect()];
  await bob.subscribe('live:x');
  for (const n of [1, 2, 3])
    expect((await alice.publish('live:x', n, { level: 'memory' })).ack).toMatchObject({ level: 'memory' });
  const signals = (session: typeof bob) =>
    session.messages.flatMap((m) => m.signals?.signals ?? []).map((s) => s.data);
  expect(signals(bob)).toEqual([1, 2, 3]);
  const late = world.connect();
  await late.subscribe('live:x', { beginning: true });
  await world.settle();
  expect([late.data(), signals(late)]).toEqual([[], [2, 3]]);
  const wrong = await alice.publish('live:x', 4, { extras: { store: false }, level: 'quorum' });
  expect(wrong.error).toMatchObject({ code: 'INVALID', outcome: 'rejected' });
});

test('signals of one turn are one frame a channel, in order, also those that want no ack', async () => {
  const world = await World.start();
  const [alice, bob] = [world.connect(), world.connect()];
  await bob.subscribe('x');
  await bob.subscribe('y');
  const before = bob.writes;
  for (const [channel, data] of [
    ['x', 1],
    ['y', 2],
    ['x', 3],
  ] as const)
    alice.sendText(JSON.stringify({ publish: { channel, data, level: 'memory' } }));
  await world.settle();
  const heard = bob.messages.flatMap((m) => m.signals ?? []);
  expect(
    heard.map(({ channel, signals }) => [channel, signals.map((s: { data: unknown }) => s.data)]),
  ).toEqual([
    ['x', [1, 3]],
    ['y', [2]],
  ]);
  expect(bob.writes).toBe(before + 1);
});

test('a live subscriber gets the retained message with the answer, without moving its cursor', async () => {
  const rules = { sets: { keep: { retain: true } }, hubs: { default: { rules: 'keep' } } };
  const world = await World.start({ rules });
  const [alice, bob] = [world.connect(), world.connect()];
  await alice.publish('state', 'first');
  await alice.publish('state', 'second');
  await alice.publish('state', 'passing', { extras: { retain: false } });
  const result = await bob.subscribe('state');
  expect(result.retained).toMatchObject({ data: 'second', retain: true });
  const again = world.connect();
  await again.subscribe('state', { cursor: result.cursor });
  await world.settle();
  expect(again.data()).toEqual([]);
});

/** The data of what a live subscription of a new session starts with. */
async function retainedOf(world: World, channel: string): Promise<unknown> {
  return (await world.connect().subscribe(channel)).retained?.data;
}

test('a message is retained by its own extra, whatever the rules say, until a newer one is', async () => {
  const world = await World.start();
  const alice = world.connect();
  await alice.publish('state', 'before');
  expect(await retainedOf(world, 'state')).toBeUndefined();
  await alice.publish('state', 'kept', { extras: { retain: true } });
  await alice.publish('state', 'declines', { extras: { retain: false } });
  // Any number of others may follow it.
  const others = Array.from({ length: 600 }, (_, i) => ({ publish: { channel: 'state', data: i } }));
  alice.sendText(JSON.stringify(others));
  await world.settle();
  expect(await retainedOf(world, 'state')).toBe('kept');
  expect(await retainedOf(world, 'other')).toBeUndefined();
  const reader = world.connect();
  await reader.subscribe('state', { beginning: true });
  await world.settle();
  const marked = reader.entries('state').filter((entry) => entry.retain);
  expect(marked.map((entry) => entry.data)).toEqual(['kept']);
  await alice.publish('state', 'newer', { extras: { retain: true } });
  expect(await retainedOf(world, 'state')).toBe('newer');
});

test('a message is marked for push services by the rules, unless its own extra says otherwise', async () => {
  const rules = { sets: { loud: { push: true } }, hubs: { default: { namespaces: { alert: 'loud' } } } };
  const world = await World.start({ rules });
  const alice = world.connect();
  for (const channel of ['alert:fire', 'state']) {
    await alice.publish(channel, 'by rule');
    await alice.publish(channel, 'yes', { extras: { push: true } });
    await alice.publish(channel, 'no', { extras: { push: false } });
  }
  await world.restart();
  const reader = world.connect();
  const marked = async (channel: string) => {
    await reader.subscribe(channel, { beginning: true });
    await world.settle();
    return reader.entries(channel).flatMap(({ data, push }) => (push === true ? [data] : []));
  };
  expect(await marked('alert:fire')).toEqual(['by rule', 'yes']);
  expect(await marked('state')).toEqual(['yes']);
});

test('the retained message is given for as long as the rules say, and none of before in its place', async () => {
  const rules = { sets: { brief: { retainMs: 10_000 } }, hubs: { default: { rules: 'brief' } } };
  const world = await World.start({ rules });
  const alice = world.connect();
  await alice.publish('state', 'before', { extras: { retain: true } });
  await alice.publish('state', 'kept', { extras: { retain: true } });
  await world.pass(9_000);
  expect(await retainedOf(world, 'state')).toBe('kept');
  await world.pass(2_000);
  expect(await retainedOf(world, 'state')).toBeUndefined();
  // It is in the log as it was.
  const reader = world.connect();
  await reader.subscribe('state', { last: 1 });
  await world.settle();
  expect(reader.data('state')).toEqual(['kept']);
  await alice.publish('state', 'newer', { extras: { retain: true } });
  expect(await retainedOf(world, 'state')).toBe('newer');
});

test.each(['restart', 'crash'] as const)('the retained message is the same after a %s', async (how) => {
  const world = await World.start();
  const publish = async (session: TestSession, data: string, retain?: boolean): Promise<void> => {
    await session.publish('state', data, retain === undefined ? {} : { extras: { retain } });
  };
  await publish(world.connect(), 'kept', true);
  await publish(world.connect(), 'after');
  await world[how]();
  expect(await retainedOf(world, 'state')).toBe('kept');
  await publish(world.connect(), 'more');
  expect(await retainedOf(world, 'state')).toBe('kept');
  await publish(world.connect(), 'newer', true);
  await world[how]();
  expect(await retainedOf(world, 'state')).toBe('newer');
});

test('retention removes the retained message too, and then there is none', async () => {
  const rules = { sets: { short: { retention: { maxCount: 10 } } }, hubs: { default: { rules: 'short' } } };
  const world = await World.start({ rules });
  const alice = world.connect();
  await alice.publish('state', 'kept', { extras: { retain: true } });
  expect(await retainedOf(world, 'state')).toBe('kept');
  for (let i = 0; i < 30; i++) await alice.publish('state', i);
  await world.pass(10_000);
  expect(await retainedOf(world, 'state')).toBeUndefined();
  await world.restart();
  expect(await retainedOf(world, 'state')).toBeUndefined();
});

test('idle channels leave memory and come back as they were', async () => {
  const world = await World.start();
  const alice = world.connect();
  await alice.publish('lobby', 1, { idempotencyKey: 'k' });
  for (let i = 0; i < 50; i++) await alice.publish(`room:${i}`, i);
  expect(world.engine.status().channelsInMemory).toBe(51);
  await alice.ask({ close: {} }).catch(() => undefined);
  await world.pass(limits.channelIdleMs + 5_000);
  expect(world.engine.status().channelsInMemory).toBe(0);
  const bob = world.connect();
  expect((await bob.publish('lobby', 1, { idempotencyKey: 'k' })).ack.duplicate).toBe(true);
  await bob.subscribe('lobby', { beginning: true });
  await world.settle();
  expect(bob.data()).toEqual([1]);
  expect((await bob.publish('lobby', 2)).ack).toBeDefined();
  expect(bob.data()).toEqual([1, 2]);
});

test('attacks 12 and 13: hubs are apart: same channel name, other log', async () => {
  const world = await World.start();
  const [here, there] = [world.connect(), world.connect({ hub: 'other' })];
  await there.subscribe('lobby', { beginning: true });
  await here.publish('lobby', 'here');
  expect(there.data()).toEqual([]);
  const { cursor } = await here.subscribe('lobby', { beginning: true });
  expect((await world.connect({ hub: 'other' }).subscribe('lobby', { cursor })).error.code).toBe(
    'BAD_CURSOR',
  );
  expect(
    world.engine.openSession({ hub: 'nowhere', encoding: 'json', principal: admin, sink: here }),
  ).toMatchObject({ error: { code: 'HUB_NOT_FOUND' } });
});

test('attack 2: where anonymous clients are not served, Auth comes first, and in time', async () => {
  const world = await World.start({ anonymous: false });
  const early = world.connect();
  early.sendText('{"requestId":1,"publish":{"channel":"lobby","data":1}}');
  await world.settle();
  expect(early.closed?.code).toBe(4401);
  const silent = world.connect();
  await world.pass(7_000);
  expect(silent.closed?.code).toBe(4401);
  const wrong = world.connect();
  wrong.sendText('{"requestId":1,"auth":{"token":"guess"}}');
  await world.settle();
  expect(wrong.closed?.code).toBe(4401);
  const right = world.connect();
  expect((await right.ask({ auth: { token: adminToken } })).auth).toEqual({
    authenticated: true,
    actor: '$admin',
  });
  expect((await right.publish('lobby', 1)).ack).toBeDefined();
  await right.subscribe('lobby', { beginning: true });
  await world.settle();
  expect(right.entries()).toMatchObject([{ actor: '$admin', data: 1 }]);
});
