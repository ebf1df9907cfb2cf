/** Who is connected here and in which channels, and what of it each home of a channel has been told. A home hears by a
 *  numbered stream, which begins with its link and with all there is; then come changes, gathered by whoever sends them:
 *  of what changed twice meanwhile only the end is told. */
import { ChannelMap } from '../base/channel-map.js';
import type { ChannelRef, NodeId } from '../base/ids.js';
import { limits } from '../base/limits.js';
import type { Member } from '../protocol/messages.js';
import type { PresenceTold, ToldChannel, VersionedMember } from './messages.js';

interface LocalChannel {
  readonly ref: ChannelRef;
  readonly named: Map<string, VersionedMember>;
  /** Sessions that are counted only. */
  readonly others: Set<string>;
}

interface Due {
  readonly ref: ChannelRef;
  readonly sessions: Set<string>;
  /** It was no home of the channel since: what it was told goes first. */
  isGone: boolean;
}

interface Stream {
  readonly stream: number;
  number: number;
  readonly due: ChannelMap<Due>;
  /** Channels of which it was told, or is about to be. */
  readonly told: ChannelMap<ChannelRef>;
  /** Some of what there was at its beginning is still due. */
  isBeginning: boolean;
}

/** Of a member beside its texts, as bytes: ids, numbers and tags. */
const memberBytes = 48;

export class Announcements {
  readonly #boot: string;
  readonly #homesOf: (ref: ChannelRef) => readonly NodeId[];
  readonly #channels = new ChannelMap<LocalChannel>();
  readonly #streams = new Map<NodeId, Stream>();
  #named = 0;
  #counted = 0;
  #version = 0;
  #lastStream = 0;

  constructor(boot: string, homesOf: (ref: ChannelRef) => readonly NodeId[]) {
    this.#boot = boot;
    this.#homesOf = homesOf;
  }

  member(ref: ChannelRef, session: string): Member | undefined {
    return this.#channels.get(ref)?.named.get(session)?.member;
  }

  has(ref: ChannelRef, session: string): boolean {
    const channel = this.#channels.get(ref);
    return channel !== undefined && (channel.named.has(session) || channel.others.has(session));
  }

