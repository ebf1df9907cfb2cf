import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
// First: it must be there before the code that it plants bugs in.
import { plant } from '../../simulations/replication/planting.js';
import type { NodeId } from '../../src/base/ids.js';
import { Acting } from '../../src/cluster/acting.js';
import { actingOrder } from '../../src/cluster/intervals.js';
import { openJoint } from '../../src/cluster/ring-change.js';
import type { IntervalId } from '../../src/cluster/ring-position.js';
import { RingTable } from '../../src/cluster/ring-table.js';
import type { Ring } from '../../src/cluster/ring.js';
import { joining, must, nodeLists, nodesOf, replicasAny, ringOf } from './ring-arbitraries.js';

const [a, b, c, d] = nodesOf(4) as [NodeId, NodeId, NodeId, NodeId];
const three = new RingTable(ringOf([a, b, c]));

/** What a node wants by what it told, kept up to date. */
class Watched {
  readonly acting: Acting;
  readonly wanted = new Set<IntervalId>();

  constructor(self: NodeId, table: RingTable = three, now = 0, lacks = () => false) {
    this.acting = new Acting({ table, self, now, lacks });
    this.take();
  }

  /** How many intervals changed. */
  take(): number {
    const changes = this.acting.takeChanges();
    for (const { interval, wanted } of changes) {
      expect(this.wanted.has(interval)).toBe(!wanted);
      if (wanted) this.wanted.add(interval);
      else this.wanted.delete(interval);
    }
    return changes.length;
  }

  see(nodes: readonly NodeId[], now: number): void {
    for (const node of nodes) this.acting.reachable(node, true, now);
    this.take();
  }
}

/** Ids of the intervals whose first homes in order are these. */
function firstOf(table: RingTable, ...homes: NodeId[]): ReadonlySet<IntervalId> {
  const ids = new Set<IntervalId>();
  for (const index of table.indexes()) {
    const interval = table.interval(index);
    if (homes.every((home, i) => actingOrder(interval)[i] === home)) ids.add(interval.id);
  }
  return ids;
}

describe('after a cold start', () => {
  test('nothing is wanted until a majority is reachable', () => {
    const node = new Watched(a);
    expect(node.wanted.size).toBe(0);
    expect(node.acting.nextDeadline()).toBe(3_000);
    node.see([b], 10);
    expect(node.wanted).toEqual(new Set([...firstOf(three, a), ...firstOf(three, c, a)]));
    node.see([c], 20);
    expect(node.wanted).toEqual(firstOf(three, a));
  });

  test('everything is wanted before anybody is reachable (planted: start-unwaited)', () => {
    plant('start-unwaited');
    try {
      expect(new Watched(a).wanted.size).toBe(768);
    } finally {
      plant(undefined);
    }
  });

  test('without a majority everything is tried after 3 s', () => {
    const node = new Watched(a);
    node.acting.tick(2_999);
    expect(node.take()).toBe(0);
    node.acting.tick(3_000);
    expect(node.take()).toBe(768);
    expect(node.acting.nextDeadline()).toBe(Infinity);
  });

  test('a ring of one is wanted and settled at once', () => {
    const node = new Watched(a, new RingTable(ringOf([a])));
    expect(node.wanted.size).toBe(256);
    expect(node.acting.isSettled).toBe(true);
  });
});

