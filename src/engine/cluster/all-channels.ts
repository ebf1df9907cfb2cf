/** Walking over everything a store holds. */
import type { ChannelRef } from '../../base/ids.js';
import { limits } from '../../base/limits.js';
import type { LogStore } from '../ports.js';

type Walked = Pick<LogStore, 'hubs' | 'channels'>;

/** All channels, those that hold nothing any more too; what is first written meanwhile may be left out. */
export async function* allChannels(store: Walked): AsyncGenerator<ChannelRef> {
  for await (const refs of channelPages(store)) yield* refs;
}

/** The same page by page. */
export async function* channelPages(store: Walked): AsyncGenerator<readonly ChannelRef[]> {
  const limit = limits.retentionPageMax;
  for (const hub of await store.hubs()) {
    for (let after: string | undefined; ;) {
      const of = { limit, withEmpty: true } as const;
      const page = await store.channels(hub, after === undefined ? of : { ...of, after });
      yield page.map(({ ref }) => ref);
      if (page.length < limit) break;
      after = page.at(-1)!.ref.channel;
    }
  }
}
