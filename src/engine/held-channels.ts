/** What a node holds as a home of it. What its store still has of channels that it is no home of any more is not told: their
 *  homes go on without it, and may have deleted them since. */
import type { HubName } from '../base/ids.js';
import { limits } from '../base/limits.js';
import { type Result, err, ok } from '../base/result.js';
import { type Failure, failure } from '../protocol/errors.js';
import type { ListPage, ListedChannels, Listing } from './cluster/listing.js';
import type { Ordering } from './ordering.js';
import type { ChannelSize, LogStore } from './ports.js';

interface HeldHere {
  readonly store: LogStore;
  readonly ordering: Ordering;
}

interface HeldAnywhere extends HeldHere {
  /** Of a node among others. */
  readonly side?: { readonly listing: Listing };
}

/** A page of a hub's channels, by name. */
export async function heldChannels(
  { store, ordering }: HeldHere,
  hub: HubName,
  { after, limit }: { readonly after?: string | undefined; readonly limit: number },
): Promise<ChannelSize[]> {
  const atOnce = Math.max(limit, limits.retentionPageMax);
  const held: ChannelSize[] = [];
  for (let from = after; held.length < limit;) {
    const page = await store.channels(hub, { limit: atOnce, ...(from === undefined ? {} : { after: from }) });
    held.push(...page.filter(({ ref }) => ordering.isHome(ref)));
    if (page.length < atOnce) break;
    from = page.at(-1)!.ref.channel;
  }
  return held.slice(0, limit);
}

/** A page of the names of all of a hub's channels, wherever they are; `core`: absent while the node does not serve. */
export async function listedChannels(
  core: HeldAnywhere | undefined,
  hub: HubName,
  page: ListPage,
): Promise<Result<ListedChannels, Failure>> {
  if (!core) return err(failure('UNAVAILABLE', { retryAfterMs: 1_000 }));
  if (core.side) return core.side.listing.page(hub, page);
  const names = (await heldChannels(core, hub, page)).map(({ ref }) => ref.channel);
  return ok({ names, more: names.length === page.limit, isPartial: false });
}

/** Hubs of which it holds something, beside those that are known: looking takes a read for each. */
export async function heldHubs(core: HeldHere, known: ReadonlySet<HubName>): Promise<HubName[]> {
  const held: HubName[] = [];
  for (const hub of await core.store.hubs()) {
    if (known.has(hub)) continue;
    const [first] = await heldChannels(core, hub, { limit: 1 });
    if (first) held.push(hub);
  }
  return held;
}
