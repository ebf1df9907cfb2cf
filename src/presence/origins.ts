/** Who is present, as a home of channels knows it: what each node told of its own connections, and the union of that.
 *
 *  What a node told stays until that node says otherwise, its process is known to have ended, or another process of the
 *  same name speaks; no clock ends it (R32). A stream that begins again keeps what it finds and lets go, once it is whole,
 *  of what it did not name: who merely lost a link is not seen leaving. */
import { ChannelMap } from '../base/channel-map.js';
import type { ChannelRef, NodeId } from '../base/ids.js';
import { limits } from '../base/limits.js';
import { planted } from '../base/planted.js';
import type { Member } from '../protocol/messages.js';
import { MemberSet } from './member-set.js';
import type { PresenceTold, ToldChannel, VersionedMember } from './messages.js';

interface OriginChannel {
  readonly ref: ChannelRef;
  readonly members: Map<string, VersionedMember>;
  others: number;
  /** Sessions that the present stream has not named yet; and whether it said nothing of the channel at all. */
  readonly stale: Set<string>;
  isStale: boolean;
}

interface Origin {
  readonly node: NodeId;
  readonly boot: string;
  stream: number;
  number: number;
  isWhole: boolean;
  /** Named in all channels, and channels: what may be told is bounded. */
  size: number;
  readonly channels: ChannelMap<OriginChannel>;
}

/** `unfit`: it does not go on from what was heard, so the stream has to begin anew. `flood`: some of it was left out. */
export type Heard = 'heard' | 'unfit' | 'flood';

/** `session`: who came, went or says something else; `undefined` where only the number of others is new. */
export type Changed = (ref: ChannelRef, session: string | undefined) => void;

export class Origins {
  readonly #changed: Changed;
  readonly #origins = new Map<NodeId, Origin>();
  readonly #sets = new ChannelMap<MemberSet>();

  constructor(changed: Changed) {
    this.#changed = changed;
  }

  /** The union; `undefined` where nobody is. */
  get(ref: ChannelRef): MemberSet | undefined {
    return this.#sets.get(ref);
  }

  /** All that the node's process of now has to tell was told. */
  isWhole(node: NodeId): boolean {
    return this.#origins.get(node)?.isWhole === true;
  }

  bootOf(node: NodeId): string | undefined {
    return this.#origins.get(node)?.boot;
  }

  receive(node: NodeId, told: PresenceTold): Heard {
    const origin = this.#streamOf(node, told);
    if (typeof origin === 'string') return origin;
    let isFlood = false;
    for (const channel of told.channels) if (!this.#take(origin, channel)) isFlood = true;
    if (told.isWhole && !origin.isWhole) this.#settle(origin);
    return isFlood ? 'flood' : 'heard';
  }

  /** The process that told this has ended. */
  gone(node: NodeId): void {
    const origin = this.#origins.get(node);
    if (!origin || planted('ghosts-stay')) return;
    for (const channel of origin.channels.values()) this.#drop(origin, channel);
    this.#origins.delete(node);
  }

  /** Where it goes on, or why it does not. */
  #streamOf(node: NodeId, { boot, stream, number }: PresenceTold): Origin | Heard {
    const known = this.#origins.get(node);
    const isKnown = known?.boot === boot;
    if (isKnown && (stream < known.stream || (stream === known.stream && number <= known.number)))
      return 'heard';
    if (number !== 1) {
      if (!isKnown || stream !== known.stream || number !== known.number + 1) return 'unfit';
      known.number = number;
      return known;
    }
    if (known && !isKnown) this.gone(node);
    const found = this.#origins.get(node) ?? newOrigin(node, boot);
    for (const channel of found.channels.values()) {
      channel.isStale = true;
      for (const session of channel.members.keys()) channel.stale.add(session);
    }
    const origin: Origin = { ...found, boot, stream, number, isWhole: false };
    this.#origins.set(node, origin);
    return origin;
  }

  /** False where some of it is too much. */
  #take(origin: Origin, { ref, joins, leaves, others, isGone }: ToldChannel): boolean {
    let channel = origin.channels.get(ref);
    if (isGone) {
      if (channel) this.#drop(origin, channel);
      return true;
    }
    if (!channel) {
      if (joins.length === 0 && others === 0) return true;
      if (origin.size >= limits.presencesToldMax) return false;
      channel = { ref, members: new Map(), others: 0, stale: new Set(), isStale: false };
      origin.channels.set(ref, channel);
      origin.size++;
    }
    channel.isStale = false;
    for (const session of leaves) this.#leave(origin, channel, session);
    const isAll = this.#join(origin, channel, joins);
    this.#countOthers(channel, Math.min(others, limits.sessionsMax));
    this.#tidy(origin, channel);
    return isAll;
  }

  #join(origin: Origin, channel: OriginChannel, joins: readonly VersionedMember[]): boolean {
    for (const told of joins) {
      const { session } = told.member;
      channel.stale.delete(session);
      const known = channel.members.get(session);
      if (known && known.version >= told.version) continue;
      if (!known && origin.size >= limits.presencesToldMax) return false;
      if (!known) origin.size++;
      channel.members.set(session, told);
      this.#show(channel.ref, session);
    }
    return true;
  }

  #leave(origin: Origin, channel: OriginChannel, session: string): void {
    channel.stale.delete(session);
    if (!channel.members.delete(session)) return;
    origin.size--;
    this.#show(channel.ref, session);
  }

  #countOthers(channel: OriginChannel, others: number): void {
    if (others === channel.others) return;
    const set = this.#set(channel.ref);
    set.others += others - channel.others;
    channel.others = others;
    this.#changed(channel.ref, undefined);
    if (set.isEmpty) this.#sets.delete(channel.ref);
  }

  /** The stream has named all there is. */
  #settle(origin: Origin): void {
    origin.isWhole = true;
    if (planted('ghosts-stay')) return;
    for (const channel of Array.from(origin.channels.values())) {
      for (const session of channel.stale) this.#leave(origin, channel, session);
      if (channel.isStale) this.#countOthers(channel, 0);
      this.#tidy(origin, channel);
    }
  }

  #drop(origin: Origin, channel: OriginChannel): void {
    for (const session of channel.members.keys()) this.#leave(origin, channel, session);
    this.#countOthers(channel, 0);
    this.#tidy(origin, channel);
  }

  #tidy(origin: Origin, { ref, members, others }: OriginChannel): void {
    if (members.size > 0 || others > 0) return;
    origin.channels.delete(ref);
    origin.size--;
  }

  /** Of one session told by two nodes the later one is shown; nothing but a lie or a session that moved gets there. */
  #show(ref: ChannelRef, session: string): void {
    let shown: { readonly member: Member; readonly node: NodeId } | undefined;
    for (const { node, channels } of this.#origins.values()) {
      const member = channels.get(ref)?.members.get(session)?.member;
      if (!member) continue;
      const isLater = shown && (member.since - shown.member.since || (node > shown.node ? 1 : -1)) > 0;
      if (!shown || isLater) shown = { member, node };
    }
    const set = this.#set(ref);
    const isNew = shown ? set.set(shown.member) : set.delete(session);
    if (isNew) this.#changed(ref, session);
    if (set.isEmpty) this.#sets.delete(ref);
  }

  #set(ref: ChannelRef): MemberSet {
    const set = this.#sets.get(ref) ?? new MemberSet();
    this.#sets.set(ref, set);
    return set;
  }
}

function newOrigin(node: NodeId, boot: string): Origin {
  const channels = new ChannelMap<OriginChannel>();
  return { node, boot, stream: 0, number: 0, isWhole: false, size: 0, channels };
}
