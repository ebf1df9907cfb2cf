/** Why entries that are in a log could not be read. */
import type { ChannelLog } from '../log/channel-log.js';
import type { MissingRange } from './ports.js';

/** They may have been trimmed or deleted while the disk was read, or at the home that was asked. */
export function reasonOf(
  { generation, floors, trim }: ChannelLog,
  { writer, toSeq, gone }: MissingRange,
): NonNullable<MissingRange['gone']> | 'damaged' {
  if (gone) return gone;
  if (generation.isDeleted({ writer, seq: toSeq })) return 'deleted';
  if (toSeq > (floors.get(writer) ?? 0)) return 'damaged';
  // Which of the trims removed it is not known: too much is told rather than too little.
  return (trim?.forced?.end ?? 0) > generation.start ? 'forced' : 'trimmed';
}

/** As it is told to a node whose log may be behind this one. */
export function withReason(log: ChannelLog, range: MissingRange): MissingRange {
  const reason = reasonOf(log, range);
  return reason === 'damaged' ? range : { ...range, gone: reason };
}
