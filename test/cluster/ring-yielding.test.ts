/** Nodes that each founded a ring find each other: one ring results, and nothing that holds entries is given up. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { NodeId } from '../../src/base/ids.js';
import { type Found, Yielding, comesFirst } from '../../src/cluster/ring-yielding.js';
import { type ClusterId, type Ring, foundRing } from '../../src/cluster/ring.js';

const nodes = ['a', 'b', 'c', 'd'].map((each) => each.repeat(32) as NodeId);
const ringOf = (cluster: string, members = 1): Ring => {
  const ring = foundRing(cluster.repeat(32) as ClusterId, nodes[0]!, 3);
  const all = nodes.slice(0, members).map((node) => ({ node, state: 'active' as const }));
  return { ...ring, members: all };
};

test('a larger ring comes first, then one that is held, then the smaller id', () => {
  const [large, held, low, high]: Found[] = [
    { ring: ringOf('f', 2), held: false },
    { ring: ringOf('e'), held: true },
    { ring: ringOf('0'), held: false },
    { ring: ringOf('1'), held: false },
  ];
  const sorted = [high!, low!, held!, large!].sort((x, y) => (comesFirst(x, y) ? -1 : 1));
  expect(sorted).toEqual([large, held, low, high]);
});

test('of any two rings exactly one comes first, so nobody gives up theirs for each other', () => {
  const found = fc.record({
    ring: fc
      .tuple(fc.constantFrom('0', '1', '2'), fc.integer({ min: 1, max: 3 }))
      .map((each) => ringOf(...each)),
    held: fc.boolean(),
  });
  fc.assert(
    fc.property(found, found, (x, y) => {
      fc.pre(x.ring.cluster !== y.ring.cluster);
      expect(comesFirst(x, y)).toBe(!comesFirst(y, x));
    }),
  );
});

test('an empty node alone gives up its ring once it has met who is there, and asks again while it lasts', () => {
  const yielding = new Yielding(nodes[0]!, true);
  const own = ringOf('5');
  yielding.told(nodes[1]!, { ring: ringOf('9'), held: false }, 0);
  expect(yielding.isDue(own, 1_000)).toBe(false);
  yielding.told(nodes[2]!, { ring: ringOf('1'), held: false }, 2_000);
  expect(yielding.isDue(own, 2_100)).toBe(false);
  expect(yielding.deadline).toBeLessThanOrEqual(3_000);
  expect(yielding.isDue(own, 3_000)).toBe(true);
  expect(yielding.isDue(own, 3_100)).toBe(false);
  expect(yielding.isDue(own, 5_000)).toBe(true);
  yielding.forget(nodes[2]!);
  expect(yielding.isDue(own, 9_000)).toBe(false);
});

test('one that holds entries, is in a larger ring, or is not willing gives up nothing', () => {
  const other = { ring: ringOf('0', 3), held: false };
  const willing = new Yielding(nodes[0]!, true);
  willing.told(nodes[1]!, other, 0);
  expect(willing.isDue(ringOf('5', 2), 1_000)).toBe(false);
  willing.hold();
  expect(willing.isDue(ringOf('5'), 9_000)).toBe(false);
  const stays = new Yielding(nodes[0]!, false);
  stays.told(nodes[1]!, other, 0);
  expect([stays.isDue(ringOf('5'), 1_000), stays.deadline]).toEqual([false, Infinity]);
});

test('two clusters that hold something are told of once, when it lasts', () => {
  const yielding = new Yielding(nodes[0]!, true);
  yielding.hold();
  yielding.told(nodes[1]!, { ring: ringOf('0'), held: true }, 0);
  expect(yielding.alarms(ringOf('5'), 100)).toEqual([]);
  expect(yielding.alarms(ringOf('5'), 10_000)).toMatchObject([{ code: 'TWO_RINGS' }]);
  expect(yielding.alarms(ringOf('5'), 20_000)).toEqual([]);
  expect(yielding.marked({ type: 'ring', ring: ringOf('5') })).toHaveProperty('held', true);
});
