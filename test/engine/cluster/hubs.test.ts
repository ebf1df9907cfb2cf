/** Settings among nodes: a change anywhere goes everywhere, and what a minority cannot decide it does not. */
import { expect, test } from 'vitest';
import type { Change } from '../../../src/hubs/change.js';
import { Called } from '../called-services.js';
import { TestSession } from '../harness.js';
import { ClusterWorld, type TestNode } from './cluster-world.js';

const start = () => ClusterWorld.start({ nodes: 5, replicas: 3, keepsSettings: true });

async function enter(world: ClusterWorld, node: TestNode, hub = 'default'): Promise<TestSession> {
  expect(await world.run(node.engine.enter(hub, undefined))).toMatchObject({ ok: true });
  return new TestSession(node as never, { hub });
}

const change = (world: ClusterWorld, node: TestNode, what: Change, hub = 'default') =>
  world.run(node.engine.changeSettings(hub, what, 'root'));

const vault = (name: string): Change => ({ type: 'put', section: 'channels', name: 'vault', value: name });
const rules = (name: string, value: object): Change => ({ type: 'put', section: 'rules', name, value });
const closed = { public: false, clientPublish: false };

test('a change at any node goes at every node within a second, for live sessions too', async () => {
  const world = await start();
  const sessions = [];
  for (const node of world.nodes) {
    const session = await enter(world, node);
    expect((await session.subscribe('vault')).error).toBeUndefined();
    sessions.push(session);
  }
  for (const node of world.nodes) {
    expect(await change(world, node, rules('closed', closed))).toMatchObject({ ok: true });
    expect(await change(world, node, vault('closed'))).toMatchObject({ ok: true });
    await world.pass(1_000);
    for (const session of sessions) {
      expect(session.messages.at(-1)).toMatchObject({ error: { code: 'DENIED', channel: 'vault' } });
      expect((await session.publish('vault', 'x')).error).toMatchObject({ code: 'DENIED' });
    }
    expect(await change(world, node, { type: 'replace', document: {} })).toMatchObject({ ok: true });
    await world.pass(1_000);
    for (const session of sessions) expect((await session.subscribe('vault')).error).toBeUndefined();
  }
});

test('a service that is set at one node is called from every node, and from none once it is removed', async () => {
  const called = new Called();
  const world = await ClusterWorld.start({ nodes: 3, keepsSettings: true, services: called });
  const [first] = world.nodes as [TestNode];
  const url = 'https://service.example';
  const value = { type: 'http', url, methods: ['echo'], openTo: 'everybody' };
  const call = async (node: TestNode) =>
    (await enter(world, node)).ask({ rpc: { method: 'echo', data: node.number } });
  await change(world, first, { type: 'put', section: 'services', name: 'echo', value });
  await world.pass(1_000);
  for (const node of world.nodes) expect((await call(node)).rpc).toMatchObject({ data: node.number });
  expect(called.requests.map(({ service }) => service.url)).toEqual([url, url, url]);
  await change(world, first, { type: 'remove', section: 'services', name: 'echo' });
  await world.pass(1_000);
  for (const node of world.nodes) expect((await call(node)).error).toMatchObject({ code: 'UNAUTHENTICATED' });
  expect(called.requests).toHaveLength(3);
});

test('a hub made at one node is there at all, and its channels are published to from any', async () => {
  const world = await start();
  expect(await world.run(world.nodes[0]!.engine.createHub('acme', 'root'))).toMatchObject({ value: true });
  await world.pass(1_000);
  const [reader] = [await enter(world, world.nodes[1]!, 'acme')];
  await reader.subscribe('lobby');
  for (const node of world.nodes) {
    const session = await enter(world, node, 'acme');
    expect((await session.publish('lobby', node.number)).ack).toMatchObject({ level: 'quorum' });
  }
  expect(reader.data('lobby')).toEqual([1, 2, 3, 4, 5]);
});

test('settings of one hub made by two nodes at once are one order, the same everywhere', async () => {
  const world = await start();
  await world.run(
    Promise.all(
      world.nodes.flatMap((node) =>
        [1, 2, 3].map((i) =>
          node.engine.changeSettings(
            'default',
            rules('shared', { liveHistory: node.number * 10 + i }),
            'root',
          ),
        ),
      ),
    ),
  );
  await world.pass(1_000);
  const documents = new Set<string>();
  for (const node of world.nodes)
    documents.add(JSON.stringify(await world.run(node.engine.settings('default'))));
  expect(documents.size).toBe(1);
});

