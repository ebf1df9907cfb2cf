/** What a notification channel comes to: its newest notifications in the order of the log, and what became of each. A value:
 *  a change makes another one that shares all but what changed. */
import type { Dot, WriterId } from '../base/ids.js';
import { notificationLimits as limits } from '../base/notification-limits.js';
import type { Timestamp, Vector } from '../log/entry.js';

export type ItemState = 'unread' | 'read' | 'expired';

export interface Item extends Dot {
  readonly timestamp: Timestamp;
  /** From that timestamp on it does not count; Infinity where it never expires. */
  readonly expiresAt: Timestamp;
  readonly state: ItemState;
}

/** Some neighbours, and what is asked of them together. */
interface Chunk {
  readonly items: readonly Item[];
  readonly unread: number;
  readonly counted: number;
  /** The earliest of those that count. */
  readonly expiresAt: Timestamp;
  readonly seqMin: number;
  readonly seqMax: number;
}

const chunkItems = 64;

export class Inbox {
  /** How many are not read, and how many count: those that are not expired. */
  readonly unread: number;
  readonly total: number;
  readonly length: number;
  /** When the next one expires; Infinity where none will. */
  readonly expiresAt: Timestamp;

  private constructor(readonly chunks: readonly Chunk[]) {
    let [unread, total, length, expiresAt] = [0, 0, 0, Infinity];
    for (const chunk of chunks) {
      unread += chunk.unread;
      total += chunk.counted;
      length += chunk.items.length;
      expiresAt = Math.min(expiresAt, chunk.expiresAt);
    }
    this.unread = unread;
    this.total = total;
    this.length = length;
    this.expiresAt = expiresAt;
  }

  /** In order; not more than count. */
  static of(items: readonly Item[]): Inbox {
    const chunks: Chunk[] = [];
    for (let from = 0; from < items.length; from += chunkItems)
      chunks.push(chunkOf(items.slice(from, from + chunkItems)));
    return new Inbox(chunks);
  }

  *[Symbol.iterator](): Generator<Item> {
    for (const { items } of this.chunks) yield* items;
  }

  /** Newest first. */
  *backward(): Generator<Item> {
    for (let c = this.chunks.length - 1; c >= 0; c--) {
      const { items } = this.chunks[c]!;
      for (let i = items.length - 1; i >= 0; i--) yield items[i]!;
    }
  }

  find({ writer, seq }: Dot): Item | undefined {
    for (const { items, seqMin, seqMax } of this.chunks) {
      if (seq < seqMin || seq > seqMax) continue;
      const found = items.find((item) => item.seq === seq && item.writer === writer);
      if (found) return found;
    }
    return undefined;
  }

  /** Behind all others. Beyond what counts the oldest goes. */
  add(item: Item): Inbox {
    const chunks = [...this.chunks];
    const last = chunks.at(-1);
    if (last && last.items.length < chunkItems) chunks[chunks.length - 1] = chunkOf([...last.items, item]);
    else chunks.push(chunkOf([item]));
    if (this.length < limits.notificationsCounted) return new Inbox(chunks);
    const [first] = chunks;
    if (first!.items.length === 1) chunks.shift();
    else chunks[0] = chunkOf(first!.items.slice(1));
    return new Inbox(chunks);
  }

  /** What has expired by then does not count any more. */
  expire(timestamp: Timestamp): Inbox {
    if (timestamp < this.expiresAt) return this;
    return this.#each(
      (chunk) => chunk.expiresAt <= timestamp,
      (item) =>
        item.state !== 'expired' && item.expiresAt <= timestamp ? { ...item, state: 'expired' } : item,
    );
  }

  readIds(ids: readonly Dot[]): Inbox {
    const wanted = new Map<WriterId, Set<number>>();
    for (const { writer, seq } of ids) {
      const seqs = wanted.get(writer);
      if (seqs) seqs.add(seq);
      else wanted.set(writer, new Set([seq]));
    }
    return this.#each(
      ({ unread, seqMin, seqMax }) => unread > 0 && ids.some(({ seq }) => seq >= seqMin && seq <= seqMax),
      (item) => (wanted.get(item.writer)?.has(item.seq) ? asRead(item) : item),
    );
  }

  /** Those created before `timestamp` that lie within `past`; without one all do. */
  readBefore(timestamp: Timestamp, past: Vector | undefined): Inbox {
    return this.#each(
      ({ unread }) => unread > 0,
      (item) =>
        item.timestamp < timestamp && (!past || item.seq <= (past.get(item.writer) ?? 0))
          ? asRead(item)
          : item,
    );
  }

  /** It is as if it had never been. */
  remove(dot: Dot): Inbox {
    const item = this.find(dot);
    return item ? Inbox.of([...this].filter((each) => each !== item)) : this;
  }

  /** Nothing at or below the floors is left. */
  trim(floors: Vector): Inbox {
    const isAbove = ({ writer, seq }: Dot): boolean => seq > (floors.get(writer) ?? 0);
    const items = [...this].filter(isAbove);
    return items.length === this.length ? this : Inbox.of(items);
  }

  #each(concerns: (chunk: Chunk) => boolean, next: (item: Item) => Item): Inbox {
    let isSame = true;
    const chunks = this.chunks.map((chunk) => {
      if (!concerns(chunk)) return chunk;
      const items = chunk.items.map(next);
      if (items.every((item, i) => item === chunk.items[i])) return chunk;
      isSame = false;
      return chunkOf(items);
    });
    return isSame ? this : new Inbox(chunks);
  }
}

/** Of a channel without entries. */
export const emptyInbox = Inbox.of([]);

function asRead(item: Item): Item {
  return item.state === 'unread' ? { ...item, state: 'read' } : item;
}

function chunkOf(items: readonly Item[]): Chunk {
  let [unread, counted, expiresAt, seqMin, seqMax] = [0, 0, Infinity, Infinity, 0];
  for (const item of items) {
    if (item.state === 'unread') unread++;
    seqMin = Math.min(seqMin, item.seq);
    seqMax = Math.max(seqMax, item.seq);
    if (item.state === 'expired') continue;
    counted++;
    expiresAt = Math.min(expiresAt, item.expiresAt);
  }
  return { items, unread, counted, expiresAt, seqMin, seqMax };
}
