/** Nodes that follow channels here, a home, for who is there: each gets all there is and then, gathered once a turn, what
 *  is new. */
import { ChannelMap } from '../../base/channel-map.js';
import type { ChannelRef, NodeId } from '../../base/ids.js';
import { limits } from '../../base/limits.js';
import type { MemberSet } from '../../presence/member-set.js';
import type { PresenceFollow } from '../../presence/messages.js';
import type { Member } from '../../protocol/messages.js';
import type { Timers } from '../ports.js';
import type { PresenceNeighbours } from './neighbours.js';

interface Follower {
  readonly peer: NodeId;
  readonly id: number;
  readonly ref: ChannelRef;
  readonly isCount: boolean;
}

interface Due {
  readonly ref: ChannelRef;
  readonly sessions: Set<string>;
}

export class PresenceFollowers {
  readonly #neighbours: PresenceNeighbours;
  readonly #timers: Timers;
  readonly #setOf: (ref: ChannelRef) => MemberSet | undefined;
  readonly #byPeer = new Map<NodeId, Map<number, Follower>>();
  readonly #byChannel = new ChannelMap<Set<Follower>>();
  readonly #due = new ChannelMap<Due>();

  constructor(
    neighbours: PresenceNeighbours,
    timers: Timers,
    setOf: (ref: ChannelRef) => MemberSet | undefined,
  ) {
    this.#neighbours = neighbours;
    this.#timers = timers;
    this.#setOf = setOf;
  }

  /** `isReady`: all who are linked have told theirs. */
  follow(peer: NodeId, { id, ref, isCount }: PresenceFollow, isReady: boolean): void {
    const follows = this.#byPeer.get(peer) ?? new Map<number, Follower>();
    const isTaken = isReady && this.#neighbours.isHome(ref) && follows.size < limits.presenceFollowsMax;
    if (!isTaken || follows.has(id)) return this.#neighbours.tell(peer, { type: 'presenceEnded', id });
    const follower = { peer, id, ref, isCount };
    this.#byPeer.set(peer, follows);
    follows.set(id, follower);
    const followers = this.#byChannel.get(ref) ?? new Set();
    this.#byChannel.set(ref, followers);
    followers.add(follower);
    this.#tellAll(follower);
  }

  unfollow(peer: NodeId, id: number): void {
    const follower = this.#byPeer.get(peer)?.get(id);
    if (follower) this.#remove(follower);
  }

  unlinked(peer: NodeId): void {
    for (const follower of this.#byPeer.get(peer)?.values() ?? []) this.#remove(follower);
    this.#byPeer.delete(peer);
  }

  /** Channels that are other nodes' by now are followed there. */
  homesChanged(): void {
    for (const follows of this.#byPeer.values()) {
      for (const follower of follows.values()) {
        if (this.#neighbours.isHome(follower.ref)) continue;
        this.#remove(follower);
        this.#neighbours.tell(follower.peer, { type: 'presenceEnded', id: follower.id });
      }
    }
  }

  changed(ref: ChannelRef, session: string | undefined): void {
    if (!this.#byChannel.has(ref)) return;
    const due = this.#due.get(ref) ?? { ref, sessions: new Set() };
    if (session !== undefined) due.sessions.add(session);
    if (this.#due.size === 0) this.#timers.soon(() => this.#tell());
    this.#due.set(ref, due);
  }

  #remove(follower: Follower): void {
    const { peer, id, ref } = follower;
    this.#byPeer.get(peer)?.delete(id);
    const followers = this.#byChannel.get(ref);
    followers?.delete(follower);
    if (followers?.size === 0) this.#byChannel.delete(ref);
  }

  #tellAll({ peer, id, ref, isCount }: Follower): void {
    const set = this.#setOf(ref);
    const count = set?.count ?? 0;
    let begins = true;
    for (let after = '', more = true; more; begins = false) {
      const page = isCount ? undefined : set?.page(after, limits.presenceToldItems);
      const joins = page?.members ?? [];
      more = page?.more ?? false;
      after = joins.at(-1)?.session ?? '';
      const isWhole = !more;
      this.#neighbours.tell(peer, {
        type: 'presenceFollowed',
        id,
        begins,
        isWhole,
        joins,
        leaves: [],
        count,
      });
    }
  }

  #tell(): void {
    for (const due of Array.from(this.#due.values())) {
      this.#due.delete(due.ref);
      const followers = this.#byChannel.get(due.ref);
      if (followers) this.#tellChanges(followers, due);
    }
  }

  #tellChanges(followers: ReadonlySet<Follower>, { ref, sessions }: Due): void {
    const set = this.#setOf(ref);
    const count = set?.count ?? 0;
    const parts = partsOf(set, sessions);
    const none = { joins: [], leaves: [] };
    for (const { peer, id, isCount } of followers) {
      for (const part of isCount || parts.length === 0 ? [none] : parts)
        this.#neighbours.tell(peer, {
          type: 'presenceFollowed',
          id,
          begins: false,
          isWhole: true,
          ...part,
          count,
        });
    }
  }
}

/** In pieces of a bounded size. */
function partsOf(set: MemberSet | undefined, sessions: ReadonlySet<string>) {
  const parts: { joins: Member[]; leaves: string[] }[] = [];
  let size = Infinity;
  for (const session of sessions) {
    if (size >= limits.presenceToldItems) {
      parts.push({ joins: [], leaves: [] });
      size = 0;
    }
    const member = set?.get(session);
    if (member) parts.at(-1)!.joins.push(member);
    else parts.at(-1)!.leaves.push(session);
    size++;
  }
  return parts;
}
