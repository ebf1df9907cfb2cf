/** Who is in the channels that sessions of this node ask about: of those held here as homes know it, of others by
 *  following a home, one copy a node whatever the number of sessions. A copy stays as it is while no home can be reached,
 *  and becomes what the next one says in one step, so nobody is seen leaving who was there all the time. */
import { ChannelMap } from '../../base/channel-map.js';
import type { ChannelRef, NodeId } from '../../base/ids.js';
import { limits } from '../../base/limits.js';
import { MemberSet } from '../../presence/member-set.js';
import type { PresenceFollowed } from '../../presence/messages.js';
import type { Changed } from '../../presence/origins.js';
import { Deadlines } from '../cluster/deadlines.js';
import { RemoteUnavailableError } from '../cluster/followed-channel.js';
import type { Clock, Timers } from '../ports.js';
import type { PresenceNeighbours } from './neighbours.js';

interface Waiter {
  readonly by: number;
  readonly resolve: () => void;
  readonly reject: (error: RemoteUnavailableError) => void;
}

class Reading {
  /** Who wants it, and who of them wants to know the members too. */
  users = 0;
  memberUsers = 0;
  isHere = false;
  /** Of the follow under way; 0 while none is. */
  id = 0;
  home: NodeId | undefined;
  isCount = false;
  isOpen = false;
  copy = new MemberSet();
  /** What is being told anew. */
  draft: MemberSet | undefined;
  readonly tried = new Set<NodeId>();
  pauseMs = 0;
  nextAt = Infinity;
  idleAt = Infinity;
  waiters: Waiter[] = [];

  constructor(readonly ref: ChannelRef) {}

  get deadline(): number {
    return Math.min(this.nextAt, this.idleAt, ...this.waiters.map(({ by }) => by));
  }

  /** It tells enough for all who ask. */
  get isGood(): boolean {
    return this.isHere || (this.isOpen && (!this.isCount || this.memberUsers === 0));
  }

  wake(): void {
    for (const { resolve } of this.waiters.splice(0)) resolve();
  }

  giveUp(now: number): void {
    const late = this.waiters.filter(({ by }) => by <= now);
    this.waiters = this.waiters.filter(({ by }) => by > now);
    for (const { reject } of late)
      reject(new RemoteUnavailableError(`no home tells who is in ${this.ref.channel}`));
  }
}

export interface PresenceReadingsOptions {
  readonly neighbours: PresenceNeighbours;
  readonly clock: Clock;
  readonly timers: Timers;
  /** Of channels held here. */
  readonly setOf: (ref: ChannelRef) => MemberSet | undefined;
  readonly changed: Changed;
}

export class PresenceReadings {
  readonly #options: PresenceReadingsOptions;
  readonly #readings = new ChannelMap<Reading>();
  readonly #byId = new Map<number, Reading>();
  readonly #deadlines: Deadlines<Reading>;
  #lastId = 0;

  constructor(options: PresenceReadingsOptions) {
    this.#options = options;
    this.#deadlines = new Deadlines(options.clock, options.timers, (reading) => this.#due(reading));
  }

