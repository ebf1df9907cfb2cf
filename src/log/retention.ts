/** Stubs while the API settles. */
import type { Dot } from '../base/ids.js';
import type { ChannelLog } from './channel-log.js';
import type { Vector } from './entry.js';

export interface RetentionRule {
  readonly maxAgeMs?: number;
  readonly maxCount?: number;
  readonly maxBytes?: number;
  /** Keep the channel's retained entry, and with it all after it. */
  readonly retain?: boolean;
}
export interface RetentionInput {
  /** `LogStore.seqsSince(now - maxAgeMs)`; needed where the rule has an age. */
  readonly oldestKept?: Vector;
  readonly retained?: Dot;
}
/** The position to hand to `ChannelLog.trimAt`, or `undefined` while too little would be gained. */
export declare function trimPosition(
  rule: RetentionRule,
  log: ChannelLog,
  input: RetentionInput,
): number | undefined;
