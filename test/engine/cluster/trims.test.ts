/** Retention among nodes: the owner trims, the others follow, and who was away comes back behind what is gone. */
import { describe, expect, test } from 'vitest';
import { ClusterWorld, type TestNode } from './cluster-world.js';
import { type Json, TestSession, anonymous } from '../harness.js';

const rules = { sets: { short: { retention: { maxCount: 10 } } }, hubs: { default: { rules: 'short' } } };

function connect(node: TestNode): TestSession {
  return new TestSession(node as never, { principal: anonymous });
}

function alarms(world: ClusterWorld): string[] {
  return world.nodes.flatMap(({ observations }) =>
    observations.flatMap((each) => (each.type === 'alarm' ? [`${each.code}: ${each.message}`] : [])),
  );
}

async function publishAll(session: TestSession, from: number, to: number): Promise<void> {
  for (let i = from; i <= to; i++) {
    expect((await session.publish('news', i)).ack).toMatchObject({ level: 'quorum' });
  }
}

/** Entries that a node has of the channel. */
async function kept(world: ClusterWorld, node: TestNode): Promise<number> {
  const channels = await world.run(node.engine.channels('default', { limit: 10 }));
  return channels.ok ? channels.value.find(({ ref }) => ref.channel === 'news')!.entries : -1;
}

/** What somebody who comes new to a node reads there. */
async function read(world: ClusterWorld, node: TestNode): Promise<unknown[]> {
  const session = connect(node);
  await session.subscribe('news', { beginning: true });
  await world.pass(300);
  return session.data('news');
}

const upTo = (last: number, count: number): number[] =>
  Array.from({ length: count }, (_, i) => last - count + 1 + i);

