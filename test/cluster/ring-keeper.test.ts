/** Nodes that keep a ring together: what they say arrives late, not at all, or after a crash, and there is never a fork. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { NodeId } from '../../src/base/ids.js';
import { seededRandom } from '../../src/base/random.js';
import { ringDigest } from '../../src/cluster/ring-codec.js';
import type { ChangeOutcome, RingIntent } from '../../src/cluster/ring-intent.js';
import { RingKeeper } from '../../src/cluster/ring-keeper.js';
import type { RingMessage } from '../../src/cluster/ring-messages.js';
import { RingTable } from '../../src/cluster/ring-table.js';
import { decodeVote, encodeVote } from '../../src/cluster/ring-vote-codec.js';
import { type Ring, memberStateOf } from '../../src/cluster/ring.js';
import { nodesOf, ringOf } from './ring-arbitraries.js';

/** A node whose disk is instant, and keeps what a crash must not lose. */
class Keeping {
  readonly told = new Map<number, ChangeOutcome>();
  keeper!: RingKeeper;
  ring: Ring;
  vote: Uint8Array | undefined;
  isUp = true;

  constructor(
    readonly world: Keepers,
    readonly node: NodeId,
    ring: Ring,
  ) {
    this.ring = ring;
    this.start();
  }

  start(): void {
    this.isUp = true;
    const { now } = this.world;
    const table = new RingTable(this.ring);
    const random = seededRandom(this.world.seed++);
    const vote = decodeVote(this.vote);
    const { expelAfterMs } = this.world;
    const self = this.node;
    this.keeper = new RingKeeper({ self, role: 'core', table, vote, random, now, expelAfterMs });
    this.keeper.use(table, this.#progress(), now);
    for (const other of this.world.nodes.values()) this.link(other);
  }

  link(other: Keeping): void {
    const { now } = this.world;
    if (other === this || !this.isUp || !other.isUp || !this.world.isOpen(this, other)) return;
    this.keeper.linked(other.node, now);
    other.keeper.linked(this.node, now);
    this.pump();
    other.pump();
  }

  unlink(other: Keeping): void {
    this.keeper.unlinked(other.node, this.world.now);
    this.pump();
  }

  crash(): void {
    this.isUp = false;
    for (const other of this.world.nodes.values()) if (other !== this && other.isUp) other.unlink(this);
  }

  pump(): void {
    for (let effects = this.keeper.takeEffects(); effects.length > 0; effects = this.keeper.takeEffects()) {
      for (const effect of effects) {
        if (effect.type === 'send') this.world.post(this.node, effect.to, effect.message);
        else if (effect.type === 'answer') this.told.set(effect.id, effect.outcome);
        else if (effect.type === 'persist') this.#persist();
        else if (effect.type === 'adopt') this.#adopt(effect.ring);
        else if (effect.type === 'alarm') this.world.alarms.push(effect.message);
      }
    }
  }

  #persist(): void {
    const { vote, number } = this.keeper.unpersisted()!;
    this.vote = encodeVote(vote);
    this.keeper.persisted(number, this.world.now);
  }

  #adopt(ring: Ring): void {
    this.ring = ring;
    this.world.seen(ring);
    this.keeper.use(new RingTable(ring), this.#progress(), this.world.now);
  }

  #progress() {
    const isComing = memberStateOf(this.ring, this.node) !== undefined && this.ring.change !== undefined;
    return { intervals: isComing ? 1 : 0, left: 0 };
  }
}

class Keepers {
  now = 0;
  readonly nodes = new Map<NodeId, Keeping>();
  readonly alarms: string[] = [];
  /** Of the changes there were. */
  readonly kinds = new Set<string>();
  /** Of each version the one content there may be. */
  readonly versions = new Map<number, string>();
  /** Of each node the side it is on; without sides all reach each other. */
  #sides: readonly (readonly NodeId[])[] = [];
  #posted: { readonly from: NodeId; readonly to: NodeId; readonly message: RingMessage }[] = [];

  constructor(
    count: number,
    public seed: number,
    readonly drops: () => boolean,
    readonly expelAfterMs?: number,
  ) {
    const names = nodesOf(count);
    const ring = ringOf(names);
    this.seen(ring);
    for (const node of names) this.nodes.set(node, new Keeping(this, node, ring));
  }

  seen(ring: Ring): void {
    if (ring.change) this.kinds.add(ring.change.kind);
    const digest = ringDigest(ring);
    expect(this.versions.get(ring.version) ?? digest).toBe(digest);
    this.versions.set(ring.version, digest);
  }

  isOpen(a: Keeping, b: Keeping): boolean {
    const sideOf = ({ node }: Keeping): number => this.#sides.findIndex((side) => side.includes(node));
    return sideOf(a) === sideOf(b);
  }

