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

/** Writings of one key that are remembered, each in a window of its own. */
const sameKeysMax = 4;

type KeyOf = Pick<KeyRow, 'scope' | 'key'>;

export class KeyTable {
  readonly #window: Timestamp;
  readonly #keysMax: number;
  /** In the order they were added, which is nearly that of their timestamps. Of one key there are several only where it was
   *  written under clocks that were far apart: each counts within its own window. */
  readonly #rows = new Map<string, readonly KeyRow[]>();
  #completeFrom: Timestamp;
  /** Of what was asked for last: neither what others stamped ahead of time makes anything old, nor what this node's own clock
   *  said before it was set right. */
  #now: Timestamp = 0;

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

  /** What a publish with this key is, were it stamped with `row.timestamp`. */
  check(row: KeyOf & Pick<KeyRow, 'timestamp' | 'contentHash'>): KeyVerdict {
    this.#now = row.timestamp;
    const known = this.#rows.get(nameOf(row))?.find((each) => this.#areNear(each, row));
    if (known) return known.contentHash === row.contentHash ? { duplicateOf: known } : 'conflict';
    return row.timestamp - this.#window < this.#completeFrom ? 'unknown' : 'new';
  }

  /** Remembers a key of the log. Of two within one window the canonical stays. */
  add(row: KeyRow): void {
    const name = nameOf(row);
    const known = this.#rows.get(name);
    if (known) this.#addBeside(known, row, name);
    else this.#rows.set(name, [row]);
    this.#evict();
  }

  #addBeside(known: readonly KeyRow[], row: KeyRow, name: string): void {
    const near = known.find((each) => this.#areNear(each, row));
    if (near && canonical(near, row) === near) return;
    this.#rows.delete(name);
    this.#rows.set(name, [...known.filter((each) => each !== near).slice(1 - sameKeysMax), row]);
    if (!near && known.length >= sameKeysMax) this.#forget(known[0]!);
  }

  #areNear(a: Pick<KeyRow, 'timestamp'>, b: Pick<KeyRow, 'timestamp'>): boolean {
    return Math.abs(a.timestamp - b.timestamp) <= this.#window;
  }

  #evict(): void {
    const windowStart = this.#now - this.#window;
    for (const [name, rows] of this.#rows) {
      const full = this.#rows.size > this.#keysMax;
      if (!full && rows.some(({ timestamp }) => timestamp >= windowStart)) return;
      this.#rows.delete(name);
      for (const row of rows) this.#forget(row);
    }
  }

  /** What is below the window needs no memory; what is inside must now be asked for in the index. */
  #forget({ timestamp }: KeyRow): void {
    this.#completeFrom = Math.max(this.#completeFrom, timestamp + 1);
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
