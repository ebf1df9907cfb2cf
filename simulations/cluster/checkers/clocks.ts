/** Timestamps, against the wall clocks that nodes had. */
import type { Checker, Evidence } from './evidence.js';
import { type StoredEntry, dotText } from './store-log.js';
import { placeOf } from '../places.js';

const countersPerMs = 4_096;
/** 2024-01-01T00:00:00Z. */
const epochMs = 1_704_067_200_000;

/** Each entry of each writer once, whatever the channel. */
function entriesByWriter({ stores }: Evidence): Map<string, StoredEntry[]> {
  const seen = new Map<string, Map<string, StoredEntry>>();
  for (const { channels } of stores)
    for (const { name, writers } of channels.values())
      for (const [writer, entries] of writers) {
        const known = seen.get(writer) ?? new Map<string, StoredEntry>();
        seen.set(writer, known);
        for (const entry of entries) if (!entry.isVoid) known.set(`${name} ${entry.seq}`, entry);
      }
  return new Map([...seen].map(([writer, entries]) => [writer, [...entries.values()]]));
}

/** I10: what a node stamps after a start is later than all it stamped before, as long as it has its disk, all of it: rot may
 *  take the bound of its clock, and what it stamped last. */
export const clocksRise: Checker = function* (evidence) {
  const entries = entriesByWriter(evidence);
  const newest = new Map<string, StoredEntry>();
  for (const [writer, { process, disk }] of evidence.record.writers) {
    const own = (entries.get(writer) ?? []).sort((a, b) => a.timestamp - b.timestamp);
    if (evidence.disks[disk]?.isRotten === true) continue;
    const key = `${process.node} ${disk}`;
    const before = newest.get(key);
    const [first] = own;
    if (before && first && first.timestamp <= before.timestamp)
      yield `${process.node} stamps ${dotText(first)} no later than ${dotText(before)}, which it stamped before its start`;
    const last = own.at(-1);
    if (last && (!before || last.timestamp > before.timestamp)) newest.set(key, last);
  }
};

/** What a foreign reading may add to the own clock. */
const offsetMsMax = 500;
/** A start goes on from a bound that lies so far ahead. */
const aheadMsAStart = 3_000;

/** I10: nobody's clock leads a node further than a bound, whatever it is told. */
export const clocksAreBounded: Checker = function* (evidence) {
  const { record, wallStartMs, disks } = evidence;
  for (const { channels } of evidence.stores)
    for (const { name, writers } of channels.values())
      for (const [writer, entries] of writers) {
        const node = record.writers.get(writer)?.process.node;
        const last = entries.at(-1);
        if (node === undefined || !last) continue;
        const times = disks.flatMap((disk) => disk.syncedAt(placeOf(name), writer, last.seq) ?? []);
        const rightMs = wallStartMs + Math.min(...times);
        const starts = record.starts.get(node) ?? 0;
        const mostMs = rightMs + (record.leads.get(node) ?? 0) + offsetMsMax + aheadMsAStart * starts;
        const stampedMs = epochMs + last.timestamp / countersPerMs;
        if (stampedMs > mostMs)
          yield `${dotText(last)} of ${node} in ${name} is ${Math.round(stampedMs - rightMs)} ms ahead of its time`;
      }
};
