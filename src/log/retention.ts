/** When retention is due and how far. The owner asks, and writes a trim into the log; other homes apply that trim and
 *  never decide themselves, so all keep the same. The retained message goes like any other entry: what is removed is a
 *  beginning of the order, so keeping an old one would keep everything after it. */
import type { ChannelLog } from './channel-log.js';
import type { Timestamp, Vector } from './entry.js';

export interface RetentionRule {
  readonly maxAgeMs?: number | undefined;
  readonly maxCount?: number | undefined;
  readonly maxBytes?: number | undefined;
}

export interface RetentionInput {
  /** The first seq of each writer that is young enough: `LogStore.seqsSince(now - maxAgeMs)`. Needed where the rule has
   *  an age, else age removes nothing. */
  readonly oldestKept?: Vector | undefined;
  /** Where the newest messages begin that the rule keeps by their number, an eighth more of them before some go: `isAboveCount`.
   *  Needed where the rule has a count, else count removes nothing. */
  readonly keptFrom?: number | undefined;
}

/** Whether so many messages are enough more than a rule keeps. */
export function isAboveCount(maxCount: number, messages: number): boolean {
  return messages > maxCount * (1 + excessFraction);
}

/** What an operator says is left, exactly: that many of the newest entries, about that many bytes, or what is not older. */
export type Keep = { readonly entries: number } | { readonly bytes: number } | { readonly since: Timestamp };

type LogSizes = Pick<ChannelLog, 'firstPosition' | 'endPosition' | 'entries' | 'bytes' | 'positionOf'>;

/** A trim is an entry itself: it must remove several times its own weight, and a channel that holds nothing but its last
 *  trim must come to rest. */
const excessFraction = 1 / 8;
const excessEntriesMin = 2;

/** Position before which everything may go, for `ChannelLog.trimAt`; `undefined` while nothing or too little would.
 *  At least what the rule says is kept, an eighth more before something is removed. */
export function trimPosition(rule: RetentionRule, log: LogSizes, input: RetentionInput): number | undefined {
  const wanted = Math.max(
    positionByAge(rule, log, input.oldestKept),
    input.keptFrom ?? 0,
    positionByBytes(rule, log),
  );
  const position = Math.min(wanted, log.endPosition);
  return position - log.firstPosition >= excessEntriesMin ? position : undefined;
}

/** Position before which everything goes that is not to be kept; as above where that is too little. `oldestKept` is of
 *  `since`. */
export function forcedPosition(
  keep: Keep,
  log: LogSizes,
  oldestKept: Vector | undefined,
): number | undefined {
  const { firstPosition, endPosition } = log;
  const wanted =
    'since' in keep
      ? positionBefore(log, oldestKept ?? new Map())
      : endPosition - ('entries' in keep ? keep.entries : entriesIn(log, keep.bytes));
  return wanted - firstPosition >= excessEntriesMin ? wanted : undefined;
}

function positionByAge({ maxAgeMs }: RetentionRule, log: LogSizes, oldestKept: Vector | undefined): number {
  return maxAgeMs === undefined || !oldestKept ? 0 : positionBefore(log, oldestKept);
}

function positionBefore(log: LogSizes, oldestKept: Vector): number {
  let position = log.endPosition;
  for (const [writer, seq] of oldestKept)
    position = Math.min(position, log.positionOf({ writer, seq }) ?? position);
  return position;
}

function positionByBytes({ maxBytes }: RetentionRule, log: LogSizes): number {
  if (maxBytes === undefined || log.bytes <= maxBytes * (1 + excessFraction)) return 0;
  return log.endPosition - entriesIn(log, maxBytes);
}

/** Sizes of single entries are not in memory: entries are taken to be alike. */
function entriesIn({ entries, bytes }: LogSizes, keptBytes: number): number {
  return bytes === 0 ? entries : Math.floor((entries * keptBytes) / bytes);
}
