/** A channel followed at another node has its log from another home now: everybody who reads it finds their place in it by
 *  the heads they had. */
import type { Dot } from '../base/ids.js';
import type { ChannelLog } from '../log/channel-log.js';
import { LogReader } from '../log/reader.js';
import type { ActiveChannel } from './active-channel.js';
import type { Delivery } from './delivery.js';
import { sendGap } from './replay.js';

/** `lost`: of what was delivered, what no home has any more. */
export function replaceLog(
  channel: ActiveChannel,
  old: ChannelLog,
  log: ChannelLog,
  lost: readonly Dot[],
  delivery: Delivery,
): void {
  channel.replaceLog(log);
  const isGone = (dot: Dot): boolean =>
    lost.some(({ writer, seq }) => writer === dot.writer && seq >= dot.seq);
  for (const subscription of Array.from(channel.fanOut)) {
    const { state } = subscription.state;
    if (state !== 'replaying' && state !== 'live') continue;
    const heads = subscription.heads(old);
    const held = heads.map((head) => (isGone(head) ? { ...head, seq: log.have(head.writer) } : head));
    const reader = LogReader.atCursor(
      log,
      held.filter(({ seq }) => seq > 0),
    );
    if (!reader.ok) {
      delivery.broken(
        subscription.session,
        new Error('a log that replaces another holds all that was delivered'),
      );
      continue;
    }
    subscription.replayFrom(reader.value);
    const ranges = heads.filter(isGone).map(({ writer, seq }) => {
      return { writer, fromSeq: log.have(writer) + 1, toSeq: seq };
    });
    if (ranges.length > 0) sendGap(subscription.session, channel, 'lost', ranges, reader.value);
    delivery.readOn(subscription.session);
  }
}
