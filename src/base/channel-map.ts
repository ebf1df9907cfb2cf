/** A map by channel. By hub first, then by name: both are strings that were hashed before, while one string for the two
 *  would have to be put together and hashed for every look. */
import type { ChannelName, ChannelRef, HubName } from './ids.js';

export class ChannelMap<T> {
  readonly #hubs = new Map<HubName, Map<ChannelName, T>>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get({ hub, channel }: ChannelRef): T | undefined {
    return this.#hubs.get(hub)?.get(channel);
  }

  has(ref: ChannelRef): boolean {
    return this.get(ref) !== undefined;
  }

  set({ hub, channel }: ChannelRef, value: T): void {
    let channels = this.#hubs.get(hub);
    if (!channels) this.#hubs.set(hub, (channels = new Map()));
    const before = channels.size;
    channels.set(channel, value);
    this.#size += channels.size - before;
  }

  delete({ hub, channel }: ChannelRef): void {
    const channels = this.#hubs.get(hub);
    if (!channels?.delete(channel)) return;
    this.#size--;
    if (channels.size === 0) this.#hubs.delete(hub);
  }

  /** Those of one hub. */
  of(hub: HubName): Iterable<T> {
    return this.#hubs.get(hub)?.values() ?? [];
  }

  *values(): IterableIterator<T> {
    for (const channels of this.#hubs.values()) yield* channels.values();
  }
}
