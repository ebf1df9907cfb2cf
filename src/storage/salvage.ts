/** What can be saved of a damaged stretch of a segment: notes, whole runs, and whole records of damaged runs. */
import { readFixed32 } from '../base/bytes.js';
import type { RunSummary } from '../log/run.js';
import { RefCache, parseRunHeader, salvageRun, verifyRun } from '../log/run-reader.js';
import { checksum } from './checksum.js';
import { type CommitHeader, commitHeaderBytes, decodeNotes } from './commit-format.js';

/** A stretch of whole records. `offset` and `headerBytes` say where they lie: a whole run with its header, or, with
 *  `headerBytes` 0, records to be verified one by one. */
export interface Saved {
  readonly summary: RunSummary;
  /** In the bytes that were searched. */
  readonly offset: number;
  readonly headerBytes: number;
}

export interface Salvage {
  readonly notes: ReadonlyMap<string, Uint8Array> | undefined;
  readonly saved: readonly Saved[];
}

/** `bytes` is the stretch; with `header`, a damaged commit that begins at 0. */
export function salvage(bytes: Uint8Array, header: CommitHeader | undefined): Salvage {
  const runsAt = header ? commitHeaderBytes + header.sectionBytes : 0;
  const end = header ? Math.min(bytes.length, runsAt + header.runsBytes) : bytes.length;
  const cache = new RefCache(16);
  const saved: Saved[] = [];
  let at = runsAt;
  // Where the one before ended and another begins, a run is believed by its header; elsewhere only by its checksum.
  let isStart = header !== undefined;
  while (at < end) {
    const next = runAt(bytes, at, end, isStart, cache, saved);
    isStart = next > at;
    at = isStart ? next : at + 1;
  }
  return { notes: header?.kind === 'written' ? savedNotes(bytes, header) : undefined, saved };
}

/** Adds what is whole of a run at `at`; returns where it ends, or `at` when there is none. */
function runAt(
  bytes: Uint8Array,
  at: number,
  end: number,
  isStart: boolean,
  cache: RefCache,
  saved: Saved[],
): number {
  if (!mayBeRun(bytes, at, end)) return at;
  const run = verifyRun(bytes, at, end - at, cache);
  if (run.ok) {
    const { headerBytes, recordBytes } = run.value;
    saved.push({ summary: run.value, offset: at, headerBytes });
    return at + headerBytes + recordBytes;
  }
  const pieces = salvageRun(bytes, at, end - at)?.pieces ?? [];
  for (const { summary, recordsStart } of pieces) {
    saved.push({ summary, offset: recordsStart, headerBytes: 0 });
  }
  const header = parseRunHeader(bytes, at, cache);
  if (!header.ok || (pieces.length === 0 && !isStart)) return at;
  const next = at + header.value.headerBytes + header.value.recordBytes;
  // A length that was hit would lead past other runs: go there only if something is there.
  return next === end || (next < end && mayBeRun(bytes, next, end)) ? next : (endOf(pieces) ?? at);
}

function endOf(pieces: readonly { readonly recordsEnd: number }[]): number | undefined {
  return pieces.at(-1)?.recordsEnd;
}

// Offsets in a run's header (log/run.ts), looked at before anything is parsed: a search tries every byte.
const headerBytesAt = 4;
const hubLengthAt = 44;
const headerBytesMin = 48;

function mayBeRun(bytes: Uint8Array, at: number, end: number): boolean {
  if (at + headerBytesMin > end) return false;
  const headerBytes = readFixed32(bytes, at + headerBytesAt);
  if (headerBytes < headerBytesMin || at + headerBytes > end) return false;
  const hubLength = bytes[at + hubLengthAt]!;
  const channelLength = bytes[at + hubLengthAt + 1 + hubLength] ?? -1;
  return headerBytes === hubLengthAt + 2 + hubLength + channelLength;
}

function savedNotes(bytes: Uint8Array, header: CommitHeader): Map<string, Uint8Array> | undefined {
  const end = commitHeaderBytes + header.sectionBytes;
  if (end > bytes.length) return undefined;
  if (checksum(bytes, commitHeaderBytes, end) !== header.sectionChecksum) return undefined;
  return decodeNotes(bytes.subarray(commitHeaderBytes, end));
}
