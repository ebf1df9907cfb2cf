/** What is damaged, and what is gone. */
import type { Checker } from './evidence.js';
import { dotText, gapKind } from './store-log.js';
import { placeOf } from '../places.js';

/** I21: what readers got is what is stored, to the byte: nothing that rotted was handed out, or made its way into a store. */
export const rotIsNotServed: Checker = function* ({ record, stores }) {
  const sums = new Map<string, number>();
  for (const { channels } of stores)
    for (const { name, writers } of channels.values())
      for (const entries of writers.values())
        for (const entry of entries)
          if (entry.line > 0 && !entry.isRedacted) sums.set(`${name} ${dotText(entry)}`, entry.payloadSum);
  for (const { name, channel, events } of record.readers)
    for (const event of events) {
      if (event.type !== 'entry' || event.line === 0 || event.isRedacted) continue;
      const sum = sums.get(`${channel} ${dotText(event.dot)}`);
      if (sum !== undefined && sum !== event.crc)
        yield `${name} in ${channel} got ${dotText(event.dot)} with other content than is stored`;
    }
};

/** I21: a reader is told of damage only where no disk that is whole has what it hit. */
export const damageIsEverywhere: Checker = function* ({ record, disks }) {
  const whole = disks.filter(({ number }) => !record.lostDisks.has(number));
  for (const { name, channel, events } of record.readers)
    for (const event of events) {
      if (event.type !== 'gap' || event.reason !== 'damaged') continue;
      for (const { writer, fromSeq, toSeq } of event.ranges)
        for (let seq = fromSeq; seq <= toSeq; seq++) {
          const holder = whole.find(
            (disk) => (disk.syncedAt(placeOf(channel), writer, seq) ?? Infinity) <= event.atMs,
          );
          if (holder)
            yield `${name} in ${channel} was told that ${writer}-${seq} is damaged, and ${holder.node} has it`;
        }
    }
};

/** I20: only what no disk has that is whole is given up in the log. */
export const givenUpIsNowhere: Checker = function* ({ record, disks, stores }) {
  const whole = disks.filter(({ number }) => !record.lostDisks.has(number));
  for (const { channels } of stores)
    for (const { name, writers } of channels.values())
      for (const entry of [...writers.values()].flat()) {
        if (entry.kind !== gapKind || !entry.lost) continue;
        const key = placeOf(name);
        const at = Math.min(...disks.map((disk) => disk.syncedAt(key, entry.writer, entry.seq) ?? Infinity));
        const { writer, fromSeq, toSeq } = entry.lost;
        for (let seq = fromSeq; seq <= toSeq; seq++) {
          const holder = whole.find((disk) => (disk.syncedAt(key, writer, seq) ?? Infinity) <= at);
          if (holder)
            yield `${dotText(entry)} of ${name} gives up ${writer}-${seq}, and ${holder.node} has it`;
        }
      }
};

/** I20: what a disk once had it has at the end, whatever others lack: only trims remove. */
export const nothingVanishes: Checker = function* ({ record, disks, stores }) {
  for (const disk of disks) {
    const store = stores.find(({ node }) => node === disk.node);
    // A copy of a directory is nobody's in the end.
    if (record.lostDisks.has(disk.number) || !store) continue;
    const held = new Set<string>();
    const floors = new Map<string, number>();
    for (const { name, writers, floors: trimmed = [] } of store.channels.values()) {
      for (const [writer, floor] of trimmed) floors.set(`${placeOf(name)} ${writer}`, floor);
      for (const [writer, entries] of writers)
        for (const { seq } of entries) held.add(`${placeOf(name)} ${writer}-${seq}`);
    }
    for (const [key, seq] of disk.dots()) {
      const [channel = '', writer = ''] = key.split(' ');
      // The last start writes too, and the disks are looked at before it.
      const wasThere = (disk.syncedAt(channel, writer, seq) ?? Infinity) <= record.healedMs;
      if (wasThere && !held.has(`${key}-${seq}`) && seq > (floors.get(key) ?? 0))
        yield `${disk.node} had ${key}-${seq} and has it no more`;
    }
  }
};
