import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { fromHex, utf8 } from '../../src/base/bytes.js';
import type { NodeId } from '../../src/base/ids.js';
import { limits } from '../../src/base/limits.js';
import { xxhash64 } from '../../src/base/xxhash64.js';
import { homesAt, homesTable } from '../../src/cluster/homes.js';
import { isEmptyArc, pointAt } from '../../src/cluster/ring-points.js';
import {
  channelPosition,
  intervalIdOf,
  parseIntervalId,
  positionOf,
} from '../../src/cluster/ring-position.js';
import { RingTable } from '../../src/cluster/ring-table.js';
import { type Replicas, type Ring, replicaCount } from '../../src/cluster/ring.js';
import {
  changeReplicas,
  drainNodes,
  finishChange,
  joinNodes,
  openJoint,
  replaceNode,
} from '../../src/cluster/ring-change.js';
import {
  channelOf,
  core,
  joining,
  must,
  nodeLists,
  nodesOf,
  replicasAny,
  ringOf,
} from './ring-arbitraries.js';

const big = ({ high, low }: { high: number; low: number }) => (BigInt(high) << 32n) | BigInt(low);

/** Homes as the design words them: all virtual nodes in one sorted list, walked clockwise from the channel. */
function naiveHomes(nodes: readonly NodeId[], replicas: Replicas, position: bigint): readonly NodeId[] {
  const points = nodes.flatMap((node) =>
    Array.from({ length: 256 }, (_, i) => {
      const bytes = Uint8Array.from([...fromHex(node), i & 255, i >> 8]);
      return { at: big(xxhash64(bytes)), node };
    }),
  );
  points.sort((a, b) => (a.at < b.at ? -1 : 1));
  const clockwise = [
    ...points.filter(({ at }) => at >= position),
    ...points.filter(({ at }) => at < position),
  ];
  return [...new Set(clockwise.map(({ node }) => node))].slice(0, replicaCount(replicas, nodes.length));
}

const homesIn = (ring: Ring, i: number) =>
  new RingTable(ring).intervalOf(channelPosition(channelOf(i))).homes;

interface Change {
  readonly kind: number;
  readonly which: number;
  readonly replicas: Replicas;
}

/** Every version of a ring that goes through changes one after the other; those that are refused are left out. */
function ringsThrough(first: Ring, changes: readonly Change[]): readonly Ring[] {
  const rings: Ring[] = [];
  let ring = first;
  for (const change of changes) {
    const begun = beginChange(ring, change);
    if (!begun.ok) continue;
    const ready = new Set(begun.value.members.map(({ node }) => node));
    const joint = must(openJoint(new RingTable(begun.value), ready));
    ring = must(finishChange(new RingTable(joint), ready));
    rings.push(begun.value, joint, ring);
  }
  return rings;
}

function beginChange(ring: Ring, { kind, which, replicas }: Change) {
  const newcomers = core(...nodesOf(2, which + 5_000));
  const { node } = ring.members[which % ring.members.length]!;
  if (kind === 0) return joinNodes(ring, newcomers);
  if (kind === 1) return joinNodes(ring, newcomers.slice(1));
  if (kind === 2) return drainNodes(ring, [node]);
  if (kind === 3) return replaceNode(ring, node, newcomers[0]!);
  return changeReplicas(ring, replicas);
}

function expectAsIfAnew(table: RingTable): void {
  const anew = new RingTable(table.ring);
  expect(contentOf(table)).toEqual(contentOf(anew));
  const wrong = [...anew.indexes()].filter((index) => {
    const [was, is] = [anew.homes, anew.nextHomes].map((homes) => homesAt(homes, index).join());
    return anew.isChanging(index) !== (was !== is);
  });
  expect(wrong).toEqual([]);
}

/** All there is in a table, in words that are fast to compare. */
function contentOf(table: RingTable) {
  const { nodes, highs, lows, owners } = table.points;
  const homes = [table.homes, table.nextHomes].map(({ count, width, slots, eligible }) => ({
    sizes: [count, width],
    slots: slots.join(),
    eligible: eligible.join(),
  }));
  const changing = Array.from(owners, (_, i) => Number(table.isChanging(i))).join('');
  return { nodes, points: [highs, lows, owners].map((part) => part.join()), homes, changing };
}

