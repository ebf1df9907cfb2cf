/** Who is in the channels of this cluster: what of it is connected here is told to the homes of each channel, what others tell
 *  is kept while this node is a home, and sessions that ask are answered and told of changes. Nothing of it is stored: it
 *  outlives the incarnations of the node's log, and ends with the process. See docs/presence.md. */
import type { ChannelRef, NodeId } from '../../base/ids.js';
import { limits } from '../../base/limits.js';
import type { LivenessVerdict } from '../../cluster/effects.js';
import { Announcements } from '../../presence/announcements.js';
import type { MemberSet } from '../../presence/member-set.js';
import type { PresenceMessage, PresenceTold } from '../../presence/messages.js';
import { Origins } from '../../presence/origins.js';
import type { Member } from '../../protocol/messages.js';
import type { Session } from '../../sessions/session.js';
import type { Clock, Observer, Timers } from '../ports.js';
import { PresenceFollowers } from './followers.js';
import { type PresenceHearer, type PresenceNeighbours, nobody } from './neighbours.js';
import { PresenceReadings } from './reading.js';
import { Watches } from './watches.js';

export interface PresenceOptions {
  readonly self: NodeId;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly observer: Observer;
  /** Told that one has something to write, at the end of this turn. */
  readonly sessions: { flushSoon(session: Session): void };
}

/** What one peer is known by, for as long as its link stands. */
interface Linked {
  readonly atMs: number;
  /** When its stream began last, as this node asks for it. */
  begunMs: number;
  isAsked: boolean;
  isAlarmed: boolean;
  isToBegin: boolean;
}

/** Messages to one peer in one turn; the rest comes in the next ones. */
const messagesATurn = 8;
/** A peer that asks for everything again and again gets it this often. */
const beginMs = 1_000;

export class Presence implements PresenceHearer {
  readonly readings: PresenceReadings;
  readonly watches: Watches;
  readonly #options: PresenceOptions;
  readonly #linked = new Map<NodeId, Linked>();
  readonly #origins: Origins;
  readonly #announcements: Announcements;
  readonly #followers: PresenceFollowers;
  #neighbours: PresenceNeighbours;
  #isPlanned = false;

