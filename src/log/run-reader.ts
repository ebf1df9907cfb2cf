/** Runs from untrusted bytes: what recovery finds on a disk and what peers send. A run whose checksum fits is believed
 *  without summing its records one by one; one whose checksum does not is searched for records that are still whole. */
import { crc32 } from '../base/crc32.js';
import { type Result, err, ok } from '../base/result.js';
import type { RefCache } from './ref-cache.js';
import type { RunSummary } from './run.js';
import { type RunFault, parseRunHeader } from './run-header.js';
import { runLayout } from './run-layout.js';
import { summarize } from './run-summary.js';

export { RefCache } from './ref-cache.js';
export { parseRunHeader } from './run-header.js';
export { salvageRun } from './run-salvage.js';

/** CRC-32 of bytes[start, end). */
export type Checksum = (bytes: Uint8Array, start: number, end: number) => number;

/** Verifies the run at `at`, of which at most `length` bytes are its own, and collects what a log keeps of it: the
 *  checksum of the run, records one after another with rising seqs and timestamps, each naming the checksum of the one
 *  before. Entries that are marked are decoded and their own checksums verified. `offset` of the result is `at`.
 *  `sum` is for who has a faster one for long runs. */
export function verifyRun(
  bytes: Uint8Array,
  at: number,
  length: number,
  cache?: RefCache,
  sum: Checksum = crc32,
): Result<RunSummary, RunFault> {
  const parsed = parseRunHeader(bytes, at, cache);
  if (!parsed.ok) return parsed;
  const header = parsed.value;
  const recordsStart = at + header.headerBytes;
  const end = recordsStart + header.recordBytes;
  if (end > at + length || end > bytes.length) return err('truncated');
  if (sum(bytes, at + runLayout.headerBytes, end) !== header.checksum) return err('damaged');
  const summary = summarize(bytes, recordsStart, end, header);
  return summary ? ok(summary) : err('malformed');
}
