/** Searches for a seed under which a promise of replication breaks: the real core on simulated disks and links, steps
 *  drawn by chance, then everything heals and must come to rest. */
import { plant } from './planting.js';
import { Trace } from '../cluster/trace.js';
import type { PlantedBug } from '../../src/base/planted.js';
import { InvariantError } from '../../src/base/assert.js';
import { type ChannelRef, type Dot, channelKey, dotText } from '../../src/base/ids.js';
import { crash, cutLinks, rollBack, steerDuel, upsetClock } from './faults.js';
import type { SimNode } from './node.js';
import { compareSeed } from './comparing.js';
import { lie, nag } from './lies.js';
import { catchUp, coolDown } from './cold.js';
import { type ChannelOracle, includes } from './oracle.js';
import { checkDigests } from './scrubbing.js';
import { deliver, pump } from './pump.js';
import { haveOf } from './rest.js';
import { type Checker, Violation, check, isOn, switchOff } from './checkers.js';
import { type Stats, noStats } from './surroundings.js';
import { World } from './world.js';

export interface SearchOptions {
  readonly firstSeed: number;
  readonly count: number;
  readonly planted?: PlantedBug;
  /** Homes of every interval; drawn by each seed when left out. */
  readonly homes?: number;
  /** One check that is left out. */
  readonly off?: Checker;
  /** Stops at the first violation. */
  readonly untilFound?: boolean;
}

export interface Found {
  readonly seed: number;
  readonly checker: Violation['checker'];
  readonly what: string;
}

export interface SearchResult {
  readonly violations: readonly Found[];
  readonly stats: Stats;
  /** Over all that happened in seeds that held. */
  readonly hash: string;
}

const healRoundsMax = 60;

export function searchReplication(options: SearchOptions): SearchResult {
  const { firstSeed, count, planted, homes, off, untilFound = false } = options;
  const stats = noStats();
  const violations: Found[] = [];
  const trace = new Trace(() => 0);
  plant(planted);
  switchOff(off);
  try {
    for (let seed = firstSeed; seed < firstSeed + count; seed++) {
      stats.seeds++;
      try {
        trace.add(runSeed(seed, stats, homes).trace.hash);
        trace.add(compareSeed(seed));
      } catch (error) {
        // An assertion of the product that fails is as good a find as one of ours.
        const checker = checkerOf(error);
        if (checker === 'asserted' && !isOn(checker)) continue;
        violations.push({ seed, checker, what: (error as Error).message });
        if (untilFound) break;
      }
    }
  } finally {
    plant(undefined);
    switchOff(undefined);
  }
  return { violations, stats, hash: trace.hash };
}

function checkerOf(error: unknown): Violation['checker'] {
  if (error instanceof Violation) return error.checker;
  if (error instanceof InvariantError) return 'asserted';
  throw error;
}

export function runSeed(seed: number, stats: Stats, homes?: number): World {
  const world = new World(seed, stats, homes);
  const steps = 300 + world.integer(400);
  if (world.chance(0.8)) settleDown(world);
  for (let i = 0; i < steps; i++) step(world);
  heal(world);
  checkEnd(world);
  return world;
}

/** Somebody owns every interval before things go wrong. */
function settleDown(world: World): void {
  for (const interval of world.intervals) world.pick(world.nodes).replica.want(interval, true, world.now);
  for (let i = 0; i < 10; i++) {
    pump(world);
    world.now += 50;
  }
}

function step(world: World): void {
  world.now += world.integer(20);
  const { habits, nodes } = world;
  const node = world.pick(nodes);
  if (habits.lies && nodes[0]!.isUp && world.chance(0.05)) lie(world, nodes[0]!);
  if (habits.nags && nodes[0]!.isUp && world.chance(0.02)) nag(world, nodes[0]!);
  if (habits.rollbacks && world.dice.next() < 0.01) {
    if (node.image) rollBack(world, node);
    else if (node.isUp) node.takeImage();
    return;
  }
  if (habits.duels && world.chance(0.03)) steerDuel(world);
  if (habits.trims && world.extra.next() < 0.06) trim(world);
  if (habits.scrubs && world.scrubChance.next() < 0.03) scrub(world, node);
  if (!node.isUp) {
    if (world.chance(0.15)) {
      node.boot(false);
      world.connect(node);
    }
    return;
  }
  if (node.isPaused) {
    if (world.chance(0.1)) node.resume();
    return;
  }
  const dice = world.random.next();
  if (dice < 0.45) for (let i = world.integer(4); i >= 0; i--) deliver(world);
  else if (dice < 0.56) publish(world, node);
  else if (dice < 0.66) node.beginCommit();
  else if (dice < 0.76) node.finishCommit();
  else if (dice < 0.82) node.readOne();
  else if (dice < 0.89) node.tick();
  else if (dice < 0.92) want(world, node);
  else if (dice < 0.96) serve(world);
  else if (dice < 0.965) repeat(world, node);
  else if (dice < 0.97) {
    if (habits.exchanges) exchange(world, node);
  } else if (dice < 0.975) {
    if (habits.crashes) crash(world, node);
  } else if (dice < 0.99) {
    if (habits.cuts) cutLinks(world);
  } else if (dice < 0.995) node.isPaused = habits.pauses;
  else if (habits.clocks) upsetClock(world, node);
}

