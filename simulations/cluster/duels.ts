/** Faults that follow what happens: they wait for another owner and strike then. Chance alone hardly ever gets there. */
import type { SimulatedNode } from './node.js';
import type { World } from './world.js';
import { isElsewhere } from './places.js';

export interface DuelHooks {
  readonly isHealed: () => boolean;
  /** Nothing passes between the node and all others, both ways, until the result is called. */
  isolate(node: SimulatedNode): () => void;
  /** The disk is gone; the node starts anew on an empty one. */
  loseDisk(node: SimulatedNode): void;
}

const lookMs = 100;

export class Duels {
  readonly counts = { twoClaims: 0, twoClaimsThenLoss: 0 };
  readonly #world: World;
  readonly #hooks: DuelHooks;

  constructor(world: World, hooks: DuelHooks) {
    this.#world = world;
    this.#hooks = hooks;
  }

  /** The owner is cut off until another one has claimed; then, while both think they own, a third home may lose its disk. */
  duel(forMs: number, losesDisk: boolean): boolean {
    const found = this.#anOwner();
    if (!found) return false;
    const { channel, owner } = found;
    const release = this.#hooks.isolate(owner);
    this.#awaitOther(channel, owner, forMs, (other) => {
      if (!other) return release();
      if (owner.state === 'up' && !owner.machine.paused) {
        this.counts.twoClaims++;
        const third = this.#homes(channel).find((home) => home !== owner && home !== other);
        if (losesDisk && third) {
          this.counts.twoClaimsThenLoss++;
          this.#hooks.loseDisk(third);
        }
      }
      this.#world.line.after(forMs / 10, release);
    });
    return true;
  }

  /** The owner is cut off, with what it goes on writing, until another one has claimed; it comes back, and then the other
   *  one is cut off until the first owns again. */
  tail(forMs: number): boolean {
    const found = this.#anOwner();
    if (!found) return false;
    const { channel, owner } = found;
    const release = this.#hooks.isolate(owner);
    this.#awaitOther(channel, owner, forMs, (other) => {
      release();
      if (!other) return;
      const releaseOther = this.#hooks.isolate(other);
      this.#awaitOther(channel, other, forMs, () => this.#world.line.after(lookMs, releaseOther));
    });
    return true;
  }

  #anOwner(): { channel: string; owner: SimulatedNode } | undefined {
    for (const channel of this.#world.record.claims.keys()) {
      // Where hardly anything is written nobody stamps under a claim.
      if (isElsewhere(channel)) continue;
      const owner = this.#ownerOf(channel);
      if (owner?.state === 'up' && this.#homes(channel).length > 1) return { channel, owner };
    }
    return undefined;
  }

  #ownerOf(channel: string): SimulatedNode | undefined {
    const name = this.#world.record.ownerOf(channel);
    return this.#world.nodes.find((node) => node.name === name);
  }

  #homes(channel: string): SimulatedNode[] {
    const names = this.#world.homesOf(channel);
    return this.#world.nodes.filter(({ name }) => names.includes(name));
  }

  /** Calls back with who has stamped under a higher claim by then, if anybody has. */
  #awaitOther(
    channel: string,
    owner: SimulatedNode,
    forMs: number,
    then: (other: SimulatedNode | undefined) => void,
  ): void {
    const endMs = this.#world.nowMs() + forMs;
    const look = (): void => {
      if (this.#hooks.isHealed()) return;
      const other = this.#ownerOf(channel);
      if (other && other !== owner) then(other);
      else if (this.#world.nowMs() >= endMs) then(undefined);
      else this.#world.line.after(lookMs, look);
    };
    look();
  }
}
