/** Entries that are redacted: what they said is nowhere, and they are where they were. */
import type { Checker, Evidence } from './evidence.js';
import { type StoredEntry, dotText, redactKind } from './store-log.js';

/** By dot, of a channel: what is redacted, with the entry that says so. What was written beside the end of a generation says
 *  nothing. */
function redactedIn({ orders }: Evidence, channel: string): ReadonlyMap<string, StoredEntry> {
  const entries = orders.get(channel)?.entries ?? [];
  return new Map(
    entries.flatMap((entry) =>
      entry.kind === redactKind && entry.redacts && !entry.isVoid
        ? [[dotText(entry.redacts), entry] as const]
        : [],
    ),
  );
}

/** E1: at the end no home has the content of what is redacted, in none of its files; and nobody is given it who comes after all have
 *  started again, when all know of it (before that it is for E3 to say who knew). What lies in a part of a file that rotted goes with
 *  compaction, as all that is trimmed does. */
export const redactedIsGone: Checker = function* (evidence) {
  const { homesOf, orders, record, disks } = evidence;
  for (const channel of orders.keys()) {
    const redacted = redactedIn(evidence, channel);
    if (redacted.size === 0) continue;
    for (const { node, contents, channels } of homesOf(channel)) {
      if (disks.findLast((disk) => disk.node === node)?.isRotten) continue;
      const floors = channels.get(channel)?.floors;
      for (const [dot, { redacts, ...by }] of redacted)
        if (contents.has(`${channel} ${dot}`) && redacts!.seq > (floors?.get(redacts!.writer) ?? 0))
          yield `${node} has the content of ${dot} of ${channel}, which ${dotText(by)} redacted`;
    }
    for (const { name, phase, channel: read, events } of record.readers) {
      if (read !== channel || phase !== 'restart') continue;
      for (const event of events)
        if (event.type === 'entry' && !event.isRedacted && redacted.has(dotText(event.dot)))
          yield `${name} gets the content of ${dotText(event.dot)} of ${channel}, which is redacted`;
    }
  }
};

/** E2: what somebody was told is redacted is. */
export const redactionsHold: Checker = function* (evidence) {
  for (const { node, channel, of, by } of evidence.record.redactions) {
    const order = evidence.orders.get(channel);
    const entry = order?.entries[order.positions.get(dotText(by)) ?? -1];
    if (!entry?.isVoid && (entry?.redacts === undefined || dotText(entry.redacts) !== dotText(of)))
      yield `${node} redacted ${dotText(of)} of ${channel} by ${dotText(by)}, which says nothing of it`;
  }
};

/** E2: nothing has lost its content but what is redacted. */
export const nothingElseIsRedacted: Checker = function* (evidence) {
  for (const { node, channels } of evidence.stores)
    for (const [channel, { writers }] of channels) {
      const redacted = redactedIn(evidence, channel);
      for (const entry of [...writers.values()].flat())
        if (entry.isRedacted && !redacted.has(dotText(entry)))
          yield `${node} has ${dotText(entry)} of ${channel} without its content, and nothing redacted it`;
    }
};