function publish(world: World, other: SimNode): void {
  const ref = world.pick(world.refs);
  const interval = world.intervalOf(ref);
  const owners = world.nodes.filter((each) => each.isUp && !each.isPaused && each.replica.claimOf(interval));
  const node = owners.length > 0 && world.chance(0.7) ? world.pick(owners) : other;
  const owns = owners.includes(node);
  if (!owns && !(world.habits.degraded && world.chance(0.3))) return;
  const level = world.chance(0.8) ? 'quorum' : 'owner';
  const degrade = world.habits.degraded && world.chance(0.7);
  node.publish({ ref, level, degrade, at: world.now });
}

/** An owner removes a beginning of a channel; of homes that are away it spares what they lack, for a while or not at all. */
function trim(world: World): void {
  const { extra, refs, now } = world;
  const ref = refs[Math.floor(extra.next() * refs.length)]!;
  const owner = world.nodes.find(
    (each) => each.isUp && !each.isPaused && each.replica.claimOf(world.intervalOf(ref)),
  );
  if (!owner) return;
  if (world.habits.cuts && extra.next() < 0.2) return leaveOut(world, owner);
  owner.touch(ref);
  const { firstPosition, endPosition } = owner.log(ref);
  const graceMs = extra.next() < 0.5 ? 0 : 1_000;
  const share = extra.next() < 0.4 ? 1 : extra.next();
  const wanted = firstPosition + Math.ceil(share * (endPosition - firstPosition));
  const position = Math.min(wanted, owner.replica.trimLimit(ref, graceMs, now));
  if (position <= firstPosition) return;
  world.stats.trims++;

  owner.trims.set(channelKey(ref), position);
  owner.drain();
}

/** One home hears nothing of it, and of what follows, until links are mended. */
function leaveOut(world: World, owner: SimNode): void {
  const others = world.nodes.filter((node) => node !== owner);
  const away = others[Math.floor(world.extra.next() * others.length)];
  if (!away) return;
  for (const node of world.nodes) {
    if (node === away) continue;
    world.network.cutBoth(node.index, away.index);
    world.disconnect(node, away);
  }
}

/** A publisher repeats what this node has already, and must be told what became of it. */
function repeat(world: World, node: SimNode): void {
  const ref = world.pick(world.refs);
  const [writer] = world.chance(0.5) ? node.log(ref).heads() : node.log(ref).writers();
  if (!writer) return;
  node.touch(ref);
  world.stats.repeats++;
  const level = world.chance(0.8) ? 'quorum' : 'owner';
  const dot = { writer: writer.writer, seq: 1 + world.integer(writer.seq) };
  node.replica.awaitEntry(ref, dot, { level, degrade: world.habits.degraded }, world.now);
  node.drain();
}

function want(world: World, node: SimNode): void {
  const interval = world.pick(world.intervals);
  node.replica.want(interval, world.chance(0.7), world.now);
  node.drain();
}

function serve(world: World): void {
  const reader = world.pick(world.readers);
  if (world.chance(0.15)) reader.at = world.integer(world.nodes.length);
  reader.serve(world.nodes[reader.at]!, world.chance(0.5) ? 1 + world.integer(3) : 20);
}

function exchange(world: World, node: SimNode): void {
  const ref = world.pick(world.refs);
  node.touch(ref);
  node.replica.exchange(ref, world.now);
  node.drain();
}

function scrub(world: World, node: SimNode): void {
  const peer = world.nodes[Math.floor(world.scrubChance.next() * world.nodes.length)]!;
  if (peer === node || !node.isUp || node.isPaused) return;
  node.scrubbing.begin(peer.id);
  node.drain();
}

/** Every home with another, each time the next one: what is held is brought together and nobody names a channel. */
function scrubOne({ nodes }: World, turn: number): void {
  nodes.forEach((node, i) => {
    const peer = nodes[(i + 1 + (turn % Math.max(1, nodes.length - 1))) % nodes.length]!;
    if (peer === node) return;
    node.scrubbing.begin(peer.id);
    node.drain();
  });
}

/** Where homes compare what they hold, whoever uses a channel asks only what is committed of it, as the engine does. */
function isToExchange({ habits }: World, node: SimNode, ref: ChannelRef, round: number): boolean {
  if (!habits.scrubs) return round % 5 === 0;
  const log = node.log(ref);
  return round % 5 === 4 && log.heads().some(({ writer, seq }) => log.committedSeq(writer) < seq);
}

