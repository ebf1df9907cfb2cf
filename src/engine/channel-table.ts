/** The channels in memory. A channel is loaded on first use and leaves when nobody used it for a while. */
import type { ChannelName, ChannelRef, Dot, HubName } from '../base/ids.js';
import { ChannelMap } from '../base/channel-map.js';
import { limits } from '../base/limits.js';
import type { ChannelRules } from '../channels/rules.js';
import { ActiveChannel } from './active-channel.js';
import type { Ordering } from './ordering.js';
import type { Logs } from './ports.js';

export class ChannelTable {
  readonly #channels = new ChannelMap<ActiveChannel>();
  readonly #loading = new Map<ActiveChannel, Promise<void>>();

  constructor(
    readonly logs: Logs,
    readonly ordering: Ordering,
    readonly rulesOf: (hub: HubName, channel: ChannelName) => ChannelRules,
    readonly nowMs: () => number,
  ) {}

  get size(): number {
    return this.#channels.size;
  }

  /** No further channel should be brought in before others fell idle. */
  get isFull(): boolean {
    return this.#channels.size >= limits.channelsInMemoryMax;
  }

  [Symbol.iterator](): IterableIterator<ActiveChannel> {
    return this.#channels.values();
  }

  of(hub: HubName): Iterable<ActiveChannel> {
    return this.#channels.of(hub);
  }

  /** The channel if it is in memory; its name was checked when it came in. */
  find(hub: HubName, channel: string): ActiveChannel | undefined {
    const active = this.held({ hub, channel: channel as ChannelName });
    if (active && active.usedBy !== 'clients') this.#promote(active);
    return active;
  }

  /** The same on behalf of other nodes. */
  held(ref: ChannelRef): ActiveChannel | undefined {
    const active = this.#channels.get(ref);
    if (active) active.isUsed = true;
    return active;
  }

  /** The channel, loaded or being loaded; `ready` tells when. */
  use(ref: ChannelRef): ActiveChannel {
    return this.find(ref.hub, ref.channel) ?? this.#bringIn(ref, 'clients');
  }

  /** The same on behalf of other nodes. */
  hold(ref: ChannelRef): ActiveChannel {
    const active = this.held(ref);
    if (active?.usedBy === 'nobody') active.usedBy = 'peers';
    return active ?? this.#bringIn(ref, 'peers');
  }

  /** The same for a look only: `dropPassing` lets it go, unless somebody uses it by then. */
  pass(ref: ChannelRef): ActiveChannel {
    return this.#channels.get(ref) ?? this.#bringIn(ref, 'nobody');
  }

  /** False where something is still under way in it. */
  dropPassing(ref: ChannelRef): boolean {
    const channel = this.#channels.get(ref);
    if (channel?.usedBy !== 'nobody') return true;
    if (!channel.isIdle(Infinity, 0) || !this.ordering.release(channel)) return false;
    this.#drop(channel);
    return true;
  }

  #promote(channel: ActiveChannel): void {
    channel.usedBy = 'clients';
    if (channel.isLoaded) this.ordering.used(channel);
  }

  #bringIn(ref: ChannelRef, usedBy: ActiveChannel['usedBy']): ActiveChannel {
    const channel = new ActiveChannel(ref, this.rulesOf(ref.hub, ref.channel), this.nowMs());
    channel.usedBy = usedBy;
    this.#channels.set(ref, channel);
    this.#load(channel);
    return channel;
  }

  #drop({ ref }: ActiveChannel): void {
    this.#channels.delete(ref);
    this.logs.release(ref);
  }

  /** Resolves when the channel's log is in memory; rejects when the store failed. */
  ready(channel: ActiveChannel): Promise<void> {
    return this.#loading.get(channel) ?? Promise.resolve();
  }

  /** The same for those who read it: what is known to be committed by then is what they see. */
  async readable(channel: ActiveChannel): Promise<void> {
    await this.ready(channel);
    await this.ordering.known(channel);
  }

  /** The node stops: nobody waits for more. */
  wakeWaiters(): void {
    for (const channel of this) channel.wakeWaiters();
  }

  /** Lets channels go that nobody used for a while. */
  dropIdle(): void {
    const nowMs = this.nowMs();
    const isCrowded = this.#channels.size > limits.channelsAtEaseMax;
    const unusedMs = isCrowded ? limits.channelCrowdedIdleMs : limits.channelIdleMs;
    for (const channel of this) {
      channel.noteUse(nowMs);
      if (channel.isIdle(nowMs, unusedMs) && this.ordering.release(channel)) this.#drop(channel);
    }
  }

  has(channel: ActiveChannel): boolean {
    return this.#channels.get(channel.ref) === channel;
  }

  /** Lets a channel go that nobody used lately; false for one that somebody did. */
  dropUnused(channel: ActiveChannel): boolean {
    if (channel.isUsed || !channel.isIdle(Infinity, 0) || !this.ordering.release(channel)) return false;
    this.#drop(channel);
    return true;
  }

  /** Keeps idempotency keys in memory within their bound: channels not used lately look theirs up in the index. */
  forgetKeys(): void {
    let total = 0;
    for (const channel of this) total += channel.keyCount;
    if (total <= limits.idempotencyKeysTotalMax) return;
    const byUse = [...this].sort((a, b) => a.lastUsedMs - b.lastUsedMs);
    for (const channel of byUse) {
      if (total <= limits.idempotencyKeysTotalMax) return;
      total -= channel.keyCount;
      channel.forgetKeys();
    }
  }

  #load(channel: ActiveChannel): void {
    const loading = this.logs.open(channel.ref).then(
      (log) => {
        channel.loaded(log, this.ordering.writer);
        this.#loading.delete(channel);
        this.ordering.loaded(channel);
      },
      (error: unknown) => {
        this.#loading.delete(channel);
        this.#channels.delete(channel.ref);
        throw error;
      },
    );
    // Whoever waits sees the failure; without anybody waiting it is the store's to report.
    loading.catch(() => undefined);
    this.#loading.set(channel, loading);
  }
}

/** Of these entries, or of the newest ones that are held, those that are held and not known to be committed. */
export function uncommittedIn(
  channels: ChannelTable | undefined,
  { hub, channel }: ChannelRef,
  among?: readonly Dot[],
): readonly Dot[] {
  const active = channels?.find(hub, channel);
  if (!active?.isLoaded) return [];
  const { log } = active;
  return (among ?? log.heads()).filter(
    ({ writer, seq }) => log.committedSeq(writer) < seq && seq <= log.have(writer),
  );
}
