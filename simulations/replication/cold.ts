/** Channels that nobody uses when the faults end: they are in no memory, no owner touches them, and must come to be the same
 *  at all homes all the same. */
import { check } from './checkers.js';
import { pump } from './pump.js';
import { haveOf } from './rest.js';
import type { World } from './world.js';

const roundsMax = 160;

/** Nobody wants to own anything, and what can leave memory does. */
export function coolDown(world: World): void {
  for (const node of world.nodes) {
    if (!node.isUp || node.isPaused) continue;
    for (const interval of world.intervals) node.replica.want(interval, false, world.now);
    node.releaseAll();
  }
}

/** The links stand: what is missing somewhere comes by itself. */
export function catchUp(world: World): void {
  let rounds = 0;
  for (; rounds < roundsMax && !isEqual(world); rounds++) {
    for (const node of world.nodes) {
      for (const interval of world.intervals) node.replica.want(interval, false, world.now);
    }
    pump(world);
    world.now += 100;
  }
  world.stats.caughtUp++;
  check('caught-up', isEqual(world), () => `homes differ after ${rounds} rounds: ${describe(world)}`);
}

function isEqual(world: World): boolean {
  const [first] = world.nodes;
  return world.refs.every((ref) => {
    const have = haveOf(first!, ref);
    return world.nodes.every((node) => !node.isRecovering && haveOf(node, ref) === have);
  });
}

function describe(world: World): string {
  return world.refs
    .flatMap((ref) => world.nodes.map((node) => `${node.index} has ${haveOf(node, ref) || 'nothing'}`))
    .join('; ');
}
