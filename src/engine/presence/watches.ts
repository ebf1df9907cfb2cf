/** Sessions that are told who comes and goes in a channel, or how many are there. What is new is gathered: at once where few
 *  are told, and where many are, for as long as telling them takes; of who came and went meanwhile only the end is told. */
import { ChannelMap } from '../../base/channel-map.js';
import type { ChannelRef } from '../../base/ids.js';
import { limits } from '../../base/limits.js';
import type { MemberSet } from '../../presence/member-set.js';
import type { Encoding, Member, ServerMessage } from '../../protocol/messages.js';
import { encodeServerFrame } from '../../protocol/server-encoder.js';
import type { Session } from '../../sessions/session.js';
import type { SessionFrame } from '../../sessions/subscriber.js';
import type { Clock, Timers } from '../ports.js';

export type Watching = 'members' | 'occupancy';

interface Watched {
  readonly ref: ChannelRef;
  readonly members: Set<Session>;
  readonly occupancy: Set<Session>;
  changed: Set<string>;
  /** As it was told last; NaN where not all were told the same. */
  count: number;
  isPlanned: boolean;
  nextAt: number;
}

export interface WatchesOptions {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly setOf: (ref: ChannelRef) => MemberSet | undefined;
  /** The session has something to write, at the end of this turn. */
  flushSoon(session: Session): void;
}

export class Watches {
  readonly #options: WatchesOptions;
  readonly #channels = new ChannelMap<Watched>();
  readonly #bySession = new Map<Session, ChannelMap<Watched>>();

  constructor(options: WatchesOptions) {
    this.#options = options;
  }

  isWatching(session: Session, ref: ChannelRef, what: Watching): boolean {
    return this.#bySession.get(session)?.get(ref)?.[what].has(session) === true;
  }

  /** Channels that a session watches. */
  countOf(session: Session): number {
    return this.#bySession.get(session)?.size ?? 0;
  }

  watchedBy(session: Session): readonly ChannelRef[] {
    return Array.from(this.#bySession.get(session)?.values() ?? [], ({ ref }) => ref);
  }

  watch(session: Session, ref: ChannelRef, what: Watching): void {
    const watched = this.#channels.get(ref) ?? newWatched(ref);
    this.#channels.set(ref, watched);
    const own = this.#bySession.get(session) ?? new ChannelMap();
    this.#bySession.set(session, own);
    own.set(ref, watched);
    watched[what].add(session);
    // This one is told what is now; the others may have been told something else.
    const count = this.#options.setOf(ref)?.count ?? 0;
    if (watched.members.size + watched.occupancy.size === 1) watched.count = count;
    else if (count !== watched.count) watched.count = NaN;
  }

  unwatch(session: Session, ref: ChannelRef, what: Watching): void {
    const own = this.#bySession.get(session);
    const watched = own?.get(ref);
    if (!own || !watched) return;
    watched[what].delete(session);
    if (!watched.members.has(session) && !watched.occupancy.has(session)) own.delete(ref);
    if (own.size === 0) this.#bySession.delete(session);
    if (watched.members.size + watched.occupancy.size === 0) this.#channels.delete(ref);
  }

  changed(ref: ChannelRef, session: string | undefined): void {
    const watched = this.#channels.get(ref);
    if (!watched) return;
    if (session !== undefined && watched.members.size > 0) watched.changed.add(session);
    if (watched.isPlanned) return;
    watched.isPlanned = true;
    const waitMs = watched.nextAt - this.#options.clock.monotonicMs();
    if (waitMs <= 0) this.#options.timers.soon(() => this.#tell(watched));
    else this.#options.timers.after(waitMs, () => this.#tell(watched));
  }

  #tell(watched: Watched): void {
    const { ref, members, occupancy, changed } = watched;
    watched.isPlanned = false;
    watched.changed = new Set();
    const set = this.#options.setOf(ref);
    const count = set?.count ?? 0;
    const isCounted = count !== watched.count;
    watched.count = count;
    const watchers = members.size + occupancy.size;
    watched.nextAt = this.#options.clock.monotonicMs() + watchers / limits.presenceTellsPerMs;
    const { channel } = ref;
    const counted: ServerMessage[] = isCounted ? [{ type: 'occupancy', channel, count }] : [];
    this.#push(occupancy, counted);
    this.#push(members, changed.size > 0 ? changesOf(channel, set, changed) : counted);
  }

  #push(sessions: ReadonlySet<Session>, messages: readonly ServerMessage[]): void {
    if (messages.length === 0) return;
    const frames = new Map<Encoding, SessionFrame>();
    for (const session of sessions) {
      const { encoding } = session;
      const envelopes = messages.map((message) => ({ requestId: 0, message }));
      const frame = frames.get(encoding) ?? {
        bytes: encodeServerFrame(encoding, envelopes),
        isShared: true,
      };
      frames.set(encoding, frame);
      session.push(frame);
      this.#options.flushSoon(session);
    }
  }
}

function newWatched(ref: ChannelRef): Watched {
  return {
    ref,
    members: new Set(),
    occupancy: new Set(),
    changed: new Set(),
    count: 0,
    isPlanned: false,
    nextAt: 0,
  };
}

/** Beyond a number of them, or of members, only how many there are. */
function changesOf(
  channel: string,
  set: MemberSet | undefined,
  changed: ReadonlySet<string>,
): ServerMessage[] {
  const count = set?.count ?? 0;
  const isLarge = changed.size > limits.presenceChangesToldMax || count > limits.presenceNamedMax;
  if (isLarge) return [{ type: 'join', channel, members: [], count, more: changed.size }];
  const members: Member[] = [];
  const sessions: string[] = [];
  for (const session of changed) {
    const member = set?.get(session);
    if (member) members.push(member);
    else sessions.push(session);
  }
  const messages: ServerMessage[] = [];
  if (sessions.length > 0) messages.push({ type: 'leave', channel, sessions, count });
  if (members.length > 0) messages.push({ type: 'join', channel, members, count, more: 0 });
  return messages;
}
