import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { NodeId } from '../../src/base/ids.js';
import { limits } from '../../src/base/limits.js';
import {
  actingOrder,
  appendNeeds,
  areMet,
  claimLives,
  claimNeeds,
  holdersOf,
  intervalGroups,
  intervalsOf,
  intervalsUnder,
} from '../../src/cluster/intervals.js';
import {
  abandonChange,
  changeProgress,
  changeReplicas,
  drainNodes,
  expelNode,
  finishChange,
  joinNodes,
  leaveOut,
  nodeToExpel,
  openJoint,
  removeNode,
  replaceNode,
} from '../../src/cluster/ring-change.js';
import { type Interval, RingTable } from '../../src/cluster/ring-table.js';
import {
  type Ring,
  appendQuorum,
  claimQuorum,
  foundRing,
  isMajorityOf,
  memberStateOf,
  replicaCount,
  ringFault,
} from '../../src/cluster/ring.js';
import { cluster, core, joining, must, nodeLists, nodesOf, replicasAny, ringOf } from './ring-arbitraries.js';

const nodes = nodesOf(6);
const [a, b, c, d, e, f] = nodes as [NodeId, NodeId, NodeId, NodeId, NodeId, NodeId];
const everyone = new Set(nodes);
const error = (reason: string) => ({ ok: false, error: reason });
const statesOf = (ring: Ring) => Object.fromEntries(ring.members.map(({ node, state }) => [node, state]));
const open = (ring: Ring, ready: ReadonlySet<NodeId> = everyone) =>
  must(openJoint(new RingTable(ring), ready));
const finish = (ring: Ring, ready: ReadonlySet<NodeId> = everyone) =>
  must(finishChange(new RingTable(ring), ready));

describe('quorums', () => {
  test('come from the ring, whoever is alive', () => {
    const table = [1, 2, 3, 4, 5, 9].map((homes) => [homes, appendQuorum(homes), claimQuorum(homes)]);
    expect(table).toEqual([
      [1, 1, 1],
      [2, 2, 1],
      [3, 2, 2],
      [4, 3, 2],
      [5, 3, 3],
      [9, 5, 5],
    ]);
    expect([replicaCount(3, 2), replicaCount(3, 7), replicaCount('all', 12)]).toEqual([2, 3, 12]);
  });
});

