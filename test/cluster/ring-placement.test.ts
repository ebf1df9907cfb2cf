import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { holdersOf } from '../../src/cluster/intervals.js';
import { movesOf, placementChanges, sortPositions } from '../../src/cluster/placement.js';
import { drainNodes, finishChange, openJoint } from '../../src/cluster/ring-change.js';
import { channelPosition } from '../../src/cluster/ring-position.js';
import { RingTable } from '../../src/cluster/ring-table.js';
import type { Ring } from '../../src/cluster/ring.js';
import { ringScaleLines } from '../../simulations/scale/ring-scale.js';
import { channelOf, joining, must, nodeLists, nodesOf, replicasAny, ringOf } from './ring-arbitraries.js';

const someChannels = Array.from({ length: 300 }, (_, i) => channelPosition(channelOf(i)));

/** Which nodes gain and lose which channel, asked channel by channel. */
function naiveMoves(before: Ring, after: Ring, channels = someChannels): readonly string[] {
  const [x, y] = [new RingTable(before), new RingTable(after)];
  return channels.flatMap((position, i) => {
    const [was, is] = [holdersOf(x.intervalOf(position)), holdersOf(y.intervalOf(position))];
    const gained = is.filter((node) => !was.includes(node)).sort();
    const lost = was.filter((node) => !is.includes(node)).sort();
    return gained.length + lost.length === 0 ? [] : [`${i} +${gained.join()} -${lost.join()}`];
  });
}

function moves(before: Ring, after: Ring, channels = someChannels): readonly string[] {
  const table = sortPositions(channels);
  const changes = placementChanges(new RingTable(before), new RingTable(after));
  const out: string[] = [];
  for (const { change, from, to } of movesOf(changes, table)) {
    const [gained, lost] = [[...change.gained].sort().join(), [...change.lost].sort().join()];
    for (const i of table.order.subarray(from, to)) out.push(`${i} +${gained} -${lost}`);
  }
  return out.sort((a, b) => Number.parseInt(a, 10) - Number.parseInt(b, 10));
}

describe('a change of placement', () => {
  test('between any two rings moves exactly the channels whose holders differ', () => {
    fc.assert(
      fc.property(nodeLists, nodeLists, replicasAny, replicasAny, fc.boolean(), (from, to, r, s, kin) => {
        const [before, after] = [
          ringOf(from, r),
          ringOf(kin ? [...from.slice(1), ...nodesOf(1, 9_999)] : to, s),
        ];
        expect(moves(before, after)).toEqual(naiveMoves(before, after));
      }),
      { numRuns: 100 },
    );
  });

  test('is exact at both sides of every edge, also where the numbers begin and end', () => {
    fc.assert(
      fc.property(nodeLists, nodeLists, (from, to) => {
        const [before, after] = [ringOf(from, 1), ringOf(to, 1)];
        const ends = [before, after].flatMap((ring) => {
          const { highs, lows } = new RingTable(ring).points;
          return [0, 1, 2, 100, highs.length - 2, highs.length - 1].map(
            (i) => [highs[i]!, lows[i]!] as const,
          );
        });
        const edges = [...ends, [0, 0], [0xffffffff, 0xffffffff]].flatMap(([high, low]) => [
          { high: high!, low: low! },
          { high: (high! + (low === 0xffffffff ? 1 : 0)) >>> 0, low: (low! + 1) >>> 0 },
        ]);
        expect(moves(before, after, edges)).toEqual(naiveMoves(before, after, edges));
      }),
      { numRuns: 60 },
    );
  });

  test('adding a node moves only arcs to that node, and taking it away again moves them back', () => {
    fc.assert(
      fc.property(nodeLists, replicasAny, (nodes, replicas) => {
        const newcomer = nodesOf(1, 4_242)[0]!;
        const [before, after] = [
          new RingTable(ringOf(nodes, replicas)),
          new RingTable(ringOf([...nodes, newcomer], replicas)),
        ];
        const there = placementChanges(before, after);
        const back = placementChanges(after, before);
        expect(there.length).toBeGreaterThan(0);
        for (const { gained, lost } of there) {
          expect(gained).toEqual([newcomer]);
          expect(lost.length).toBeLessThan(2);
        }
        const turned = back.map(({ gained, lost, ...arc }) => ({ ...arc, gained: lost, lost: gained }));
        expect(turned).toEqual(there);
      }),
      { numRuns: 40 },
    );
  });

  test('through the steps of a change first only gains, at the end only losses', () => {
    const nodes = nodesOf(5);
    const everyone = new Set(nodes);
    const before = ringOf(nodes.slice(1));
    for (const filling of [joining(before, nodes[0]!), must(drainNodes(before, [nodes[1]!]))]) {
      const joint = must(openJoint(new RingTable(filling), everyone));
      const after = must(finishChange(new RingTable(joint), everyone));
      const tables = [before, filling, joint, after].map((ring) => new RingTable(ring));
      const [begun, opened, ended] = [0, 1, 2].map((i) => placementChanges(tables[i]!, tables[i + 1]!));
      expect(begun!.every(({ gained, lost }) => gained.length === 1 && lost.length === 0)).toBe(true);
      expect(opened).toEqual([]);
      expect(ended!.every(({ gained, lost }) => gained.length === 0 && lost.length === 1)).toBe(true);
      expect(begun!.length).toBeGreaterThan(256);
      expect(moves(before, filling)).toEqual(naiveMoves(before, filling));
      expect(moves(joint, after)).toEqual(naiveMoves(joint, after));
    }
  });

  test('of a ring to itself is none, and of no channels moves none', () => {
    const table = new RingTable(ringOf(nodesOf(3)));
    expect(placementChanges(table, table)).toEqual([]);
    const changes = placementChanges(table, new RingTable(ringOf(nodesOf(4))));
    expect(movesOf(changes, sortPositions([]))).toEqual([]);
  });

  test('is measured, beside the balance of the ring', () => {
    const lines = ringScaleLines({ repeats: 1 });
    expect(lines.filter((line) => line.includes('max/mean'))).toHaveLength(3);
    expect(lines.filter((line) => line.includes('times a plain loop'))).toHaveLength(3);
  });
});
