/** A channel followed at another node has its log from another home now: everybody who reads it finds their place in it by
 *  the heads they had. */
import type { Dot } from '../../base/ids.js';
import { planted } from '../../base/planted.js';
import { ok } from '../../base/result.js';
import { kindOf } from '../../channels/kinds.js';
import type { ChannelLog } from '../../log/channel-log.js';
import { LogReader } from '../../log/reader.js';
import type { ActiveChannel } from '../active-channel.js';
import type { Delivery } from '../delivery.js';
import { sendGap } from '../replay.js';

/** `lost`: of what was delivered, what no home has any more. Who had something that the log lacks and that may not be lost is
 *  sent away with its cursor: it comes back for the rest when that can be found. */
export function replaceLog(
  channel: ActiveChannel,
  old: ChannelLog,
  log: ChannelLog,
  lost: readonly Dot[],
  delivery: Delivery,
): void {
  const isGone = (dot: Dot): boolean =>
    lost.some(({ writer, seq }) => writer === dot.writer && seq >= dot.seq);
  const readers = Array.from(channel.fanOut, (subscription) => {
    const heads = subscription.heads(old);
    const held = heads.map((head) => (isGone(head) ? { ...head, seq: log.have(head.writer) } : head));
    const placed = LogReader.atCursor(
      log,
      held.filter(({ seq }) => seq > 0),
    );
    const reader = planted('follow-uncovered') ? ok(LogReader.atPosition(log, log.endPosition)) : placed;
    return { subscription, heads, reader };
  });
  // While the log is the old one: their cursors are made with it.
  for (const { subscription, reader } of readers)
    if (!reader.ok) subscription.session.failAndClose('UNAVAILABLE');
  channel.replaceLog(log);
  delivery.grown(channel);
  for (const { subscription, heads, reader } of readers) {
    const { session, state } = subscription;
    if (!reader.ok || (state.state !== 'replaying' && state.state !== 'live')) continue;
    subscription.replayFrom(reader.value);
    const isDocument = kindOf(channel.ref.channel) === 'document';
    if (isDocument && reader.value.coversGivenUp(log)) subscription.isRebaseDue = true;
    const ranges = heads.filter(isGone).map(({ writer, seq }) => {
      return { writer, fromSeq: log.have(writer) + 1, toSeq: seq };
    });
    if (ranges.length > 0) sendGap(session, channel, 'lost', ranges, reader.value);
    delivery.readOn(session);
  }
}
