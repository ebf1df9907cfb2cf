/** Nodes that start empty at once, each with a ring of its own, on links that are slow and break: one ring in the end, and nobody
 *  counts as a member of it who goes by another. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { NodeId } from '../../src/base/ids.js';
import { seededRandom } from '../../src/base/random.js';
import { RingKeeper } from '../../src/cluster/ring-keeper.js';
import type { RingMessage } from '../../src/cluster/ring-messages.js';
import { RingTable } from '../../src/cluster/ring-table.js';
import { type ClusterId, type Ring, foundRing, memberStateOf } from '../../src/cluster/ring.js';
import { nodesOf } from './ring-arbitraries.js';

const stepMs = 50;

interface Letter {
  readonly message: RingMessage;
  readonly at: number;
}

/** What a node hears waits while it stands still, and is lost with the link. */
class Forming {
  readonly keeper: RingKeeper;
  readonly linked = new Map<Forming, Letter[]>();
  ring: Ring;
  stillUntil = 0;
  #lastId = 0;

  constructor(
    readonly world: FormingWorld,
    readonly node: NodeId,
    cluster: ClusterId,
  ) {
    // Few points, since every step of a change makes a new table.
    this.ring = { ...foundRing(cluster, node, 3), virtualNodes: 4 };
    const table = new RingTable(this.ring);
    const random = seededRandom(Math.floor(world.random.next() * 1e6) + 1);
    const start = { vote: undefined, random, now: 0, joinsOthers: true } as const;
    this.keeper = new RingKeeper({ self: node, role: 'core', table, ...start });
    this.keeper.use(table, { intervals: 0, left: 0 }, 0);
  }

  step(now: number): void {
    if (now < this.stillUntil) return;
    for (const [peer, letters] of this.linked) {
      while (letters[0] && letters[0].at <= now) {
        this.keeper.received(peer.node, letters.shift()!.message, now);
        this.pump(now);
      }
    }
    if (this.keeper.nextDeadline() <= now) this.keeper.tick(now);
    this.pump(now);
  }

  pump(now: number): void {
    for (let effects = this.keeper.takeEffects(); effects.length > 0; effects = this.keeper.takeEffects()) {
      for (const effect of effects) {
        if (effect.type === 'send') this.world.post(this, effect.to, effect.message);
        else if (effect.type === 'persist') this.keeper.persisted(this.keeper.unpersisted()!.number, now);
        else if (effect.type === 'named' && this.ring.members.length === 1)
          this.keeper.join(++this.#lastId, now, undefined);
        else if (effect.type === 'adopt') this.#adopt(effect.ring, now);
      }
    }
  }

  #adopt(ring: Ring, now: number): void {
    this.ring = ring;
    const isComing = memberStateOf(ring, this.node) !== undefined && ring.change !== undefined;
    this.keeper.use(new RingTable(ring), { intervals: isComing ? 1 : 0, left: 0 }, now);
  }
}

class FormingWorld {
  readonly nodes: readonly Forming[];
  now = 0;

  constructor(
    count: number,
    readonly random: ReturnType<typeof seededRandom>,
    public delayMs: number,
  ) {
    const ids = nodesOf(count).map((node) => ({ node, cluster: Math.floor(random.next() * 1e9) }));
    this.nodes = ids.map(
      ({ node, cluster }) => new Forming(this, node, cluster.toString(16).padStart(32, '0') as ClusterId),
    );
  }

  link(a: Forming, b: Forming, isUp: boolean): void {
    if (a === b || a.linked.has(b) === isUp) return;
    for (const [one, other] of [
      [a, b],
      [b, a],
    ] as const) {
      if (isUp) one.linked.set(other, []);
      else one.linked.delete(other);
    }
    for (const [one, other] of [
      [a, b],
      [b, a],
    ] as const) {
      if (isUp) one.keeper.linked(other.node, this.now);
      else one.keeper.unlinked(other.node, this.now);
      one.pump(this.now);
    }
  }

  post(from: Forming, to: NodeId, message: RingMessage): void {
    const node = this.nodes.find((each) => each.node === to)!;
    const letters = node.linked.get(from);
    if (!letters) return;
    const earliest = letters.at(-1)?.at ?? 0;
    letters.push({
      message,
      at: Math.max(earliest, this.now + Math.ceil(this.random.next() * this.delayMs)),
    });
  }