/** Faults stop: within a bounded time all homes hold the same, in one order, all of it committed. */
export function heal(world: World): void {
  const { nodes, intervals, network } = world;
  world.isHealing = true;
  if (world.habits.cold) coolDown(world);
  network.heal();
  network.habits = { loss: 0, copies: 0, inOrder: true };
  for (const node of nodes) {
    node.resume();
    node.skew = 0;
    if (!node.isUp) node.boot(false);
  }
  world.connectAll();
  if (world.habits.cold) catchUp(world);
  const owners = intervals.map(() => world.pick(nodes));
  let round = 0;
  for (; round < healRoundsMax && !isAtRest(world); round++) {
    intervals.forEach((interval, i) => {
      for (const node of nodes) node.replica.want(interval, node === owners[i], world.now);
    });
    for (const ref of world.refs) {
      for (const node of nodes) {
        node.touch(ref);
        if (isToExchange(world, node, ref, round)) node.replica.exchange(ref, world.now);
      }
    }
    if (round % 5 === 0 && world.habits.scrubs) scrubOne(world, round / 5);
    pump(world);
    world.now += 100;
  }
  world.stats.healRounds = Math.max(world.stats.healRounds, round);
  check('rest', isAtRest(world), () => `not at rest after ${round} rounds: ${describe(world)}`);
}

function isAtRest(world: World): boolean {
  return world.refs.every((ref) => {
    const [first] = world.nodes;
    const have = haveOf(first!, ref);
    const { firstPosition } = first!.log(ref);
    const committed = first!.log(ref).committed;
    return world.nodes.every((node) => {
      const log = node.log(ref);
      const heads = log.heads();
      const isOne =
        log.isEmpty || (heads.length === 1 && dotText(heads[0]!) === dotText(log.committed ?? none));
      return (
        !node.isRecovering &&
        isOne &&
        haveOf(node, ref) === have &&
        sameDot(log.committed, committed) &&
        log.firstPosition === firstPosition
      );
    });
  });
}

const none = { writer: '', seq: 0 } as unknown as Dot;

function sameDot(a: Dot | undefined, b: Dot | undefined): boolean {
  return (a && dotText(a)) === (b && dotText(b));
}

function describe(world: World): string {
  const lines = world.nodes.map((node) => ({
    node: node.index,
    recovering: node.isRecovering,
    channels: world.refs.map((ref) => ({
      promise: node.replica.promiseOf(world.intervalOf(ref))?.round,
      claim: node.replica.claimOf(world.intervalOf(ref))?.round,
      heads: node.log(ref).heads().map(dotText),
      committed: node.log(ref).committed,
      entries: node.log(ref).entries,
    })),
  }));
  return JSON.stringify(lines);
}

export function checkEnd(world: World): void {
  for (const node of world.nodes) checkDigests(node);
  for (const ref of world.refs) {
    const channel = world.oracle.channel(ref);
    const log = world.nodes[0]!.log(ref);
    if (log.committed) channel.committed(log.committed);
    check('order', channel.master.length === log.endPosition, () => 'more is committed than the end says');
    for (const node of world.nodes) checkKept(channel, node, ref);
  }
  const isFinal = (entry: { channel: string }) =>
    world.refs.some(
      (ref) => channelKey(ref) === entry.channel && world.oracle.channel(ref).master.includes(entry as never),
    );
  for (const entry of world.quorumAcked)
    check('acked', isFinal(entry), () => `${dotText(entry)} was acked at quorum and is lost`);
  for (const { entry, node, losses } of world.ownerAcked) {
    if (node.losses === losses)
      check('owner-acked', isFinal(entry), () => `${dotText(entry)} was acked by its owner and is lost`);
  }
  for (const reader of world.readers) {
    const log = world.nodes[0]!.log(reader.ref);
    if (reader.heads.some(({ writer, seq }) => log.have(writer) < seq)) {
      world.stats.lostHeads++;
      continue;
    }
    reader.serve(world.pick(world.nodes), Infinity);
    reader.checkComplete();
  }
}

/** What is left of the order after trims is its end, and lies on the disk. */
function checkKept(channel: ChannelOracle, node: SimNode, ref: World['refs'][number]): void {
  const { floors, firstPosition, endPosition } = node.log(ref);
  const kept = channel.master.filter((entry) => !includes(floors, entry));
  const spans = node.log(ref).spans(firstPosition, endPosition);
  const held = spans.flatMap(({ writer, firstSeq, count }) =>
    Array.from({ length: count }, (_, i) => dotText({ writer, seq: firstSeq + i })),
  );
  const isSuffix =
    kept.map(dotText).join() === held.join() && channel.master.length - kept.length === firstPosition;
  check('trimmed', isSuffix, () => `${node.index} holds ${held.join()} of ${kept.map(dotText).join()}`);
  for (const entry of kept) {
    check(
      'trimmed',
      node.disk.has(ref, entry),
      () => `${dotText(entry)} is not on the disk of ${node.index}`,
    );
  }
}
