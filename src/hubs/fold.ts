/** State that is folded from a channel's log: the same for all who read the same entries. */
import type { ErrorCode } from '../protocol/errors.js';
import { utf8Text } from '../base/bytes.js';

export interface FoldedEntry {
  readonly event: string | undefined;
  readonly payload: Uint8Array;
  /** Unix milliseconds, by the clock of the node that ordered it. */
  readonly unixMs: number;
  readonly actor: string | undefined;
}

/** A void entry changed nothing: what it asked for did not hold any more at its place in the order. */
export type Outcome =
  | { readonly isVoid: false }
  | { readonly isVoid: true; readonly reason: string; readonly code?: ErrorCode };

export interface Fold {
  /** Entries that retention has removed are not missed. */
  readonly isOfTrimmed?: boolean;
  /** False where entries are missing, until somebody answers for that; left out where it goes on without them. */
  readonly isWhole?: boolean;
  apply(entry: FoldedEntry): Outcome;
  /** Entries are missing here, and will not come. */
  lacks(): void;
}

/** What an entry says, as the object of JSON it has to be; `undefined` where it is none. */
export function payloadObject(payload: Uint8Array): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(utf8Text(payload));
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}
