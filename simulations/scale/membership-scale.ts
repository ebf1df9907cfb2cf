/** How membership behaves with 10, 100, 1,000 nodes: the product's own class on a simulated network. What is measured
 *  and how is said beside each figure; every figure repeats itself from the seed. */
import { type MembershipParameters, lan } from '../../src/cluster/parameters.js';
import { MembershipWorld, type WorldNode, quietNetwork } from './membership-world.js';

/** One line a size and question. */
export function membershipScaleLines(seed: number, sizes: readonly number[]): string[] {
  return sizes.flatMap((size) => {
    const world = new MembershipWorld(seed, lan);
    world.settle(size);
    const lines = [
      restLine(world),
      newsLine(world),
      leaveLine(world),
      deathLine(seed, size, 'machine lost'),
      deathLine(seed, size, 'process killed'),
      troubleLine(seed, size),
    ];
    return lines.map((line) => `membership ${String(size).padStart(5)} nodes: ${line}`);
  });
}

/** From here on clusters are large: fewer repetitions, each with more nodes to count. */
const largeSize = 500;

interface Deaths {
  /** Milliseconds from the end to the verdict, for each node that lives and each death. */
  readonly routedAway: number[];
  readonly dead: number[];
  /** The slowest node of each death. */
  readonly routedAwayByAll: number[];
  /** Verdicts that never came. */
  missed: number;
}

/** What a killed process does to the connections of others: every node has some to it, in a small cluster all. */
const linkedPeers = 16;

/** Ends nodes at random moments one after another and measures when the others say so. */
export function measureDeaths(
  seed: number,
  size: number,
  how: 'machine lost' | 'process killed',
  wanted: number,
  parameters: MembershipParameters = lan,
): Deaths {
  const deaths: Deaths = { routedAway: [], dead: [], routedAwayByAll: [], missed: 0 };
  const perWorld = Math.max(1, Math.floor(size / 10));
  for (let done = 0, worldSeed = seed; done < wanted; worldSeed++) {
    const world = new MembershipWorld(worldSeed, parameters);
    world.settle(size);
    for (let i = 0; i < perWorld && done < wanted; i++, done++) measureDeath(world, how, deaths);
  }
  return deaths;
}

function measureDeath(world: MembershipWorld, how: 'machine lost' | 'process killed', into: Deaths): void {
  world.runFor(world.random.next() * 500);
  const living = world.nodes.filter((node) => node.up);
  const victim = living.splice(Math.floor(world.random.next() * living.length), 1)[0]!;
  const away = new Map<WorldNode, number>();
  const dead = new Map<WorldNode, number>();
  const killedAt = world.now;
  world.listener = {
    route(observer, subject, reachable, now) {
      if (subject === victim && !reachable && !away.has(observer)) away.set(observer, now - killedAt);
    },
    liveness(observer, subject, verdict, now) {
      if (subject === victim && verdict === 'dead') dead.set(observer, now - killedAt);
    },
  };
  world.kill(victim, how === 'process killed' ? living.slice(0, linkedPeers) : []);
  world.runUntil(() => dead.size === living.length, 20_000);
  into.routedAway.push(...away.values());
  into.dead.push(...dead.values());
  into.routedAwayByAll.push(Math.max(...away.values()));
  into.missed += 2 * living.length - away.size - dead.size;
}

export interface Trouble {
  readonly stalls: number;
  readonly falseDeaths: number;
  /** Of nodes that did not stand still at that moment nor shortly before. */
  readonly falseAways: number;
  readonly nodeSeconds: number;
}

export interface TroubleConditions {
  readonly seconds: number;
  /** Share of datagrams lost. */
  readonly loss: number;
  /** Mean time between two stalls of a node. */
  readonly stallEveryMs: number;
  readonly stallMinMs: number;
  readonly stallMaxMs: number;
}

export const usualTrouble: TroubleConditions = {
  seconds: 60,
  loss: 0.05,
  stallEveryMs: 30_000,
  stallMinMs: 20,
  stallMaxMs: 500,
};

