/** Trims that an operator forces among nodes: asked of any of them, in force at all, told as what they are. */
import { describe, expect, test } from 'vitest';
import type { Keep } from '../../../src/log/retention.js';
import { type Json, TestSession, anonymous } from '../harness.js';
import { ClusterWorld, type TestNode } from './cluster-world.js';

const channel = 'news';

function connect(node: TestNode): TestSession {
  return new TestSession(node as never, { principal: anonymous });
}

async function publishAll(session: TestSession, from: number, to: number): Promise<void> {
  for (let i = from; i <= to; i++) {
    expect((await session.publish(channel, i)).ack).toMatchObject({ level: 'quorum' });
  }
}

async function trim(world: ClusterWorld, node: TestNode, keep: Keep) {
  return await world.run(node.engine.trimChannel('default', channel, keep, 'root'));
}

async function read(world: ClusterWorld, node: TestNode, start: Json = { beginning: true }) {
  const session = connect(node);
  await session.subscribe(channel, start);
  await world.pass(300);
  return { data: session.data(channel), reasons: session.gaps().map(({ reason }) => reason) };
}

/** As its index has it: nobody opens the channel for that. */
async function entriesAt(world: ClusterWorld, node: TestNode): Promise<number | undefined> {
  const channels = await world.run(node.engine.channels('default', { limit: 10 }));
  return channels.ok ? channels.value.find(({ ref }) => ref.channel === channel)?.entries : undefined;
}

function alarms(world: ClusterWorld): string[] {
  return world.nodes.flatMap(({ observations }) =>
    observations.flatMap((each) => (each.type === 'alarm' ? [`${each.code}: ${each.message}`] : [])),
  );
}

describe('a forced trim among nodes', () => {
  test('asked of any node removes at every home; readers everywhere are told that it was forced', async () => {
    const world = await ClusterWorld.start({ nodes: 5 });
    const early = world.nodes.map(connect);
    for (const session of early) await session.subscribe(channel);
    await publishAll(early[0]!, 0, 3);
    const cursors = early.map((session) => session.cursor(channel));
    await publishAll(early[0]!, 4, 19);
    for (const [i, node] of world.nodes.entries()) {
      const answer = await trim(world, node, { entries: 10 - i });
      expect(answer).toMatchObject({ ok: true, value: { level: 'quorum' } });
      await world.pass(300);
    }
    for (const [i, node] of world.nodes.entries()) {
      const resumed = await read(world, node, { cursor: cursors[i]! });
      expect(resumed.reasons).toEqual(['forced']);
      expect(resumed.data.at(-1)).toBe(19);
      expect(resumed.data.length).toBeLessThan(9);
      const page = await connect(node).ask({ history: { channel } });
      expect(page.history.gaps.map(({ reason }: Json) => reason)).toEqual(['forced']);
    }
    expect((await world.digests(channel)).size).toBe(1);
    expect(alarms(world)).toEqual([]);
  });

  test('is in force within two minutes at a home that forgot that it is committed, though nobody uses the channel', async () => {
    const world = await ClusterWorld.start({ nodes: 3 });
    const [a, b, away] = world.nodes as [TestNode, TestNode, TestNode];
    await publishAll(connect(a), 0, 19);
    await world.pass(500);
    const done = trim(world, b, { entries: 5 });
    expect(await done).toMatchObject({ ok: true, value: { level: 'quorum' } });
    away.kill();
    await world.pass(2_000);
    for (const node of [a, b]) node.kill();
    for (const node of world.nodes) await world.run(node.start(false));
    await world.pass(120_000);
    for (const node of world.nodes) expect(await entriesAt(world, node)).toBeLessThan(9);
    expect(alarms(world)).toEqual([]);
  });

  test('waits for no home that is away: when that is back its readers are told, and it holds what the others hold', async () => {
    const world = await ClusterWorld.start({ nodes: 3 });
    const [a, , zombie] = world.nodes as [TestNode, TestNode, TestNode];
    const there = connect(zombie);
    await there.subscribe(channel);
    await publishAll(connect(a), 0, 4);
    await world.pass(500);
    world.isolate(zombie);
    await world.pass(3_000);
    await publishAll(connect(a), 5, 29);
    expect(await trim(world, a, { entries: 5 })).toMatchObject({ ok: true, value: { level: 'quorum' } });
    world.mend();
    await world.pass(10_000);
    expect(there.gaps()).toMatchObject([{ channel, reason: 'forced' }]);
    const readings = [];
    for (const node of world.nodes) readings.push(await read(world, node));
    for (const reading of readings) expect(reading).toEqual(readings[0]);
    expect(readings[0]!.reasons).toEqual(['forced']);
    expect((await world.digests(channel)).size).toBe(1);
    expect(alarms(world)).toEqual([]);
  });

  test('is refused by a home that is alone, and nothing is removed there', async () => {
    const world = await ClusterWorld.start({ nodes: 3 });
    const [, , alone] = world.nodes as [TestNode, TestNode, TestNode];
    await publishAll(connect(alone), 0, 9);
    await world.pass(500);
    world.isolate(alone);
    await world.pass(10_000);
    const answer = await trim(world, alone, { entries: 2 });
    expect(answer).toMatchObject({ ok: false, error: { code: 'UNAVAILABLE' } });
    world.mend();
    await world.pass(10_000);
    for (const node of world.nodes)
      expect((await read(world, node)).data).toEqual(Array.from({ length: 10 }, (_, i) => i));
    expect(alarms(world)).toEqual([]);
  });

  test('is known after all nodes were stopped, with their indexes lost too', async () => {
    const world = await ClusterWorld.start({ nodes: 3 });
    const [a] = world.nodes as [TestNode, TestNode, TestNode];
    await publishAll(connect(a), 0, 19);
    await trim(world, a, { entries: 4 });
    await world.pass(1_000);
    for (const node of world.nodes) node.kill();
    world.nodes[1]!.loseIndex();
    for (const node of world.nodes) await world.run(node.start(false));
    await world.pass(10_000);
    await publishAll(connect(a), 20, 20);
    await world.pass(1_000);
    for (const node of world.nodes)
      expect(await read(world, node)).toEqual({ data: [16, 17, 18, 19, 20], reasons: ['forced'] });
    expect(alarms(world)).toEqual([]);
  });
});
