/** Keeps each channel in use followed at some other node: which one is asked, what happens when it does not answer or
 *  goes away, and when a channel is let go. What the nodes say about channels is for following.ts. */
import { ChannelMap } from '../../base/channel-map.js';
import type { ChannelRef, NodeId } from '../../base/ids.js';
import { limits } from '../../base/limits.js';
import { Deadlines } from './deadlines.js';
import { FollowedChannel, RemoteUnavailableError } from './followed-channel.js';
import type { Neighbours } from './neighbours.js';
import type { Clock, Timers } from '../ports.js';

export interface FollowsOptions {
  readonly neighbours: Neighbours;
  readonly clock: Clock;
  readonly timers: Timers;
}

export class Follows {
  /** Mirrored here. */
  readonly logs = new ChannelMap<FollowedChannel>();
  /** Stored here, and followed for signals. */
  readonly listened = new ChannelMap<FollowedChannel>();
  readonly #neighbours: Neighbours;
  readonly #clock: Clock;
  readonly #byId = new Map<number, FollowedChannel>();
  readonly #deadlines: Deadlines<FollowedChannel>;
  #lastId = 0;
  #stopped = false;

  constructor({ neighbours, clock, timers }: FollowsOptions) {
    this.#neighbours = neighbours;
    this.#clock = clock;
    this.#deadlines = new Deadlines(clock, timers, (channel) => this.#due(channel));
  }

  get isStopped(): boolean {
    return this.#stopped;
  }

  use(channels: ChannelMap<FollowedChannel>, ref: ChannelRef, what: 'log' | 'signals'): FollowedChannel {
    const known = channels.get(ref);
    const channel = known ?? new FollowedChannel(ref, what);
    channel.users++;
    channel.idleAt = Infinity;
    if (!known) {
      channels.set(ref, channel);
      this.seek(channel);
    }
    return channel;
  }

  letGo(channel: FollowedChannel): void {
    if (--channel.users > 0) return;
    // Whoever comes back soon finds it here; without a log there is nothing to keep.
    channel.idleAt = this.#clock.monotonicMs() + (channel.mirror ? limits.followIdleMs : 0);
    this.#deadlines.set(channel, channel.deadline);
  }

  /** The log is kept here from now on: nobody comes back for this one. */
  leave(channel: FollowedChannel): void {
    if (--channel.users > 0) return;
    this.#forget(channel);
  }

  /** Rejects with RemoteUnavailableError when nobody serves it for a while. */
  async untilOpen(channel: FollowedChannel): Promise<void> {
    if (this.#stopped) throw new RemoteUnavailableError('the node stops');
    const opened = channel.untilOpen(this.#clock.monotonicMs() + limits.followOpenMs);
    this.#deadlines.set(channel, channel.deadline);
    await opened;
  }

  /** The channel that a message of `peer` is about, unless it is not followed there any more. */
  find(peer: NodeId, id: number): FollowedChannel | undefined {
    const channel = this.#byId.get(id);
    return channel?.home === peer ? channel : undefined;
  }

  /** The home has sent what it was asked for. */
  opened(channel: FollowedChannel): void {
    channel.opened();
    this.#deadlines.set(channel, channel.deadline);
    channel.wake();
  }

  /** It is not served there any more. */
  ended(channel: FollowedChannel, hint: NodeId | undefined): void {
    this.#byId.delete(channel.id);
    channel.tried.add(channel.home!);
    channel.closed();
    channel.hint = hint;
    this.seek(channel);
  }

  /** The home does not do what it should, or the two went apart: another one, or the same one from its state now. */
  startOver(channel: FollowedChannel): void {
    channel.tried.add(channel.home!);
    this.#leave(channel);
    this.seek(channel);
  }

  unlinked(peer: NodeId): void {
    for (const channel of this.#byId.values()) if (channel.home === peer) this.ended(channel, undefined);
  }

  /** Who owns a channel has changed, as far as is known: signals are followed there. */
  ownerChanged(channel: FollowedChannel): void {
    const acting = this.#neighbours.acting(channel.ref);
    if (channel.id !== 0 && acting.at === 'peer' && acting.peer === channel.home) return;
    if (channel.id !== 0) this.#leave(channel);
    channel.tried.clear();
    this.seek(channel);
  }

  /** Who is there or who holds what has changed: nobody waits out a pause, and homes that are none any more are left. */
  homesChanged(): void {
    for (const channel of this.listened.values()) this.ownerChanged(channel);
    for (const channel of this.logs.values()) {
      if (channel.id !== 0 && this.#candidates(channel).includes(channel.home!)) continue;
      if (channel.id !== 0) this.#leave(channel);
      channel.tried.clear();
      this.seek(channel);
    }
  }

  stop(): void {
    this.#stopped = true;
    for (const channels of [this.logs, this.listened]) {
      for (const channel of channels.values()) {
        if (channel.id !== 0) this.#leave(channel);
        channel.giveUp(Infinity);
      }
    }
    this.#deadlines.stop();
  }

  /** Asks the next node for a channel that is followed nowhere. */
  seek(channel: FollowedChannel): void {
    if (this.#stopped || channel.id !== 0) return;
    const { ref, what } = channel;
    const now = this.#clock.monotonicMs();
    const home = this.#candidates(channel).find((peer) => !channel.tried.has(peer));
    if (home !== undefined) {
      channel.asks(++this.#lastId, home, now);
      this.#byId.set(channel.id, channel);
      this.#neighbours.tell(home, { type: 'follow', id: channel.id, ref, what, covers: channel.covers() });
    } else if (what === 'signals' && this.#neighbours.acting(ref).at === 'here') channel.nextAt = Infinity;
    else channel.pause(now);
    this.#deadlines.set(channel, channel.deadline);
  }

  /** Nodes to ask, the best first. */
  #candidates({ ref, what, hint }: FollowedChannel): NodeId[] {
    const acting = this.#neighbours.acting(ref);
    const peers = what === 'log' ? [...this.#neighbours.reachableHomes(ref)] : [];
    if (acting.at === 'peer') peers.unshift(acting.peer);
    if (hint !== undefined) peers.unshift(hint);
    return peers.filter((peer) => peer !== this.#neighbours.self && this.#neighbours.isLinked(peer));
  }

  #leave(channel: FollowedChannel): void {
    this.#byId.delete(channel.id);
    this.#neighbours.tell(channel.home!, { type: 'unfollow', id: channel.id });
    channel.closed();
  }

  #due(channel: FollowedChannel): void {
    const now = this.#clock.monotonicMs();
    channel.giveUp(now);
    if (channel.users === 0 && channel.idleAt <= now) return this.#forget(channel);
    if (channel.nextAt <= now) {
      channel.nextAt = Infinity;
      if (channel.id !== 0) this.startOver(channel);
      else this.seek(channel);
    }
    this.#deadlines.set(channel, channel.deadline);
  }

  #forget(channel: FollowedChannel): void {
    if (channel.id !== 0) this.#leave(channel);
    channel.giveUp(Infinity);
    this.#deadlines.delete(channel);
    (channel.what === 'log' ? this.logs : this.listened).delete(channel.ref);
  }
}
