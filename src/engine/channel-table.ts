/** The channels in memory. A channel is loaded on first use and leaves when nobody used it for a while. */
import type { ChannelName, ChannelRef, HubName, WriterId } from '../base/ids.js';
import { limits } from '../base/limits.js';
import type { RuleSet } from '../channels/rules.js';
import { ActiveChannel } from './active-channel.js';
import type { LogStore } from './ports.js';

export class ChannelTable {
  /** By hub, then by name: a name alone is a string that was hashed before. */
  readonly #hubs = new Map<HubName, Map<string, ActiveChannel>>();
  #size = 0;
  readonly #loading = new Map<ActiveChannel, Promise<void>>();

  constructor(
    readonly store: LogStore,
    readonly writer: WriterId,
    readonly rulesOf: (hub: HubName, channel: ChannelName) => RuleSet,
    readonly nowMs: () => number,
  ) {}

  get size(): number {
    return this.#size;
  }

  /** No further channel should be brought in before others fell idle. */
  get isFull(): boolean {
    return this.#size >= limits.channelsInMemoryMax;
  }

  *[Symbol.iterator](): IterableIterator<ActiveChannel> {
    for (const channels of this.#hubs.values()) yield* channels.values();
  }

  /** The channel if it is in memory; its name was checked when it came in. */
  find(hub: HubName, channel: string): ActiveChannel | undefined {
    const active = this.#hubs.get(hub)?.get(channel);
    if (active) active.isUsed = true;
    return active;
  }

  /** The channel, loaded or being loaded; `ready` tells when. */
  use(ref: ChannelRef): ActiveChannel {
    const known = this.find(ref.hub, ref.channel);
    if (known) return known;
    const channel = new ActiveChannel(ref, this.rulesOf(ref.hub, ref.channel), this.nowMs());
    this.#add(channel);
    this.#load(channel);
    return channel;
  }

  /** Resolves when the channel's log is in memory; rejects when the store failed. */
  ready(channel: ActiveChannel): Promise<void> {
    return this.#loading.get(channel) ?? Promise.resolve();
  }

  /** The node stops: nobody waits for more. */
  wakeWaiters(): void {
    for (const channel of this) channel.wakeWaiters();
  }

  /** Lets channels go that nobody used for a while. */
  dropIdle(): void {
    const nowMs = this.nowMs();
    for (const channel of this) {
      channel.noteUse(nowMs);
      if (!channel.isIdle(nowMs)) continue;
      this.#remove(channel);
      this.store.release(channel.ref);
    }
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

  #add(channel: ActiveChannel): void {
    const { hub } = channel.ref;
    let channels = this.#hubs.get(hub);
    if (!channels) this.#hubs.set(hub, (channels = new Map()));
    channels.set(channel.ref.channel, channel);
    this.#size++;
  }

  #remove({ ref }: ActiveChannel): void {
    const channels = this.#hubs.get(ref.hub);
    if (channels?.delete(ref.channel)) this.#size--;
    if (channels?.size === 0) this.#hubs.delete(ref.hub);
  }

  #load(channel: ActiveChannel): void {
    const loading = this.store.open(channel.ref).then(
      (log) => {
        channel.loaded(log, this.writer);
        this.#loading.delete(channel);
      },
      (error: unknown) => {
        this.#loading.delete(channel);
        this.#remove(channel);
        throw error;
      },
    );
    // Whoever waits sees the failure; without anybody waiting it is the store's to report.
    loading.catch(() => undefined);
    this.#loading.set(channel, loading);
  }
}
