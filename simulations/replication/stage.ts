/** What stories about a few homes are told with: who owns, who hears whom, what is written and when disks finish. */
import type { SimNode } from './node.js';
import { mustHold } from './checkers.js';
import { dotText } from '../../src/base/ids.js';
import type { Outcome } from '../../src/replication/effects.js';
import type { Publish } from './node.js';
import { deliver, pump } from './pump.js';
import { checkEnd, heal } from './search.js';
import { type Stats, noStats } from './surroundings.js';
import { type Size, World } from './world.js';

export class Stage {
  readonly stats: Stats = noStats();
  readonly world: World;
  readonly nodes: readonly SimNode[];
  readonly ref: World['refs'][number];
  readonly interval: string;

  constructor(homes: number, seed = 1, size?: Size) {
    this.world = new World(seed, this.stats, homes, true, size);
    this.nodes = this.world.nodes;
    this.ref = this.world.refs[0]!;
    this.interval = this.world.intervals[0]!;
  }

  /** Time passes, and everything that can happen does. */
  pass(ms: number): void {
    for (const end = this.world.now + ms; this.world.now < end;) {
      pump(this.world);
      this.world.now = Math.min(end, this.world.now + 25);
    }
    pump(this.world);
  }

  /** Frames under way arrive; no disk finishes anything but those of `syncing`. */
  hear(...syncing: readonly SimNode[]): void {
    for (let turn = 0; turn < 20; turn++) {
      while (this.world.network.parcels.length > 0) deliver(this.world);
      for (const node of syncing) {
        while (node.reads.length > 0) node.readOne();
        node.beginCommit();
        node.finishCommit();
      }
    }
  }

  /** Some frames under way arrive, and every disk finishes what it was given. */
  passPartly(frames: number): void {
    for (let left = frames; left > 0 && this.world.network.parcels.length > 0; left--) deliver(this.world);
    for (const node of this.nodes) {
      if (!node.isUp) continue;
      while (node.reads.length > 0) node.readOne();
      node.beginCommit();
      node.finishCommit();
      node.tick();
    }
  }

  own(node: SimNode): void {
    node.replica.want(this.interval, true, this.world.now);
    node.drain();
    this.pass(400);
    mustHold(this.owns(node), () => `${node.index} owns the interval`);
  }

  owns(node: SimNode): boolean {
    return node.isUp && node.replica.claimOf(this.interval) !== undefined;
  }

  publish(node: SimNode, degrade = false, level: Publish['level'] = 'quorum'): Publish {
    const publish: Publish = { ref: this.ref, level, degrade, at: this.world.now };
    node.publish(publish);
    return publish;
  }

  outcome(publish: Publish): Outcome | undefined {
    return publish.dot && this.world.outcomes.get(dotText(publish.dot));
  }

  level(publish: Publish): string {
    const outcome = this.outcome(publish);
    return outcome?.type === 'acked' ? outcome.level : (outcome?.type ?? 'none');
  }

  /** Only within a group nodes hear each other. */
  split(...groups: readonly (readonly SimNode[])[]): void {
    const { network } = this.world;
    network.heal();
    for (const a of this.nodes) {
      for (const b of this.nodes) {
        if (a !== b && !groups.some((group) => group.includes(a) && group.includes(b))) {
          network.cutBoth(a.index, b.index);
        }
      }
    }
  }

  /** Power is gone, and what was not synced with it. */
  powerLoss(node: SimNode): void {
    node.underWay = undefined;
    node.crash();
  }

  /** All of it ends well: homes equal, whatever was promised kept. */
  end(): void {
    heal(this.world);
    checkEnd(this.world);
  }
}