/** Loss, and every node standing still now and then: nobody dies of it. */
export function measureTrouble(seed: number, size: number, conditions = usualTrouble): Trouble {
  const { seconds, loss, stallEveryMs, stallMinMs, stallMaxMs } = conditions;
  const world = new MembershipWorld(seed, lan);
  world.settle(size);
  let stalls = 0;
  let falseDeaths = 0;
  let falseAways = 0;
  world.listener = {
    route(_, subject, reachable, now) {
      if (!reachable && now > subject.stalledUntil + 200) falseAways++;
    },
    liveness(_, __, verdict) {
      if (verdict === 'dead') falseDeaths++;
    },
  };
  world.network = { ...quietNetwork, loss };
  const end = world.now + seconds * 1_000;
  const stallLater = (node: WorldNode): void => {
    world.clock.after(world.random.next() * 2 * stallEveryMs, () => {
      if (world.now > end) return;
      stalls++;
      world.stall(node, stallMinMs + world.random.next() * (stallMaxMs - stallMinMs));
      stallLater(node);
    });
  };
  for (const node of world.nodes) stallLater(node);
  world.runFor(seconds * 1_000);
  return { stalls, falseDeaths, falseAways, nodeSeconds: size * seconds };
}

/** Orderly leaves one after another: when the others have routed each away. */
export function measureLeaves(world: MembershipWorld, wanted: number): number[] {
  const times: number[] = [];
  for (const leaving of world.nodes.filter((node) => node.up).slice(0, wanted)) {
    const others = world.nodes.filter((node) => node.up).length - 1;
    const leftAt = world.now;
    let told = 0;
    world.listener = {
      route(_, subject, reachable, now) {
        if (subject !== leaving || reachable) return;
        told++;
        times.push(now - leftAt);
      },
    };
    world.act(leaving, (membership, now) => membership.leave(now));
    world.runUntil(() => told >= others, 5_000);
    world.runFor(300);
  }
  return times;
}

function restLine(world: MembershipWorld): string {
  const size = world.nodes.length;
  const total = (of: (node: WorldNode) => number) => world.nodes.reduce((sum, node) => sum + of(node), 0);
  const bytes = (node: WorldNode) => node.bytesSent;
  const packets = (node: WorldNode) => node.packetsSent;
  const [bytesBefore, packetsBefore] = [total(bytes), total(packets)];
  const seconds = size >= largeSize ? 5 : 30;
  world.runFor(seconds * 1_000);
  const perSecond = (count: number) => count / size / seconds;
  const bytesRate = perSecond(total(bytes) - bytesBefore).toFixed(0);
  const packetRate = perSecond(total(packets) - packetsBefore).toFixed(1);
  return `at rest each sends ${bytesRate} bytes/s, ${packetRate} packets/s`;
}

/** Somebody changes its profile, again and again. */
function newsLine(world: MembershipWorld): string {
  const times: number[] = [];
  const teller = world.nodes[0]!;
  const [own] = teller.membership.sync().statements;
  if (own?.state !== 'alive') throw new Error('a running node says that it is alive');
  for (let i = 1; i <= 5; i++) {
    const toldAt = world.now;
    let told = 0;
    world.listener = {
      profile(_, subject, __, now) {
        if (subject !== teller) return;
        told++;
        times.push(now - toldAt);
      },
    };
    world.act(teller, (membership, now) => membership.update({ ...own.profile, load: i }, now));
    world.runUntil(() => told === world.nodes.length - 1, 20_000);
    world.runFor(300);
  }
  return `news known after ${spread(times)}`;
}

function leaveLine(world: MembershipWorld): string {
  return `leave: routed away ${spread(measureLeaves(world, Math.min(5, world.nodes.length - 1)))}`;
}

function deathLine(seed: number, size: number, how: 'machine lost' | 'process killed'): string {
  const deaths = measureDeaths(seed, size, how, size >= largeSize ? 6 : 60);
  const { routedAway, routedAwayByAll, dead, missed } = deaths;
  const counted = `${routedAwayByAll.length} times${missed > 0 ? `, ${missed} verdicts MISSING` : ''}`;
  return (
    `${how}: routed away ${spread(routedAway)}, by all ${spread(routedAwayByAll)}, ` +
    `dead ${spread(dead)} (${counted})`
  );
}

function troubleLine(seed: number, size: number): string {
  const seconds = size >= largeSize ? 5 : size > 20 ? 60 : 600;
  const trouble = measureTrouble(seed, size, { ...usualTrouble, seconds });
  const pairHours = (trouble.nodeSeconds * Math.max(1, size - 1)) / 3_600;
  return (
    `5 % loss and ${trouble.stalls} stalls of 20 to 500 ms in ${seconds} s: ${trouble.falseDeaths} false deaths, ` +
    `${(trouble.falseAways / pairHours).toFixed(2)} needless detours an hour and pair`
  );
}

function spread(values: readonly number[]): string {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? NaN;
  return `p50 ${at(0.5).toFixed(0)} p99 ${at(0.99).toFixed(0)} ms`;
}
