/** What a channel of some kind comes to: a pure fold of its entries, as everything that keeps one goes by it. */
import type { Dot } from '../../base/ids.js';
import type { Fault } from '../../documents/faults.js';
import type { Content, EntryKind, Timestamp, Trim, Vector } from '../../log/entry.js';

export interface FoldedEntry extends Dot {
  readonly kind: EntryKind;
  readonly timestamp: Timestamp;
  readonly content?: Content | undefined;
  readonly createParents?: boolean | undefined;
  readonly trim?: Trim | undefined;
  readonly redacts?: Dot | undefined;
}

/** `fault` where the entry should have changed something and is void. */
export interface Step<F> {
  readonly fold: F;
  readonly fault?: Fault;
}

/** `F` is a value: a step makes another one. */
export interface Folding<F> {
  /** Of a channel without entries. */
  readonly empty: F;
  /** `past`: what the entry stands on, where that may be less than all before it in the order. */
  step(fold: F, entry: FoldedEntry, past?: () => Vector): Step<F>;
  snapshotOf(fold: F): Content;
  /** `undefined` for what is none. */
  readSnapshot(content: Content): F | undefined;
  /** Of a snapshot, about. */
  bytesOf(fold: F): number;
  /** In memory, about. */
  weightOf(fold: F): number;
  /** What was put into memory for it and all it was folded from; 0 where that is not worth counting. */
  madeOf(fold: F): number;
  /** What it comes to does not depend on what retention removed. */
  readonly startsAnywhere: boolean;
  /** Of all that is kept in memory. */
  readonly cacheBytes: number;
}
