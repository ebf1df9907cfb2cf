/** The retained message of a channel: the entry its log names, as it is delivered. */
import { limits } from '../base/limits.js';
import { RecordWalk, recordTimestamp } from '../log/record-layout.js';
import { unixMsOf } from '../log/timestamp.js';
import type { DeliverySlice } from '../protocol/messages.js';
import type { ActiveChannel } from './active-channel.js';
import type { Core } from './core.js';

/** `undefined` where there is none, where retention removed it, where it cannot be read any more, or where the rules say that it is
 *  too old. */
export async function retainedSlice(
  { logs, physicalMs }: Pick<Core, 'logs' | 'physicalMs'>,
  { log, ref, rules: { retainMs } }: ActiveChannel,
): Promise<DeliverySlice | undefined> {
  const { retained } = log;
  if (!retained) return undefined;
  const range = { writer: retained.writer, firstSeq: retained.seq, count: 1 };
  const { slices } = await logs.read(ref, [range], limits.replayChunkBytes);
  const slice = slices[0];
  if (!slice || (retainMs !== undefined && ageMs(slice.records, physicalMs()) > retainMs)) return undefined;
  const { writer, round, records } = slice;
  return { channel: ref.channel, writer, round, late: false, records };
}

function ageMs(records: Uint8Array, nowMs: number): number {
  const walk = new RecordWalk(records);
  return walk.next() ? nowMs - unixMsOf(recordTimestamp(records, walk.bodyStart)) : Infinity;
}
