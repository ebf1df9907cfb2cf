/** What reconciliation compares: one item a channel, in order of (ring position, id), an item being the digest of the
 *  channel together with what its heads and floors are. A range of the ring is summed up to 16 bytes: the sum modulo 2^256
 *  of the hashes of its items, and how many they are (Meyer, "Range-Based Set Reconciliation", arXiv 2212.13567; the sum
 *  in place of an exclusive or as negentropy has it). Pure; a table is made once and asked often. */
import { ByteWriter, fromHex, toHex, utf8, writeFixed64 } from '../base/bytes.js';
import { type ChannelRef, type WriterId, channelKey } from '../base/ids.js';
import type { RingPosition } from '../cluster/ring-position.js';
import type { Vector } from '../log/entry.js';
import { HashSum, type Sha256 } from '../log/hash-sum.js';
import type { RingBound, RingRange } from './reconcile-messages.js';

/** What a home holds of a channel, as its store says (`StoredDigest`). */
export interface Holding {
  readonly ref: ChannelRef;
  readonly digest: Uint8Array;
  readonly through: Vector;
  readonly floors: Vector;
  /** Something of it cannot be read. */
  readonly isDamaged: boolean;
}

/** id 8: of the name · holds 8: of heads and floors · content 8: of the digest. */
export const itemBytes = 24;
export const idBytes = 8;
export const fingerprintBytes = 16;
const hashBytes = 32;
const rowBytes = itemBytes + hashBytes;
/** Content of a channel of which something cannot be read. */
const damaged = new Uint8Array(idBytes).fill(0xff);

/** 24 bytes of the item, and the 32 that go into sums. `salt`: what is damaged equals nothing that another store has. */
export function itemOf(sha256: Sha256, holding: Holding, salt: Uint8Array): Uint8Array {
  const { ref, digest, isDamaged } = holding;
  const id = sha256(utf8(channelKey(ref)));
  const holds = sha256(holdsBytes(holding));
  const whole = new Uint8Array(3 * hashBytes + (isDamaged ? salt.length : 0));
  whole.set(id);
  whole.set(holds, hashBytes);
  whole.set(digest, 2 * hashBytes);
  if (isDamaged) whole.set(salt, 3 * hashBytes);
  const row = new Uint8Array(rowBytes);
  row.set(id.subarray(0, 8));
  row.set(holds.subarray(0, 8), 8);
  row.set(isDamaged ? damaged : digest.subarray(0, 8), 16);
  row.set(sha256(whole), itemBytes);
  return row;
}

/** Of each writer, by rising id: 12, floor u64, through u64. */
function holdsBytes({ through, floors }: Holding): Uint8Array {
  const writers = [...new Set([...through.keys(), ...floors.keys()])].sort();
  const out = new Uint8Array(28 * writers.length);
  writers.forEach((writer: WriterId, i) => {
    const floor = floors.get(writer) ?? 0;
    out.set(fromHex(writer), 28 * i);
    writeFixed64(out, 28 * i + 12, floor);
    writeFixed64(out, 28 * i + 20, Math.max(floor, through.get(writer) ?? 0));
  });
  return out;
}

/** Whether a peer's item says that something of the channel cannot be read there. */
export function isDamagedItem(items: Uint8Array, at: number): boolean {
  for (let i = at + 16; i < at + itemBytes; i++) if (items[i] !== 0xff) return false;
  return true;
}

/** Sums are kept for so many items at once. */
const blockItems = 64;
const bucketBits = 12;
/** Buckets put in order at one go. */
const bucketsAtOnce = 256;

export class ItemTable {
  readonly #refs: readonly ChannelRef[];
  readonly #highs: Uint32Array;
  readonly #lows: Uint32Array;
  readonly #rows: Uint8Array;
  readonly #blocks: readonly HashSum[];
  readonly #sha256: Sha256;

  constructor(sha256: Sha256, { refs, highs, lows, rows, blocks }: Sorted) {
    this.#sha256 = sha256;
    this.#refs = refs;
    this.#highs = highs;
    this.#lows = lows;
    this.#rows = rows;
    this.#blocks = blocks;
  }

  get size(): number {
    return this.#refs.length;
  }

  ref(index: number): ChannelRef {
    return this.#refs[index]!;
  }

  /** Its 24 bytes; a view. */
  item(index: number): Uint8Array {
    return this.#rows.subarray(index * rowBytes, index * rowBytes + itemBytes);
  }

