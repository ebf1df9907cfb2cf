/** Why entries that are in a log could not be read. */
import type { ChannelLog, Span } from '../log/channel-log.js';
import type { LostRange } from '../log/entry.js';
import { rangesWithout } from '../log/seq-ranges.js';
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

/** Whether of some of these is not to be delivered what came in: they are deleted, or redacted. */
export function isReadAnew({ generation, redactions }: ChannelLog, spans: readonly Span[]): boolean {
  return generation.hasDeleted(spans) || redactions.touches(spans);
}

/** As it is told to a node whose log may be behind this one. */
export function withReason(log: ChannelLog, range: MissingRange): MissingRange {
  const reason = reasonOf(log, range);
  return reason === 'damaged' ? range : { ...range, gone: reason };
}

/** Whether nobody has them any more, as far as the log says: it gave them up, also at a home that knows where they lay; or they
 *  were lost at a node that has nobody to ask. What is made of the log goes on without them, everywhere alike. */
export function isNowhere(log: ChannelLog, { writer, fromSeq, toSeq }: LostRange): boolean {
  let left = [fromSeq, toSeq];
  for (const gone of [...log.givenUp(), ...log.lostRanges()])
    if (gone.writer === writer) left = rangesWithout(left, gone.fromSeq, gone.toSeq);
  return left.length === 0;
}
