/** Stubs while the API settles. */
import type { ChannelRef, Dot, WriterId } from '../base/ids.js';
import type { EntryKind, LostRange, Publisher, Timestamp, Trim } from './entry.js';
import type { RunSummary } from './run.js';

export interface RunEntry {
  readonly timestamp: Timestamp;
  readonly kind: EntryKind;
  readonly actor?: string | undefined;
  readonly publisher?: Publisher | undefined;
  readonly idempotencyKey?: string | undefined;
  readonly parents?: readonly Dot[] | undefined;
  readonly trim?: Trim | undefined;
  readonly lost?: LostRange | undefined;
  /** Encoded `Content`, copied. */
  readonly content?: Uint8Array | undefined;
}

export declare class RunWriter {
  constructor(capacity?: number);
  /** Of all runs since `clear`. */
  readonly entryCount: number;
  readonly byteLength: number;
  readonly runs: readonly RunSummary[];
  begin(ref: ChannelRef, writer: WriterId, round: number, firstSeq: number, previousChecksum: number): void;
  /** Returns the seq; its checksum is `lastChecksum`. */
  append(entry: RunEntry): number;
  readonly lastChecksum: number;
  end(): RunSummary;
  /** A view of all runs, valid until the next `begin` or `clear`. */
  bytes(): Uint8Array;
  clear(): void;
}
