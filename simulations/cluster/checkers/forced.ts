/** Trims that an operator forced: they hold, and whoever lacks what they removed is told that it was forced. */
import type { EntryEvent, Reader, ReaderEvent } from '../record.js';
import type { ChannelOrder } from './channel-order.js';
import type { Checker } from './evidence.js';
import { type StoredEntry, type StoredTrim, dotText } from './store-log.js';

/** I19: what somebody was told is removed is, at every home. */
export const forcedTrimsHold: Checker = function* ({ record, orders, homesOf }) {
  for (const { channel, dot, node } of record.forced) {
    const order = orders.get(channel);
    if (!dot || !order) continue;
    const trim = order.entries[order.positions.get(dotText(dot)) ?? -1]?.trim;
    const who = `${node} trimmed ${channel} by ${dotText(dot)}`;
    if (!trim) yield `${who}, which is no trim in its order`;
    else
      for (const home of homesOf(channel))
        if (!covers(home.channels.get(channel)?.floors, trim))
          yield `${who}, and ${home.node} has some of it`;
  }
};

/** I13: what was forced out is not told as what retention removed. */
export const forcedIsTold: Checker = function* (evidence) {
  for (const [channel, order] of evidence.orders) {
    const forcedOut = forcedOutOf(order);
    if (forcedOut.length === 0) continue;
    for (const reader of evidence.record.readers) {
      if (reader.channel !== channel) continue;
      const untold = untoldTo(reader, order, forcedOut);
      if (untold)
        yield `${reader.name} in ${channel} was told that retention removed ${dotText(untold)}, which was forced out`;
    }
  }
};

/** Publishes of which the first trim that covers them was forced. */
function forcedOutOf({ entries }: ChannelOrder): StoredEntry[] {
  const trims = entries.flatMap(({ trim }) => trim ?? []);
  return entries.filter((entry) => {
    const first = trims.find(({ floors }) => entry.seq <= (floors.get(entry.writer) ?? 0));
    return entry.line > 0 && !entry.isVoid && first?.forced !== undefined;
  });
}

/** One of them that the reader never got, and that only gaps of retention name. */
function untoldTo(
  { events, start }: Reader,
  { entries, positions, isBelow }: ChannelOrder,
  forcedOut: readonly StoredEntry[],
): StoredEntry | undefined {
  const got = events.filter((event): event is EntryEvent => event.type === 'entry');
  const dots = new Set(got.map(({ dot }) => dotText(dot)));
  const lines = new Set(got.map(({ line }) => line));
  const first = got[0] && entries[positions.get(dotText(got[0].dot)) ?? -1];
  return forcedOut.find((entry) => {
    if (dots.has(dotText(entry)) || lines.has(entry.line)) return false;
    // It began behind that.
    if (start !== 'beginning' && (!first || isBelow(entry, first))) return false;
    const named = events.filter((event) => isGap(event) && names(event, entry));
    return named.length > 0 && named.every((event) => isGap(event) && event.reason === 'trimmed');
  });
}

type GapEvent = Extract<ReaderEvent, { type: 'gap' }>;

function isGap(event: ReaderEvent): event is GapEvent {
  return event.type === 'gap';
}

function names(event: ReaderEvent, { writer, seq }: StoredEntry): boolean {
  return (
    isGap(event) &&
    event.ranges.some((range) => range.writer === writer && range.fromSeq <= seq && seq <= range.toSeq)
  );
}

function covers(floors: ReadonlyMap<string, number> | undefined, trim: StoredTrim): boolean {
  return [...trim.floors].every(([writer, seq]) => seq <= (floors?.get(writer) ?? 0));
}
