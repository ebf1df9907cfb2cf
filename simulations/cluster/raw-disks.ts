/** What lies synced on the disks of all nodes, followed sync by sync from the bytes alone. */
import { crc32 } from 'node:zlib';
import { type RawRecord, RawScan, lineageOf } from '../checkers/raw-segments.js';
import { entryOf, floorWriter } from './checkers/store-log.js';
import type { Inode } from '../world/disk-names.js';

const segments = /\/store\/segments\/([^/]+\.seg)$/;

export interface RawDiskOptions {
  /** Counts all disks there ever were. */
  readonly number: number;
  readonly node: string;
  /** The disk of which this one is an older copy. */
  readonly copied?: RawDisk | undefined;
  nowMs(): number;
  conflict(what: string): void;
  /** An entry is on this disk for the first time. */
  synced(record: RawRecord): void;
}

interface Kept {
  readonly sum: number;
  readonly atMs: number;
}

/** One disk, from when it was put in until it is lost. */
export class RawDisk {
  /** By channel and writer, then seq. Only grows: trims are not deletions of what was there. */
  readonly #kept = new Map<string, (Kept | undefined)[]>();
  /** Floors it wrote down, by channel and how many entries they cover. */
  readonly #raised = new Set<string>();
  /** In force, by channel. */
  readonly #floors = new Map<string, ReadonlyMap<string, number>>();
  readonly #places = new Map<string, { scan: RawScan; at: number }>();
  /** Commits that were whole here, by file; also when what they hold is half written over by now. */
  readonly #wholeBefore: Map<string, Map<number, number>>;
  readonly #options: RawDiskOptions;
  /** Bytes on it have changed by themselves. */
  isRotten = false;

  constructor(options: RawDiskOptions) {
    this.#options = options;
    const { copied } = options;
    this.#wholeBefore = copied ? copied.#wholeBefore : new Map();
  }

  get number(): number {
    return this.#options.number;
  }

  get node(): string {
    return this.#options.node;
  }

  /** A file's contents are safe now. */
  synced(path: string, inode: Inode): void {
    const name = segments.exec(path)?.[1];
    if (name === undefined) return;
    const file = { name, bytes: inode.data.subarray(0, inode.size) };
    let place = this.#places.get(name);
    if (!place) {
      const lineage = lineageOf(file);
      if (lineage === undefined) return;
      let wholeBefore = this.#wholeBefore.get(name);
      if (!wholeBefore) this.#wholeBefore.set(name, (wholeBefore = new Map()));
      place = { scan: new RawScan(crc32(lineage), false, wholeBefore), at: 4_096 };
      this.#places.set(name, place);
    }
    // Damage is passed over, and so may hide what it does not hit: a disk without any is read without a gap.
    place.at = this.isRotten ? place.scan.file(file, place.at) : place.scan.tail(file, place.at);
    for (const record of place.scan.records.splice(0)) this.#note(record);
  }

  /** A process ended: the next may cut what it finds and write there anew. */
  restarted(): void {
    this.#places.clear();
  }

  sumOf(channel: string, writer: string, seq: number): number | undefined {
    return this.#kept.get(`${channel} ${writer}`)?.[seq]?.sum;
  }

  /** When the entry was synced here. */
  syncedAt(channel: string, writer: string, seq: number): number | undefined {
    return this.#kept.get(`${channel} ${writer}`)?.[seq]?.atMs;
  }

  /** The newest entry of the writer that was synced here by then; 0 for none. */
  lastBefore(channel: string, writer: string, atMs: number): number {
    const kept = this.#kept.get(`${channel} ${writer}`) ?? [];
    return Math.max(
      0,
      kept.findLastIndex((one) => one !== undefined && one.atMs <= atMs),
    );
  }

  floors(channel: string): ReadonlyMap<string, number> {
    return this.#floors.get(channel) ?? new Map();
  }

  /** What is synced of a channel, or trimmed: for each writer its newest entry. */
  newest(channel: string): Map<string, number> {
    const newest = new Map<string, number>(this.floors(channel));
    for (const [key, kept] of this.#kept) {
      const [of, writer] = key.split(' ') as [string, string];
      if (of === channel) newest.set(writer, Math.max(kept.length - 1, newest.get(writer) ?? 0));
    }
    return newest;
  }

  *dots(): Generator<readonly [key: string, seq: number, sum: number], void, undefined> {
    for (const [key, kept] of this.#kept)
      for (let seq = 0; seq < kept.length; seq++) if (kept[seq]) yield [key, seq, kept[seq]!.sum];
  }

  #note(record: RawRecord): void {
    const { channel, writer, seq, round, bytes } = record;
    // Each store says for itself what it removed.
    if (writer === floorWriter) {
      const place = `${channel} ${seq}`;
      if (this.#raised.has(place)) return;
      this.#raised.add(place);
      const { trim } = entryOf({ writer, seq }, round, bytes);
      if (trim) this.#floors.set(channel, trim.floors);
      this.#options.synced(record);
      return;
    }
    const key = `${channel} ${writer}`;
    let kept = this.#kept.get(key);
    if (!kept) this.#kept.set(key, (kept = []));
    const sum = crc32(bytes);
    const known = kept[seq];
    if (known && known.sum !== sum)
      this.#options.conflict(`disk ${this.number} has two entries ${writer} of ${channel}-${seq}`);
    kept[seq] = { sum, atMs: known?.atMs ?? this.#options.nowMs() };
    if (!known) this.#options.synced(record);
  }
}
