/** The retained message of a channel: the entry its log names, as it is delivered. */
import { limits } from '../base/limits.js';
import type { DeliverySlice } from '../protocol/messages.js';
import type { ActiveChannel } from './active-channel.js';
import type { Logs } from './ports.js';

/** `undefined` where there is none, where retention removed it, or where it cannot be read any more. */
export async function retainedSlice(
  logs: Logs,
  { log, ref }: ActiveChannel,
): Promise<DeliverySlice | undefined> {
  const { retained } = log;
  if (!retained) return undefined;
  const range = { writer: retained.writer, firstSeq: retained.seq, count: 1 };
  const { slices } = await logs.read(ref, [range], limits.replayChunkBytes);
  const slice = slices[0];
  return (
    slice && {
      channel: ref.channel,
      writer: slice.writer,
      round: slice.round,
      late: false,
      records: slice.records,
    }
  );
}