describe('a change', () => {
  test('of a joining node goes through synced to active, a version a step', () => {
    const filling = joining(ringOf([a, b, c]), d);
    expect(filling).toMatchObject({ version: 2, change: { kind: 'join', phase: 'filling', since: 2 } });
    expect(statesOf(filling)).toEqual({ [a]: 'active', [b]: 'active', [c]: 'active', [d]: 'joining' });
    const joint = open(filling);
    expect([joint.version, memberStateOf(joint, d)]).toEqual([3, 'synced']);
    const done = finish(joint);
    expect([done.version, memberStateOf(done, d), done.change]).toEqual([4, 'active', undefined]);
    expect(done.lineage).toHaveLength(3);
  });

  test('of a draining node ends with it gone', () => {
    const draining = must(drainNodes(ringOf([a, b, c, d]), [d]));
    expect(memberStateOf(draining, d)).toBe('draining');
    const done = finish(open(draining));
    expect(memberStateOf(done, d)).toBeUndefined();
    expect(done.members).toEqual(ringOf([a, b, c]).members);
  });

  test('that replaces a node moves its part once', () => {
    const ring = must(replaceNode(ringOf([a, b, c, d]), d, core(e)[0]!));
    expect(statesOf(ring)).toMatchObject({ [d]: 'draining', [e]: 'joining' });
    expect(finish(open(ring)).members).toEqual(ringOf([a, b, c, e]).members);
  });

  test('of the replicas gives every interval its new number of homes', () => {
    const done = finish(open(must(changeReplicas(ringOf(nodes), 5))));
    expect(done.replicas).toBe(5);
    expect(new RingTable(done).interval(3).homes).toHaveLength(5);
  });

  test('is refused by name while another is under way, and where it makes no sense', () => {
    const ring = ringOf([a, b, c]);
    const draining = must(drainNodes(ring, [a]));
    for (const refused of [
      joinNodes(draining, core(d)),
      drainNodes(draining, [b]),
      removeNode(draining, b),
      expelNode(draining, b),
      replaceNode(draining, b, core(d)[0]!),
      changeReplicas(draining, 5),
      joinNodes(open(joining(ring, d)), core(e)),
    ]) {
      expect(refused).toEqual(error('change-under-way'));
    }
    expect(joinNodes(ring, [{ node: d, role: 'edge' }])).toEqual(error('not-core'));
    expect(joinNodes(ring, core(a))).toEqual(error('already-member'));
    expect(joinNodes(ring, core(d, d))).toEqual(error('already-member'));
    expect(joinNodes(ring, [])).toEqual(error('nothing-to-do'));
    expect(changeReplicas(ring, 3)).toEqual(error('nothing-to-do'));
    expect(removeNode(ring, d)).toEqual(error('not-a-member'));
    expect(drainNodes(ringOf([a]), [a])).toEqual(error('last-member'));
    const full = ringOf(nodesOf(limits.ringMembersMax));
    expect(joinNodes(full, core(nodesOf(1, 5)[0]!))).toEqual(error('too-many-members'));
    expect(openJoint(new RingTable(ring), everyone)).toEqual(error('no-change'));
    expect(finishChange(new RingTable(ring), everyone)).toEqual(error('no-change'));
    expect(abandonChange(ring)).toEqual(error('no-change'));
    expect(finishChange(new RingTable(draining), everyone)).toEqual(error('wrong-phase'));
    expect(openJoint(new RingTable(open(draining)), everyone)).toEqual(error('wrong-phase'));
  });

  test('that is still filling takes in more nodes that come', () => {
    const ring = joining(joining(joining(ringOf([a]), b), c), d);
    expect(ring).toMatchObject({ version: 4, change: { since: 2, phase: 'filling' } });
    expect(finish(open(ring)).members).toEqual(ringOf([a, b, c, d]).members);
  });

  test('goes on without a newcomer that went elsewhere, and is over without the last', () => {
    const filling = joining(joining(ringOf([a]), b), c);
    const without = must(leaveOut(filling, b));
    expect(without).toMatchObject({ version: 4, change: { kind: 'join', phase: 'filling' } });
    expect(finish(open(without)).members).toEqual(ringOf([a, c]).members);
    expect(must(leaveOut(without, c))).toMatchObject({ version: 5, members: ringOf([a]).members });
    expect(must(leaveOut(without, c))).not.toHaveProperty('change');
    const replacing = must(replaceNode(ringOf([a, b]), a, core(c)[0]!));
    expect(must(leaveOut(replacing, c)).members).toEqual(ringOf([a, b]).members);
    for (const ring of [filling, open(filling), ringOf([a])])
      expect(leaveOut(ring, a)).toEqual(error('not-a-member'));
    expect(leaveOut(open(filling), b)).toEqual(error('not-a-member'));
  });

  test('waits for W of the next homes of every interval, and says for whom', () => {
    const table = new RingTable(joining(ringOf([a]), b));
    expect(changeProgress(table, new Set([a]))).toEqual({ intervals: 512, short: 512, waitingFor: [b] });
    expect(openJoint(table, new Set([a]))).toEqual(error('not-ready'));
    expect(changeProgress(table, new Set([a, b]))).toMatchObject({ short: 0, waitingFor: [] });
    const three = new RingTable(open(joining(ringOf([a, b, c]), d)));
    expect(changeProgress(three, new Set([a, b, d]))).toMatchObject({ short: 0, waitingFor: [c] });
    expect(finishChange(three, new Set([a, b]))).toEqual(error('not-ready'));
    expect(finishChange(three, new Set([a, b, d])).ok).toBe(true);
  });

  test('abandoned in any phase leaves the members and homes of before', () => {
    const before = ringOf([a, b, c], 3);
    for (const change of [
      joining(before, d),
      must(drainNodes(before, [a])),
      must(replaceNode(before, a, core(d)[0]!)),
      must(changeReplicas(before, 'all')),
    ]) {
      for (const ring of [change, open(change)]) {
        const back = must(abandonChange(ring));
        expect([back.members, back.replicas, back.change]).toEqual([before.members, 3, undefined]);
        expect(back.version).toBe(ring.version + 1);
      }
    }
  });

  test('always leaves a ring without fault, and the lineage names the last versions', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(5), { maxLength: 40 }), (steps) => {
        let ring = foundRing(cluster, a, 3);
        for (const step of steps) {
          const table = new RingTable(ring);
          const node = nodes[step]!;
          const tries = [
            joinNodes(ring, core(node)),
            finishChange(table, everyone),
            openJoint(table, everyone),
            drainNodes(ring, [node]),
          ];
          ring = tries.find(({ ok }) => ok) ? must(tries.find(({ ok }) => ok)!) : ring;
          expect(ringFault(ring)).toBeUndefined();
          expect(ring.lineage).toHaveLength(Math.min(ring.version - 1, limits.ringLineageMax));
        }
      }),
      { numRuns: 20 },
    );
  });
});

