/** Whole clusters on a simulated network, over many seeds. */
import { describe, expect, test } from 'vitest';
import type { BootId } from '../../src/cluster/member.js';
import { encodePacket } from '../../src/cluster/membership-wire.js';
import { lan, scaled } from '../../src/cluster/parameters.js';
import { transmitLimit } from '../../src/cluster/news.js';
import {
  measureDeaths,
  measureLeaves,
  measureTrouble,
  membershipScaleLines,
  usualTrouble,
} from '../../simulations/scale/membership-scale.js';
import { plant } from '../../simulations/replication/planting.js';
import { MembershipWorld, type WorldNode, quietNetwork } from '../../simulations/scale/membership-world.js';

const seeds = (count: number) => Array.from({ length: count }, (_, i) => i + 1);

function settled(seed: number, size: number, parameters = lan): MembershipWorld {
  const world = new MembershipWorld(seed, parameters);
  world.settle(size);
  return world;
}

/** What a node holds about the others, in one order. */
function viewOf(node: WorldNode): string[] {
  const rows = node.membership.members().map(({ node: id, state, incarnation, boot, reachable, profile }) => {
    const route = reachable ? 'reachable' : 'away';
    return `${id} ${state} ${incarnation} ${boot} ${route} ${profile.load}`;
  });
  return rows.sort();
}

const everybodyIs = (world: MembershipWorld, state: string): boolean =>
  world.nodes.every(
    (node) =>
      node.membership.members().length === world.nodes.length - 1 &&
      node.membership.members().every((member) => member.state === state && member.reachable),
  );

function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]!;
}

describe('a cluster', () => {
  test('forms from one known address, and all hold the same', () => {
    for (const seed of seeds(10)) {
      const world = new MembershipWorld(seed, lan);
      const nodes = seeds(7).map(() => world.addNode());
      for (const node of nodes) world.start(node, [nodes[0]!.address]);
      expect(world.runUntil(() => everybodyIs(world, 'alive'), 3_000)).toBe(true);
    }
  });

  test('meets again after a partition, short or long, and all come to hold the same', () => {
    for (const seed of seeds(12)) {
      const world = settled(seed, 6);
      world.network = { ...quietNetwork, loss: 0.02 };
      const side = (node: WorldNode) => node.index < 2 + (seed % 3);
      world.connected = (from, to) => side(from) === side(to);
      world.runFor(seed % 2 ? 12_000 : 60_000);
      const dead = world.nodes[0]!.membership.members().filter((member) => member.state === 'dead');
      expect(dead.length).toBe(6 - (2 + (seed % 3)));
      world.connected = () => true;
      // Within the time of two syncs with somebody lost.
      expect(world.runUntil(() => everybodyIs(world, 'alive'), 30_000)).toBe(true);
      world.network = quietNetwork;
      world.runFor(2_000);
      const rows = new Map(world.nodes.flatMap((node) => viewOf(node).map((row) => [row.slice(0, 32), row])));
      for (const node of world.nodes) {
        for (const row of viewOf(node)) expect(row).toBe(rows.get(row.slice(0, 32)));
      }
    }
  });

  test('meets within two seconds when all restarted while they were cut off from each other', () => {
    for (const seed of seeds(12)) {
      const world = settled(seed, 6);
      const side = (node: WorldNode) => node.index < 2 + (seed % 3);
      world.connected = (from, to) => side(from) === side(to);
      const addresses = world.nodes.map(({ address }) => address);
      for (const node of world.nodes) {
        world.kill(node);
        world.restart(node, addresses);
      }
      world.runFor(20_000);
      expect(everybodyIs(world, 'alive')).toBe(false);
      world.connected = () => true;
      expect(world.runUntil(() => everybodyIs(world, 'alive'), 2_000)).toBe(true);
    }
  });

  test('that meets again after a partition soon knows what was said meanwhile, without a sync', () => {
    for (const seed of seeds(12)) {
      const world = settled(seed, 5, { ...lan, syncIntervalMs: 600_000 });
      const side = (node: WorldNode) => node.index < 2;
      world.connected = (from, to) => side(from) === side(to);
      world.runFor(4_000);
      const [seer, , , , speaker] = world.nodes as [WorldNode, WorldNode, WorldNode, WorldNode, WorldNode];
      const own = speaker.membership.sync().statements[0]!;
      if (own.state !== 'alive') throw new Error('it says that it is alive');
      const profile = { ...own.profile, load: 9 };
      world.act(speaker, (membership, now) => membership.update(profile, now));
      world.runFor(1_000);
      world.connected = () => true;
      const seen = () => seer.membership.member(speaker.id);
      expect(world.runUntil(() => seen()?.state === 'alive', 20_000)).toBe(true);
      expect(world.runUntil(() => seen()?.profile.load === 9, 2 * lan.gossipIntervalMs)).toBe(true);
    }
  });

  test('keeps a member in that only some of the others reach', () => {
    const world = settled(3, 5);
    const [first, second] = world.nodes as [WorldNode, WorldNode];
    let deaths = 0;
    world.listener = { liveness: (_, __, verdict) => void (deaths += Number(verdict === 'dead')) };
    world.connected = (from, to) => !(from === first && to === second) && !(from === second && to === first);
    world.runFor(60_000);
    expect(deaths).toBe(0);
    expect(everybodyIs(world, 'alive')).toBe(true);
  });

  test('learns of a restart, with another boot, whether it was noticed or not', () => {
    for (const seed of seeds(6)) {
      const world = settled(seed, 5);
      const victim = world.nodes[2]!;
      const before = victim.boot;
      const seen: string[] = [];
      world.listener = {
        liveness: (_, subject, verdict) => void (subject === victim && seen.push(verdict)),
      };
      world.kill(victim);
      world.runFor(seed % 2 ? 50 : 5_000);
      world.restart(victim, [world.nodes[0]!.address]);
      const known = (boot: BootId) => (node: WorldNode) =>
        node === victim || node.membership.member(victim.id)?.boot === boot;
      expect(world.runUntil(() => world.nodes.every(known(victim.boot)), 3_000)).toBe(true);
      expect(victim.boot).not.toBe(before);
      expect(world.runUntil(() => everybodyIs(world, 'alive'), 5_000)).toBe(true);
      const verdict = seed % 2 ? 'restarted' : 'dead';
      expect(seen.filter((each) => each === verdict)).toHaveLength(4);
    }
  });

  test('does the same again from the same seed, and something else from another', () => {
    const run = (seed: number) => {
      const world = settled(seed, 8);
      world.network = { ...quietNetwork, loss: 0.1 };
      world.stall(world.nodes[4]!, 300);
      world.kill(world.nodes[5]!);
      world.runFor(3_000);
      return world.traceHash;
    };
    expect(run(11)).toBe(run(11));
    expect(run(11)).not.toBe(run(12));
  });

  test('runs as well at a tenth of the pace', () => {
    const { routedAway, missed } = measureDeaths(5, 5, 'machine lost', 10, scaled(lan, 10));
    expect(missed).toBe(0);
    expect(percentile(routedAway, 0.5)).toBeGreaterThan(800);
    expect(percentile(routedAway, 0.5)).toBeLessThan(3_000);
  });
});