describe('a node that comes back', () => {
  /** a comes back to b and c, which are settled. */
  function back(lacks?: () => boolean): Watched {
    const node = new Watched(a, three, 0, lacks);
    for (const other of [b, c]) node.acting.settled(other, true);
    node.see([b, c], 100);
    return node;
  }

  test('takes nothing for 5 s', () => {
    const node = back();
    expect(node.wanted.size).toBe(0);
    expect(node.acting.nextDeadline()).toBe(5_100);
    node.acting.tick(5_099);
    expect(node.take()).toBe(0);
    node.acting.tick(5_100);
    node.take();
    expect(node.wanted).toEqual(firstOf(three, a));
    expect(node.acting.isSettled).toBe(true);
  });

  test('takes everything at once where it does not wait (planted: hasty-return)', () => {
    plant('hasty-return');
    try {
      expect(back().wanted).toEqual(firstOf(three, a));
    } finally {
      plant(undefined);
    }
  });

  test('takes nothing before it has what it was lacking', () => {
    let lacks = true;
    const node = back(() => lacks);
    node.acting.tick(5_100);
    expect(node.acting.nextDeadline()).toBe(5_600);
    node.acting.tick(5_600);
    expect(node.take()).toBe(0);
    lacks = false;
    node.acting.tick(6_100);
    node.take();
    expect(node.wanted).toEqual(firstOf(three, a));
  });

  test('takes what is its own after 30 s, whatever it lacks', () => {
    const node = back(() => true);
    let now = 0;
    while (!node.acting.isSettled) node.acting.tick((now = node.acting.nextDeadline()));
    expect(now).toBe(30_100);
    node.take();
    expect(node.wanted).toEqual(firstOf(three, a));
  });

  test('waits 5 s again where it lost sight of the majority', () => {
    const node = back();
    node.acting.reachable(b, false, 1_000);
    node.acting.reachable(c, false, 1_000);
    node.acting.reachable(c, true, 2_000);
    expect(node.acting.nextDeadline()).toBe(7_000);
  });

  test('is not settled before its store is whole', () => {
    const node = back();
    const [own] = firstOf(three, a);
    node.acting.recovering(own!, true, 200);
    node.acting.tick(6_000);
    expect(node.acting.isSettled).toBe(false);
    node.acting.recovering(own!, false, 7_000);
    node.take();
    expect(node.acting.isSettled).toBe(true);
    expect(node.wanted).toEqual(firstOf(three, a));
  });

  test('is passed over by the others until it is settled', () => {
    const node = new Watched(b);
    node.see([a, c], 0);
    node.acting.settled(c, true);
    node.acting.tick(5_000);
    node.take();
    const before = new Set([...firstOf(three, b), ...firstOf(three, a, b)]);
    expect(node.wanted).toEqual(before);
    node.acting.settled(a, true);
    node.take();
    expect(node.wanted).toEqual(firstOf(three, b));
    expect(node.acting.actingFor([...firstOf(three, a)][0]!)).toBe(a);
  });
});