/** All sets of these nodes. */
function subsets(of: readonly NodeId[]): readonly ReadonlySet<NodeId>[] {
  return Array.from({ length: 2 ** of.length }, (_, bits) => new Set(of.filter((__, i) => (bits >> i) & 1)));
}

function meets(x: ReadonlySet<NodeId>, y: ReadonlySet<NodeId>): boolean {
  return [...x].some((node) => y.has(node));
}

/** Every set that commits an entry under one ring meets every set that grants a claim under the other. */
function expectToMeet(entries: Interval, claims: Interval): void {
  const all = [...new Set([...holdersOf(entries), ...holdersOf(claims)])];
  const acks = subsets(all).filter((set) => areMet(appendNeeds(entries), set));
  const grants = subsets(all).filter((set) => areMet(claimNeeds(claims), set));
  expect(acks.length * grants.length).toBeGreaterThan(0);
  expect(acks.every((acked) => grants.every((granted) => meets(acked, granted)))).toBe(true);
}

describe('what an interval needs', () => {
  const changes: readonly [string, Ring][] = [
    ['a join of a second node', joining(ringOf([a]), b)],
    ['a join of two nodes', joining(ringOf([a, b, c]), d, e)],
    ['a drain', must(drainNodes(ringOf([a, b, c, d]), [d]))],
    ['a drain to fewer than R', must(drainNodes(ringOf([a, b, c]), [a, b]))],
    ['a replacement', must(replaceNode(ringOf([a, b, c]), a, core(f)[0]!))],
    ['fewer replicas', must(changeReplicas(ringOf([a, b, c, d, e], 5), 1))],
    ['more replicas', must(changeReplicas(ringOf([a, b, c, d, e], 1), 'all'))],
  ];

  test.each(changes)(
    'through %s: every claim finds what was committed one version before or after',
    (_, filling) => {
      const before = must(abandonChange(filling));
      const joint = open(filling);
      const after = finish(joint);
      const tables = [before, filling, joint, after].map((ring) => new RingTable(ring));
      const joints = tables[2]!;
      const changing = [...joints.indexes()].filter((i) => joints.isChanging(i)).slice(0, 12);
      for (const index of changing) {
        const { end } = joints.interval(index);
        const steps = tables.map((table) => table.intervalOf(end));
        for (let i = 1; i < steps.length; i++) {
          expectToMeet(steps[i - 1]!, steps[i]!);
          expectToMeet(steps[i]!, steps[i - 1]!);
        }
        // Back again from the joint phase.
        expectToMeet(steps[2]!, steps[0]!);
        expectToMeet(steps[0]!, steps[2]!);
      }
    },
  );

  test.each(changes)('through %s: whoever lets it end meets every claim afterwards', (_, filling) => {
    const joint = new RingTable(open(filling));
    const after = new RingTable(finish(joint.ring));
    const all = joint.points.nodes;
    const changing = [...joint.indexes()].filter((i) => joint.isChanging(i)).slice(0, 5);
    const enough = subsets(all).filter((ready) => finishChange(joint, ready).ok);
    expect(enough.length).toBeGreaterThan(0);
    for (const index of changing) {
      const needs = claimNeeds(after.intervalOf(joint.interval(index).end));
      const grants = subsets(all).filter((granted) => areMet(needs, granted));
      expect(enough.every((ready) => grants.every((granted) => meets(granted, ready)))).toBe(true);
    }
  });

  test('an incoming home stores and does not count while it is filled', () => {
    const ring = joining(ringOf([a]), b);
    const filling = new RingTable(ring).interval(0);
    expect(holdersOf(filling)).toEqual([a, b]);
    expect(areMet(appendNeeds(filling), new Set([a]))).toBe(true);
    expect(actingOrder(filling)).toEqual([a]);
    const joint = new RingTable(open(ring)).interval(0);
    expect(areMet(appendNeeds(joint), new Set([a]))).toBe(false);
    expect(areMet(appendNeeds(joint), new Set([a, b]))).toBe(true);
    expect(areMet(claimNeeds(joint), new Set([b]))).toBe(false);
    // What comes in may not have all yet: it acts when the change is over.
    expect(actingOrder(joint)).toEqual([a]);
  });
});

