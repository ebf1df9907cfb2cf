/** Every entry that was ever synced anywhere, and every raising of floors, from the bytes alone: what is trimmed is gone from
 *  the disks, and still has its place in the order. */
import { entryKinds } from '../../src/log/entry.js';
import type { RawRecord } from '../checkers/raw-segments.js';
import { type StoredEntry, type StoredTrim, dotText, entryOf, floorWriter } from './checkers/store-log.js';
import { nameIn } from './places.js';

/** A store wrote down that the floors of a channel are these. */
export interface SeenFloors {
  readonly disk: number;
  readonly node: string;
  readonly channel: string;
  readonly trim: StoredTrim;
}

/** What nodes write for themselves: of what is, and to go on with a log. */
const ownKinds = [entryKinds.indexOf('snapshot'), entryKinds.indexOf('merge')];

export class Archive {
  readonly raised: SeenFloors[] = [];
  /** Entries that came to a disk on which they were trimmed before. */
  readonly again: string[] = [];
  /** Entries that are redacted, by channel and dot, and the first that says so. */
  readonly redacted = new Map<string, StoredEntry>();
  /** Snapshots and merges that were written while all nodes stopped, by channel and dot: nobody is there any more who could
   *  take them. */
  readonly lastOwn = new Set<string>();
  isStopping = false;
  /** By channel, writer and seq. */
  readonly #entries = new Map<string, Map<string, Map<number, StoredEntry>>>();
  /** In force on a disk, by disk and channel. */
  readonly #floors = new Map<string, ReadonlyMap<string, number>>();

  /** On this disk for the first time. */
  note({ channel: place, writer, round, seq, bytes }: RawRecord, disk: number, node: string): void {
    const channel = nameIn(place);
    const entry = entryOf({ writer, seq }, round, bytes);
    const key = `${disk} ${channel}`;
    if (writer === floorWriter) {
      if (!entry.trim) return;
      this.raised.push({ disk, node, channel, trim: entry.trim });
      this.#floors.set(key, entry.trim.floors);
      return;
    }
    if (seq <= (this.#floors.get(key)?.get(writer) ?? 0))
      this.again.push(`${writer}-${seq} of ${channel} comes to ${node} again, where it is trimmed`);
    let writers = this.#entries.get(channel);
    if (!writers) this.#entries.set(channel, (writers = new Map()));
    let entries = writers.get(writer);
    if (!entries) writers.set(writer, (entries = new Map()));
    if (!entries.has(seq)) {
      entries.set(seq, entry);
      if (this.isStopping && ownKinds.includes(entry.kind))
        this.lastOwn.add(`${channel} ${dotText({ writer, seq })}`);
    }
    if (!entry.redacts) return;
    const of = `${channel} ${dotText(entry.redacts)}`;
    if (!this.redacted.has(of)) this.redacted.set(of, entry);
  }

  get channels(): string[] {
    return [...this.#entries.keys()];
  }

  entry(channel: string, writer: string, seq: number): StoredEntry | undefined {
    return this.#entries.get(channel)?.get(writer)?.get(seq);
  }

  /** Trims that were ever stamped in a channel. */
  trims(channel: string): StoredEntry[] {
    const writers = this.#entries.get(channel)?.values() ?? [];
    return [...writers].flatMap((entries) => [...entries.values()].filter(({ trim }) => trim !== undefined));
  }
}