  pass(ms: number, isOver = (): boolean => false): void {
    for (const end = this.now + ms; this.now < end && !isOver(); this.now += stepMs)
      for (const node of this.nodes) node.step(this.now);
  }

  heal(): void {
    this.delayMs = 20;
    for (const a of this.nodes) for (const b of this.nodes) this.link(a, b, true);
  }

  /** Nodes whose ring is not settled, or names somebody who goes by another one. */
  unsettled(): readonly unknown[] {
    return this.nodes
      .filter(({ ring }) => {
        const isSame = (node: NodeId): boolean => {
          const other = this.nodes.find((each) => each.node === node)!.ring;
          return other.cluster === ring.cluster && other.version === ring.version;
        };
        return ring.change || ring.members.length === 1 || !ring.members.every(({ node }) => isSame(node));
      })
      .map(({ ring: { cluster, version, members } }) => ({ cluster, version, members }));
  }

  get rings(): ReadonlySet<ClusterId> {
    return new Set(this.nodes.map(({ ring: { cluster } }) => cluster));
  }
}

const act = fc.record({
  kind: fc.constantFrom('link', 'link', 'unlink', 'still'),
  a: fc.nat(4),
  b: fc.nat(4),
  ms: fc.integer({ min: 0, max: 30_000 }),
});

test('a ring lets go of a newcomer that went into another one of the same version', () => {
  const world = new FormingWorld(3, seededRandom(768_248), 20_000);
  const [first, second, third] = world.nodes as [Forming, Forming, Forming];
  world.link(first, third, true);
  world.pass(60_400);
  world.link(first, third, false);
  world.pass(21_850);
  first.stillUntil = world.now + 3_251;
  world.pass(3_300);
  world.link(second, first, true);
  world.pass(28_250);
  world.link(third, second, true);
  world.pass(20_350);
  world.heal();
  world.pass(240_000, () => world.unsettled().length === 0);
  expect(world.unsettled()).toEqual([]);
});

test('nodes that start at once are one ring in the end, whatever links and nodes do meanwhile', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 2, max: 3 }),
      fc.array(act, { maxLength: 25 }),
      fc.integer({ min: 1, max: 1e6 }),
      fc.constantFrom(20, 2_000, 20_000),
      (count, acts, seed, delayMs) => {
        const world = new FormingWorld(count, seededRandom(seed), delayMs);
        for (const { kind, a, b, ms } of acts) {
          const [one, other] = [world.nodes[a % count]!, world.nodes[b % count]!];
          if (kind === 'still') one.stillUntil = world.now + ms;
          else world.link(one, other, kind === 'link');
          world.pass(ms);
        }
        for (const node of world.nodes) node.stillUntil = 0;
        world.heal();
        world.pass(240_000, () => world.unsettled().length === 0);
        expect(world.unsettled()).toEqual([]);
        // Two pairs that each found one another alone stay two rings, and people are told.
        expect(world.rings.size).toBeLessThanOrEqual(Math.floor(count / 2));
      },
    ),
    { numRuns: 400 },
  );
});

test('nodes that meet in pairs are one ring where they met all before they had an answer from all', () => {
  for (let seed = 1; seed <= 20; seed++) {
    const world = new FormingWorld(5, seededRandom(seed), 20);
    const tell = (node: Forming, isUnderWay: boolean): void => {
      node.keeper.meeting(isUnderWay, world.now);
      node.pump(world.now);
    };
    for (const node of world.nodes) tell(node, true);
    const [a, b, c, d, e] = world.nodes as [Forming, Forming, Forming, Forming, Forming];
    world.link(a, b, true);
    world.link(c, d, true);
    world.pass(1_900);
    world.link(a, e, true);
    world.pass(50);
    world.heal();
    for (const node of world.nodes) {
      world.pass(100);
      tell(node, false);
    }
    world.pass(60_000, () => world.unsettled().length === 0);
    expect([world.unsettled(), world.rings.size]).toEqual([[], 1]);
  }
});