describe('homes', () => {
  test('are the first distinct nodes clockwise, as the naive walk finds them', () => {
    fc.assert(
      fc.property(
        nodeLists,
        replicasAny,
        fc.array(fc.nat(), { maxLength: 5 }),
        (nodes, replicas, channels) => {
          const table = new RingTable(ringOf(nodes, replicas));
          for (const i of channels) {
            const position = channelPosition(channelOf(i));
            const { homes } = table.intervalOf(position);
            expect(homes).toEqual(naiveHomes(nodes, replicas, big(position)));
            expect(new Set(homes).size).toBe(homes.length);
          }
        },
      ),
      { numRuns: 60 },
    );
  });

  test('of a channel are the same when it is asked about again, also once others took its place', () => {
    const table = new RingTable(ringOf(nodesOf(5)));
    const asked = Array.from({ length: limits.channelIntervalsKnownMax + 100 }, (_, i) => channelOf(i));
    for (const round of [1, 2]) {
      const some = round === 1 ? asked : asked.slice(0, 300);
      for (const ref of some)
        expect(table.intervalOfChannel(ref).index).toBe(table.indexOf(channelPosition(ref)));
    }
    expect(table.intervalOfChannel({ ...channelOf(1) })).toBe(table.intervalOfChannel(channelOf(1)));
  });

  test('of a full copy on more nodes than the table is wide are all of them, in the order of the walk', () => {
    const nodes = nodesOf(13);
    const position = channelPosition(channelOf(1));
    expect(homesIn(ringOf(nodes, 'all'), 1)).toEqual(naiveHomes(nodes, 'all', big(position)));
    const replaced = must(replaceNode(ringOf(nodes, 'all'), nodes[3]!, core(nodesOf(1, 9)[0]!)[0]!));
    const table = new RingTable(replaced);
    expect([...table.indexes()].every((index) => table.isChanging(index))).toBe(true);
  });

  test('at the edges of an arc and of the number space are those of the interval the position lies in', () => {
    const nodes = nodesOf(3);
    const table = new RingTable(ringOf(nodes, 1));
    const { highs, lows } = table.points;
    const edges = [0, 5, highs.length - 1].map((i) => ({ high: highs[i]!, low: lows[i]! }));
    for (const end of [...edges, { high: 0, low: 0 }, { high: 0xffffffff, low: 0xffffffff }]) {
      expect(table.intervalOf(end).homes).toEqual(naiveHomes(nodes, 1, big(end)));
    }
    expect(table.indexOf({ high: 0xffffffff, low: 0xffffffff })).toBe(0);
    expect(table.intervalOf(edges[1]!).end).toEqual(edges[1]);
  });

  test('do not depend on the ring a table took over from', () => {
    fc.assert(
      fc.property(nodeLists, nodeLists, replicasAny, (before, after, replicas) => {
        const ring = ringOf(after, replicas);
        expectAsIfAnew(new RingTable(ring, new RingTable(ringOf(before))));
      }),
      { numRuns: 40 },
    );
  });

  test('are those of a table made from nothing at every step of every change', () => {
    const change = fc.record({ kind: fc.nat(4), which: fc.nat(1000), replicas: replicasAny });
    const sizes = fc.constantFrom(1, 2, 5, 12);
    fc.assert(
      fc.property(
        sizes,
        fc.constantFrom(1, 3, 40, 256),
        replicasAny,
        fc.array(change, { maxLength: 3 }),
        (size, virtualNodes, replicas, changes) => {
          let table = new RingTable({ ...ringOf(nodesOf(size), replicas), virtualNodes });
          for (const ring of ringsThrough(table.ring, changes)) {
            table = new RingTable(ring, table);
            expectAsIfAnew(table);
          }
        },
      ),
      { numRuns: 25 },
    );
  });

  test('after one node more change only by that node, and are back when it is gone again', () => {
    fc.assert(
      fc.property(nodeLists, replicasAny, fc.nat(), (nodes, replicas, i) => {
        const newcomer = nodesOf(1, 77_777)[0]!;
        const before = homesIn(ringOf(nodes, replicas), i);
        const after = homesIn(ringOf([...nodes, newcomer], replicas), i);
        const kept = after.filter((node) => node !== newcomer);
        expect(kept).toEqual(before.slice(0, kept.length));
        const again = new RingTable(
          ringOf(nodes, replicas),
          new RingTable(ringOf([...nodes, newcomer], replicas)),
        );
        expect(again.intervalOf(channelPosition(channelOf(i))).homes).toEqual(before);
      }),
      { numRuns: 60 },
    );
  });

  test('of two virtual nodes at one position go by node id, and the second arc is empty', () => {
    const points = {
      nodes: nodesOf(2),
      highs: Uint32Array.of(5, 9, 9, 20),
      lows: Uint32Array.of(0, 1, 1, 0),
      owners: Uint16Array.of(1, 0, 1, 0),
    };
    const table = homesTable(points, Uint8Array.of(1, 1), 2);
    expect(pointAt(points, 9, 1)).toBe(1);
    expect([0, 1, 2, 3].map((i) => isEmptyArc(points, i))).toEqual([false, false, true, false]);
    expect(Array.from(homesAt(table, 1))).toEqual([0, 1]);
  });
});

