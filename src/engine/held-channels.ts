/** What a node holds as a home of it. What its store still has of channels that it is no home of any more is not told: their
 *  homes go on without it, and may have deleted them since. */
import type { HubName } from '../base/ids.js';
import { limits } from '../base/limits.js';
import type { Core } from './core.js';
import type { ChannelSize } from './ports.js';

type HeldHere = Pick<Core, 'store' | 'ordering'>;

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
