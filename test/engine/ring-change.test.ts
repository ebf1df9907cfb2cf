/** Changes of the ring in running nodes. */
import { describe, expect, test } from 'vitest';
import type { TestNode } from './cluster-world.js';
import { RingWorld } from './ring-world.js';

const ok = (value: number) => ({ ok: true, value });
const refused = (error: string) => ({ ok: false, error });

/** Everything that must hold once the load is over. */
async function verify(world: RingWorld): Promise<void> {
  await world.rest();
  await world.check();
  world.checkSubscribers();
  expect(world.failures).toEqual([]);
  expect(world.count('owner')).toBe(0);
  expect(world.count('quorum')).toBeGreaterThan(100);
  expect(world.alarms()).toEqual([]);
}

describe('a change of the ring under load', () => {
  test('a fourth node joins a ring of three', async () => {
    const world = await RingWorld.begin({ nodes: 3 });
    const [a] = world.nodes as [TestNode];
    await world.subscribeAll();
    world.load();
    await world.pass(1_000);
    const d = await world.addNode();
    await world.pass(500);
    await world.subscribeAt(d);
    expect(await world.run(d.engine.cluster!.join(a.address))).toEqual(ok(2));
    expect(await world.settled()).toBe(4);
    await verify(world);
  });

  test('a node drains, and serves its subscribers from the others', async () => {
    const world = await RingWorld.begin({ nodes: 4 });
    const [a, b] = world.nodes as [TestNode, TestNode];
    await world.subscribeAll();
    world.load();
    await world.pass(1_000);
    expect(await world.change(b, { kind: 'drain', nodes: [a.id] })).toEqual(ok(2));
    expect(await world.settled()).toBe(4);
    expect(b.engine.cluster!.ring().members.map(({ node }) => node)).not.toContain(a.id);
    await world.pass(1_000);
    await verify(world);
  });

  test('a dead node is removed', async () => {
    const world = await RingWorld.begin({ nodes: 4 });
    const [a, b] = world.nodes as [TestNode, TestNode];
    world.load();
    await world.pass(1_000);
    a.kill();
    await world.pass(3_000);
    expect(await world.change(b, { kind: 'remove', node: a.id })).toEqual(ok(2));
    expect(await world.settled()).toBe(4);
    await world.pass(1_000);
    await world.rest();
    await world.check();
    expect(world.alarms()).toEqual([]);
  });

  test('one node takes the place of another', async () => {
    const world = await RingWorld.begin({ nodes: 3 });
    const [a, b] = world.nodes as [TestNode, TestNode];
    await world.subscribeAt(b);
    const d = await world.addNode();
    world.load();
    await world.pass(1_000);
    const by = { node: d.id, role: 'core' } as const;
    expect(await world.change(b, { kind: 'replace', node: a.id, by })).toEqual(ok(2));
    await world.run(d.engine.cluster!.join(b.address));
    expect(await world.settled()).toBe(4);
    await world.pass(1_000);
    await verify(world);
  });

  test('from one copy to three', async () => {
    const world = await RingWorld.begin({ nodes: 3, replicas: 1 });
    const [a] = world.nodes as [TestNode];
    await world.subscribeAll();
    world.load();
    await world.pass(1_000);
    expect(await world.change(a, { kind: 'replicas', replicas: 3 })).toEqual(ok(2));
    expect(await world.settled()).toBe(4);
    await verify(world);
  });

  test('a node alone becomes two, and three', async () => {
    const world = await RingWorld.begin({ nodes: 1 });
    const [a] = world.nodes as [TestNode];
    await world.subscribeAll();
    world.load();
    await world.pass(1_000);
    for (const version of [2, 5]) {
      const node = await world.addNode();
      expect(await world.run(node.engine.cluster!.join(a.address))).toEqual(ok(version));
      expect(await world.settled()).toBe(version + 2);
      await world.subscribeAt(node);
    }
    await verify(world);
  });
});

describe('a change of the ring', () => {
  test('is one at a time', async () => {
    const world = await RingWorld.begin({ nodes: 4 });
    const [a, b, c, d] = world.nodes as [TestNode, TestNode, TestNode, TestNode];
    const both = await world.run(
      Promise.all([
        a.engine.cluster!.change({ kind: 'drain', nodes: [d.id] }),
        b.engine.cluster!.change({ kind: 'drain', nodes: [c.id] }),
      ]),
    );
    expect(both).toContainEqual(ok(2));
    expect(both).toContainEqual(refused('change-under-way'));
    expect(await world.settled()).toBe(4);
    expect(world.alarms()).toEqual([]);
  });

  test('is refused where it makes no sense', async () => {
    const world = await RingWorld.begin({ nodes: 2 });
    const [a, b] = world.nodes as [TestNode, TestNode];
    expect(await world.change(a, { kind: 'replicas', replicas: 3 })).toEqual(refused('nothing-to-do'));
    expect(await world.change(a, { kind: 'abandon' })).toEqual(refused('no-change'));
    expect(await world.run(a.engine.cluster!.join(b.address))).toEqual(refused('not-alone'));
  });

  test('is abandoned while it fills, and can begin anew', async () => {
    const world = await RingWorld.begin({ nodes: 3 });
    const [a, b] = world.nodes as [TestNode, TestNode];
    world.load();
    const d = await world.addNode();
    await world.pass(500);
    // The newcomer cannot be brought up to date.
    const joining = d.engine.cluster!.join(a.address);
    await world.pass(40);
    world.isolate(d);
    await world.pass(1_000);
    expect(a.engine.cluster!.ring().change).toMatchObject({ kind: 'join' });
    expect((await world.change(b, { kind: 'abandon' })).ok).toBe(true);
    world.mend();
    await world.run(joining);
    await world.pass(3_000);
    const ring = a.engine.cluster!.ring();
    expect(ring.change).toBeUndefined();
    await world.rest();
    await world.check();
  });
});
