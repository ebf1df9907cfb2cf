/** The index: what is needed to find an entry without reading the segments. Changes collect in memory and go to the map
 *  in batches, one at a time, behind the commits they describe; each batch is whole in itself, its meta row saying
 *  through which commit. Lookups see what is still on its way. */
import { readOrdered64 } from '../base/bytes.js';
import { ChannelMap } from '../base/channel-map.js';
import type { ChannelRef, HubName, WriterId } from '../base/ids.js';
import { ChannelLog } from '../log/channel-log.js';
import { HubBytes } from './hub-bytes.js';
import { IndexDoubtError } from './index-doubt.js';
import { KeyBuckets } from './key-buckets.js';
import type { KeyValue, Row, Write } from './key-value.js';
import {
  type ArrivalPlace,
  type Meta,
  type RunPlace,
  arrivalKey,
  batchKey,
  channelBytes,
  decodeRun,
  encodeArrival,
  encodeMeta,
  encodeRun,
  runKey,
  tagged,
  tags,
} from './index-rows.js';
import { encodeNoteRow, encodeSegmentRow } from './index-tables.js';
import type { Segment } from './segments.js';
import { type Slot, type SubLog, Slots, decodeSlot, encodeSlot } from './slots.js';

/** More batches than LevelDB has in its log, which is where it drops some. */
export const batchRowsKept = 65_536;

export interface StoreIndexOptions {
  readonly keyValue: KeyValue;
  readonly meta: Meta;
  /** What its rows of channels come to. */
  readonly hubBytes: ReadonlyMap<HubName, number>;
  /** Channels that are not in use and stay in memory all the same. */
  readonly idleChannelsMax: number;
  readonly onFailure: (error: unknown) => void;
}

export class StoreIndex {
  readonly keyValue: KeyValue;
  readonly slots: Slots;
  readonly keys: KeyBuckets;
  readonly hubBytes: HubBytes;
  readonly #onFailure: (error: unknown) => void;
  #meta: Meta;
  readonly #dirty = new Set<Slot>();
  readonly #segments = new Set<Segment>();
  #notes = new Map<string, Uint8Array>();
  #arrivals: ArrivalPlace[] = [];
  #arrivalsInFlight: ArrivalPlace[] = [];
  #extra: Write[] = [];
  #changed = false;
  #inFlight: Promise<void> | undefined;
  /** Rows waiting, those on their way left out. */
  pendingRows = 0;