  /** `neighbours`: of a node among others. */
  constructor(options: PresenceOptions, neighbours?: PresenceNeighbours) {
    const { self: here, clock, timers } = options;
    this.#options = options;
    this.#neighbours = neighbours ?? nobody(here);
    const setOf = (ref: ChannelRef): MemberSet | undefined => this.#origins.get(ref);
    this.#followers = new PresenceFollowers(this.#neighbours, timers, setOf);
    this.watches = new Watches({
      clock,
      timers,
      setOf: (ref) => this.readings.get(ref),
      flushSoon: (session) => options.sessions.flushSoon(session),
    });
    this.readings = new PresenceReadings({
      neighbours: this.#neighbours,
      clock,
      timers,
      setOf,
      changed: (ref, session) => this.watches.changed(ref, session),
    });
    this.#origins = new Origins((ref, session) => {
      this.#followers.changed(ref, session);
      this.watches.changed(ref, session);
    });
    this.#announcements = new Announcements(this.#neighbours.boot, (ref) => this.#neighbours.holders(ref));
    this.#announcements.begin(here);
  }

  // Connections of this node.

  /** False where as many are named as may be: it is counted. */
  enter(ref: ChannelRef, member: Member): boolean {
    const isNamed = this.#announcements.enter(ref, member);
    this.#plan();
    return isNamed;
  }

  count(ref: ChannelRef, session: string): void {
    this.#announcements.count(ref, session);
    this.#plan();
  }

  leave(ref: ChannelRef, session: string): void {
    if (!this.#announcements.has(ref, session)) return;
    this.#announcements.leave(ref, session);
    this.#plan();
  }

  member(ref: ChannelRef, session: string): Member | undefined {
    return this.#announcements.member(ref, session);
  }

  /** What was done here so far shows in what is read here. */
  settle(): void {
    const { self: here } = this.#options;
    for (let told = this.#announcements.take(here); told; told = this.#announcements.take(here))
      this.#origins.receive(here, told);
  }

  stop(): void {
    this.readings.stop();
  }

  // Other nodes.

  received(peer: NodeId, message: PresenceMessage): void {
    switch (message.type) {
      case 'presence':
        return this.#heard(peer, message);
      case 'askPresence':
        return this.#begin(peer);
      case 'followPresence':
        return this.#followers.follow(peer, message, this.#isReady(peer));
      case 'unfollowPresence':
        return this.#followers.unfollow(peer, message.id);
      case 'presenceFollowed':
        return this.readings.followed(peer, message);
      case 'presenceEnded':
        return this.readings.ended(peer, message.id);
    }
  }

  linked(peer: NodeId): void {
    const atMs = this.#now();
    this.#linked.set(peer, {
      atMs,
      begunMs: atMs,
      isAsked: false,
      isAlarmed: false,
      isToBegin: false,
    });
    this.#announcements.begin(peer);
    // In one letter with what else every link begins with.
    this.#tellOne(peer);
    if (this.#announcements.due.length > 0) this.#plan();
    // Who had nobody to ask does not wait out a pause.
    this.readings.homesChanged();
  }

  unlinked(peer: NodeId): void {
    this.#linked.delete(peer);
    this.#announcements.end(peer);
    this.#followers.unlinked(peer);
    this.readings.unreachable(peer);
    this.#forgetEnded(peer);
  }

  /** What a process told ends with it. While its link stands it speaks for itself: what gossip says then of a process of its name
   *  counts only if it is that very one, and at the latest when the link breaks. */
  verdict({ node, boot, verdict }: LivenessVerdict): void {
    if (node === this.#neighbours.self) return;
    if (!this.#neighbours.isLinked(node)) return this.#forgetEnded(node);
    const known = this.#origins.bootOf(node);
    if (known === boot && (verdict === 'dead' || verdict === 'left')) this.#origins.gone(node);
    // Taken for dead, it was forgotten here.
    if (verdict === 'recovered' && known === undefined) this.#ask(node);
  }

  /** Of a node without a link: unless the process that told it is still there. */
  #forgetEnded(node: NodeId): void {
    const known = this.#origins.bootOf(node);
    if (known !== undefined && this.#neighbours.bootOf(node) !== known) this.#origins.gone(node);
  }

  routed(node: NodeId, isReachable: boolean): void {
    if (isReachable) this.readings.homesChanged();
    else this.readings.unreachable(node);
  }

  homesChanged(): void {
    this.#announcements.homesChanged();
    this.#followers.homesChanged();
    this.readings.homesChanged();
    this.#plan();
  }

  #heard(peer: NodeId, told: PresenceTold): void {
    const linked = this.#linked.get(peer);
    if (linked && told.number === 1) linked.isAsked = false;
    const heard = this.#origins.receive(peer, told);
    if (heard === 'unfit') this.#ask(peer);
    if (heard !== 'flood' || !linked || linked.isAlarmed) return;
    linked.isAlarmed = true;
    const message = `Node ${peer} tells of more presences than a node may have: some are left out.`;
    this.#options.observer.observe({ type: 'alarm', code: 'PRESENCE_FLOOD', message });
  }

  #ask(peer: NodeId): void {
    const linked = this.#linked.get(peer);
    if (!linked || linked.isAsked) return;
    linked.isAsked = true;
    this.#neighbours.tell(peer, { type: 'askPresence' });
  }

  /** It asks for everything. */
  #begin(peer: NodeId): void {
    const linked = this.#linked.get(peer);
    if (!linked || linked.isToBegin) return;
    const waitMs = linked.begunMs + beginMs - this.#now();
    linked.isToBegin = true;
    const begin = (): void => {
      linked.isToBegin = false;
      if (this.#linked.get(peer) !== linked) return;
      linked.begunMs = this.#now();
      this.#announcements.begin(peer);
      this.#plan();
    };
    if (waitMs > 0) this.#options.timers.after(waitMs, begin);
    else begin();
  }

  /** All others who are there have told theirs, or had time to. */
  #isReady(asking: NodeId): boolean {
    const enough = this.#now() - limits.presenceWholeMs;
    for (const [peer, { atMs }] of this.#linked)
      if (peer !== asking && atMs > enough && !this.#origins.isWhole(peer)) return false;
    return true;
  }

  #plan(): void {
    if (this.#isPlanned) return;
    this.#isPlanned = true;
    this.#options.timers.soon(() => this.#tell());
  }

  #tell(): void {
    this.#isPlanned = false;
    this.settle();
    for (const peer of this.#announcements.due) this.#tellOne(peer);
    if (this.#announcements.due.length === 0) return;
    this.#isPlanned = true;
    this.#options.timers.after(1, () => this.#tell());
  }

  #tellOne(peer: NodeId): void {
    for (let i = 0; i < messagesATurn; i++) {
      const told = this.#announcements.take(peer);
      if (told) this.#neighbours.tell(peer, told);
      else return;
    }
  }

  #now(): number {
    return this.#options.clock.monotonicMs();
  }
}
