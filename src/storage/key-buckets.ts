/** Idempotency keys in the index, in buckets of time, so that what is too old goes by the bucket. */
import type { ChannelRef } from '../base/ids.js';
import { channelKey } from '../base/ids.js';
import { limits } from '../base/limits.js';
import type { Timestamp } from '../log/entry.js';
import type { KeyRow } from '../log/run.js';
import { countersPerMs } from '../log/timestamp.js';
import { IndexDoubtError } from './index-doubt.js';
import type { KeyValue, Write } from './key-value.js';
import {
  channelBytes,
  decodeKeyRow,
  encodeKeyRow,
  keyAfter,
  keyRowKey,
  keyRowPrefix,
  readBigEndian32,
  tagged,
  tags,
} from './index-rows.js';

export interface WantedKey {
  readonly ref: ChannelRef;
  readonly scope: string;
  readonly key: string;
}

const bucketSpan = limits.idempotencyWindowMs * countersPerMs;
/** Rows removed in one step. */
const removedAtOnce = 2_000;

/** Rows the map may not have yet. */
class Unsettled {
  /** By key and bucket: under clocks that are far apart one key may be written in several. */
  readonly rows = new Map<string, KeyRow>();
  readonly buckets = new Set<number>();
}

export class KeyBuckets {
  readonly #keyValue: KeyValue;
  #pending = new Unsettled();
  #inFlight = new Unsettled();
  readonly #buckets = new Set<number>();

  constructor(keyValue: KeyValue) {
    this.#keyValue = keyValue;
  }

  /** Learns which buckets the map has. */
  async open(): Promise<void> {
    const lt = keyAfter(tagged(tags.key));
    let gte: Uint8Array = tagged(tags.key);
    for (;;) {
      const [row] = await this.#keyValue.range({ gte, lt, limit: 1 });
      if (!row) return;
      const bucket = readBigEndian32(row[0], 1);
      this.#buckets.add(bucket);
      gte = keyRowPrefix(bucket + 1);
    }
  }

  get pendingCount(): number {
    return this.#pending.rows.size;
  }

  add(row: KeyRow): void {
    const bucket = bucketOf(row.timestamp);
    this.#pending.buckets.add(bucket);
    this.#pending.rows.set(textOf(row, bucket), row);
  }

  /** Adds the collected rows to a batch. */
  cut(writes: Write[]): void {
    for (const row of this.#pending.rows.values()) {
      const bucket = bucketOf(row.timestamp);
      this.#buckets.add(bucket);
      const key = keyRowKey(bucket, channelBytes(row.ref), row.scope, row.key);
      writes.push({ key, value: encodeKeyRow(key, row) });
    }
    this.#inFlight = this.#pending;
    this.#pending = new Unsettled();
  }

  settle(): void {
    this.#inFlight = new Unsettled();
  }

  /** For each the newest row from `since` to `until`: what is further ahead was stamped under another clock. Throws
   *  IndexDoubtError for a damaged one. */
  async find(
    wanted: readonly WantedKey[],
    since: Timestamp,
    until: Timestamp,
  ): Promise<(KeyRow | undefined)[]> {
    const found = wanted.map((row) => this.#unsettledRow(row, since, until));
    const isWanted = (bucket: number): boolean => bucket >= bucketOf(since) && bucket <= bucketOf(until);
    const buckets = [...this.#buckets].filter(isWanted).sort((a, b) => b - a);
    const keys: Uint8Array[] = [];
    const asked: number[] = [];
    wanted.forEach(({ ref, scope, key }, i) => {
      if (found[i]) return;
      const channel = channelBytes(ref);
      for (const bucket of buckets) {
        keys.push(keyRowKey(bucket, channel, scope, key));
        asked.push(i);
      }
    });
    if (keys.length === 0) return found;
    const values = await this.#keyValue.getMany(keys);
    values.forEach((value, n) => {
      const i = asked[n]!;
      if (!value) return;
      const row = decodeKeyRow(wanted[i]!, keys[n]!, value);
      if (!row) throw new IndexDoubtError('the row of an idempotency key is damaged');
      found[i] ??= fresh(row, since, until);
    });
    return found;
  }

  #unsettledRow(row: WantedKey, since: Timestamp, until: Timestamp): KeyRow | undefined {
    const buckets = new Set([...this.#pending.buckets, ...this.#inFlight.buckets]);
    for (const bucket of [...buckets].sort((a, b) => b - a)) {
      const text = textOf(row, bucket);
      const found = fresh(this.#pending.rows.get(text) ?? this.#inFlight.rows.get(text), since, until);
      if (found) return found;
    }
    return undefined;
  }

  /** Deletes for some rows of a bucket that lies wholly before the window; empty when there is none. */
  async outdated(now: Timestamp): Promise<Write[]> {
    // Counted from the newest key, too: a clock set far ahead must not take all of them.
    const oldest = Math.min(bucketOf(now), Math.max(...this.#buckets)) - 2;
    for (const bucket of this.#buckets) {
      if (bucket >= oldest) continue;
      const prefix = keyRowPrefix(bucket);
      const rows = await this.#keyValue.range({
        gte: prefix,
        lt: keyRowPrefix(bucket + 1),
        limit: removedAtOnce,
      });
      if (rows.length < removedAtOnce) this.#buckets.delete(bucket);
      if (rows.length > 0) return rows.map(([key]) => ({ key }));
    }
    return [];
  }
}

function bucketOf(timestamp: Timestamp): number {
  return Math.max(0, Math.floor(timestamp / bucketSpan));
}

function fresh(row: KeyRow | undefined, since: Timestamp, until: Timestamp): KeyRow | undefined {
  return row && row.timestamp >= since && row.timestamp <= until ? row : undefined;
}

function textOf({ ref, scope, key }: WantedKey, bucket: number): string {
  return `${channelKey(ref)}\0${scope}\0${key}\0${bucket}`;
}