describe('a killed process', () => {
  test.each([2, 3, 5, 9])('among %i nodes is routed around within 500 ms at p99', (size) => {
    const { routedAway, routedAwayByAll, missed } = measureDeaths(100, size, 'process killed', 200);
    expect(missed).toBe(0);
    expect(percentile(routedAway, 0.99)).toBeLessThanOrEqual(120);
    expect(percentile(routedAwayByAll, 0.99)).toBeLessThanOrEqual(500);
  });

  test.each([
    [2, 200],
    [3, 320],
    [5, 400],
    [9, 500],
  ])('among %i nodes whose machine fell silent is routed around within %i ms at p99', (size, boundMs) => {
    const { routedAway, dead, missed } = measureDeaths(500, size, 'machine lost', 200);
    expect(missed).toBe(0);
    expect(percentile(routedAway, 0.99)).toBeLessThanOrEqual(boundMs);
    // Sure, though later: the shortest suspicion and the time to begin it.
    expect(percentile(dead, 0.99)).toBeLessThanOrEqual(1_500);
    expect(Math.min(...dead)).toBeGreaterThanOrEqual(800);
  });
});

describe('a busy machine', () => {
  test.each([2, 3, 5, 10])(
    'of %i nodes kills nobody by a loss of one packet in twenty and stalls of 20 to 500 ms',
    (size) => {
      let stalls = 0;
      for (const seed of seeds(5)) {
        const trouble = measureTrouble(seed, size, { ...usualTrouble, stallEveryMs: 5_000, seconds: 60 });
        stalls += trouble.stalls;
        expect(trouble.falseDeaths).toBe(0);
      }
      expect(stalls).toBeGreaterThan(50);
    },
  );

  test('kills nobody when all nodes share it, stand still for seconds and go on within 500 ms of each other', () => {
    for (const seed of seeds(20)) {
      const world = settled(seed, 5);
      let deaths = 0;
      world.listener = { liveness: (_, __, verdict) => void (deaths += Number(verdict === 'dead')) };
      for (let i = 0; i < 10; i++) {
        world.runFor(world.random.next() * 1_000);
        const pauseMs = world.random.next() * 3_000;
        for (const node of world.nodes) world.stall(node, pauseMs + world.random.next() * 500);
        world.runFor(4_000);
      }
      expect(deaths).toBe(0);
      world.runFor(3_000);
      expect(everybodyIs(world, 'alive')).toBe(true);
    }
  });

  test('is told dead after a pause far beyond the bound, and back when it goes on', () => {
    const world = settled(9, 5);
    const paused = world.nodes[1]!;
    const seen: string[] = [];
    world.listener = { liveness: (_, subject, verdict) => void seen.push(`${subject.index} ${verdict}`) };
    world.stall(paused, 10_000);
    world.runFor(10_000);
    expect(seen).toEqual(Array<string>(4).fill('1 dead'));
    world.runFor(2_000);
    expect(seen.slice(4)).toEqual(Array<string>(4).fill('1 recovered'));
    expect(everybodyIs(world, 'alive')).toBe(true);
  });
});