  /** Somebody came, or says something else of itself. False where as many are named as may be: it is counted only. */
  enter(ref: ChannelRef, member: Member): boolean {
    const { session } = member;
    const isNamed = this.#channels.get(ref)?.named.has(session) === true;
    if (!isNamed && this.#named >= limits.presencesPerNodeMax) {
      this.count(ref, session);
      return false;
    }
    const channel = this.#channel(ref);
    if (!isNamed) this.#named++;
    if (channel.others.delete(session)) this.#counted--;
    channel.named.set(session, { member, version: ++this.#version });
    this.#touch(ref, session);
    return true;
  }

  /** Somebody is there who is not named; beyond a bound nobody is counted either. */
  count(ref: ChannelRef, session: string): void {
    if (this.#channels.get(ref)?.others.has(session)) return;
    this.leave(ref, session);
    if (this.#counted >= limits.presencesPerNodeMax) return;
    this.#counted++;
    this.#channel(ref).others.add(session);
    this.#touch(ref, session);
  }

  leave(ref: ChannelRef, session: string): void {
    const channel = this.#channels.get(ref);
    if (!channel) return;
    if (channel.named.delete(session)) this.#named--;
    else if (channel.others.delete(session)) this.#counted--;
    else return;
    if (channel.named.size + channel.others.size === 0) this.#channels.delete(ref);
    this.#touch(ref, session);
  }

  // To homes.

  begin(peer: NodeId): void {
    const stream = {
      stream: ++this.#lastStream,
      number: 0,
      due: new ChannelMap<Due>(),
      told: new ChannelMap<ChannelRef>(),
      isBeginning: true,
    };
    this.#streams.set(peer, stream);
    for (const channel of this.#channels.values())
      if (this.#homesOf(channel.ref).includes(peer)) allDue(stream, channel);
  }

  end(peer: NodeId): void {
    this.#streams.delete(peer);
  }

  /** Other nodes hold some channels: they are told, and those that do not any more. */
  homesChanged(): void {
    for (const [peer, { told, due }] of this.#streams) {
      for (const ref of Array.from(told.values())) {
        if (this.#homesOf(ref).includes(peer)) continue;
        told.delete(ref);
        due.set(ref, { ref, sessions: new Set(), isGone: true });
      }
    }
    for (const channel of this.#channels.values()) {
      const homes = this.#homesOf(channel.ref);
      for (const [peer, stream] of this.#streams)
        if (homes.includes(peer) && !stream.told.has(channel.ref)) allDue(stream, channel);
    }
  }

  /** Those that something is due to. */
  get due(): readonly NodeId[] {
    return [...this.#streams]
      .filter(([, { due, isBeginning }]) => due.size > 0 || isBeginning)
      .map(([peer]) => peer);
  }

  /** The next message of what is due to a home, of a bounded size. */
  take(peer: NodeId): PresenceTold | undefined {
    const stream = this.#streams.get(peer);
    if (!stream || (stream.due.size === 0 && !stream.isBeginning)) return undefined;
    const channels: ToldChannel[] = [];
    const room = { items: limits.presenceToldItems, bytes: limits.presenceToldBytes };
    for (const due of stream.due.values()) {
      if (room.items <= 0 || room.bytes <= 0) break;
      channels.push(this.#tell(stream, due, room));
    }
    if (stream.due.size === 0) stream.isBeginning = false;
    const { stream: id, isBeginning } = stream;
    return {
      type: 'presence',
      boot: this.#boot,
      stream: id,
      number: ++stream.number,
      isWhole: !isBeginning,
      channels,
    };
  }

  #tell(stream: Stream, due: Due, room: Room): ToldChannel {
    const { ref, sessions } = due;
    room.items--;
    if (due.isGone) {
      due.isGone = false;
      // What there is since is for the next message.
      if (!stream.told.has(ref)) stream.due.delete(ref);
      return { ref, joins: [], leaves: [], others: 0, isGone: true };
    }
    const channel = this.#channels.get(ref);
    const joins: VersionedMember[] = [];
    const leaves: string[] = [];
    for (const session of sessions) {
      if (room.items <= 0 || room.bytes <= 0) break;
      sessions.delete(session);
      room.items--;
      const present = channel?.named.get(session);
      if (present) joins.push(present);
      else leaves.push(session);
      room.bytes -= present ? sizeOf(present.member) : memberBytes;
    }
    if (sessions.size === 0) stream.due.delete(ref);
    if (!channel) stream.told.delete(ref);
    return { ref, joins, leaves, others: channel?.others.size ?? 0, isGone: false };
  }

  #channel(ref: ChannelRef): LocalChannel {
    const channel = this.#channels.get(ref) ?? { ref, named: new Map(), others: new Set() };
    this.#channels.set(ref, channel);
    return channel;
  }

  #touch(ref: ChannelRef, session: string): void {
    for (const home of this.#homesOf(ref)) {
      const stream = this.#streams.get(home);
      if (!stream) continue;
      const due = stream.due.get(ref);
      if (due) due.sessions.add(session);
      else stream.due.set(ref, { ref, sessions: new Set([session]), isGone: false });
      stream.told.set(ref, ref);
    }
  }
}

interface Room {
  items: number;
  bytes: number;
}

function allDue(stream: Stream, { ref, named }: LocalChannel): void {
  const isGone = stream.due.get(ref)?.isGone ?? false;
  stream.due.set(ref, { ref, sessions: new Set(named.keys()), isGone });
  stream.told.set(ref, ref);
}

/** About as many bytes as it takes on the wire. */
export function sizeOf({ user, metadata }: Member): number {
  return memberBytes + 3 * (user?.length ?? 0) + 3 * (metadata?.length ?? 0);
}