describe('intervals by their nodes', () => {
  test('are grouped by equal homes, each in one group', () => {
    const table = new RingTable(joining(ringOf([a, b, c, d]), e));
    const groups = intervalGroups(table);
    expect(groups.flatMap(({ indexes }) => indexes).sort((x, y) => x - y)).toEqual([...table.indexes()]);
    for (const { homes, nextHomes, indexes } of groups) {
      for (const index of indexes) {
        const interval = table.interval(index);
        expect([...interval.homes].sort()).toEqual(homes);
        expect(interval.state !== 'settled' && [...interval.nextHomes].sort()).toEqual(nextHomes ?? false);
      }
    }
    expect(intervalGroups(new RingTable(ringOf([a, b, c])))).toHaveLength(1);
  });

  test('are all those of which the node gets entries', () => {
    const table = new RingTable(joining(ringOf([a, b, c]), d));
    const ofIncoming = intervalsOf(table, d);
    expect(ofIncoming.length).toBeGreaterThan(256);
    expect(ofIncoming.every(({ state }) => state === 'filling')).toBe(true);
    expect(intervalsOf(table, a)).toHaveLength(1024);
    expect(intervalsOf(table, f)).toEqual([]);
  });
});

describe('claims across ring versions', () => {
  test('an interval inherits from exactly those that share positions with it', () => {
    const width = (from: Interval) =>
      (((BigInt(from.end.high) << 32n) | BigInt(from.end.low)) -
        ((BigInt(from.after.high) << 32n) | BigInt(from.after.low)) +
        (1n << 64n)) %
      (1n << 64n);
    fc.assert(
      fc.property(nodeLists, nodeLists, (before, after) => {
        const [x, y] = [new RingTable(ringOf(before)), new RingTable(ringOf(after))];
        let pieces = 0;
        for (const index of y.indexes()) {
          const interval = y.interval(index);
          const under = intervalsUnder(interval, x).map((i) => x.interval(i));
          pieces += under.length;
          expect(under.at(-1)).toEqual(x.intervalOf(interval.end));
          expect(under.reduce((sum, one) => sum + width(one), 0n)).toBeGreaterThanOrEqual(width(interval));
        }
        const ends = new Set([...x.indexes()].map((i) => x.interval(i).id));
        const shared = [...y.indexes()].filter((i) => ends.has(y.interval(i).id)).length;
        // Cutting a circle at the ends of both gives as many pieces as there are different ends.
        expect(pieces).toBe([...x.indexes()].length + [...y.indexes()].length - shared);
      }),
      { numRuns: 20 },
    );
  });

  const intervalsToClaim = (before: RingTable, after: RingTable): number[] =>
    [...after.indexes()].filter((i) => {
      const interval = after.interval(i);
      const under = intervalsUnder(interval, before).map((index) => before.interval(index));
      return !claimLives(under, interval);
    });

  test('live on through the filling phase, and where nothing changes', () => {
    const ring = ringOf([a, b, c, d, e]);
    const filling = joining(ring, f);
    const [before, during] = [new RingTable(ring), new RingTable(filling)];
    expect(intervalsToClaim(before, during)).toEqual([]);
    const joint = new RingTable(open(filling));
    const anew = intervalsToClaim(during, joint);
    expect(anew).toEqual([...joint.indexes()].filter((i) => joint.isChanging(i)));
    expect(anew.length).toBeLessThan([...joint.indexes()].length);
    const after = new RingTable(finish(joint.ring));
    expect(intervalsToClaim(joint, after)).toEqual(anew);
  });

  test('are asked for anew where intervals became one', () => {
    const ring = ringOf([a, b, c, d, e]);
    const [before, back] = [new RingTable(joining(ring, f)), new RingTable(ring)];
    const merged = [...back.indexes()].filter((i) => intervalsUnder(back.interval(i), before).length > 1);
    expect(merged.length).toBeGreaterThan(0);
    expect(intervalsToClaim(before, back)).toEqual(merged);
  });
});

