/** Changes of the ring in running nodes. */
import { describe, expect, test } from 'vitest';
import { plant } from '../../../simulations/replication/planting.js';
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

  test('two nodes that are alone join at once, and not each other', async () => {
    const world = await RingWorld.begin({ nodes: 3 });
    const [a, b] = world.nodes as [TestNode, TestNode];
    await world.subscribeAll();
    world.load();
    const d = await world.addNode();
    const e = await world.addNode();
    // They know of each other before they know of the ring.
    expect(await world.run(d.engine.cluster!.join('nowhere:1'))).toEqual(refused('no-voter'));
    await world.pass(500);
    const joined = await world.run(
      Promise.all([d.engine.cluster!.join(a.address), e.engine.cluster!.join(b.address)]),
    );
    expect(joined.every(({ ok: isOk }) => isOk)).toBe(true);
    await world.settled();
    expect(a.engine.cluster!.ring().members).toHaveLength(5);
    await world.rest();
    await world.check();
    world.checkSubscribers();
    expect(world.failures).toEqual([]);
    expect(world.alarms()).toEqual([]);
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
    // It joins since the ring names it.
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

describe('what a node acknowledged alone', () => {
  /** A node that is cut off, and what it acknowledged then; the others take it out of the ring. */
  const leftAlone = async () => {
    const world = await RingWorld.begin({ nodes: 4 });
    const [a, b] = world.nodes as [TestNode, TestNode];
    await world.writesAlone(a);
    expect((await world.change(b, { kind: 'remove', node: a.id })).ok).toBe(true);
    await world.pass(6_000);
    return { world, a };
  };

  test('comes to the homes, although it is none of them any more', async () => {
    const { world } = await leftAlone();
    world.mend();
    await world.settled();
    await world.pass(10_000);
    await world.check();
    expect(world.alarms()).toEqual([]);
  });

  test('is missed at them where nobody brings it (planted: orphans-left)', async () => {
    plant('orphans-left');
    try {
      const { world } = await leftAlone();
      world.mend();
      await world.settled();
      await world.pass(10_000);
      await expect(world.check()).rejects.toThrow('expected [');
    } finally {
      plant(undefined);
    }
  });

  test('comes to them after its next start too', async () => {
    const { world, a } = await leftAlone();
    a.kill();
    world.mend();
    await world.pass(1_000);
    await world.run(a.start(false));
    await world.settled();
    await world.pass(10_000);
    await world.check();
    expect(world.alarms()).toEqual([]);
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
    while (!a.engine.cluster!.ring().change) await world.pass(0.5);
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

/** Milliseconds after a join began: all its steps take about thirty. */
const moments = [1, 4, 7, 10, 14, 20];

describe('a node that crashes during a join', () => {
  test.each(moments.map((ms, i) => [ms, [0, 3, 1, 0, 3, 2][i]!] as const))(
    'after %d ms, node %d: nothing is lost, and the change ends',
    async (ms, victim) => {
      const world = await RingWorld.begin({ nodes: 3 });
      const [a] = world.nodes as [TestNode];
      world.load(40);
      await world.pass(500);
      const d = await world.addNode();
      await world.pass(500);
      void d.engine.cluster!.join(a.address);
      await world.pass(ms);
      const node = world.nodes[victim]!;
      node.kill();
      await world.pass(1_000);
      await world.run(node.start(false));
      // A joining node that nobody heard of yet asks again.
      await world.pass(500);
      if (d.engine.cluster!.ring().members.length === 1) await world.run(d.engine.cluster!.join(a.address));
      await world.settled(120_000);
      expect(a.engine.cluster!.ring().members).toHaveLength(4);
      await world.pass(6_000);
      await world.rest();
      await world.check();
      expect(world.alarms()).toEqual([]);
    },
  );
});

describe('two versions of the ring at once', () => {
  test('what either side acknowledged at quorum during a join is found by every later claim', async () => {
    const world = await RingWorld.begin({ nodes: 5 });
    const [a, b, c, e, f] = world.nodes as [TestNode, TestNode, TestNode, TestNode, TestNode];
    world.load(40);
    await world.pass(500);
    const d = await world.addNode();
    await world.pass(500);
    for (const one of [c, f]) for (const other of [a, b, e, d]) world.wires.cut(one, other);
    await world.pass(3_000);
    void d.engine.cluster!.join(a.address);
    await world.pass(500);
    const versions = [a, b, e, d, c, f].map(({ engine }) => engine.cluster!.ring().version);
    expect(versions).toEqual([2, 2, 2, 2, 1, 1]);
    const before = [a, c].map((node) => world.quorumAt(node));
    await world.pass(2_000);
    const during = [a, c].map((node, i) => world.quorumAt(node) - before[i]!);
    for (const acks of during) expect(acks).toBeGreaterThan(5);
    world.mend();
    await world.settled();
    await world.pass(6_000);
    await world.rest();
    await world.check();
    expect(world.alarms()).toEqual([]);
  });
});
