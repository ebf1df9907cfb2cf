/** The header of a run, from untrusted bytes. */
import { readFixed32, readFixed64 } from '../base/bytes.js';
import type { ChannelRef, WriterId } from '../base/ids.js';
import { type Result, err, ok } from '../base/result.js';
import { fixedFieldsBytes } from './record-layout.js';
import { RefCache } from './ref-cache.js';
import { runLayout } from './run-layout.js';

export interface RunHeader {
  readonly ref: ChannelRef;
  readonly writer: WriterId;
  readonly round: number;
  readonly firstSeq: number;
  readonly count: number;
  readonly checksum: number;
  /** Where it stands in the bytes. */
  readonly offset: number;
  readonly headerBytes: number;
  readonly recordBytes: number;
}

/** `truncated`: the bytes end before the run does. `damaged`: the checksum does not fit. `malformed`: it fits, or there
 *  is none to check yet, but this is no run. */
export type RunFault = 'truncated' | 'malformed' | 'damaged';

/** The header at `at`, its checksum not verified: numbers in range, names that are names. The records need not be there. */
export function parseRunHeader(
  bytes: Uint8Array,
  at: number,
  cache = new RefCache(1),
): Result<RunHeader, RunFault> {
  const parsed = parseLeniently(bytes, at, cache);
  if (!parsed.ok) return parsed;
  const header = parsed.value;
  const lengthField = bytes[at + runLayout.headerBytes]! | (bytes[at + runLayout.headerBytes + 1]! << 8);
  const reserved = bytes[at + runLayout.reserved]! | bytes[at + runLayout.reserved + 1]!;
  const isPlausible =
    reserved === 0 &&
    lengthField === header.headerBytes &&
    header.count >= 1 &&
    header.recordBytes >= header.count * (fixedFieldsBytes + 2);
  return isPlausible ? parsed : err('malformed');
}

/** For salvage: only the place and the first seq must make sense. */
export function parseLeniently(bytes: Uint8Array, at: number, cache: RefCache): Result<RunHeader, RunFault> {
  if (at + runLayout.hub > bytes.length) return err('truncated');
  const hubEnd = at + runLayout.hub + bytes[at + runLayout.hubLength]!;
  if (hubEnd >= bytes.length) return err('truncated');
  const end = hubEnd + 1 + bytes[hubEnd]!;
  if (end > bytes.length) return err('truncated');
  const ref = cache.ref(bytes, at + runLayout.hubLength, end);
  const count = readFixed32(bytes, at + runLayout.count);
  const firstSeq = readFixed64(bytes, at + runLayout.firstSeq);
  const round = readFixed64(bytes, at + runLayout.round);
  const isPlausible = firstSeq >= 1 && Number.isSafeInteger(firstSeq + count) && Number.isSafeInteger(round);
  if (!ref || !isPlausible) return err('malformed');
  return ok({
    ref,
    writer: cache.writer(bytes, at + runLayout.writer),
    round,
    firstSeq,
    count,
    checksum: readFixed32(bytes, at),
    offset: at,
    headerBytes: end - at,
    recordBytes: readFixed32(bytes, at + runLayout.recordBytes),
  });
}
