/** Channels that are deleted while the ring changes: gone at the homes that leave, and at those that come. */
import { describe, expect, test } from 'vitest';
import { TestSession, admin, anonymous } from '../harness.js';
import type { TestNode } from './cluster-world.js';
import { RingWorld } from './ring-world.js';

const doomed = Array.from({ length: 8 }, (_, i) => `gone:${i + 1}`);

const connect = (node: TestNode): TestSession => new TestSession(node as never, { principal: anonymous });

/** Four of the ring under load, with channels that hold something at quorum. */
async function filled(): Promise<RingWorld> {
  const world = await RingWorld.begin({ nodes: 4 });
  const session = connect(world.nodes[0]!);
  for (const channel of doomed)
    for (const text of ['a', 'b', 'c'])
      expect((await session.publish(channel, text)).ack).toMatchObject({ level: 'quorum' });
  world.load();
  return world;
}

/** Asks until it is done: an owner that hands over refuses. */
async function remove(world: RingWorld, node: TestNode, channel: string): Promise<void> {
  for (let i = 0; i < 40; i++) {
    const deleted = await world.run(node.engine.deleteChannel(admin, 'default', channel));
    if (deleted.ok) return;
    expect(deleted.error.code).toBe('UNAVAILABLE');
    await world.pass(100);
  }
  throw new Error(`${channel} is not deleted`);
}

/** All homes of each hold the same and no more, and whoever begins at a node, home or not, reads that. */
async function expectEverywhere(world: RingWorld, data: readonly string[]): Promise<void> {
  for (const node of world.up) {
    const session = connect(node);
    for (const channel of doomed) await session.subscribe(channel, { beginning: true });
    await world.pass(500);
    expect(doomed.map((channel) => session.data(channel))).toEqual(doomed.map(() => data));
  }
  for (const channel of doomed) {
    const held = new Set<string>();
    for (const home of world.homes(channel)) {
      const digest = await world.run(home.engine.digest('default', channel));
      held.add(digest.ok ? `${digest.value.entries} ${digest.value.digest}` : digest.error.code);
    }
    expect([channel, ...held]).toHaveLength(2);
    expect(Number.parseInt([...held][0]!)).toBeLessThanOrEqual(2 * data.length);
  }
}

/** Begins a change; resolves once the ring has it. */
const changes: Record<string, (world: RingWorld) => Promise<unknown>> = {
  'a node joins': async (world) => {
    const joining = await world.addNode();
    await world.pass(500);
    return await world.run(joining.engine.cluster!.join(world.nodes[1]!.address));
  },
  'a node drains': async (world) => {
    const [leaving, asked] = world.nodes;
    return await world.change(asked!, { kind: 'drain', nodes: [leaving!.id] });
  },
  'one node takes the place of another': async (world) => {
    const [leaving, asked] = world.nodes;
    const joining = await world.addNode();
    await world.pass(500);
    const by = { node: joining.id, role: 'core' } as const;
    return await world.change(asked!, { kind: 'replace', node: leaving!.id, by });
  },
};

test.each(Object.entries(changes))(
  'channels are deleted before, while and after %s',
  async (_name, change) => {
    const world = await filled();
    const [a, b, c, d] = world.nodes as [TestNode, TestNode, TestNode, TestNode];
    await remove(world, a, doomed[0]!);
    await remove(world, d, doomed[1]!);
    expect(await change(world)).toEqual({ ok: true, value: 2 });
    await remove(world, b, doomed[2]!);
    for (const channel of doomed.slice(3, 6)) {
      await remove(world, channel === doomed[4] ? a : c, channel);
      await world.pass(150);
    }
    expect(await world.settled()).toBe(4);
    for (const channel of doomed.slice(6)) await remove(world, d, channel);
    await world.rest();
    await expectEverywhere(world, []);
    for (const channel of doomed)
      expect((await connect(b).publish(channel, 'new')).ack).toMatchObject({ level: 'quorum' });
    await world.pass(2_000);
    await expectEverywhere(world, ['new']);
    await world.check();
    expect([world.failures, world.alarms()]).toEqual([[], []]);
  },
);

