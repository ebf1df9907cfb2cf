/** What a node says of its cluster. */
import { expect, test } from 'vitest';
import { limits } from '../../../src/base/limits.js';
import type { ClusterStatus } from '../../../src/engine/api.js';
import { ClusterWorld, type TestNode } from './cluster-world.js';
import { filledWorld } from './filled-world.js';

const statusOf = (node: TestNode): ClusterStatus => node.engine.status().cluster!;

test('shares of the ring, claims, and homes that are up to date and equal', async () => {
  const world = await filledWorld([{ a: ['x'], b: ['x'] }, { a: ['x'] }, { a: ['x'] }, {}]);
  // The first comparison may come while owners still bring together what lay on the disks.
  await world.pass(limits.scrubSoonMs + limits.scrubIntervalMs + 20_000);
  for (const node of world.nodes) {
    const { shares, claims, waiting, homes, intervals } = statusOf(node);
    expect(shares.map(({ node: id }) => id)).toEqual(world.nodes.map(({ id }) => id).sort());
    expect(shares.reduce((sum, { holds }) => sum + holds, 0)).toBeCloseTo(3, 6);
    expect(shares.reduce((sum, { first }) => sum + first, 0)).toBeCloseTo(1, 6);
    const owned = claims.owners.reduce((sum, { intervals: count }) => sum + count, 0);
    expect(owned + claims.unowned).toBe(intervals.held);
    expect([claims.unowned, waiting]).toEqual([0, 0]);
    expect(homes.map(({ lacking, compared }) => [lacking, compared?.equal])).toEqual([
      [0, true],
      [0, true],
      [0, true],
    ]);
    expect(Math.max(...homes.map(({ compared }) => compared!.agoMs))).toBeLessThan(
      limits.scrubIntervalMs + 5_000,
    );
  }
});

test('of a home that is gone it is not known how far it is', async () => {
  const world = await ClusterWorld.start({ nodes: 3 });
  const [a, b, c] = world.nodes as [TestNode, TestNode, TestNode];
  await world.pass(2_000);
  expect(statusOf(a).homes.map(({ lacking }) => lacking)).toEqual([0, 0]);
  c.kill();
  await world.pass(1_000);
  const homes = new Map(statusOf(a).homes.map((home) => [home.node, home]));
  expect(homes.get(b.id)?.lacking).toBe(0);
  expect(homes.get(c.id)).toEqual({ node: c.id });
});

test('how busy a node says it is, at itself and at the others', async () => {
  const world = await ClusterWorld.start({ nodes: 3 });
  const [a, b, c] = world.nodes as [TestNode, TestNode, TestNode];
  c.kill();
  await world.pass(1_000);
  c.busy = 0.62;
  await world.run(c.start(false));
  await world.pass(12_000);
  const loadsAt = ({ engine }: TestNode): readonly (readonly [string, number])[] =>
    engine.status().cluster!.members.map(({ node, load }) => [node, load] as const);
  for (const node of [a, b]) {
    expect(loadsAt(node)).toContainEqual([c.id, 0.6]);
    expect(node.engine.status().cluster!.load).toBe(0);
  }
  expect(c.engine.status().cluster!.load).toBe(0.6);
  c.busy = 0.05;
  await world.pass(11_000);
  expect(loadsAt(a)).toContainEqual([c.id, 0.1]);
});
