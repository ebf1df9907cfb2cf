/** `KeyValue` in memory: for tests, and the ground of the simulator's. */
import {
  type KeyRange,
  type KeyValue,
  type Row,
  type Write,
  compareBytes,
} from '../../src/storage/key-value.js';

export function memoryKeyValue(): KeyValue {
  return new MemoryKeyValue();
}

/** Beyond so many writes at once it is cheaper to sort all rows again than to put each in its place. */
const placedMax = 64;

/** Rows sorted by key once a range was asked for, values by the key's text (one character a byte). */
class MemoryKeyValue implements KeyValue {
  #values = new Map<string, Row>();
  #sorted: Row[] | undefined;

  async open(): Promise<void> {}

  async get(key: Uint8Array): Promise<Uint8Array | undefined> {
    return this.#values.get(textOf(key))?.[1];
  }

  async getMany(keys: readonly Uint8Array[]): Promise<(Uint8Array | undefined)[]> {
    return keys.map((key) => this.#values.get(textOf(key))?.[1]);
  }

  async range({ gte, lt, limit, reverse }: KeyRange): Promise<Row[]> {
    this.#sorted ??= [...this.#values.values()].sort(([a], [b]) => compareBytes(a, b));
    const first = firstAtOrAbove(this.#sorted, gte);
    const end = firstAtOrAbove(this.#sorted, lt);
    if (!reverse) return this.#sorted.slice(first, Math.min(end, first + limit));
    return this.#sorted.slice(Math.max(first, end - limit), Math.max(first, end)).reverse();
  }

  async batch(writes: readonly Write[]): Promise<void> {
    for (const { key, value } of writes) {
      if (value) this.#values.set(textOf(key), [key.slice(), value.slice()]);
      else this.#values.delete(textOf(key));
    }
    if (writes.length > placedMax) this.#sorted = undefined;
    else for (const { key } of writes) this.#place(key);
  }

  async sync(): Promise<void> {}

  async close(): Promise<void> {}

  async destroy(): Promise<void> {
    this.#values = new Map();
    this.#sorted = undefined;
  }

  #place(key: Uint8Array): void {
    const rows = this.#sorted;
    if (!rows) return;
    const row = this.#values.get(textOf(key));
    const at = firstAtOrAbove(rows, key);
    const isThere = at < rows.length && compareBytes(rows[at]![0], key) === 0;
    if (row) rows.splice(at, isThere ? 1 : 0, row);
    else if (isThere) rows.splice(at, 1);
  }
}

function firstAtOrAbove(rows: readonly Row[], key: Uint8Array): number {
  let low = 0;
  let high = rows.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (compareBytes(rows[middle]![0], key) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

function textOf(key: Uint8Array): string {
  return Buffer.from(key.buffer, key.byteOffset, key.length).toString('latin1');
}
