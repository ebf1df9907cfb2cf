/** Generations of channels: what was deleted is gone, whoever had it and whenever it turned up. */
import type { SeenDot } from '../record.js';
import type { ChannelOrder } from './channel-order.js';
import type { Checker, Evidence } from './evidence.js';
import { type StoredEntry, deleteKind, dotText } from './store-log.js';

/** Entries that ended a generation: those that another owner went on without ended nothing. */
export function endsIn({ entries, chain }: ChannelOrder): readonly StoredEntry[] {
  return entries.filter(
    (entry) => entry.kind === deleteKind && entry.trim !== undefined && chain.has(dotText(entry)),
  );
}

/** The one that ended the last generation of a channel. */
export function lastEndIn({ orders }: Evidence, channel: string): StoredEntry | undefined {
  const order = orders.get(channel);
  return order && endsIn(order).at(-1);
}

/** Says of a channel's entries whether they are of an older generation, or end it. What is not in the order stands on
 *  nothing that is. */
export function deletedIn(evidence: Evidence, channel: string): (dot: SeenDot) => boolean {
  const order = evidence.orders.get(channel);
  const end = lastEndIn(evidence, channel);
  if (!order || !end) return () => false;
  return (dot) => {
    const position = order.positions.get(dotText(dot));
    const entry = position === undefined ? undefined : order.entries[position];
    if (!entry || entry.isVoid || dotText(entry) === dotText(end)) return true;
    return !order.isBelow(end, entry);
  };
}

/** Says of a channel's entries whether nobody can tell any more that they do not stand on the end of a generation: they are
 *  behind one of their writer that no disk has, under a claim above that of the end. Its holder may have heard of the end before. */
function mayStandOn(end: StoredEntry, { entries, positions }: ChannelOrder): (dot: SeenDot) => boolean {
  const firstGivenUp = new Map<string, number>();
  for (const { lost } of entries)
    if (lost)
      firstGivenUp.set(lost.writer, Math.min(lost.fromSeq, firstGivenUp.get(lost.writer) ?? Infinity));
  return (dot) => {
    if (dot.seq <= (firstGivenUp.get(dot.writer) ?? Infinity)) return false;
    const entry = entries[positions.get(dotText(dot)) ?? -1];
    if (!entry || entry.isVoid || entry.round === 0) return false;
    return entry.round === end.round ? entry.writer > end.writer : entry.round > end.round;
  };
}

/** R33: at the end no home holds, and none serves, what is of an older generation, as far as anybody can tell. */
export const deletedIsGone: Checker = function* (evidence) {
  const { homesOf, orders, record } = evidence;
  for (const [channel, order] of orders) {
    const end = lastEndIn(evidence, channel);
    if (!end) continue;
    const mayStay = mayStandOn(end, order);
    const isOlder = deletedIn(evidence, channel);
    const isDeleted = (dot: SeenDot): boolean => isOlder(dot) && !mayStay(dot);
    for (const { node, channels } of homesOf(channel))
      for (const entry of [...(channels.get(channel)?.writers.values() ?? [])].flat())
        if (entry.hash !== undefined && isDeleted(entry))
          yield `${node} holds ${dotText(entry)} of ${channel}, which ${dotText(end)} deleted`;
    for (const { name, phase, channel: read, events } of record.readers) {
      if (read !== channel || (phase !== 'final' && phase !== 'restart')) continue;
      // A home that has not heard yet serves it still, and tells so once it has.
      const told = events.findLastIndex((event) => event.type === 'gap' && event.reason === 'deleted');
      for (const event of phase === 'restart' ? events : events.slice(told + 1))
        if (event.type === 'entry' && isDeleted(event.dot))
          yield `${name} gets ${dotText(event.dot)} of ${channel}, which ${dotText(end)} deleted`;
    }
  }
};

/** R33: what somebody was told is deleted is. */
export const deletionsHold: Checker = function* ({ record, orders }) {
  for (const { channel, dot, node } of record.deletions) {
    const order = orders.get(channel);
    if (!dot || (order && endsIn(order).some((end) => dotText(end) === dotText(dot)))) continue;
    yield `${node} deleted ${channel} by ${dotText(dot)}, which ended nothing`;
  }
};
