/** What a log tells of one of its writers. */
import type { WriterId } from '../base/ids.js';
import type { Timestamp } from './entry.js';
import type { SubLog } from './sub-log.js';

export interface WriterState {
  readonly writer: WriterId;
  /** Everything through it is held, or below the floor. */
  readonly seq: number;
  /** Of the newest entry; 0 when it is below the floor. */
  readonly round: number;
  /** Of the newest entry; 0 when it was never seen whole: lost, or trimmed before it came here. */
  readonly lastChecksum: number;
  readonly lastTimestamp: Timestamp;
  readonly floor: number;
  /** Of nothing through it the content is kept: it is trimmed, or of an older generation. */
  readonly goneThrough: number;
}

export function stateOf(subLog: SubLog): WriterState {
  const { writer, seq, lastTimestamp, floor, goneThrough, lastChecksum = 0 } = subLog;
  return { writer, seq, round: subLog.roundOf(seq), lastChecksum, lastTimestamp, floor, goneThrough };
}