describe('expelling', () => {
  const after10 = 600_000;
  const out = (...pairs: readonly (readonly [NodeId, number])[]) => ({
    unreachableMs: new Map(pairs),
    expelAfterMs: after10,
  });

  test('takes the member longest out of reach, once it is long enough', () => {
    const ring = ringOf(nodes);
    expect(nodeToExpel(ring, out([a, after10], [b, after10 + 1]))).toBe(b);
    expect(nodeToExpel(ring, out([b, after10], [a, after10]))).toBe(a);
    expect(nodeToExpel(ring, out([a, after10 - 1]))).toBeUndefined();
    expect(nodeToExpel(ring, out())).toBeUndefined();
  });

  test('is off by default, and only for a majority side, a ring larger than R, and no change under way', () => {
    const long = [a, after10] as const;
    expect(nodeToExpel(ringOf(nodes), { ...out(long), expelAfterMs: undefined })).toBeUndefined();
    expect(nodeToExpel(ringOf(nodes), out(long, [b, 1], [c, 1]))).toBeUndefined();
    expect(nodeToExpel(ringOf(nodes), out(long, [b, 1]))).toBe(a);
    expect(nodeToExpel(ringOf([a, b, c]), out(long))).toBeUndefined();
    expect(nodeToExpel(ringOf([a, b, c, d]), out(long))).toBe(a);
    expect(nodeToExpel(ringOf(nodes, 'all'), out(long))).toBeUndefined();
    expect(nodeToExpel(joining(ringOf([a, b, c, d]), e), out(long))).toBeUndefined();
  });

  test('never happens on both sides of a partition', () => {
    fc.assert(
      fc.property(nodeLists, replicasAny, fc.nat(), (members, replicas, cut) => {
        const ring = ringOf(members, replicas);
        const side = members.filter((_, i) => (cut >> i) & 1);
        const other = members.filter((node) => !side.includes(node));
        const decisions = [side, other].map((far) =>
          nodeToExpel(ring, out(...far.map((n) => [n, after10] as const))),
        );
        expect(decisions.filter((decision) => decision !== undefined).length).toBeLessThan(2);
        expect(isMajorityOf(ring, new Set(side)) && isMajorityOf(ring, new Set(other))).toBe(false);
      }),
    );
  });
});
