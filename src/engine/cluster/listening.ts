/** Channels somebody here listens to: where their log is kept here, their signals come from the owner. Where it is followed
 *  they come with it. */
import { ChannelMap } from '../../base/channel-map.js';
import type { ChannelRef } from '../../base/ids.js';
import type { RemoteLogs } from './following.js';

interface Listened {
  readonly ref: ChannelRef;
  count: number;
  isAsked: boolean;
}

export class Listening {
  readonly #remote: Pick<RemoteLogs, 'listen' | 'unlisten'>;
  readonly #isHome: (ref: ChannelRef) => boolean;
  readonly #channels = new ChannelMap<Listened>();

  constructor(remote: Pick<RemoteLogs, 'listen' | 'unlisten'>, isHome: (ref: ChannelRef) => boolean) {
    this.#remote = remote;
    this.#isHome = isHome;
  }

  listen(ref: ChannelRef): void {
    const channel = this.#channels.get(ref) ?? { ref, count: 0, isAsked: false };
    channel.count++;
    this.#channels.set(ref, channel);
    this.#settle(channel);
  }

  unlisten(ref: ChannelRef): void {
    const channel = this.#channels.get(ref);
    if (!channel) return;
    channel.count--;
    this.#settle(channel);
    if (channel.count === 0) this.#channels.delete(ref);
  }

  ringChanged(): void {
    for (const channel of this.#channels.values()) this.#settle(channel);
  }

  #settle(channel: Listened): void {
    const { ref, count, isAsked } = channel;
    const isWanted = count > 0 && this.#isHome(ref);
    if (isWanted === isAsked) return;
    channel.isAsked = isWanted;
    if (isWanted) this.#remote.listen(ref);
    else this.#remote.unlisten(ref);
  }
}