describe('a death', () => {
  const ring = new RingTable(ringOf(nodesOf(40)));
  const nodes = nodesOf(40);

  test('moves what the dead node acted for, and nothing else', () => {
    const self = nodes[0]!;
    const node = new Watched(self, ring);
    node.see(nodes, 0);
    const before = new Set(node.wanted);
    const dead = nodes[1]!;
    node.acting.reachable(dead, false, 10);
    node.take();
    const taken = [...node.wanted].filter((id) => !before.has(id));
    expect(new Set(taken)).toEqual(firstOf(ring, dead, self));
    node.acting.reachable(dead, true, 20);
    node.take();
    expect(node.wanted).toEqual(before);
  });

  test('looks at no interval but those that both are homes of', () => {
    const self = nodes[0]!;
    const node = new Watched(self, ring);
    node.see(nodes, 0);
    let looks = 0;
    const table = new Proxy(ring, {
      get: (target, name) => {
        if (name === 'interval') looks++;
        const value = Reflect.get(target, name, target) as unknown;
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
    node.acting.plan(table, 0);
    looks = 0;
    node.acting.reachable(nodes[1]!, false, 10);
    const shared = [...ring.indexes()].filter((index) => {
      const order = actingOrder(ring.interval(index));
      return order.includes(self) && order.includes(nodes[1]!);
    });
    expect(shared.length).toBeLessThan(150);
    expect(looks).toBeLessThanOrEqual(2 * shared.length);
  });
});

describe('another ring', () => {
  test('is decided anew: what is not held any more is not wanted', () => {
    const node = new Watched(a);
    node.see([b, c], 0);
    const grown = new RingTable(ringOf([a, b, c, d]));
    node.acting.plan(grown, 10);
    node.take();
    expect(node.wanted).toEqual(new Set([...firstOf(grown, a), ...firstOf(grown, d, a)]));
    node.see([d], 20);
    expect(node.wanted).toEqual(firstOf(grown, a));
    node.acting.plan(new RingTable(ringOf([b, c, d])), 30);
    node.take();
    expect(node.wanted.size).toBe(0);
  });
});

const rings: fc.Arbitrary<Ring> = fc
  .record({
    nodes: nodeLists,
    replicas: replicasAny,
    change: fc.constantFrom('none', 'filling', 'joint'),
  })
  .map(({ nodes, replicas, change }) => {
    const [newcomer, ...members] = nodes;
    if (change === 'none' || members.length === 0) return ringOf(nodes, replicas);
    const filling = joining(ringOf(members, replicas), newcomer!);
    return change === 'filling' ? filling : must(openJoint(new RingTable(filling), new Set(nodes)));
  });

interface View {
  readonly ring: Ring;
  readonly up: readonly NodeId[];
  readonly settled: ReadonlySet<NodeId>;
  readonly recovering: ReadonlySet<NodeId>;
}

const views: fc.Arbitrary<View> = rings.chain((ring) => {
  const nodes = ring.members.map(({ node }) => node);
  const some = fc.subarray(nodes);
  return fc.record({
    ring: fc.constant(ring),
    up: fc.subarray(nodes, { minLength: 1 }),
    settled: some.map((each) => new Set(each)),
    recovering: some.map((each) => new Set(each)),
  });
});

/** How many of the nodes with one view want each interval. A node is settled when it has seen a majority for long. */
function wantedBy({ ring, up, settled, recovering }: View): {
  table: RingTable;
  count: Map<IntervalId, number>;
} {
  const table = new RingTable(ring);
  const count = new Map<IntervalId, number>();
  const nodes = up.map((self) => {
    const node = new Watched(self, table);
    for (const other of up) node.acting.reachable(other, true, settled.has(self) ? 0 : 4_000);
    node.acting.tick(5_000);
    return { self, node };
  });
  for (const { self, node } of nodes) {
    for (const other of nodes) {
      if (self !== other.self) node.acting.settled(other.self, other.node.acting.isSettled);
    }
    if (recovering.has(self)) {
      for (const index of table.indexes()) node.acting.recovering(table.interval(index).id, true, 5_000);
    }
    node.take();
    for (const id of node.wanted) count.set(id, (count.get(id) ?? 0) + 1);
  }
  return { table, count };
}

describe('nodes with one view', () => {
  test('never both act, whatever each of them recovers', () => {
    fc.assert(
      fc.property(views, (view) => {
        expect([...wantedBy(view).count.values()].filter((count) => count > 1)).toEqual([]);
      }),
      { numRuns: 30 },
    );
  });

  test('have exactly one that acts for each interval with a reachable home', () => {
    fc.assert(
      fc.property(views, ({ ring, up, settled }) => {
        const { table, count } = wantedBy({ ring, up, settled, recovering: new Set() });
        const wrong = [...table.indexes()].filter((index) => {
          const interval = table.interval(index);
          const isThere = actingOrder(interval).some((home) => up.includes(home));
          return (count.get(interval.id) ?? 0) !== (isThere ? 1 : 0);
        });
        expect(wrong).toEqual([]);
      }),
      { numRuns: 30 },
    );
  });
});

test('what is told piece by piece is what a fresh look at the same view says', () => {
  const event = fc.record({
    node: fc.nat(6),
    is: fc.boolean(),
    what: fc.constantFrom('reachable', 'settled', 'recovering', 'time'),
  });
  fc.assert(
    fc.property(rings, fc.array(event, { maxLength: 40 }), (ring, events) => {
      const table = new RingTable(ring);
      const members = ring.members.map(({ node }) => node);
      const node = new Watched(members[0]!, table);
      const ids = [...table.indexes()].map((index) => table.interval(index).id);
      let now = 0;
      for (const { node: at, is, what } of events) {
        const other = members[at % members.length]!;
        now += 300;
        if (what === 'reachable') node.acting.reachable(other, is, now);
        else if (what === 'settled') node.acting.settled(other, is);
        else if (what === 'recovering') node.acting.recovering(ids[at * 17]!, is, now);
        else node.acting.tick(now);
        node.take();
      }
      const fresh = ids.filter((id) => node.acting.actingFor(id) === members[0]);
      expect(node.wanted).toEqual(new Set(fresh));
    }),
    { numRuns: 30 },
  );
});