  /** From now on only those on one side reach each other; with no sides all do. */
  split(...sides: readonly (readonly NodeId[])[]): void {
    const pairs = [...this.nodes.values()].flatMap((a) =>
      [...this.nodes.values()].map((b) => [a, b] as const),
    );
    const were = pairs.map(([a, b]) => this.isOpen(a, b));
    this.#sides = sides;
    for (const [i, [a, b]] of pairs.entries()) {
      if (a.node >= b.node || were[i] === this.isOpen(a, b)) continue;
      if (!were[i]) a.link(b);
      else
        for (const [one, other] of [
          [a, b],
          [b, a],
        ] as const)
          one.unlink(other);
    }
  }

  post(from: NodeId, to: NodeId, message: RingMessage): void {
    this.#posted.push({ from, to, message });
  }

  /** Everything that was sent arrives, in an order of its own, and so on for a while. */
  pass(ms: number): void {
    for (const end = this.now + ms; this.now < end; this.now += 10) {
      const posted = this.#posted;
      this.#posted = [];
      for (const { from, to, message } of posted) {
        const node = this.nodes.get(to)!;
        if (!node.isUp || !this.isOpen(this.nodes.get(from)!, node) || this.drops()) continue;
        node.keeper.received(from, message, this.now);
        node.pump();
      }
      for (const { keeper, isUp } of this.nodes.values()) {
        if (isUp && keeper.nextDeadline() <= this.now) keeper.tick(this.now);
      }
      for (const node of this.nodes.values()) if (node.isUp) node.pump();
    }
  }

  wish(node: NodeId, intent: RingIntent, id: number): void {
    const asked = this.nodes.get(node)!;
    if (!asked.isUp) return;
    asked.keeper.wish(intent, id, this.now);
    asked.pump();
  }
}

const never = (): boolean => false;

