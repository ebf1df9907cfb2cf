/** The retained message of a channel whose rules keep one: the newest publish in its order that does not decline. */
import { decodeEntry, placeOf } from '../log/entry-wire.js';
import type { DeliverySlice } from '../protocol/messages.js';
import type { ActiveChannel } from './active-channel.js';
import { scanBackward } from './history.js';
import type { LogStore } from './ports.js';

/** Merges, trims and declining publishes passed over before giving up. */
const scanMax = 256;

/** `undefined` where there is none, where retention removed it, or where it cannot be read any more. */
export async function retainedSlice(
  store: LogStore,
  channel: ActiveChannel,
): Promise<DeliverySlice | undefined> {
  if (!channel.rules.retain) return undefined;
  const { log, ref } = channel;
  let scanned = 0;
  for await (const item of scanBackward({ store, ref, log }, log.endPosition)) {
    if (++scanned > scanMax) return undefined;
    if (item.type === 'gap') continue;
    const { writer, round } = item.slice;
    const body = item.slice.records.subarray(item.bodyStart, item.end);
    const entry = decodeEntry(body, placeOf(ref, writer, round));
    if (!entry.ok || entry.value.kind !== 'publish' || entry.value.content?.extras?.retain === false)
      continue;
    return {
      channel: ref.channel,
      writer,
      round,
      late: false,
      records: item.slice.records.subarray(item.start, item.end),
    };
  }
  return undefined;
}
