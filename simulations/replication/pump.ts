/** Lets nodes and links go on without chance. */
import { check } from './checkers.js';
import type { SimNode } from './node.js';
import type { World } from './world.js';

export function deliver(world: World): void {
  const parcel = world.network.next();
  if (!parcel) return;
  const to = world.nodes[parcel.to]!;
  if (to.isUp && !to.isPaused) to.receive(world.nodes[parcel.from]!, parcel.bytes);
}

/** What a few nodes say to each other without time passing ends long before. */
const framesMax = 20_000;

/** Everything that can happen without waiting; the disk of `stuck` finishes nothing. */
export function pump(world: World, stuck?: SimNode): void {
  const nodes = world.nodes.filter((node) => node.isUp && !node.isPaused);
  for (const node of nodes) {
    node.drain();
    node.tick();
  }
  let left = framesMax;
  for (let turn = 0; turn < 200; turn++) {
    let isIdle = world.network.parcels.length === 0;
    for (; world.network.parcels.length > 0 && left > 0; left--) deliver(world);
    check('rest', left > 0, () => `${framesMax} frames without an end`);
    if (left === 0) return;
    for (const node of nodes) {
      while (node.reads.length > 0) node.readOne();
      node.beginCommit();
      if (node.underWay && node !== stuck) {
        isIdle = false;
        node.finishCommit();
      }
    }
    if (isIdle && world.network.parcels.length === 0) return;
  }
}