  /** What is known now; of a channel in use. */
  get(ref: ChannelRef): MemberSet | undefined {
    const reading = this.#readings.get(ref);
    return reading && (reading.isHere ? this.#options.setOf(ref) : reading.copy);
  }

  use(ref: ChannelRef, isCount: boolean): void {
    const known = this.#readings.get(ref);
    const reading = known ?? new Reading(ref);
    reading.users++;
    if (!isCount) reading.memberUsers++;
    reading.idleAt = Infinity;
    if (!known) {
      this.#readings.set(ref, reading);
      reading.isHere = this.#options.neighbours.isHome(ref);
    }
    this.#settle(reading);
  }

  release(ref: ChannelRef, isCount: boolean): void {
    const reading = this.#readings.get(ref);
    if (!reading) return;
    if (!isCount) reading.memberUsers--;
    if (--reading.users > 0) return;
    // Whoever comes back soon finds it here.
    reading.idleAt = this.#now() + limits.followIdleMs;
    this.#deadlines.set(reading, reading.deadline);
  }

  /** Of a channel in use; rejects with RemoteUnavailableError where no home says so for a while. */
  async ready(ref: ChannelRef): Promise<void> {
    const reading = this.#readings.get(ref);
    if (!reading || reading.isGood) return;
    const by = this.#now() + limits.followOpenMs;
    await new Promise<void>((resolve, reject) => {
      reading.waiters.push({ by, resolve, reject });
      this.#deadlines.set(reading, reading.deadline);
    });
  }

  isReady(ref: ChannelRef): boolean {
    return this.#readings.get(ref)?.isGood === true;
  }

  // What happens around.

  followed(peer: NodeId, message: PresenceFollowed): void {
    const reading = this.#byId.get(message.id);
    if (reading?.home !== peer) return;
    if (message.begins) reading.draft = new MemberSet();
    const set = reading.draft ?? reading.copy;
    const changed: string[] = [];
    for (const member of message.joins) {
      if (set.named >= limits.presencesToldMax) break;
      if (set.set(member)) changed.push(member.session);
    }
    for (const session of message.leaves) if (set.delete(session)) changed.push(session);
    set.others = Math.max(0, Math.min(message.count, limits.presencesToldMax) - set.named);
    if (!reading.draft) return this.#tellChanged(reading.ref, changed);
    if (!message.isWhole) {
      // A large channel takes its time, while it grows.
      if (changed.length > 0) reading.nextAt = this.#now() + limits.followAnswerMs;
      return this.#deadlines.set(reading, reading.deadline);
    }
    reading.draft = undefined;
    reading.isOpen = true;
    reading.nextAt = Infinity;
    reading.pauseMs = 0;
    reading.tried.clear();
    this.#replace(reading, set);
    this.#deadlines.set(reading, reading.deadline);
    reading.wake();
  }

  ended(peer: NodeId, id: number): void {
    const reading = this.#byId.get(id);
    if (reading?.home === peer) this.#elsewhere(reading);
  }

  /** Homes there are left for others; where there are none the copy stays. */
  unreachable(peer: NodeId): void {
    for (const reading of this.#byId.values()) if (reading.home === peer) this.#elsewhere(reading);
  }

  homesChanged(): void {
    for (const reading of this.#readings.values()) {
      const { ref } = reading;
      const isHere = this.#options.neighbours.isHome(ref);
      if (isHere !== reading.isHere) this.#move(reading, isHere);
      reading.tried.clear();
      // Nobody waits out a pause.
      if (reading.id === 0) reading.nextAt = Infinity;
      this.#settle(reading);
    }
  }

  stop(): void {
    for (const reading of this.#readings.values()) reading.giveUp(Infinity);
    this.#deadlines.stop();
  }

  /** It is held here from now on, or not any more. */
  #move(reading: Reading, isHere: boolean): void {
    const { ref } = reading;
    const held = this.#options.setOf(ref) ?? new MemberSet();
    if (!isHere) {
      // What was known here is what readers have.
      for (const member of new MemberSet().differenceTo(held).joins) reading.copy.set(member);
      reading.copy.others = held.others;
      reading.isHere = false;
      return;
    }
    this.#leave(reading);
    const { joins, leaves } = reading.copy.differenceTo(held);
    reading.isHere = true;
    reading.copy = new MemberSet();
    this.#tellChanged(ref, [...joins.map(({ session }) => session), ...leaves]);
    reading.wake();
  }

  #replace(reading: Reading, next: MemberSet): void {
    const { joins, leaves } = reading.copy.differenceTo(next);
    reading.copy = next;
    this.#tellChanged(reading.ref, [...joins.map(({ session }) => session), ...leaves]);
  }

  #tellChanged(ref: ChannelRef, sessions: readonly string[]): void {
    for (const session of sessions) this.#options.changed(ref, session);
    if (sessions.length === 0) this.#options.changed(ref, undefined);
  }

  /** Sees to it that a home is asked for what is wanted. */
  #settle(reading: Reading): void {
    const isEnough = reading.id !== 0 && (!reading.isCount || reading.memberUsers === 0);
    const isPausing = reading.id === 0 && reading.nextAt < Infinity;
    if (reading.isHere || isEnough || isPausing || reading.users === 0) return;
    if (reading.id !== 0) this.#leave(reading);
    this.#seek(reading);
  }

  #seek(reading: Reading): void {
    const { ref, tried } = reading;
    const { neighbours } = this.#options;
    const now = this.#now();
    const home = neighbours.reachableHomes(ref).find((peer) => !tried.has(peer));
    if (home === undefined) {
      reading.pauseMs = Math.min(
        limits.followPauseMsMax,
        Math.max(limits.followPauseMs, 2 * reading.pauseMs),
      );
      reading.nextAt = now + reading.pauseMs;
      tried.clear();
    } else {
      reading.id = ++this.#lastId;
      reading.home = home;
      reading.isCount = reading.memberUsers === 0;
      reading.nextAt = now + limits.followAnswerMs;
      this.#byId.set(reading.id, reading);
      neighbours.tell(home, { type: 'followPresence', id: reading.id, ref, isCount: reading.isCount });
    }
    this.#deadlines.set(reading, reading.deadline);
  }

  /** That home does not serve it. */
  #elsewhere(reading: Reading): void {
    reading.tried.add(reading.home!);
    this.#leave(reading);
    if (reading.users > 0) this.#seek(reading);
  }

  #leave(reading: Reading): void {
    if (reading.id === 0) return;
    this.#byId.delete(reading.id);
    this.#options.neighbours.tell(reading.home!, { type: 'unfollowPresence', id: reading.id });
    reading.id = 0;
    reading.isOpen = false;
    reading.draft = undefined;
    reading.nextAt = Infinity;
  }

  #due(reading: Reading): void {
    const now = this.#now();
    reading.giveUp(now);
    if (reading.users === 0 && reading.idleAt <= now) {
      this.#leave(reading);
      this.#readings.delete(reading.ref);
      return this.#deadlines.delete(reading);
    }
    if (reading.nextAt <= now) {
      reading.nextAt = Infinity;
      if (reading.id !== 0) this.#elsewhere(reading);
      else if (!reading.isHere && reading.users > 0) this.#seek(reading);
    }
    this.#deadlines.set(reading, reading.deadline);
  }

  #now(): number {
    return this.#options.clock.monotonicMs();
  }
}
