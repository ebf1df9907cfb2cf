/** Stories of homes that come back: after a while, with another disk, with an older one. */
import { channelKey } from '../../src/base/ids.js';
import { limits } from '../../src/base/limits.js';
import { floorWriter } from '../../src/log/floors.js';
import { gathersMax } from '../../src/replication/recovering.js';
import { check, mustHold } from './checkers.js';
import type { SimNode } from './node.js';
import { haveOf } from './rest.js';
import { Stage } from './stage.js';

/** A home was away while the others wrote; nobody uses the channel when it returns. It has everything, and the next time it
 *  comes back nothing is sent but a question and an answer for each peer. */
export function quietReturn(): void {
  const stage = new Stage(3);
  const [a, , c] = stage.nodes as [SimNode, SimNode, SimNode];
  stage.own(a);
  write(stage, a, 3);
  leave(stage, c);
  write(stage, a, 30);
  rest(stage);
  meet(stage);
  stage.pass(2_000);
  isEqual(stage, stage.nodes);
  rest(stage);
  const { network } = stage.world;
  const before = network.bytes;
  leave(stage, c);
  meet(stage);
  stage.pass(500);
  const each = (network.bytes - before) / 6;
  mustHold(each < 400, () => `a home that missed nothing costs ${each} bytes a peer and way`);
  stage.end();
}

/** What a home missed was trimmed meanwhile, by two trims: what arrived at the others has holes, the last of them at its end.
 *  Nobody uses the channel when it returns. It gets the floors before what stands on them, and holds nothing below. */
export function quietTrim(): void {
  const stage = new Stage(3);
  const [a, , c] = stage.nodes as [SimNode, SimNode, SimNode];
  const { ref, world } = stage;
  stage.own(a);
  write(stage, a, 3);
  leave(stage, c);
  for (const count of [12, 5]) {
    write(stage, a, count);
    a.trims.set(channelKey(ref), a.log(ref).endPosition);
    stage.pass(500);
  }
  const { firstPosition } = a.log(ref);
  mustHold(firstPosition >= 20, () => `${firstPosition} are trimmed`);
  rest(stage);
  meet(stage);
  stage.pass(2_000);
  isEqual(stage, stage.nodes);
  for (const node of stage.nodes) {
    const log = node.log(ref);
    mustHold(log.firstPosition === firstPosition, () => `${node.index} begins at ${log.firstPosition}`);
    const { through, runs } = node.disk.arrivedSince(0, 1_000);
    mustHold(through === node.disk.entries, () => `${node.index} has said all through ${through}`);
    mustHold(!runs.some(({ writer }) => writer === floorWriter), () => 'floors are no arrivals');
  }
  rest(stage);
  const before = world.network.bytes;
  leave(stage, c);
  meet(stage);
  stage.pass(500);
  const each = (world.network.bytes - before) / 6;
  mustHold(each < 400, () => `a home that missed nothing costs ${each} bytes a peer and way`);
  stage.end();
}

/** A home keeps a checkpoint of a peer that loses its disk. The peer writes alone before it is given back what it had, so its
 *  first arrivals are others than they were. */
export function anotherStore(): void {
  const stage = new Stage(3);
  const [a, b, c] = stage.nodes as [SimNode, SimNode, SimNode];
  stage.own(a);
  write(stage, a, 10);
  stage.pass(11_000);
  rest(stage);
  stage.split([a], [b], [c]);
  b.loseDisk();
  b.boot(false);
  for (let i = 0; i < 3; i++) {
    stage.publish(b, true, 'owner');
    stage.pass(300);
  }
  stage.split([a, b], [c]);
  stage.world.connect(b);
  stage.pass(2_000);
  rest(stage);
  stage.split([b, c], [a]);
  stage.world.connect(c);
  stage.pass(2_000);
  isEqual(stage, [b, c]);
  stage.end();
}

/** A home promises a second owner and acks to it, loses its disk, and then hears only the first one, which knows of nothing. It
 *  must not ack to that one as well. */