describe('the balance of ownership', () => {
  test.each([
    [3, 1.15],
    [9, 1.25],
    [25, 1.3],
  ])('of %d nodes stays below %d times the mean', (count, bound) => {
    const { points } = new RingTable(ringOf(nodesOf(count)));
    const owned = Array.from({ length: count }, () => 0);
    for (let i = 0; i < points.owners.length; i++) {
      const width = points.highs[i]! - (i === 0 ? points.highs.at(-1)! - 2 ** 32 : points.highs[i - 1]!);
      owned[points.owners[i]!]! += width / 2 ** 32;
    }
    expect(Math.max(...owned) * count).toBeLessThan(bound);
    expect(Math.min(...owned) * count).toBeGreaterThan(2 - bound);
  });
});

describe('positions', () => {
  test('of a channel hash its length-prefixed names', () => {
    const bytes = Uint8Array.from([4, ...utf8('acme'), 6, ...utf8('room:1')]);
    expect(channelPosition(channelOf(1))).toEqual(xxhash64(bytes));
  });

  test('as text sort like numbers and come back', () => {
    const halves = fc.record({ high: fc.nat(0xffffffff), low: fc.nat(0xffffffff) });
    fc.assert(
      fc.property(halves, halves, (a, b) => {
        expect(positionOf(intervalIdOf(a))).toEqual(a);
        expect(intervalIdOf(a) < intervalIdOf(b)).toBe(big(a) < big(b));
        expect(parseIntervalId(intervalIdOf(a))).toBe(intervalIdOf(a));
      }),
    );
    for (const text of ['', '0', 'G'.repeat(16), 'F'.repeat(16), '0'.repeat(17)]) {
      expect(parseIntervalId(text)).toBeUndefined();
    }
  });
});

describe('an interval', () => {
  test('keeps its id as long as the virtual node at its end stays', () => {
    const nodes = nodesOf(4);
    const before = new RingTable(ringOf(nodes.slice(0, 3)));
    const after = new RingTable(ringOf(nodes));
    for (const index of [0, 1, 100, 767]) {
      const { id, end } = before.interval(index);
      expect(after.intervalWithId(id)?.end).toEqual(end);
    }
    const added = [...after.indexes()].filter((i) => after.points.owners[i] === nodes.indexOf(nodes[3]!));
    expect(before.intervalWithId(after.interval(added[0]!).id)).toBeUndefined();
  });

  test('names its homes before and after a change only where they differ', () => {
    const nodes = nodesOf(9);
    const table = new RingTable(joining(ringOf(nodes.slice(1)), nodes[0]!));
    for (const index of [...table.indexes()].filter((_, i) => i % 20 === 0)) {
      const interval = table.interval(index);
      const inTheEnd = naiveHomes(nodes, 3, big(interval.end));
      expect(interval.state === 'settled' ? interval.homes : interval.nextHomes).toEqual(inTheEnd);
      expect(interval.homes).toEqual(naiveHomes(nodes.slice(1), 3, big(interval.end)));
      expect(interval.state).toBe(inTheEnd.includes(nodes[0]!) ? 'filling' : 'settled');
    }
  });

  test('of a ring whose replicas change has as many homes as each side says', () => {
    const table = new RingTable(must(changeReplicas(ringOf(nodesOf(5)), 5)));
    expect(table.interval(7)).toMatchObject({
      state: 'filling',
      homes: { length: 3 },
      nextHomes: { length: 5 },
    });
  });
});
