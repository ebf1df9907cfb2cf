/** Stubs while the API settles. */
import type { Dot, WriterId } from '../base/ids.js';
import type { Result } from '../base/result.js';
import type { ChannelLog } from './channel-log.js';
import type { LostRange, Vector } from './entry.js';

export interface EntriesStep {
  readonly type: 'entries';
  readonly writer: WriterId;
  readonly firstSeq: number;
  readonly count: number;
  /** The order places these before something this reader already has. */
  readonly late: boolean;
}
export interface GapStep {
  readonly type: 'gap';
  readonly reason: 'trimmed';
  /** Where known. */
  readonly ranges: readonly LostRange[];
  /** The reader's heads after the gap. */
  readonly heads: readonly Dot[];
}
export type Step = EntriesStep | GapStep | { readonly type: 'end' };

export declare class LogReader {
  private constructor();
  static atCursor(
    log: ChannelLog,
    heads: readonly Dot[],
  ): Result<LogReader, { readonly missingHeads: readonly Dot[] }>;
  static atPosition(log: ChannelLog, position: number): LogReader;
  /** For each writer the first seq wanted, as `LogStore.seqsSince` says; of other writers what is held is not. */
  static atVector(log: ChannelLog, vector: Vector): LogReader;
  /** Everything before this position is delivered. */
  readonly position: number;
  next(log: ChannelLog, countMax: number): Step;
  advance(log: ChannelLog, step: Step): void;
  heads(log: ChannelLog): readonly Dot[];
  isAtEnd(log: ChannelLog): boolean;
}