describe('retention in a cluster', () => {
  test('removes at all homes what the owner trims; a reader below it is told a gap and gets the rest', async () => {
    const world = await ClusterWorld.start({ nodes: 3, rules });
    const [a, b] = world.nodes as [TestNode, TestNode, TestNode];
    const early = connect(a);
    await early.subscribe('news');
    await publishAll(connect(b), 0, 0);
    const cursor = early.cursor('news');
    await publishAll(connect(b), 1, 49);
    await world.pass(10_000);
    for (const node of world.nodes) {
      // Eleven messages at most, and what owners wrote between.
      expect(await kept(world, node)).toBeLessThanOrEqual(15);
      const late = connect(node);
      await late.subscribe('news', { cursor });
      await world.pass(300);
      expect(late.gaps()).toMatchObject([{ reason: 'trimmed' }]);
      const data = late.data('news');
      expect(data).toEqual(upTo(49, data.length));
      expect([10, 11]).toContain(data.length);
    }
    expect(early.data('news')).toEqual(upTo(49, 50));
    expect(early.gaps()).toEqual([]);
    expect((await world.digests('news')).size).toBe(1);
    expect(alarms(world)).toEqual([]);
  });

  test('is told to readers at a node without the log, new ones and those from below the trim', async () => {
    const world = await ClusterWorld.start({ nodes: 5, rules });
    const sessions = world.nodes.map(connect);
    for (const session of sessions) await session.subscribe('news');
    await publishAll(sessions[0]!, 0, 3);
    const cursors = sessions.map((session) => session.cursor('news'));
    await publishAll(sessions[0]!, 4, 49);
    await world.pass(10_000);
    for (const [i, node] of world.nodes.entries()) {
      const late = connect(node);
      await late.subscribe('news', { cursor: cursors[i]! });
      await world.pass(300);
      expect(late.gaps()).toMatchObject([{ reason: 'trimmed' }]);
      const data = late.data('news');
      expect(data).toEqual(upTo(49, data.length));
      const { history } = await late.ask({ history: { channel: 'news', cursor: cursors[i]! } });
      expect(history.gaps?.length ?? history.entries.filter((entry: Json) => entry.gap).length).toBe(1);
      expect(sessions[i]!.data('news')).toEqual(upTo(49, 50));
    }
    expect(alarms(world)).toEqual([]);
  });

  test('D5: a home that was away longer than the grace brings nothing back that was trimmed, and loses nothing of its own', async () => {
    const world = await ClusterWorld.start({ nodes: 3, rules, trimGraceMs: 15_000 });
    const [a, , zombie] = world.nodes as [TestNode, TestNode, TestNode];
    const [here, there] = [connect(a), connect(zombie)];
    await there.subscribe('news');
    await publishAll(here, 0, 9);
    await world.pass(500);
    world.isolate(zombie);
    await world.pass(3_000);
    expect((await there.publish('news', 'alone')).ack).toMatchObject({ level: 'owner', copies: 1 });
    await publishAll(here, 10, 29);
    await world.pass(3_000);
    // What it has not got is spared …
    expect(await read(world, a)).toEqual(expect.arrayContaining([10]));
    await world.pass(6_000);
    // … for a while.
    expect((await read(world, a))[0]).toBeGreaterThan(15);
    world.mend();
    await world.pass(8_000);
    await publishAll(connect(a), 30, 30);
    await world.pass(2_000);
    const readings = [];
    for (const node of world.nodes) readings.push(await read(world, node));
    for (const reading of readings) {
      expect(reading).toEqual(readings[0]);
      expect(reading).toContain('alone');
      const numbers = reading.filter((each) => each !== 'alone');
      expect(numbers).toEqual(upTo(30, numbers.length));
      expect(numbers.length).toBeLessThan(16);
    }
    expect((await world.digests('news')).size).toBe(1);
    // Who listened there all the time is told what it missed.
    expect(there.gaps()).toMatchObject([{ channel: 'news', reason: 'trimmed' }]);
    const numbers = there.data('news').filter((each) => each !== 'alone') as number[];
    expect(new Set(numbers).size).toBe(numbers.length);
    expect(numbers.at(-1)).toBe(30);
    expect(alarms(world)).toEqual([]);
  });

  test('floors that were taken over are there after a crash, and in an index made anew', async () => {
    const world = await ClusterWorld.start({ nodes: 3, rules, trimGraceMs: 0 });
    const [a, , zombie] = world.nodes as [TestNode, TestNode, TestNode];
    const here = connect(a);
    await publishAll(here, 0, 9);
    world.isolate(zombie);
    await world.pass(3_000);
    await publishAll(here, 10, 69);
    await world.pass(10_000);
    world.mend();
    await world.pass(10_000);
    const before = await read(world, zombie);
    for (const isIndexLost of [false, true]) {
      zombie.kill();
      if (isIndexLost) zombie.loseIndex();
      await world.run(zombie.start(false));
      await world.pass(8_000);
      expect(await read(world, zombie)).toEqual(before);
      expect(await kept(world, zombie)).toBe(await kept(world, a));
    }
    expect((await world.digests('news')).size).toBe(1);
    expect(alarms(world)).toEqual([]);
  });

  test('a document is not said to be gone where its home has the floors and not yet the snapshot behind them', async () => {
    const world = await ClusterWorld.start({ nodes: 3, rules, trimGraceMs: 0 });
    const [a, , zombie] = world.nodes as [TestNode, TestNode, TestNode];
    const channel = 'doc:plan';
    const change = async (n: number): Promise<void> => {
      const patch = [{ op: 'add', path: '/n', value: n }];
      expect(await connect(a).publish(channel, patch, { kind: 'patch' })).toHaveProperty('ack');
    };
    for (let n = 0; n < 3; n++) await change(n);
    await world.pass(500);
    world.isolate(zombie);
    await world.pass(3_000);
    for (let n = 3; n < 25; n++) await change(n);
    await world.pass(5_000);
    for (let n = 25; n < 38; n++) await change(n);
    await world.pass(10_000);
    world.mend();
    const told = new Set<unknown>();
    for (let i = 0; i < 2_000 && !told.has(38); i++) {
      await world.pass(2);
      const request = { type: 'documentGet', channel } as const;
      const state = await world.run(zombie.engine.document(anonymous, 'default', request));
      told.add(state.ok ? state.value.info.version : state.error.code);
    }
    expect([...told]).toEqual([3, 'UNAVAILABLE', 38]);
    expect(alarms(world)).toEqual([]);
  });
});
