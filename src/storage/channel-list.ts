/** Lists of hubs and channels, from the index and from what is not in it yet. */
import type { HubName } from '../base/ids.js';
import { utf8, utf8Text } from '../base/bytes.js';
import type { ChannelPage, ChannelSize } from '../engine/ports.js';
import { channelOf, keyAfter, tagged, tags } from './index-rows.js';
import { type Slot, decodeSlotSize } from './slots.js';
import { IndexDoubtError } from './index-doubt.js';
import type { StoreIndex } from './store-index.js';

/** By name. */
export async function listHubs(index: StoreIndex): Promise<HubName[]> {
  const hubs = new Set<HubName>();
  for (const slot of changed(index)) if (slot.log.entries > 0) hubs.add(slot.ref.hub);
  const lt = keyAfter(tagged(tags.channel));
  let gte: Uint8Array = tagged(tags.channel);
  for (;;) {
    const [row] = await index.keyValue.range({ gte, lt, limit: 1 });
    if (!row) break;
    const { hub } = channelOf(row[0]);
    hubs.add(hub);
    // "\x01" sorts behind the NUL that ends a hub's name.
    gte = tagged(tags.channel, utf8(`${hub}\u0001`));
  }
  return [...hubs].sort();
}

const rowsAtOnce = 1_000;

/** Channels with entries, by name. */
export async function listChannels(
  index: StoreIndex,
  hub: HubName,
  options: ChannelPage,
): Promise<ChannelSize[]> {
  const { after = '', limit, withEmpty = false } = options;
  const inMemory = new Map<string, Slot>();
  for (const slot of changed(index)) {
    if (slot.ref.hub === hub && slot.ref.channel > after) inMemory.set(slot.ref.channel, slot);
  }
  const sizes: ChannelSize[] = [];
  const lt = keyAfter(tagged(tags.channel, utf8(`${hub}\0`)));
  let gte = tagged(tags.channel, after === '' ? utf8(`${hub}\0`) : utf8(`${hub}\0${after}\u0001`));
  let isWhole = false;
  while (sizes.length < limit && !isWhole) {
    const rows = await index.keyValue.range({ gte, lt, limit: rowsAtOnce });
    for (const [key, value] of rows) {
      const ref = channelOf(key);
      if (inMemory.has(ref.channel)) continue;
      const size = decodeSlotSize(key, value);
      if (!size) throw new IndexDoubtError(`the row of channel ${ref.channel} is damaged`);
      if (size.entries > 0 || withEmpty) sizes.push({ ref, ...size });
    }
    isWhole = rows.length < rowsAtOnce;
    const last = rows.at(-1);
    if (last) gte = tagged(tags.channel, utf8(`${utf8Text(last[0].subarray(1, -1))}\u0001`));
  }
  // A changed channel counts only where the rows read so far reach: behind them comes another page.
  const bound = isWhole ? undefined : sizes.at(-1)?.ref.channel;
  for (const { ref, log } of inMemory.values()) {
    if ((log.entries === 0 && !withEmpty) || (bound !== undefined && ref.channel > bound)) continue;
    sizes.push({ ref, entries: log.entries, bytes: log.bytes, lastTimestamp: log.lastTimestamp });
  }
  return sizes.sort((a, b) => (a.ref.channel < b.ref.channel ? -1 : 1)).slice(0, limit);
}

function* changed(index: StoreIndex): Iterable<Slot> {
  for (const slot of index.slots.all()) if (slot.dirty || slot.flushing) yield slot;
}