  id(index: number): string {
    return toHex(this.#rows.subarray(index * rowBytes, index * rowBytes + idBytes));
  }

  /** Indexes [first, end) of the items in a range. */
  within({ from, to }: RingRange): readonly [number, number] {
    const first = this.#indexOf(from);
    return [first, Math.max(first, this.#indexOf(to))];
  }

  /** 16 bytes that stand for the items [first, end). */
  fingerprint(first: number, end: number): Uint8Array {
    const sum = new HashSum();
    let at = first;
    while (at < end) {
      if (at % blockItems === 0 && at + blockItems <= end) {
        sum.merge(this.#blocks[at / blockItems]!);
        at += blockItems;
      } else sum.add(this.#rows, at++ * rowBytes + itemBytes);
    }
    return this.#sha256(sum.encode()).slice(0, fingerprintBytes);
  }

  /** Where a range may begin so that it begins with this item: at its position, or behind others of the same position. */
  boundAt(index: number): RingBound {
    const position = hex32(this.#highs[index]!) + hex32(this.#lows[index]!);
    const isAlone =
      index === 0 ||
      this.#highs[index] !== this.#highs[index - 1] ||
      this.#lows[index] !== this.#lows[index - 1];
    return isAlone ? position : position + this.id(index);
  }

  /** The items [first, end) as they are sent. */
  items(first: number, end: number): Uint8Array {
    const out = new ByteWriter(itemBytes * (end - first) + 1);
    for (let i = first; i < end; i++) out.raw(this.item(i));
    return out.bytes();
  }

  /** Index of the first item at or behind a bound. */
  #indexOf(bound: RingBound): number {
    let low = 0;
    let high = this.size;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#isBefore(middle, bound)) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #isBefore(index: number, bound: RingBound): boolean {
    const position = hex32(this.#highs[index]!) + hex32(this.#lows[index]!);
    const length = position.length;
    const at = bound.slice(0, length);
    return position === at ? bound.length > length && this.id(index) < bound.slice(length) : position < at;
  }
}

interface Sorted {
  readonly refs: readonly ChannelRef[];
  readonly highs: Uint32Array;
  readonly lows: Uint32Array;
  readonly rows: Uint8Array;
  readonly blocks: readonly HashSum[];
}

/** Takes items in any order. */
export class ItemTableBuilder {
  readonly #sha256: Sha256;
  readonly #refs: ChannelRef[] = [];
  readonly #highs: number[] = [];
  readonly #lows: number[] = [];
  #rows = new Uint8Array(rowBytes * 64);

  constructor(sha256: Sha256) {
    this.#sha256 = sha256;
  }

  get size(): number {
    return this.#refs.length;
  }

  /** `row` as `itemOf` made it; copied. */
  add(ref: ChannelRef, { high, low }: RingPosition, row: Uint8Array): void {
    const at = this.#refs.length * rowBytes;
    if (at + rowBytes > this.#rows.length) {
      const larger = new Uint8Array(2 * this.#rows.length);
      larger.set(this.#rows);
      this.#rows = larger;
    }
    this.#rows.set(row, at);
    this.#refs.push(ref);
    this.#highs.push(high);
    this.#lows.push(low);
  }

  /** Puts them in order, a bounded part between two yields. The builder is of no use afterwards. */
  *build(): Generator<void, ItemTable, undefined> {
    const order = yield* this.#order();
    const size = order.length;
    const refs: ChannelRef[] = [];
    const [highs, lows] = [new Uint32Array(size), new Uint32Array(size)];
    const rows = new Uint8Array(size * rowBytes);
    const blocks: HashSum[] = [];
    for (let i = 0; i < size; i++) {
      const from = order[i]!;
      refs.push(this.#refs[from]!);
      highs[i] = this.#highs[from]!;
      lows[i] = this.#lows[from]!;
      rows.set(this.#rows.subarray(from * rowBytes, (from + 1) * rowBytes), i * rowBytes);
      if (i % blockItems === 0) blocks.push(new HashSum());
      blocks.at(-1)!.add(rows, i * rowBytes + itemBytes);
      if (i % 8_192 === 8_191) yield;
    }
    return new ItemTable(this.#sha256, { refs, highs, lows, rows, blocks });
  }

  /** By the highest bits first: sorting all of a hundred thousand at once would be heard. */
  *#order(): Generator<void, readonly number[], undefined> {
    const buckets: number[][] = Array.from({ length: 1 << bucketBits }, () => []);
    this.#highs.forEach((high, i) => buckets[high >>> (32 - bucketBits)]!.push(i));
    yield;
    const order: number[] = [];
    for (let i = 0; i < buckets.length; i++) {
      for (const index of buckets[i]!.sort((a, b) => this.#compare(a, b))) order.push(index);
      if (i % bucketsAtOnce === bucketsAtOnce - 1) yield;
    }
    return order;
  }

  #compare(a: number, b: number): number {
    const difference = this.#highs[a]! - this.#highs[b]! || this.#lows[a]! - this.#lows[b]!;
    if (difference !== 0) return difference;
    for (let i = 0; i < idBytes; i++) {
      const byte = this.#rows[a * rowBytes + i]! - this.#rows[b * rowBytes + i]!;
      if (byte !== 0) return byte;
    }
    return 0;
  }
}

function hex32(value: number): string {
  return value.toString(16).padStart(8, '0');
}
