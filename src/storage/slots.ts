/** The channels in memory. Those that are open or have changes the index does not hold yet must stay; of the others a
 *  bounded number is kept for the next use. */
import { ByteReader, ByteWriter, fromHex, toHex } from '../base/bytes.js';
import { assert } from '../base/assert.js';
import { ChannelMap } from '../base/channel-map.js';
import type { ChannelRef, WriterId } from '../base/ids.js';
import { ByWriter } from '../log/by-writer.js';
import { ChannelLog } from '../log/channel-log.js';
import {
  type RunPlace,
  channelBytes,
  isSealed,
  runKeyPrefix,
  seal,
  tagged,
  tags,
  valueStart,
} from './index-rows.js';

/** One writer's sub-log in the index. Many channels are in memory at once: what can be made when it is needed is not
 *  kept, and empty lists are shared. */
export class SubLog {
  /** Record bytes ever taken in, and of those the bytes that trims have dropped. */
  totalBytes = 0;
  droppedBytes = 0;
  /** Runs not yet in the index, rising by seq; the first `flushing` of them are on their way. */
  recent: RunPlace[] = noPlaces;
  flushing = 0;

  constructor(
    readonly writer: WriterId,
    readonly ref: ChannelRef,
  ) {}

  /** Of the keys of its runs. */
  get keyPrefix(): Uint8Array {
    return runKeyPrefix(channelBytes(this.ref), this.writer);
  }

  addRecent(place: RunPlace): void {
    // A first push would make room for many.
    if (this.recent === noPlaces) this.recent = [place];
    else this.recent.push(place);
  }

  /** What was on its way is in the index. */
  settled(): void {
    this.recent = this.flushing === this.recent.length ? noPlaces : this.recent.slice(this.flushing);
    this.flushing = 0;
  }
}

const noPlaces: RunPlace[] = [];

export class Slot {
  readonly subLogs = new ByWriter<SubLog>();
  /** How often it is open. */
  users = 0;
  /** Changed since its row was last encoded. */
  dirty = false;
  /** Its row is being written. */
  flushing = false;
  /** It has a row. */
  stored = false;
  /** Entries its row counts. */
  storedEntries = 0;
  /** Bytes of its log that its hub's sum has. */
  countedBytes = 0;

  constructor(
    readonly ref: ChannelRef,
    readonly log: ChannelLog,
  ) {}

  get bytes(): Uint8Array {
    return channelBytes(this.ref);
  }

  subLog(writer: WriterId): SubLog {
    const known = this.subLogs.get(writer);
    if (known) return known;
    const subLog = new SubLog(writer, this.ref);
    this.subLogs.add(subLog);
    return subLog;
  }

  get rowKey(): Uint8Array {
    return tagged(tags.channel, this.bytes);
  }
}

const evenBytes = 28;

/** Entries u64 · bytes u64 · last timestamp u64 · sub-log count varint · of each writer 12, total u64, dropped u64 · the
 *  log. */
export function encodeSlot(slot: Slot, key: Uint8Array): Uint8Array {
  const state = slot.log.encode();
  const out = new ByteWriter(evenBytes + 8 + slot.subLogs.size * 28 + state.length);
  out.fixed32(0);
  out.fixed64(slot.log.entries);
  out.fixed64(slot.log.bytes);
  out.fixed64(Math.max(0, slot.log.lastTimestamp));
  out.varint(slot.subLogs.size);
  for (const { writer, totalBytes, droppedBytes } of slot.subLogs.values()) {
    out.raw(fromHex(writer));
    out.fixed64(totalBytes);
    out.fixed64(droppedBytes);
  }
  out.raw(state);
  return seal(key, out.bytes());
}