test('a node cut off changes nothing, goes by what it knew, and follows again when it is back', async () => {
  const world = await start();
  for (const node of world.nodes) await enter(world, node);
  await change(world, world.nodes[0]!, rules('closed', closed));
  const [alone, other] = [world.nodes[4]!, world.nodes[0]!];
  const session = await enter(world, alone);
  await session.subscribe('vault');
  world.isolate(alone);
  await world.pass(3_000);
  expect(await change(world, alone, vault('closed'))).toMatchObject({ ok: false });
  expect(await change(world, other, vault('closed'))).toMatchObject({ ok: true });
  await world.pass(1_000);
  expect(session.messages.some((m) => m.error)).toBe(false);
  world.mend();
  await world.pass(10_000);
  expect(session.messages.find((m) => m.error)).toMatchObject({
    error: { code: 'DENIED', channel: 'vault' },
  });
});

test('settings outlive the owner of their log', async () => {
  const world = await start();
  await change(world, world.nodes[0]!, rules('closed', closed));
  await change(world, world.nodes[0]!, vault('closed'));
  for (const node of world.nodes.slice(0, 2)) {
    node.kill();
    await world.pass(5_000);
    const rest = world.nodes.filter(({ handlers }) => handlers !== undefined);
    for (const each of rest) {
      const session = await enter(world, each);
      expect((await session.publish('vault', 'x')).error).toMatchObject({ code: 'DENIED' });
    }
    await world.run(node.start(false));
    await world.pass(8_000);
  }
});

test('a node that starts without the others lets nobody in by rules that it cannot know', async () => {
  const world = await ClusterWorld.start({ nodes: 3, keepsSettings: true });
  const [first, ...others] = world.nodes as [TestNode, TestNode, TestNode];
  await change(world, first, rules('closed', closed));
  await change(world, first, vault('closed'));
  await world.pass(1_000);
  for (const node of world.nodes) node.kill();
  await world.run(first.start(false));
  await world.pass(20_000);
  const alone = await world.run(first.engine.enter('default', undefined));
  expect(alone).toMatchObject({ ok: false, error: { code: 'UNAVAILABLE' } });
  // Where nobody set anything the configuration is known to go.
  const session = await enter(world, first, 'other');
  expect((await session.publish('room', 'x', { level: 'owner' })).ack.level).toBe('owner');
  await world.run(others[0]!.start(false));
  await world.pass(8_000);
  const closing = await enter(world, first);
  expect((await closing.publish('vault', 'x')).error).toMatchObject({ code: 'DENIED' });
});

test('a deleted hub is gone at every node, also for one that was away; then its name is free and it is empty', async () => {
  const world = await start();
  const [a, b, away] = world.nodes as [TestNode, TestNode, TestNode];
  expect(await world.run(a.engine.createHub('acme', 'root'))).toMatchObject({ value: true });
  await world.pass(1_000);
  for (const node of world.nodes) {
    const session = await enter(world, node, 'acme');
    for (let i = 0; i < 4; i++) await session.publish(`room:${node.number}:${i}`, 'old');
  }
  const there = await enter(world, away, 'acme');
  world.isolate(away);
  await world.pass(3_000);
  expect(await world.run(b.engine.deleteHub('acme', 'root'))).toMatchObject({ ok: true });
  // It has not heard: what it takes meanwhile goes too.
  await there.publish('room:apart', 'alone');
  await world.pass(5_000);
  expect(await world.run(a.engine.createHub('acme', 'root'))).toMatchObject({
    error: { code: 'HUB_NOT_FOUND' },
  });
  world.mend();
  await world.pass(30_000);
  expect(there.closed?.code).toBe(4404);
  for (const node of world.nodes) {
    expect(await world.run(node.engine.hubs())).not.toContain('acme');
    const refused = await world.run(node.engine.enter('acme', undefined));
    expect(refused).toMatchObject({ ok: false, error: { code: 'HUB_NOT_FOUND' } });
  }
  expect(await world.run(a.engine.createHub('acme', 'root'))).toMatchObject({ value: true });
  await world.pass(2_000);
  for (const node of world.nodes) {
    await enter(world, node, 'acme');
    const page = await world.run(node.engine.channels('acme', { limit: 10 }));
    expect(page.ok && page.value).toEqual([]);
  }
});