describe('a loop that stands still while its process runs', () => {
  /** What the others say of a node whose loop stands still for so long, with when. */
  function stillFor(
    ms: number,
    seed: number,
    { size = 5, loss = 0, killedAfterMs }: { size?: number; loss?: number; killedAfterMs?: number } = {},
  ) {
    const world = settled(seed, size);
    world.network = { ...quietNetwork, loss };
    world.runFor(world.random.next() * 500);
    const busy = world.nodes[1]!;
    const away = new Set<number>();
    const dead: number[] = [];
    const since = world.now;
    world.listener = {
      route: (observer, subject, reachable) =>
        void (subject === busy && !reachable && away.add(observer.index)),
      liveness: (_, __, verdict, now) => void (verdict === 'dead' && dead.push(now - since)),
    };
    world.stall(busy, ms, 'busy');
    if (killedAfterMs !== undefined) world.clock.after(killedAfterMs, () => world.kill(busy));
    world.runFor(ms + 8_000);
    return { away: away.size, dead, isWhole: everybodyIs(world, 'alive') };
  }

  test('for a fifth of a second is not noticed', () => {
    for (const seed of seeds(50)) expect(stillFor(200, seed)).toEqual({ away: 0, dead: [], isWhole: true });
  });

  test.each([2, 5, 30])('for up to four seconds, of %i nodes, is routed around and kills nobody', (size) => {
    for (const seed of seeds(5)) {
      for (const ms of [700, 2_000, 4_000]) {
        const { away, dead, isWhole } = stillFor(ms, seed, { size, loss: 0.05 });
        expect([away, dead, isWhole]).toEqual([size - 1, [], true]);
      }
    }
  });

  test('is not what a node has whose words do not come through: it is routed around and dead as any', () => {
    for (const seed of seeds(10)) {
      const world = settled(seed, 5);
      const mute = world.nodes[1]!;
      const away: number[] = [];
      const dead: number[] = [];
      const since = world.now;
      world.listener = {
        route: (_, subject, reachable, now) =>
          void (subject === mute && !reachable && away.push(now - since)),
        liveness: (_, subject, verdict, now) =>
          void (subject === mute && verdict === 'dead' && dead.push(now - since)),
      };
      world.pulsesPass = () => true;
      world.connected = (from, to) => from !== mute && to !== mute;
      world.runFor(5_000);
      expect([away.length, dead.length]).toEqual([4, 4]);
      expect(Math.max(...away)).toBeLessThanOrEqual(1_000);
      expect(Math.max(...dead)).toBeLessThanOrEqual(2_500);
    }
  });

  function stuck(): void {
    for (const seed of seeds(5)) {
      const { away, dead, isWhole } = stillFor(20_000, seed);
      expect([away, dead.length, isWhole]).toEqual([4, 4, true]);
      expect(Math.min(...dead)).toBeGreaterThanOrEqual(lan.pulseBusyMs);
      expect(Math.max(...dead)).toBeLessThanOrEqual(lan.pulseBusyMs + 500);
    }
  }

  test('for longer is stuck, and dead', stuck);

  test('the planted bug "stuck-is-alive" is found', () => {
    plant('stuck-is-alive');
    try {
      expect(stuck).toThrow('expected');
    } finally {
      plant(undefined);
    }
  });

  test('is dead soon after its process was killed meanwhile', () => {
    for (const seed of seeds(10)) {
      const { dead } = stillFor(20_000, seed, { killedAfterMs: 2_000 });
      expect(dead).toHaveLength(4);
      expect(Math.max(...dead)).toBeLessThanOrEqual(2_000 + lan.suspicionFloorMs + 500);
    }
  });
});

