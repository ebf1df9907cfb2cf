/** Nodes that start empty each found a ring of one, and find each other: which of them give theirs up. All go by one order of
 *  rings, so two never give up theirs for each other's: a ring of several nodes comes first, then one whose node holds
 *  entries, then the smaller cluster id. Before it chooses, a node waits until it has met those that are there. */
import type { NodeId } from '../base/ids.js';
import type { KeeperEffect } from './ring-keeper-effects.js';
import type { RingMessage } from './ring-messages.js';
import { type Ring, memberStateOf } from './ring.js';

/** A ring, and whether it is of one node that holds entries: it cannot be given up. */
export interface Found {
  readonly ring: Ring;
  readonly held: boolean;
}

const settleMs = 300;
const againMs = 2_000;
/** Before a conflict is told: rings that are about to become one are heard of as two. */
const conflictMs = 5_000;

/** Whether `a` is the one to keep. */
export function comesFirst(a: Found, b: Found): boolean {
  const [rankA, rankB] = [rankOf(a), rankOf(b)];
  return rankA !== rankB ? rankA < rankB : a.ring.cluster < b.ring.cluster;
}

function rankOf({ ring, held }: Found): number {
  if (ring.members.length > 1) return 0;
  return held ? 1 : 2;
}

export class Yielding {
  readonly #self: NodeId;
  readonly #isWilling: boolean;
  /** Rings of other clusters, as the nodes that are linked told them. */
  readonly #found = new Map<NodeId, Found & { readonly since: number }>();
  #isHeld = false;
  #isMeeting = false;
  #lookAt = Infinity;
  #alarmedOf = '';

  constructor(self: NodeId, isWilling: boolean) {
    this.#self = self;
    this.#isWilling = isWilling;
  }

  get deadline(): number {
    return this.#lookAt;
  }

  /** This node holds entries of its own. */
  hold(): void {
    this.#isHeld = true;
  }

  told(from: NodeId, found: Found, now: number): void {
    const known = this.#found.get(from);
    const since = known?.ring.cluster === found.ring.cluster ? known.since : now;
    this.#found.set(from, { ...found, since });
    if (this.#isWilling) this.#lookAt = Math.min(this.#lookAt, now + settleMs);
  }

  /** It is gone, or goes by the same ring. */
  forget(peer: NodeId): void {
    this.#found.delete(peer);
  }

  /** As others are told of it. */
  marked(message: RingMessage): RingMessage {
    return this.#isHeld && message.type === 'ring' ? { ...message, held: true } : message;
  }

  /** Whether it is time to give up this ring, as far as it can be. */
  isDue(ring: Ring, now: number): boolean {
    if (now < this.#lookAt) return false;
    this.#lookAt = this.#found.size > 0 ? now + againMs : Infinity;
    return this.#isToYield(ring);
  }

  /** Who is there is being asked. */
  meeting(isUnderWay: boolean): void {
    this.#isMeeting = isUnderWay;
  }

  /** Whoever is about to give up its ring, or may turn out to be, takes nobody into it. */
  mayYield(ring: Ring): boolean {
    return (this.#isMeeting && this.#isAlone(ring)) || this.#isToYield(ring);
  }

  /** As far as it can be. */
  #isToYield(ring: Ring): boolean {
    const own = { ring, held: false };
    const canBe = this.#isWilling && this.#isAlone(ring) && !this.#isHeld;
    return canBe && [...this.#found.values()].some((each) => comesFirst(each, own));
  }

  /** Nodes that are to come into this ring and are in another one by now: no node is in two. */
  elsewhere(ring: Ring): readonly NodeId[] {
    const there = [...this.#found].filter(
      ([node, found]) => found.ring.members.length > 1 && memberStateOf(found.ring, node) !== undefined,
    );
    return there.flatMap(([node]) => (memberStateOf(ring, node) === 'joining' ? [node] : []));
  }

  /** Rings that stay apart, told once: nobody gives up what holds entries. */
  alarms(ring: Ring, now: number): readonly KeeperEffect[] {
    if (!this.#isWilling || (this.#isAlone(ring) && !this.#isHeld)) return [];
    const other = [...this.#found.values()].find(
      (each) => rankOf(each) < 2 && each.ring.cluster !== ring.cluster && now >= each.since + conflictMs,
    );
    if (!other || other.ring.cluster === this.#alarmedOf) return [];
    this.#alarmedOf = other.ring.cluster;
    const message = `There are two clusters, of ${nodes(ring)} and of ${nodes(other.ring)}, and none can be given up for the other: they stay apart. Start the nodes of one with an empty --data to join the other, or give them another --cluster-name.`;
    return [{ type: 'alarm', code: 'TWO_RINGS', message }];
  }

  #isAlone({ members }: Ring): boolean {
    return members.length === 1 && members[0]!.node === this.#self;
  }
}

function nodes({ members }: Ring): string {
  return members.length === 1 ? '1 node' : `${members.length} nodes`;
}