test('what a node that was let go of the ring brings home of an older generation is void there', async () => {
  const world = await filled();
  await world.rest();
  const [a, b] = world.nodes as [TestNode, TestNode];
  world.isolate(a);
  await world.pass(3_000);
  const session = connect(a);
  let alone = 0;
  for (const channel of doomed.filter((each) => world.homes(each).includes(a))) {
    const { ack } = await session.publish(channel, 'alone', { level: 'owner', degrade: true });
    expect(ack).toMatchObject({ level: 'owner' });
    alone++;
  }
  expect(alone).toBeGreaterThan(3);
  expect(await world.change(b, { kind: 'remove', node: a.id })).toEqual({ ok: true, value: 2 });
  for (const channel of doomed) await remove(world, b, channel);
  await world.pass(6_000);
  world.mend();
  await world.settled();
  await world.pass(10_000);
  for (const channel of doomed)
    expect((await connect(b).publish(channel, 'new')).ack).toMatchObject({ level: 'quorum' });
  await world.pass(2_000);
  await expectEverywhere(world, ['new']);
  expect(world.alarms()).toEqual([]);
});

describe('a hub is deleted', () => {
  const channels = async (world: RingWorld, node: TestNode) => {
    const page = await world.run(node.engine.channels('acme', { limit: 10 }));
    return page.ok ? page.value.map(({ ref }) => ref.channel) : page.error.code;
  };

  async function acme(nodes: number): Promise<RingWorld> {
    const world = await RingWorld.begin({ nodes, keepsSettings: true });
    const [a] = world.nodes as [TestNode];
    expect(await world.run(a.engine.createHub('acme', 'root'))).toMatchObject({ value: true });
    await world.pass(1_000);
    const session = await enter(world, a);
    for (const channel of doomed)
      expect((await session.publish(channel, 'old')).ack).toMatchObject({ level: 'quorum' });
    return world;
  }

  async function enter(world: RingWorld, node: TestNode): Promise<TestSession> {
    expect(await world.run(node.engine.enter('acme', undefined))).toMatchObject({ ok: true });
    return new TestSession(node as never, { principal: anonymous, hub: 'acme' });
  }

  async function expectEmptyAgain(world: RingWorld): Promise<void> {
    const [, b] = world.nodes as [TestNode, TestNode];
    expect(await world.run(b.engine.createHub('acme', 'root'))).toMatchObject({ value: true });
    await world.pass(12_000);
    for (const node of world.up) {
      await enter(world, node);
      expect(await channels(world, node)).toEqual([]);
    }
    expect(world.alarms()).toEqual([]);
  }

  test('where nodes still have something of channels that they are no home of any more', async () => {
    const world = await acme(3);
    expect(await changes['a node joins']!(world)).toEqual({ ok: true, value: 2 });
    await world.settled();
    expect(await world.run(world.nodes[1]!.engine.deleteHub('acme', 'root'))).toMatchObject({ ok: true });
    await world.pass(30_000);
    await expectEmptyAgain(world);
  });

  test('where a node had written in it alone, in channels that nobody else knows, before it leaves', async () => {
    const world = await acme(4);
    const [a, b] = world.nodes as [TestNode, TestNode];
    const session = await enter(world, a);
    world.isolate(a);
    await world.pass(3_000);
    const alone = Array.from({ length: 8 }, (_, i) => `alone:${i}`);
    const homeOf = alone.filter((channel) => world.homes(channel, 'acme').includes(a));
    expect(homeOf.length).toBeGreaterThan(3);
    for (const channel of homeOf)
      expect((await session.publish(channel, 'x', { level: 'owner', degrade: true })).ack).toBeDefined();
    expect(await world.run(b.engine.deleteHub('acme', 'root'))).toMatchObject({ ok: true });
    await world.pass(3_000);
    world.mend();
    await world.pass(15_000);
    expect(await world.change(b, { kind: 'drain', nodes: [a.id] })).toMatchObject({ ok: true });
    await world.settled();
    await world.pass(15_000);
    await expectEmptyAgain(world);
  });
});
