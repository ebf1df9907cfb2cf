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

/** Rows sorted by key, values by the key's text (one character a byte). */
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
    this.#sorted = undefined;
  }

  async sync(): Promise<void> {}

  async close(): Promise<void> {}

  async destroy(): Promise<void> {
    this.#values = new Map();
    this.#sorted = undefined;
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
  return String.fromCharCode(...key);
}
