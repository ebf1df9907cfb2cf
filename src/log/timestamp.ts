/** Timestamps: one safe integer, milliseconds since 2024-01-01T00:00:00Z × 4096 + a 12-bit counter (good to 2093). */
import { assert } from '../base/assert.js';
import type { Timestamp } from './entry.js';

/** 2024-01-01T00:00:00Z in Unix milliseconds. */
export const epochUnixMs = 1_704_067_200_000;
export const countersPerMs = 4096;
export const timestampMax: Timestamp = Number.MAX_SAFE_INTEGER;

/** Times before the epoch count as the epoch; fractions of a millisecond are dropped. */
export function timestampFromUnixMs(unixMs: number, counter = 0): Timestamp {
  assert(counter >= 0 && counter < countersPerMs, 'a counter has 12 bits');
  return Math.max(0, Math.floor(unixMs) - epochUnixMs) * countersPerMs + counter;
}

/** Whole Unix milliseconds. */
export function unixMsOf(timestamp: Timestamp): number {
  return Math.floor(timestamp / countersPerMs) + epochUnixMs;
}

export function counterOf(timestamp: Timestamp): number {
  return timestamp % countersPerMs;
}

/** ISO time, "+" and the counter: `2026-11-21T06:47:50.123Z+17`. */
export function timestampText(timestamp: Timestamp): string {
  return `${new Date(unixMsOf(timestamp)).toISOString()}+${counterOf(timestamp)}`;
}

const textPattern = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z)\+(\d{1,4})$/;

/** The inverse of `timestampText`; `undefined` for anything it does not write. */
export function parseTimestamp(text: string): Timestamp | undefined {
  const match = textPattern.exec(text);
  const unixMs = Date.parse(match?.[1] ?? '');
  const counter = Number(match?.[2]);
  if (!(unixMs >= epochUnixMs) || !(counter < countersPerMs)) return undefined;
  const timestamp = timestampFromUnixMs(unixMs, counter);
  // Only one text for one time: no leading zeros, no 31st of February.
  return timestamp <= timestampMax && timestampText(timestamp) === text ? timestamp : undefined;
}