describe('keepers of a ring', () => {
  test('carry a change through its versions', () => {
    const world = new Keepers(4, 1, never);
    const [a, b] = [...world.nodes.keys()] as [NodeId, NodeId];
    world.wish(b, { kind: 'drain', nodes: [a] }, 1);
    world.pass(1_000);
    expect(world.nodes.get(b)!.told.get(1)).toEqual({ ok: true, value: 2 });
    for (const { ring } of world.nodes.values()) {
      expect([ring.version, ring.change, memberStateOf(ring, a)]).toEqual([4, undefined, undefined]);
    }
  });

  test('begin one of two changes that are asked for at once', () => {
    const world = new Keepers(5, 1, never);
    const [a, b, c, d] = [...world.nodes.keys()] as [NodeId, NodeId, NodeId, NodeId];
    world.wish(a, { kind: 'remove', node: c }, 1);
    world.wish(b, { kind: 'remove', node: d }, 1);
    world.pass(2_000);
    const told = [a, b].map((node) => world.nodes.get(node)!.told.get(1));
    expect(told.filter((each) => each?.ok)).toHaveLength(1);
    expect(told).toContainEqual({ ok: false, error: 'change-under-way' });
  });

  test('do nothing without a majority, and say so', () => {
    const world = new Keepers(3, 1, never);
    const [a, b, c] = [...world.nodes.values()] as [Keeping, Keeping, Keeping];
    b.crash();
    c.crash();
    world.wish(a.node, { kind: 'remove', node: b.node }, 1);
    world.pass(31_000);
    expect(a.told.get(1)).toEqual({ ok: false, error: 'undecided' });
    expect(a.ring.version).toBe(1);
  });

  describe('let go who is away', () => {
    const expelAfterMs = 5_000;
    const begin = (count: number, seed = 1) => {
      const world = new Keepers(count, seed, never, expelAfterMs);
      const nodes = [...world.nodes.values()];
      return { world, nodes, names: nodes.map(({ node }) => node) };
    };
    const membersOf = ({ ring }: Keeping) => ring.members.map(({ node }) => node);

    test('after the time that is set and not before, once, by an expulsion', () => {
      const { world, nodes, names } = begin(5);
      const away = names.slice(4);
      const rest = names.slice(0, 4);
      world.pass(20_000);
      expect(nodes.map(({ ring }) => ring.version)).toEqual([1, 1, 1, 1, 1]);
      world.split(rest, away);
      world.pass(4_900);
      expect(nodes.map(({ ring }) => ring.version)).toEqual([1, 1, 1, 1, 1]);
      world.pass(10_000);
      for (const node of nodes.slice(0, 4)) expect([node.ring.version, membersOf(node)]).toEqual([4, rest]);
      expect(world.kinds).toEqual(new Set(['expel']));
      // Nobody told it.
      expect([nodes[4]!.ring.version, membersOf(nodes[4]!)]).toEqual([1, names]);
      world.pass(60_000);
      expect(nodes[0]!.ring.version).toBe(4);
    });

    test('and the one that was away learns that it is out, and may come in again', () => {
      const { world, nodes, names } = begin(5);
      const [first] = nodes as [Keeping];
      const out = nodes[4]!;
      world.split(names.slice(0, 4), [out.node]);
      world.pass(15_000);
      world.split();
      world.pass(1_000);
      expect(ringDigest(out.ring)).toBe(ringDigest(first.ring));
      expect(memberStateOf(out.ring, out.node)).toBeUndefined();
      world.wish(first.node, { kind: 'join', nodes: [{ node: out.node, role: 'core' }] }, 2);
      world.pass(5_000);
      expect(first.told.get(2)).toMatchObject({ ok: true });
      for (const node of nodes) expect(node.ring.change).toBeUndefined();
      for (const node of nodes) expect(membersOf(node)).toContain(out.node);
      expect(world.alarms).toEqual([]);
    });

    test('not one that was back in between', () => {
      const { world, nodes, names } = begin(5);
      for (let i = 0; i < 5; i++) {
        world.split(names.slice(0, 4), names.slice(4));
        world.pass(4_000);
        world.split();
        world.pass(100);
      }
      expect(nodes.map(({ ring }) => ring.version)).toEqual([1, 1, 1, 1, 1]);
    });

    test('not where no side has a majority', () => {
      const { world, nodes, names } = begin(6);
      world.split(names.slice(0, 3), names.slice(3));
      world.pass(120_000);
      expect(nodes.map(({ ring }) => ring.version)).toEqual([1, 1, 1, 1, 1, 1]);
      world.split();
      world.pass(10_000);
      expect(nodes.map(({ ring }) => ring.version)).toEqual([1, 1, 1, 1, 1, 1]);
    });

    test('one after the other, down to as many as there are copies', () => {
      const { world, nodes, names } = begin(5);
      world.split(names.slice(0, 3), names.slice(3, 4), names.slice(4));
      world.pass(60_000);
      const [first] = nodes as [Keeping];
      expect(membersOf(first)).toEqual(names.slice(0, 3));
      expect(first.ring.version).toBe(7);
      world.split(names.slice(0, 2), names.slice(2, 3), names.slice(3));
      world.pass(60_000);
      expect(membersOf(first)).toEqual(names.slice(0, 3));
    });

    test('nobody, where it is not set', () => {
      const world = new Keepers(5, 1, never);
      const names = [...world.nodes.keys()];
      world.split(names.slice(0, 4), names.slice(4));
      world.pass(600_000);
      expect([...world.nodes.values()].map(({ ring }) => ring.version)).toEqual([1, 1, 1, 1, 1]);
    });
  });

  test('that know of a ring nobody told bring it to its end', () => {
    const world = new Keepers(3, 1, never);
    const [a, b, c] = [...world.nodes.values()] as [Keeping, Keeping, Keeping];
    world.wish(a.node, { kind: 'replicas', replicas: 2 }, 1);
    // Accepted by the others, and their answers not read.
    for (let ms = 0; ms < 1_000 && b.keeper.unpersisted()?.vote.accepted === undefined; ms += 10)
      world.pass(10);
    a.crash();
    world.pass(5_000);
    expect([b.ring.version, c.ring.version].every((version) => version === b.ring.version)).toBe(true);
    expect(b.ring.version).toBeGreaterThan(1);
  });

  test('never make a fork, whatever is lost and whoever crashes', () => {
    const step = fc.record({
      node: fc.nat(4),
      act: fc.constantFrom('drain', 'replicas', 'abandon', 'crash', 'start'),
      ms: fc.integer({ min: 0, max: 400 }),
      other: fc.nat(4),
    });
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 25 }),
        fc.integer({ min: 1, max: 1e6 }),
        fc.double({ min: 0, max: 0.4, noNaN: true }),
        (steps, seed, loss) => {
          const random = seededRandom(seed);
          const world = new Keepers(5, seed, () => random.next() < loss);
          const nodes = [...world.nodes.values()];
          for (const [id, { node, act, ms, other }] of steps.entries()) {
            const one = nodes[node]!;
            if (act === 'crash' && one.isUp) one.crash();
            else if (act === 'start' && !one.isUp) one.start();
            else if (act === 'drain')
              world.wish(one.node, { kind: 'drain', nodes: [nodes[other]!.node] }, id);
            else if (act === 'replicas') world.wish(one.node, { kind: 'replicas', replicas: 2 }, id);
            else if (act === 'abandon') world.wish(one.node, { kind: 'abandon' }, id);
            world.pass(ms);
          }
          world.pass(2_000);
          expect(world.alarms).toEqual([]);
        },
      ),
      { numRuns: 30 },
    );
  });
});
