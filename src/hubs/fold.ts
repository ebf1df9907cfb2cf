/** State that is folded from a channel's log: the same for all who read the same entries. */

export interface FoldedEntry {
  readonly event: string | undefined;
  readonly payload: Uint8Array;
  /** Unix milliseconds, by the clock of the node that ordered it. */
  readonly unixMs: number;
  readonly actor: string | undefined;
}

/** A void entry changed nothing: what it asked for did not hold any more at its place in the order. */
export type Outcome = { readonly isVoid: false } | { readonly isVoid: true; readonly reason: string };

export interface Fold {
  /** Entries that retention has removed are not missed. */
  readonly isOfTrimmed?: boolean;
  apply(entry: FoldedEntry): Outcome;
  /** Entries are missing here, and will not come. */
  lacks(): void;
}
