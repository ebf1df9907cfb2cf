/** An ordered map of byte strings: what the index is kept in. It need not survive a power loss whole, because it is
 *  rebuilt from the segments; a batch must appear whole or not at all, and batches must be lost from the last backwards
 *  only. Suite: test/contracts/key-value.ts. */

export interface Write {
  readonly key: Uint8Array;
  /** Absent: the key is deleted. */
  readonly value?: Uint8Array;
}

/** Keys at or above `gte` and below `lt`, compared byte by byte. */
export interface KeyRange {
  readonly gte: Uint8Array;
  readonly lt: Uint8Array;
  readonly limit: number;
  /** From the highest down. */
  readonly reverse?: boolean;
}

export type Row = readonly [key: Uint8Array, value: Uint8Array];

export interface KeyValue {
  /** Everything else needs an open map. Rejects when what is stored cannot be used; then `destroy` still works. */
  open(): Promise<void>;
  get(key: Uint8Array): Promise<Uint8Array | undefined>;
  /** Values in the order of the keys. */
  getMany(keys: readonly Uint8Array[]): Promise<(Uint8Array | undefined)[]>;
  range(range: KeyRange): Promise<Row[]>;
  /** All writes or none; a later write of a key wins. The caller keeps its arrays unchanged until this settles. */
  batch(writes: readonly Write[]): Promise<void>;
  /** What was put so far is on the disk: no power loss takes it. */
  sync(): Promise<void>;
  close(): Promise<void>;
  /** Removes everything stored; only while closed. */
  destroy(): Promise<void>;
}

export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const shared = Math.min(a.length, b.length);
  for (let i = 0; i < shared; i++) {
    const difference = a[i]! - b[i]!;
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}