export function twoOwnersOneWiped(): void {
  const stage = new Stage(3);
  const [a, b, c] = stage.nodes as [SimNode, SimNode, SimNode];
  stage.own(a);
  write(stage, a, 2);
  stage.split([a], [b, c]);
  stage.own(b);
  write(stage, b, 2);
  c.loseDisk();
  stage.split([a, c], [b]);
  c.boot(false);
  stage.world.connect(c);
  write(stage, a, 2);
  stage.end();
}

/** D7, first half. A backup of a home's disk is put back: it is noticed within 5 s, the store gets another id, counts for
 *  nothing before it heard from others, and nothing acknowledged is lost. */
export function rolledBack(): void {
  const stage = new Stage(3);
  const [a, b] = stage.nodes as [SimNode, SimNode, SimNode];
  stage.world.alarmsMeant.add('STORE_ROLLED_BACK');
  stage.own(a);
  write(stage, a, 5);
  b.takeImage();
  write(stage, a, 20);
  stage.pass(11_000);
  const { storeId } = b.disk;
  b.putBack(b.image!);
  b.boot(false);
  stage.world.connect(b);
  stage.pass(5_000);
  check('noticed', b.renewals === 1, () => `its store was renewed ${b.renewals} times`);
  mustHold(b.disk.storeId !== storeId, () => 'the store has another id');
  mustHold(!b.isRecovering, () => 'it counts again, since both others answered');
  const after = stage.publish(a);
  stage.pass(500);
  mustHold(stage.level(after) === 'quorum', () => `what comes next is ${stage.level(after)}`);
  stage.end();
}

/** A home lost its disk and lacks everything, and its links break ten times a second, with what is on its way: nobody is alarmed,
 *  and it gets all. It asks for a 16th of the intervals that it may ask for at a time, and is given a 16th for that in a second,
 *  and less at once. */
export function missedEverything(): void {
  const given = { atOnce: () => limits.givenBytesMax / 64, perSecond: limits.givenBytesPerSecond / 16 };
  const stage = new Stage(3, 1, { intervals: gathersMax / 16, channels: 30, given });
  const [a, b, c] = stage.nodes as [SimNode, SimNode, SimNode];
  const { world } = stage;
  for (const interval of world.intervals) a.replica.want(interval, true, world.now);
  stage.pass(400);
  stage.split([a, b], [c]);
  for (let i = 0; i < 3; i++) {
    for (const ref of world.refs) a.publish({ ref, level: 'quorum', degrade: false, at: world.now });
    stage.pass(25);
  }
  stage.pass(300);
  c.loseDisk();
  c.boot(false);
  for (let i = 0; i < 60; i++) {
    meet(stage);
    for (let turn = 0; turn < 2; turn++) stage.passPartly(4);
    world.network.parcels.length = 0;
    world.now += 100;
  }
  mustHold(c.isRecovering, () => 'it lacks some of it still');
  meet(stage);
  stage.pass(2_000);
  for (const ref of world.refs) isEqual(stage, stage.nodes, ref);
  mustHold(!c.isRecovering, () => 'it counts again');
}

function write(stage: Stage, node: SimNode, count: number): void {
  for (let i = 0; i < count; i++) {
    stage.publish(node);
    stage.pass(25);
  }
  stage.pass(300);
}

/** Nobody uses the channel any more. */
function rest(stage: Stage): void {
  for (const node of stage.nodes) {
    node.replica.want(stage.interval, false, stage.world.now);
    node.drain();
  }
  stage.pass(3_000);
  for (const node of stage.nodes) node.releaseAll();
}

/** Cut off, and the others notice. */
function leave(stage: Stage, node: SimNode): void {
  const others = stage.nodes.filter((each) => each !== node);
  stage.split(others, [node]);
  for (const other of others) stage.world.disconnect(node, other);
}

function meet(stage: Stage): void {
  for (const a of stage.nodes)
    for (const b of stage.nodes) if (a.index < b.index) stage.world.disconnect(a, b);
  stage.world.network.heal();
  stage.world.connectAll();
}

function isEqual(stage: Stage, nodes: readonly SimNode[], ref = stage.ref): void {
  const haves = nodes.map((node) => haveOf(node, ref));
  check('caught-up', new Set(haves).size === 1, () => `they have ${haves.join(' and ')}`);
}
