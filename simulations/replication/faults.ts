/** What goes wrong, and how much of it at once: any crashes, cuts, pauses and clocks, and as many lost disks as the quorum
 *  survives until they were given back. */
import { check } from './checkers.js';
import type { Disk } from './disk.js';
import type { SimNode } from './node.js';
import { pump } from './pump.js';
import type { World } from './world.js';

const lossesMax = 4;

/** Whether one more disk may go: at most W − 1 at a time. */
export function mayLose(world: World): boolean {
  const { nodes } = world;
  const appendNeeds = Math.floor(nodes.length / 2) + 1;
  const open = nodes.filter((node) => !node.isUp || node.isRecovering);
  const total = nodes.reduce((sum, node) => sum + node.losses, 0);
  // A node that is down may be one that lost its disk.
  return open.filter(({ losses }) => losses > 0).length < appendNeeds - 1 && total < lossesMax;
}

export function crash(world: World, node: SimNode): void {
  world.stats.crashes++;
  if (world.habits.losses && world.chance(0.3) && mayLose(world)) {
    world.stats.losses++;
    node.loseDisk();
  } else node.crash();
  for (const other of world.nodes) if (other !== node) world.disconnect(node, other);
}

/** Steers towards two nodes that think they own the same interval while a third, promised to one of them, hears both; and
 *  sometimes takes that one's disk or memory. Chance alone hardly ever does it all. */
export function steerDuel(world: World): void {
  const interval = world.pick(world.intervals);
  const up = world.nodes.filter((node) => node.isUp && !node.isPaused);
  const owners = up.filter((node) => node.replica.claimOf(interval) !== undefined);
  const others = up.filter((node) => !owners.includes(node) && !node.isRecovering);
  const [owner] = owners;
  if (!owner || others.length + owners.length < 3) return;
  if (owners.length === 1) {
    if (world.chance(0.5)) lag(world, owner, others);
    else challenge(world, owner, others, interval);
    return;
  }
  if (others.length > 0) involveThird(world, owners, world.pick(others));
}

function involveThird(world: World, owners: readonly SimNode[], third: SimNode): void {
  world.stats.duelsSteered++;
  if (world.habits.losses && world.chance(0.4) && mayLose(world)) {
    world.stats.duelLosses++;
    world.stats.losses++;
    third.loseDisk();
    third.boot(false);
  } else if (world.chance(0.5)) {
    third.crash();
    third.boot(false);
  }
  meetThird(world, owners, third);
}

/** The third hears both, and they do not hear each other. */
function meetThird(world: World, owners: readonly SimNode[], third: SimNode): void {
  world.network.heal();
  for (const a of owners) {
    for (const b of owners) if (a !== b) world.network.cutBoth(a.index, b.index);
  }
  world.connect(third);
}

/** The others go on without the owner, who does not notice. */
function challenge(world: World, owner: SimNode, others: readonly SimNode[], interval: string): void {
  const rival = world.pick(others);
  const thirds = others.filter((node) => node !== rival);
  const third = thirds.length > 0 ? world.pick(thirds) : undefined;
  if (world.chance(0.5)) owner.isPaused = true;
  else for (const node of world.nodes) if (node !== owner) world.network.cutBoth(owner.index, node.index);
  // It may have been one that lagged behind.
  for (const node of others) if (node !== rival) world.network.mend(rival.index, node.index);
  rival.replica.want(interval, true, world.now);
  // What the third says must not rest on what its disk never got.
  const forgets = world.chance(0.3);
  for (let i = 0; i < 4; i++) {
    pump(world, forgets ? third : undefined);
    world.now += 60;
  }
  if (forgets && third?.isUp) third.crash();
  else if (world.chance(0.5)) writeOnBothSides(world, [owner, rival], interval);
  if (world.chance(0.2)) owner.resume();
  owner.isPaused = false;
  const isDuel = owner.replica.claimOf(interval) && rival.replica.claimOf(interval);
  if (!isDuel || !third || !world.chance(0.7)) return;
  if (third.isUp) involveThird(world, [owner, rival], third);
  else {
    third.boot(false);
    meetThird(world, [owner, rival], third);
  }
}

/** The rival commits something; what the owner writes waits for acks. */
function writeOnBothSides(world: World, sides: readonly SimNode[], interval: string): void {
  for (const ref of world.refs) {
    if (world.intervalOf(ref) !== interval) continue;
    for (const node of sides) {
      if (node.replica.claimOf(interval)) {
        node.publish({ ref, level: 'quorum', degrade: false, at: world.now });
      }
    }
  }
  pump(world);
}

/** The owner reaches all but one, who is next to own. */
function lag(world: World, owner: SimNode, others: readonly SimNode[]): void {
  world.network.heal();
  world.network.cutBoth(owner.index, world.pick(others).index);
}

export function cutLinks(world: World): void {
  if (world.chance(0.5)) {
    world.network.heal();
    world.connectAll();
    return;
  }
  for (const a of world.nodes) {
    for (const b of world.nodes) {
      if (a.index >= b.index || !world.chance(0.4)) continue;
      const isOneWay = world.habits.oneWay && world.chance(0.5);
      world.network.cut(a.index, b.index);
      if (!isOneWay) world.network.cut(b.index, a.index);
      // Nodes notice, or they do not.
      if (world.chance(0.6)) world.disconnect(a, b);
    }
  }
}

export function upsetClock(world: World, node: SimNode): void {
  if (node.skew < 5_000 && world.chance(0.5)) node.skew += world.pick([300, 20_000]);
  else {
    // A clock set back: the writer is retired with the start.
    node.skew = world.integer(200);
    crash(world, node);
  }
}

/** An older image of a node's disk is put back while it is down. All others heard from it since that image was made, and it
 *  meets them when it starts: what a rollback makes forgotten that nobody remembers is as good as a lost disk. */
export function rollBack(world: World, node: SimNode): void {
  const image = node.image;
  if (!image || image.storeId !== node.disk.storeId || !mayLose(world)) return;
  const { habits } = world.network;
  world.network.habits = { loss: 0, copies: 0, inOrder: true };
  // What is said from now on is of more commits than the image has.
  const isOlder = node.disk.commits > image.commits;
  meetAll(world);
  if (isOlder && node.disk.storeId === image.storeId) putBack(world, node, image);
  world.network.habits = habits;
}

function meetAll(world: World): void {
  world.network.heal();
  for (const each of world.nodes) {
    each.isPaused = false;
    if (!each.isUp) each.boot(false);
  }
  world.connectAll();
  pump(world);
}

function putBack(world: World, node: SimNode, image: Disk): void {
  world.stats.rollbacks++;
  world.alarmsMeant.add('STORE_ROLLED_BACK');
  node.putBack(image);
  const { renewals } = node;
  node.boot(false);
  world.connect(node);
  for (let i = 0; i < 30 && node.renewals === renewals; i++) {
    pump(world);
    world.now += 50;
  }
  check('noticed', node.renewals > renewals, () => `${node.index} was rolled back, and goes on`);
  world.stats.renewals++;
}