  constructor({ keyValue, meta, hubBytes, idleChannelsMax, onFailure }: StoreIndexOptions) {
    this.keyValue = keyValue;
    this.keys = new KeyBuckets(keyValue);
    this.slots = new Slots((refs) => this.#load(refs), idleChannelsMax);
    this.#meta = meta;
    this.hubBytes = new HubBytes(hubBytes);
    this.#onFailure = onFailure;
  }

  /** What the next batch will say it covers. */
  get meta(): Meta {
    return this.#meta;
  }

  /** Of what is covered; 0 without any. */
  get newestArrival(): number {
    return this.#meta.nextArrival - 1;
  }

  cover(meta: Partial<Meta>): void {
    this.#meta = { ...this.#meta, ...meta };
    this.#changed = true;
  }

  addRun(slot: Slot, writer: WriterId, place: RunPlace): void {
    const subLog = slot.subLog(writer);
    subLog.addRecent(place);
    this.pendingRows++;
    this.touch(slot);
  }

  addArrival(place: ArrivalPlace): void {
    this.#arrivals.push(place);
    this.pendingRows++;
    this.#changed = true;
  }

  touch(slot: Slot): void {
    this.hubBytes.count(slot);
    slot.dirty = true;
    this.#dirty.add(slot);
    this.#changed = true;
  }

  touchSegment(segment: Segment): void {
    this.#segments.add(segment);
    this.#changed = true;
  }

  addNotes(notes: ReadonlyMap<string, Uint8Array>): void {
    for (const [name, value] of notes) this.#notes.set(name, value);
    this.#changed = true;
  }

  /** Rows of no kind named above: part of the next batch, before all others. */
  addWrites(writes: readonly Write[]): void {
    for (const write of writes) this.#extra.push(write);
    this.pendingRows += writes.length;
    this.#changed = true;
  }

  get hasChanges(): boolean {
    return this.#changed;
  }

  get isFlushing(): boolean {
    return this.#inFlight !== undefined;
  }

  /** Writes what has collected; while a batch is on its way, waits for that one instead. */
  flush(): Promise<void> {
    if (this.#inFlight) return this.#inFlight;
    if (!this.#changed) return Promise.resolve();
    this.#inFlight = this.#write();
    return this.#inFlight;
  }

  /** Resolves when nothing is left to write. */
  async flushAll(): Promise<void> {
    while (this.#inFlight || this.#changed) await this.flush();
  }

  async #write(): Promise<void> {
    try {
      const slots = [...this.#dirty];
      const writes = this.#cut(slots);
      await this.keyValue.batch(writes);
      this.#settle(slots);
    } catch (error) {
      this.#onFailure(error);
      throw error;
    } finally {
      this.#inFlight = undefined;
    }
  }

  #cut(slots: readonly Slot[]): Write[] {
    const writes = this.#extra;
    this.#extra = [];
    for (const slot of slots) this.#cutSlot(slot, writes);
    this.#dirty.clear();
    for (const place of this.#arrivals) {
      const key = arrivalKey(place.arrival);
      writes.push({ key, value: encodeArrival(key, place) });
    }
    this.#arrivalsInFlight = this.#arrivals;
    this.#arrivals = [];
    this.keys.cut(writes);
    for (const segment of this.#segments) writes.push(encodeSegmentRow(segment));
    this.#segments.clear();
    for (const [name, value] of this.#notes) writes.push(encodeNoteRow(name, value));
    this.#notes = new Map();
    const batch = this.#meta.batch + 1;
    this.#meta = { ...this.#meta, batch };
    writes.push({ key: batchKey(batch), value: new Uint8Array(0) });
    if (batch > batchRowsKept) writes.push({ key: batchKey(batch - batchRowsKept) });
    writes.push({ key: tagged(tags.meta), value: encodeMeta(this.#meta) });
    this.pendingRows = 0;
    this.#changed = false;
    return writes;
  }

  #cutSlot(slot: Slot, writes: Write[]): void {
    for (const subLog of slot.subLogs.values()) {
      if (subLog.recent.length === 0) continue;
      const { keyPrefix } = subLog;
      for (const place of subLog.recent) {
        const key = runKey(keyPrefix, place.firstSeq);
        writes.push({ key, value: encodeRun(key, place) });
      }
      subLog.flushing = subLog.recent.length;
    }
    const { entries } = slot.log;
    const { channels, entries: allEntries } = this.#meta;
    this.#meta = {
      ...this.#meta,
      channels: channels + (slot.stored ? 0 : 1),
      entries: allEntries + entries - slot.storedEntries,
    };
    slot.stored = true;
    slot.storedEntries = entries;
    slot.dirty = false;
    slot.flushing = true;
    const key = slot.rowKey;
    writes.push({ key, value: encodeSlot(slot, key) });
  }

  #settle(slots: readonly Slot[]): void {
    for (const slot of slots) {
      for (const subLog of slot.subLogs.values()) if (subLog.flushing > 0) subLog.settled();
      slot.flushing = false;
      this.slots.settle(slot);
    }
    this.#arrivalsInFlight = [];
    this.keys.settle();
  }

  /** What channels hold that have a row, without bringing them into memory. */
  async logs(refs: readonly ChannelRef[]): Promise<ChannelLog[]> {
    const missing = refs.filter((ref) => !this.slots.get(ref));
    const loaded = missing.length > 0 ? await this.#load(missing) : [];
    const found = new ChannelMap<ChannelLog>();
    missing.forEach((ref, i) => loaded[i] && found.set(ref, loaded[i].log));
    return refs.map((ref) => this.slots.get(ref)?.log ?? found.get(ref) ?? new ChannelLog(ref));
  }

  async #load(refs: readonly ChannelRef[]): Promise<(Slot | undefined)[]> {
    const keys = refs.map((ref) => tagged(tags.channel, channelBytes(ref)));
    const values =
      keys.length === 1 ? [await this.keyValue.get(keys[0]!)] : await this.keyValue.getMany(keys);
    return values.map((value, i) => {
      if (!value) return undefined;
      const slot = decodeSlot(refs[i]!, keys[i]!, value);
      if (!slot) throw new IndexDoubtError(`the row of channel ${refs[i]!.channel} is damaged`);
      return slot;
    });
  }

  /** Runs of a sub-log that hold any of fromSeq … toSeq, in order, at most about `limit`. */
  async places(subLog: SubLog, fromSeq: number, toSeq: number, limit: number): Promise<RunPlace[]> {
    // Taken before anything is awaited: rows leave this list once they can be read.
    const recent = recentFrom(subLog.recent, fromSeq, toSeq, limit);
    const firstRecent = subLog.recent[0]?.firstSeq ?? Number.POSITIVE_INFINITY;
    if (firstRecent <= fromSeq) return recent;
    const found = await this.#storedPlaces(subLog, fromSeq, Math.min(toSeq, firstRecent - 1), limit);
    return found.length < limit ? [...found, ...recent] : found;
  }

  async #storedPlaces(subLog: SubLog, fromSeq: number, toSeq: number, limit: number): Promise<RunPlace[]> {
    const { keyPrefix } = subLog;
    const places: RunPlace[] = [];
    const [before] = await this.keyValue.range({
      gte: runKey(keyPrefix, 0),
      lt: runKey(keyPrefix, fromSeq + 1),
      limit: 1,
      reverse: true,
    });
    if (before) {
      const place = decoded(before);
      if (place.firstSeq + place.count > fromSeq) places.push(place);
      if (place.firstSeq + place.count > toSeq) return places;
    }
    if (toSeq <= fromSeq) return places;
    const rows = await this.keyValue.range({
      gte: runKey(keyPrefix, fromSeq + 1),
      lt: runKey(keyPrefix, toSeq + 1),
      limit,
    });
    for (const row of rows) places.push(decoded(row));
    return places;
  }

  /** Arrivals not in the map yet, rising. */
  recentArrivals(): ArrivalPlace[] {
    return [...this.#arrivalsInFlight, ...this.#arrivals];
  }

  /** The newest run that begins at or before `seq`. */
  async placeBefore(subLog: SubLog, seq: number): Promise<RunPlace | undefined> {
    const recent = lastAtOrBelow(subLog.recent, seq);
    if (recent) return recent;
    const { keyPrefix } = subLog;
    const [row] = await this.keyValue.range({
      gte: runKey(keyPrefix, 0),
      lt: runKey(keyPrefix, seq + 1),
      limit: 1,
      reverse: true,
    });
    return row && decoded(row);
  }
}

function decoded([key, value]: Row): RunPlace {
  const place = decodeRun(key, value);
  if (!place)
    throw new IndexDoubtError(`the row of a run at seq ${readOrdered64(key, key.length - 8)} is damaged`);
  return place;
}

/** Index of the last place that begins at or before `seq`, or -1. */
function indexBefore(places: readonly RunPlace[], seq: number): number {
  let low = 0;
  let high = places.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (places[middle]!.firstSeq <= seq) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

function lastAtOrBelow(places: readonly RunPlace[], seq: number): RunPlace | undefined {
  return places[indexBefore(places, seq)];
}

function recentFrom(places: readonly RunPlace[], fromSeq: number, toSeq: number, limit: number): RunPlace[] {
  const found: RunPlace[] = [];
  for (let i = Math.max(0, indexBefore(places, fromSeq)); i < places.length && found.length < limit; i++) {
    const place = places[i]!;
    if (place.firstSeq > toSeq) break;
    if (place.firstSeq + place.count > fromSeq) found.push(place);
  }
  return found;
}