/** `undefined` when the row is damaged. */
export function decodeSlot(ref: ChannelRef, key: Uint8Array, value: Uint8Array): Slot | undefined {
  if (!isSealed(key, value)) return undefined;
  const reader = new ByteReader(value, valueStart);
  const entries = reader.fixed64();
  reader.fixed64();
  reader.fixed64();
  const sums: (readonly [WriterId, number, number])[] = [];
  for (let left = reader.varint(); left > 0 && !reader.failed; left--) {
    sums.push([toHex(reader.take(12)) as WriterId, reader.fixed64(), reader.fixed64()]);
  }
  if (reader.failed) return undefined;
  const log = ChannelLog.decode(ref, value.slice(reader.position));
  if (!log.ok) return undefined;
  const slot = new Slot(ref, log.value);
  slot.stored = true;
  slot.storedEntries = entries;
  slot.countedBytes = log.value.bytes;
  for (const [writer, totalBytes, droppedBytes] of sums) {
    Object.assign(slot.subLog(writer), { totalBytes, droppedBytes });
  }
  return slot;
}

export interface SlotSize {
  readonly entries: number;
  readonly bytes: number;
  readonly lastTimestamp: number;
}

export function decodeSlotSize(key: Uint8Array, value: Uint8Array): SlotSize | undefined {
  if (!isSealed(key, value)) return undefined;
  const reader = new ByteReader(value, valueStart);
  const size = { entries: reader.fixed64(), bytes: reader.fixed64(), lastTimestamp: reader.fixed64() };
  return reader.failed ? undefined : size;
}

/** Reads rows of channels; `undefined` for those without. Throws for a damaged one. */
export type LoadSlots = (refs: readonly ChannelRef[]) => Promise<(Slot | undefined)[]>;

export class Slots {
  readonly #load: LoadSlots;
  /** Slots kept that are neither open nor changed. */
  idleMax: number;
  readonly #slots = new ChannelMap<Slot>();
  readonly #loading = new ChannelMap<Promise<Slot>>();
  /** Neither open nor changed, the longest unused first. */
  readonly #idle = new Set<Slot>();

  constructor(load: LoadSlots, idleMax: number) {
    this.#load = load;
    this.idleMax = idleMax;
  }

  get(ref: ChannelRef): Slot | undefined {
    return this.#slots.get(ref);
  }

  all(): Iterable<Slot> {
    return this.#slots.values();
  }

  get size(): number {
    return this.#slots.size;
  }

  /** The slot, counted as used once more. */
  async use(ref: ChannelRef): Promise<Slot> {
    const slot = this.#slots.get(ref) ?? (await (this.#loading.get(ref) ?? this.#start(ref)));
    slot.users++;
    this.#idle.delete(slot);
    return slot;
  }

  release(ref: ChannelRef): void {
    const slot = this.#slots.get(ref);
    assert(slot && slot.users > 0, 'a channel is released as often as it was opened');
    slot.users--;
    this.settle(slot);
  }

  /** Brings the slots of these channels into memory without counting a use: for recovery, one channel once. */
  async bring(refs: readonly ChannelRef[]): Promise<void> {
    const missing = refs.filter((ref) => !this.#slots.has(ref));
    if (missing.length === 0) return;
    const loaded = await this.#load(missing);
    missing.forEach((ref, i) => this.#add(loaded[i] ?? new Slot(ref, new ChannelLog(ref))));
  }

  /** To be called when a slot may have become idle. */
  settle(slot: Slot): void {
    this.#idle.delete(slot);
    if (slot.users > 0 || slot.dirty || slot.flushing) return;
    this.#idle.add(slot);
    while (this.#idle.size > this.idleMax) {
      const [oldest] = this.#idle;
      this.#idle.delete(oldest!);
      this.#slots.delete(oldest!.ref);
    }
  }

  async #start(ref: ChannelRef): Promise<Slot> {
    const loading = this.#loadOne(ref);
    this.#loading.set(ref, loading);
    try {
      return await loading;
    } finally {
      this.#loading.delete(ref);
    }
  }

  async #loadOne(ref: ChannelRef): Promise<Slot> {
    const [loaded] = await this.#load([ref]);
    // Recovery may have brought it meanwhile.
    return this.#slots.get(ref) ?? this.#add(loaded ?? new Slot(ref, new ChannelLog(ref)));
  }

  #add(slot: Slot): Slot {
    this.#slots.set(slot.ref, slot);
    return slot;
  }
}
