/** Nodes that were each started alone and are told of each other's addresses become one ring. */
import { expect, test } from 'vitest';
import { encodeContent } from '../../../src/log/content-wire.js';
import { type ClusterId, foundRing } from '../../../src/cluster/ring.js';
import { admin } from '../harness.js';
import { ClusterWorld, type TestNode, virtualNodes } from './cluster-world.js';

const content = encodeContent({ payload: new Uint8Array(10).fill(65) });
/** A node that finds nobody serves alone after that. */
const aloneMs = 4_000;
const formedMs = 30_000;

function apart(seed: number, nodes: number): ClusterWorld {
  const world = new ClusterWorld({ nodes, seed, joinsOthers: true });
  for (const node of world.nodes)
    node.ring = { ...foundRing(node.id as string as ClusterId, node.id, 3), virtualNodes };
  return world;
}

const ringsOf = (world: ClusterWorld): Set<string> =>
  new Set(world.nodes.map(({ engine }) => JSON.stringify(engine.cluster!.ring().members)));

test.each([1, 2, 3, 4])(
  'also where one of them took entries before the others were there (%i)',
  async (seed) => {
    const world = apart(seed, 3);
    const [first, ...others] = world.nodes as [TestNode, ...TestNode[]];
    await world.run(first.start(true));
    await world.pass(aloneMs);
    const [taken] = await world.run(
      first.engine.publish(admin, 'default', [{ type: 'publish', channel: 'room', content }]),
    );
    expect(taken!.ok).toBe(true);
    await world.run(Promise.all(others.map((node) => node.start(true))));
    await world.pass(formedMs);
    expect(ringsOf(world).size).toBe(1);
    expect((await world.digests('room')).size).toBe(1);
  },
);

test.each([1, 2, 3, 4])('also five that begin at once (%i)', async (seed) => {
  const world = apart(seed, 5);
  await world.run(Promise.all(world.nodes.map((node) => node.start(true))));
  await world.pass(formedMs);
  const rings = world.nodes.map(({ engine }) => engine.cluster!.ring());
  expect([ringsOf(world).size, rings[0]!.members.length]).toEqual([1, 5]);
});
