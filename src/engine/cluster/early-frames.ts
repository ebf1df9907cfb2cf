/** Frames said under a version of the ring that is on its way here. They wait, in their order, so that a claim asked for by
 *  whoever was first need not be asked for again. */
import type { NodeId } from '../../base/ids.js';
import { limits } from '../../base/limits.js';
import type { Frame } from '../../replication/messages.js';

export interface EarlyFrame {
  readonly peer: NodeId;
  readonly frame: Frame;
}

export class EarlyFrames {
  readonly #frames = new Map<NodeId, Frame[]>();

  has(peer: NodeId): boolean {
    return this.#frames.has(peer);
  }

  /** Beyond the bound they are dropped, as if lost on the way. */
  add(peer: NodeId, frame: Frame): void {
    const frames = this.#frames.get(peer);
    if (!frames) this.#frames.set(peer, [frame]);
    else if (frames.length < limits.earlyFramesMax) frames.push(frame);
  }

  forget(peer: NodeId): void {
    this.#frames.delete(peer);
  }

  /** Those that can be taken in now, of each peer in their order. */
  take(version: number): readonly EarlyFrame[] {
    const taken: EarlyFrame[] = [];
    for (const [peer, frames] of this.#frames) {
      const later = frames.findIndex(({ ringVersion }) => ringVersion > version);
      const ready = later < 0 ? frames.splice(0) : frames.splice(0, later);
      taken.push(...ready.map((frame) => ({ peer, frame })));
      if (frames.length === 0) this.#frames.delete(peer);
    }
    return taken;
  }
}
