/** The list of a hub's channels, where no node holds all of them. */
import { expect, test } from 'vitest';
import { type ChannelName, type HubName } from '../../../src/base/ids.js';
import { limits } from '../../../src/base/limits.js';
import { RingTable } from '../../../src/cluster/ring-table.js';
import { TestSession, admin } from '../harness.js';
import { ClusterWorld, type TestNode } from './cluster-world.js';

const names = Array.from({ length: 40 }, (_, i) => `room:${String(i).padStart(2, '0')}`);

async function start(): Promise<{ world: ClusterWorld; edge: TestNode }> {
  const world = await ClusterWorld.start({ nodes: 5, replicas: 3 });
  const edge = await world.addEdge();
  // Claims move for the last time as nodes settle.
  await world.pass(2 * limits.settleMs);
  const session = new TestSession(world.nodes[0]! as never, { principal: admin });
  for (const name of names) expect((await session.publish(name, 'x')).ack).toBeDefined();
  await world.pass(1_000);
  return { world, edge };
}

interface Page {
  readonly channels: readonly string[];
  readonly next?: string;
  readonly partial?: boolean;
}

async function list(world: ClusterWorld, node: TestNode, request: object = {}): Promise<Page> {
  const answer = await world.run(node.engine.people(admin, 'default', 'channels/list', request, ''));
  if (!answer.ok) throw new Error(answer.error.code);
  return answer.value as unknown as Page;
}

test('is the same at every node, and at one that holds nothing', async () => {
  const { world, edge } = await start();
  for (const node of [...world.nodes.slice(0, 5), edge]) {
    const held = await world.run(node.engine.channels('default', { limit: 100 }));
    expect(held.ok && held.value.length < names.length).toBe(true);
    expect(await list(world, node)).toEqual({ channels: names });
  }
});

test('comes in pages that miss nothing and say nothing twice, whatever their size', async () => {
  const { world, edge } = await start();
  for (const limit of [1, 7, 39, 40]) {
    const seen: string[] = [];
    for (let after: string | undefined = ''; after !== undefined;) {
      const page: Page = await list(world, edge, { after, limit });
      expect(page.channels.length).toBeLessThanOrEqual(limit);
      seen.push(...page.channels);
      after = page.next;
    }
    expect(seen).toEqual(names);
  }
});

test('is whole without a home whose channels others hold too, and says that it is not where nobody is left', async () => {
  const { world, edge } = await start();
  const [one, two, three, ...left] = world.nodes.slice(0, 5) as [TestNode, TestNode, TestNode];
  one.kill();
  await world.pass(3_000);
  for (const node of [...left, edge]) expect(await list(world, node)).toEqual({ channels: names });
  two.kill();
  three.kill();
  // Whoever still waits for an answer of theirs does not wait for long.
  const early = await list(world, edge);
  expect(early.partial).toBe(true);
  await world.pass(3_000);
  for (const node of [...left, edge]) {
    const page = await list(world, node);
    expect([page.partial, page.channels.length < names.length]).toEqual([true, true]);
    expect(names).toEqual(expect.arrayContaining([...page.channels]));
  }
});

test('names what was acknowledged and is not here yet, and is partial where too few homes answer', async () => {
  const world = await ClusterWorld.start({ nodes: 3, replicas: 3 });
  await world.pass(2 * limits.settleMs);
  const [owner, , other] = world.nodes as [TestNode, TestNode, TestNode];
  const table = new RingTable(world.ring);
  const hub = 'default' as HubName;
  const isOwned = (channel: string): boolean =>
    table.intervalOfChannel({ hub, channel: channel as ChannelName }).homes[0] === owner.id;
  const channel = names.find(isOwned)!;
  world.wires.cut(owner, other);
  await world.pass(1_000);
  expect(await new TestSession(owner as never, { principal: admin }).publish(channel, 'x')).toMatchObject({
    ack: { level: 'quorum' },
  });
  expect(await world.run(other.engine.channels('default', { limit: 100 }))).toMatchObject({ value: [] });
  expect(await list(world, other)).toEqual({ channels: [channel] });
  world.isolate(other);
  expect(await list(world, other)).toMatchObject({ partial: true });
});
