/** What readers are given when nothing goes wrong any more. */
import type { EntryEvent, Reader } from '../record.js';
import type { Checker } from './evidence.js';
import { Lines } from './lines.js';
import { dotText } from './store-log.js';

function linesOf({ events }: Reader): EntryEvent[] {
  return events.filter((event): event is EntryEvent => event.type === 'entry' && event.line > 0);
}

/** I11: after everything was stopped and started again, every node reads out what lies in the raw stores: all of it, in the
 *  one order. A publish that stands there twice surfaces once. */
export const restartReadsTheLog: Checker = function* ({ record, orders, homesOf }) {
  for (const reader of record.readers) {
    if (reader.phase !== 'restart') continue;
    const order = orders.get(reader.channel);
    if (!order) continue;
    const got = linesOf(reader);
    const floors = homesOf(reader.channel)[0]?.channels.get(reader.channel)?.floors;
    const lines = new Lines(record);
    const who = `${reader.name} in ${reader.channel}`;
    let at = 0;
    for (const entry of order.entries) {
      const { writer, seq, line, isVoid } = entry;
      if (isVoid || line === 0 || seq <= (floors?.get(writer) ?? 0)) continue;
      const seen = lines.seen(line);
      if (seen === 'known') continue;
      const had = got[at];
      if (had && dotText(had.dot) === dotText(entry)) {
        at++;
        lines.add(line);
      } else if (seen === 'never') {
        yield `${who} reads ${had ? dotText(had.dot) : 'nothing'} where ${dotText(entry)} stands`;
        at = got.length;
        break;
      }
    }
    if (at < got.length) yield `${who} reads ${dotText(got[at]!.dot)} behind the end of the log`;
  }
};

/** I13: a reader that had what no disk has any more is told so before the end: by then it has read on. */
export const lossesAreTold: Checker = function* ({ record, orders }) {
  for (const { events, channel, name, phase } of record.readers) {
    const order = orders.get(channel);
    if (!order || phase === 'history') continue;
    const lastGap = events.findLastIndex((event) => event.type === 'gap' && event.reason === 'lost');
    const untold = events
      .slice(lastGap + 1)
      .find((event) => event.type === 'entry' && !order.positions.has(dotText(event.dot)));
    if (untold?.type === 'entry')
      yield `${name} in ${channel} had ${dotText(untold.dot)}, which is lost, and was told of no gap`;
  }
};
