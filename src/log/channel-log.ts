/** Stubs while the API settles. */
import type { ChannelRef, Dot, WriterId } from '../base/ids.js';
import type { Result } from '../base/result.js';
import type { LostRange, Timestamp, Trim, Vector } from './entry.js';
import type { RunSummary } from './run.js';

/** Consecutive entries of one writer at consecutive positions of the committed order. */
export interface Span {
  readonly position: number;
  readonly writer: WriterId;
  readonly firstSeq: number;
  readonly count: number;
}

export interface WriterState {
  readonly writer: WriterId;
  /** Everything through this is held, or below the floor. */
  readonly seq: number;
  /** Of the newest entry. */
  readonly round: number;
  /** 0 when the newest entry was lost or lies below the floor unseen. */
  readonly lastChecksum: number;
  readonly lastTimestamp: Timestamp;
  readonly floor: number;
}

/** Why a run does not fit what is held. */
export type Refusal =
  /** Wholly held already. */
  | { readonly type: 'duplicate' }
  /** Wholly at or below the floor: to be dropped. */
  | { readonly type: 'trimmed' }
  /** Its first entries are held: cut it to start at `expected`. */
  | { readonly type: 'overlap'; readonly expected: Dot }
  /** Entries before it are missing. */
  | { readonly type: 'gap'; readonly expected: Dot }
  | { readonly type: 'parents'; readonly missing: readonly Dot[] }
  /** Another entry was stored under this dot, or before it: a cloned or rolled back writer. */
  | { readonly type: 'conflict'; readonly dot: Dot }
  /** Timestamps do not rise. */
  | { readonly type: 'timestamp'; readonly dot: Dot };

export declare class ChannelLog {
  constructor(ref: ChannelRef);
  static decode(ref: ChannelRef, bytes: Uint8Array): Result<ChannelLog, string>;
  encode(): Uint8Array;
  readonly ref: ChannelRef;
  readonly isEmpty: boolean;
  /** Kept entries and their record bytes: those above the floors. */
  readonly entries: number;
  readonly bytes: number;
  readonly lastTimestamp: Timestamp;
  have(writer: WriterId): number;
  writers(): readonly WriterState[];
  writer(writer: WriterId): WriterState | undefined;
  accepts(run: RunSummary): Result<void, Refusal>;
  apply(run: RunSummary): void;
  heads(): readonly Dot[];
  primary(): Dot | undefined;
  parentsFor(writer: WriterId, opening: boolean): readonly Dot[] | undefined;
  commitThrough(dot: Dot): readonly Span[];
  readonly committed: Dot | undefined;
  readonly firstPosition: number;
  readonly endPosition: number;
  spans(from: number, to: number): Span[];
  positionOf(dot: Dot): number | undefined;
  dotAt(position: number): Dot | undefined;
  provisional(dot: Dot): readonly Span[];
  headsAt(position: number): readonly Dot[];
  vectorAt(position: number): Vector;
  pastOf(dot: Dot): Vector;
  readonly trim: Trim | undefined;
  readonly floors: Vector;
  trimAt(position: number): Trim | undefined;
  acceptsTrim(trim: Trim): boolean;
  applyTrim(trim: Trim, droppedBytes: number): void;
  lose(range: LostRange): void;
  lostRanges(): readonly LostRange[];
}
