/** Idempotency keys: a publish repeated with its key takes effect once. The owner answers repeats from this table;
 *  copies written by two owners at once meet in the log, where a symmetric rule picks the one that counts.
 *  Time here is log time (timestamps), so every home decides alike. */
import { limits } from '../base/limits.js';
import type { Timestamp } from './entry.js';
import type { KeyRow } from './run.js';
import { countersPerMs } from './timestamp.js';

/** `unknown`: the key could be in the window and older than what is kept here; the store's index knows. */
export type KeyVerdict = 'new' | 'conflict' | 'unknown' | { readonly duplicateOf: KeyRow };

export interface KeyTableOptions {
  /** Every key stamped at or after this will be given to `add`: 0 for a channel read from its beginning, above its
   *  newest timestamp when nothing was read. */
  readonly completeFrom: Timestamp;
  readonly windowMs?: number;
  readonly keysMax?: number;
}

type KeyOf = Pick<KeyRow, 'scope' | 'key'>;

export class KeyTable {
  readonly #window: Timestamp;
  readonly #keysMax: number;
  /** In the order they were added, which is nearly that of their timestamps. */
  readonly #rows = new Map<string, KeyRow>();
  #completeFrom: Timestamp;
  #newest: Timestamp = 0;

  constructor(options: KeyTableOptions) {
    this.#completeFrom = options.completeFrom;
    this.#window = (options.windowMs ?? limits.idempotencyWindowMs) * countersPerMs;
    this.#keysMax = options.keysMax ?? limits.idempotencyKeysInMemoryMax;
  }

  get size(): number {
    return this.#rows.size;
  }

  /** Length of the window as a difference of timestamps. */
  get window(): Timestamp {
    return this.#window;
  }

  /** What a publish with this key is, were it stamped with `row.timestamp`. Changes nothing. */
  check(row: KeyOf & Pick<KeyRow, 'timestamp' | 'contentHash'>): KeyVerdict {
    const known = this.#rows.get(nameOf(row));
    if (known && Math.abs(row.timestamp - known.timestamp) <= this.#window) {
      return known.contentHash === row.contentHash ? { duplicateOf: known } : 'conflict';
    }
    return row.timestamp - this.#window < this.#completeFrom ? 'unknown' : 'new';
  }

  /** Remembers a key of the log. Of two within one window the canonical stays, of others the newer. */
  add(row: KeyRow): void {
    const name = nameOf(row);
    const known = this.#rows.get(name);
    const kept = known ? this.#keptOf(known, row) : row;
    if (kept === known) return;
    this.#rows.delete(name);
    this.#rows.set(name, kept);
    this.#newest = Math.max(this.#newest, row.timestamp);
    this.#evict();
  }

  #keptOf(a: KeyRow, b: KeyRow): KeyRow {
    if (Math.abs(a.timestamp - b.timestamp) <= this.#window) return canonical(a, b);
    return a.timestamp > b.timestamp ? a : b;
  }

  #evict(): void {
    const windowStart = this.#newest - this.#window;
    for (const [name, row] of this.#rows) {
      const full = this.#rows.size > this.#keysMax;
      if (!full && row.timestamp >= windowStart) return;
      this.#rows.delete(name);
      // What is below the window needs no memory; what is inside must now be asked for in the index.
      this.#completeFrom = Math.max(this.#completeFrom, row.timestamp + 1);
    }
  }
}

/** The one of two entries with the same key that counts: the smaller (timestamp, writer, seq). */
export function canonical(a: KeyRow, b: KeyRow): KeyRow {
  return compareRows(a, b) <= 0 ? a : b;
}

/** Of all entries with one scope and key those without effect, whatever order they are given in: going by rising
 *  (timestamp, writer), each that lies within the window of the last one that counts. */
export function shadowed(
  rows: readonly KeyRow[],
  windowMs: number = limits.idempotencyWindowMs,
): readonly KeyRow[] {
  const out: KeyRow[] = [];
  let counting: KeyRow | undefined;
  for (const row of [...rows].sort(compareRows)) {
    if (counting && row.timestamp - counting.timestamp <= windowMs * countersPerMs) out.push(row);
    else counting = row;
  }
  return out;
}

function compareRows(a: KeyRow, b: KeyRow): number {
  if (a.timestamp !== b.timestamp) return a.timestamp - b.timestamp;
  if (a.dot.writer !== b.dot.writer) return a.dot.writer < b.dot.writer ? -1 : 1;
  return a.dot.seq - b.dot.seq;
}

function nameOf({ scope, key }: KeyOf): string {
  // The length keeps ("a", "b…") and ("ab", "…") apart.
  return `${scope.length}/${scope}${key}`;
}
