/** Changes of the ring that were asked for and are not answered: proposed one after the other. */
import { ringDigest } from './ring-codec.js';
import type { RingIntent } from './ring-intent.js';
import type { NodeId } from '../base/ids.js';
import type { Ring, RingDigest } from './ring.js';

/** Who asked, another node or somebody here. */
export interface WishOrigin {
  readonly peer: NodeId | undefined;
  readonly id: number;
}

const wishesMax = 64;
const wishMs = 30_000;

export class Wish {
  /** Rings that were proposed for it, with their versions. */
  readonly proposed = new Map<RingDigest, number>();

  constructor(
    readonly intent: RingIntent,
    readonly origin: WishOrigin,
    readonly until: number,
  ) {}

  /** The version with which it came about, where one of those that were proposed holds: whoever brought it to its end. */
  cameAbout(ring: Ring): number | undefined {
    for (const digest of [ringDigest(ring), ...ring.lineage]) {
      const version = this.proposed.get(digest);
      if (version !== undefined) return version;
    }
    return undefined;
  }
}

export class Wishes {
  #wishes: Wish[] = [];

  get first(): Wish | undefined {
    return this.#wishes[0];
  }

  get deadline(): number {
    return Math.min(...this.#wishes.map(({ until }) => until));
  }

  /** False when too many wait. */
  add(intent: RingIntent, origin: WishOrigin, now: number): boolean {
    if (this.#wishes.length >= wishesMax) return false;
    this.#wishes.push(new Wish(intent, origin, now + wishMs));
    return true;
  }

  has(kind: RingIntent['kind'], node: NodeId): boolean {
    return this.#wishes.some(
      ({ intent }) => intent.kind === kind && 'node' in intent && intent.node === node,
    );
  }

  remove(wish: Wish): void {
    this.#wishes = this.#wishes.filter((each) => each !== wish);
  }

  late(now: number): readonly Wish[] {
    return this.#wishes.filter(({ until }) => now >= until);
  }
}