describe('a lying member', () => {
  test('who accuses everybody in the name of everybody kills nobody, and turns away few routes for short', () => {
    for (const seed of seeds(5)) {
      const world = settled(seed, 6);
      const [liar, ...honest] = world.nodes as [WorldNode, ...WorldNode[]];
      let deaths = 0;
      let awayMs = 0;
      const awaySince = new Map<string, number>();
      world.listener = {
        liveness: (_, __, verdict) => void (deaths += Number(verdict === 'dead')),
        route(observer, victim, reachable, now) {
          const pair = `${observer.index} ${victim.index}`;
          if (!reachable) awaySince.set(pair, now);
          else awayMs += now - awaySince.get(pair)!;
        },
      };
      const seconds = 5;
      for (let ms = 0; ms < seconds * 1_000; ms += 100) {
        const lies = honest.flatMap(({ id: node, boot, membership }) =>
          honest
            .filter((other) => other.id !== node)
            .map(({ id: accuser }) => {
              const { incarnation } = membership;
              return { state: 'dead' as const, node, boot, incarnation, accuser };
            }),
        );
        const head = { from: liar.id, boot: liar.boot, incarnation: liar.membership.incarnation };
        for (const node of honest) {
          const packet = { ...head, to: node.id, message: { type: 'gossip' as const }, news: lies };
          world.act(node, (membership, now) => membership.receive(packet, liar.address, now));
        }
        world.runFor(100);
      }
      world.runFor(2_000);
      expect(deaths).toBe(0);
      expect(everybodyIs(world, 'alive')).toBe(true);
      // Twenty pairs of honest nodes, each accused ten times a second.
      expect(awayMs / (20 * seconds * 1_000)).toBeLessThan(0.1);
      for (const { membership } of honest) expect(membership.incarnation).toBeLessThan(20 * (seconds + 2));
    }
  });
});

describe('an orderly leave', () => {
  test.each([3, 10, 50])('among %i nodes is routed around within 50 ms', (size) => {
    const times = seeds(5).flatMap((seed) => measureLeaves(settled(seed, size), Math.min(5, size - 1)));
    expect(Math.max(...times)).toBeLessThanOrEqual(50);
  });

  test('is no death, and ends the process', () => {
    const world = settled(4, 5);
    const seen: string[] = [];
    world.listener = { liveness: (_, subject, verdict) => void seen.push(`${subject.index} ${verdict}`) };
    world.act(world.nodes[3]!, (membership, now) => membership.leave(now));
    world.runFor(10_000);
    expect(seen).toEqual(Array<string>(4).fill('3 left'));
    expect(world.nodes[3]!.left).toBe(true);
  });
});

describe('what is sent', () => {
  test('tells each statement no more often than the limit, and stays within the packet', () => {
    const size = 20;
    const world = settled(6, size);
    const told = new Map<string, number>();
    world.tap = (packet, from, to) => {
      expect(encodePacket(packet).length).toBeLessThanOrEqual(lan.packetBytesMax);
      for (const statement of packet.news) {
        // Beside the limit: what tells an accused of its accusation, and the goodbye to everybody.
        if (statement.node === to.id || (statement.state === 'left' && statement.node === from.id)) continue;
        const key = `${from.index} ${JSON.stringify(statement)}`;
        told.set(key, (told.get(key) ?? 0) + 1);
      }
    };
    world.kill(world.nodes[1]!);
    world.act(world.nodes[2]!, (membership, now) => membership.leave(now));
    world.stall(world.nodes[3]!, 400);
    world.runFor(4_000);
    expect(told.size).toBeGreaterThan(20);
    expect(Math.max(...told.values())).toBeLessThanOrEqual(transmitLimit(size, lan.transmitFactor));
  });

  test('costs each node about the same at every size', () => {
    for (const size of [3, 30]) {
      const world = settled(2, size);
      const sent = () => world.nodes.reduce((sum, node) => sum + node.bytesSent, 0);
      const before = sent();
      world.runFor(10_000);
      expect((sent() - before) / size / 10).toBeLessThan(5_000);
    }
  });

  test('stays bounded while everybody has news all the time', () => {
    const world = settled(8, 10);
    const before = world.nodes.map((node) => node.packetsSent);
    for (let ms = 0; ms < 2_000; ms += 5) {
      for (const node of world.nodes) {
        const own = node.membership.sync().statements[0]!;
        if (own.state !== 'alive') continue;
        const profile = { ...own.profile, load: (own.profile.load + 1) % 1_000 };
        world.act(node, (membership, now) => membership.update(profile, now));
      }
      world.runFor(5);
    }
    // Two rounds of three packets in each gossip interval, and the probes.
    for (const [i, node] of world.nodes.entries()) {
      expect(node.packetsSent - before[i]!).toBeLessThan(2 * (2 * 3 * 20 + 30) + 30);
    }
  });
});

test('the scale model says one line a size and question, the same from the same seed', () => {
  const lines = membershipScaleLines(3, [4]);
  expect(lines).toHaveLength(6);
  expect(membershipScaleLines(3, [4])).toEqual(lines);
  expect(lines.join('\n')).not.toMatch(/NaN|MISSING|[1-9]\d* false deaths/);
});
