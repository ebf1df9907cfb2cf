/** Stubs while the API settles. */
import type { ChannelRef, WriterId } from '../base/ids.js';
import type { Result } from '../base/result.js';
import type { LostRange } from './entry.js';
import type { RunSummary } from './run.js';

export interface RunHeader {
  readonly ref: ChannelRef;
  readonly writer: WriterId;
  readonly round: number;
  readonly firstSeq: number;
  readonly count: number;
  readonly checksum: number;
  readonly headerBytes: number;
  readonly recordBytes: number;
}
export type RunFault = 'truncated' | 'malformed' | 'damaged';

export interface SalvagedRun {
  readonly header: RunHeader;
  /** Whole records in consecutive stretches; `summary.offset` is the damaged run's. */
  readonly pieces: readonly { readonly summary: RunSummary; readonly recordsStart: number; readonly recordsEnd: number }[];
  readonly missing: readonly LostRange[];
}

/** Names seen lately, so that a scan makes each channel's strings once. */
export declare class RefCache {
  constructor(slots?: number);
}
export declare function parseRunHeader(bytes: Uint8Array, at: number, cache?: RefCache): Result<RunHeader, RunFault>;
/** `length` bytes from `at` are there; the run may be shorter. `summary.offset` is `at`. */
export declare function verifyRun(
  bytes: Uint8Array,
  at: number,
  length: number,
  cache?: RefCache,
): Result<RunSummary, RunFault>;
export declare function salvageRun(bytes: Uint8Array, at: number, length: number): SalvagedRun | undefined;
