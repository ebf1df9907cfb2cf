/** How membership behaves with 10, 100, 1,000 nodes: the product's own class on a simulated network. What is measured
 *  and how is said beside each figure; every figure repeats itself from the seed. */
import { type MembershipParameters, lan } from '../../src/cluster/parameters.js';
import { MembershipWorld, type WorldNode, quietNetwork } from './membership-world.js';

/** One line a size and question. */
export function membershipScaleLines(seed: number, sizes: readonly number[]): string[] {
  return sizes.flatMap((size) => {
    const lines = [
      quietLine(seed, size),
      deathLine(seed, size, 'machine lost'),
      deathLine(seed, size, 'process killed'),
      leaveLine(seed, size),
      newsLine(seed, size),
      troubleLine(seed, size),
    ];
    return lines.map((line) => `membership ${String(size).padStart(5)} nodes: ${line}`);
  });
}

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

/** Loss, and every node standing still for 20 to 500 ms once in about ten seconds. */
export function measureTrouble(
  seed: number,
  size: number,
  seconds: number,
  loss = 0.05,
  parameters: MembershipParameters = lan,
): Trouble {
  const world = new MembershipWorld(seed, parameters);
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
    world.clock.after(world.random.next() * 20_000, () => {
      if (world.now > end) return;
      stalls++;
      world.stall(node, 20 + world.random.next() * 480);
      stallLater(node);
    });
  };
  for (const node of world.nodes) stallLater(node);
  world.runFor(seconds * 1_000);
  return { stalls, falseDeaths, falseAways, nodeSeconds: size * seconds };
}

/** An orderly leave: when the others have routed it away. */
export function measureLeaves(seed: number, size: number, wanted: number): number[] {
  const world = new MembershipWorld(seed, lan);
  world.settle(size);
  const times: number[] = [];
  for (let i = 0; i < wanted; i++) {
    const leaving = world.nodes[i]!;
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
    world.runUntil(() => told >= size - 1 - i, 5_000);
    world.runFor(500);
  }
  return times;
}

function quietLine(seed: number, size: number): string {
  const world = new MembershipWorld(seed, lan);
  world.settle(size);
  world.runFor(1_000);
  const sent = () => world.nodes.reduce((sum, node) => sum + node.bytesSent, 0);
  const packets = () => world.nodes.reduce((sum, node) => sum + node.packetsSent, 0);
  const [bytesBefore, packetsBefore] = [sent(), packets()];
  const seconds = 10;
  world.runFor(seconds * 1_000);
  const bytes = (sent() - bytesBefore) / size / seconds;
  const rate = (packets() - packetsBefore) / size / seconds;
  return `at rest ${bytes.toFixed(0)} bytes/s and ${rate.toFixed(1)} packets/s sent by each`;
}

function deathLine(seed: number, size: number, how: 'machine lost' | 'process killed'): string {
  const deaths = measureDeaths(seed, size, how, size >= 1_000 ? 8 : 40);
  const { routedAway, routedAwayByAll, dead, missed } = deaths;
  const counted = `${routedAwayByAll.length} times${missed > 0 ? `, ${missed} verdicts MISSING` : ''}`;
  return (
    `${how}: routed away ${spread(routedAway)}, by all ${spread(routedAwayByAll)}, ` +
    `dead ${spread(dead)} (${counted})`
  );
}

function leaveLine(seed: number, size: number): string {
  return `leave: routed away ${spread(measureLeaves(seed, size, Math.min(5, size - 2)))}`;
}

/** Somebody changes its profile. */
function newsLine(seed: number, size: number): string {
  const world = new MembershipWorld(seed, lan);
  world.settle(size);
  const times: number[] = [];
  for (let i = 0; i < Math.min(5, size); i++) {
    const teller = world.nodes[i]!;
    const { statements } = teller.membership.sync();
    const own = statements[0]!;
    if (own.state !== 'alive') throw new Error('a running node says that it is alive');
    const toldAt = world.now;
    let told = 0;
    world.listener = {
      profile(_, subject, __, now) {
        if (subject !== teller) return;
        told++;
        times.push(now - toldAt);
      },
    };
    world.act(teller, (membership, now) => membership.update({ ...own.profile, load: 100 + i }, now));
    world.runUntil(() => told === size - 1, 5_000);
    world.runFor(500);
  }
  return `news: known ${spread(times)}`;
}

function troubleLine(seed: number, size: number): string {
  const seconds = size >= 1_000 ? 10 : 60;
  const { stalls, falseDeaths, falseAways, nodeSeconds } = measureTrouble(seed, size, seconds);
  const perHour = (falseAways / nodeSeconds / Math.max(1, size - 1)) * 3_600;
  return (
    `5 % loss and ${stalls} stalls of 20 to 500 ms in ${seconds} s: ${falseDeaths} false deaths, ` +
    `${perHour.toFixed(2)} needless detours an hour and pair`
  );
}

function spread(values: readonly number[]): string {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? NaN;
  return `p50 ${at(0.5).toFixed(0)} p99 ${at(0.99).toFixed(0)} ms`;
}
