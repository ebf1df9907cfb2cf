/** What reads of the store give. */
import type { SeqRange } from '../log/channel-log.js';

/** Whole records of one run, as stored. */
export interface StoredSlice extends SeqRange {
  readonly round: number;
  readonly records: Uint8Array;
}
