/** A commit on disk: 64 bytes of header, a section, runs (log/run.ts), and zeros up to the next multiple of 64.
 *
 *  Header, little-endian: magic u32 · checksum u32 of the rest, started with the lineage's · kind u8 · 3 reserved ·
 *  section bytes u32 · runs bytes u32 · run count u32 · entry count u32 · body checksum u32 · number u64 · first arrival
 *  u64 · segment u32 · offset u32 · generation u32 · section checksum u32.
 *
 *  Sixty-four bytes at a multiple of 64, so a header never crosses a disk sector: it is on the disk whole or not at all.
 *  It names its own place, so a block that strayed or stayed from before is not taken for this commit. The body checksum
 *  covers the section and the first four bytes of every run, which are the run's own checksum: so it binds every byte to
 *  this commit, and a scan still sums each byte once. The section's own checksum saves the notes of a damaged commit.
 *
 *  The section of a written commit holds notes: name length u8 · name · value length u32 · value. That of a rewritten
 *  one holds the arrival number (u64) of the first entry of each run. */
import { ByteReader, type ByteWriter, readFixed32, readFixed64, utf8, utf8Text } from '../base/bytes.js';
import { writeFixed32, writeFixed64 } from '../base/bytes.js';
import { assert } from '../base/assert.js';
import { checksum } from './checksum.js';
import { roundUp } from './segment-format.js';

export const commitHeaderBytes = 64;
export const commitAlignment = 64;
/** "RLC1" as it lies in the file. */
export const commitMagic = 0x31434c52;

export type CommitKind = 'written' | 'rewritten';

export interface CommitHeader {
  readonly kind: CommitKind;
  readonly sectionBytes: number;
  readonly runsBytes: number;
  readonly runCount: number;
  readonly entryCount: number;
  readonly sectionChecksum: number;
  readonly bodyChecksum: number;
  /** Written: rises by one over the whole log. Rewritten: counts from 1 inside its segment. */
  readonly number: number;
  /** Of its first entry; 0 when rewritten. */
  readonly firstArrival: number;
  readonly segment: number;
  readonly offset: number;
  readonly generation: number;
}

/** What a commit takes in its segment. */
export function commitLength(header: Pick<CommitHeader, 'sectionBytes' | 'runsBytes'>): number {
  return roundUp(commitHeaderBytes + header.sectionBytes + header.runsBytes, commitAlignment);
}

/** The start of every commit header's checksum: a commit of another store does not pass. */
export function lineageSeed(lineage: string): number {
  const bytes = utf8(lineage);
  return checksum(bytes, 0, bytes.length);
}

export function writeCommitHeader(out: Uint8Array, at: number, header: CommitHeader, seed: number): void {
  out.fill(0, at, at + commitHeaderBytes);
  writeFixed32(out, at, commitMagic);
  out[at + 8] = header.kind === 'written' ? 1 : 2;
  writeFixed32(out, at + 12, header.sectionBytes);
  writeFixed32(out, at + 16, header.runsBytes);
  writeFixed32(out, at + 20, header.runCount);
  writeFixed32(out, at + 24, header.entryCount);
  writeFixed32(out, at + 28, header.bodyChecksum);
  writeFixed64(out, at + 32, header.number);
  writeFixed64(out, at + 40, header.firstArrival);
  writeFixed32(out, at + 48, header.segment);
  writeFixed32(out, at + 52, header.offset);
  writeFixed32(out, at + 56, header.generation);
  writeFixed32(out, at + 60, header.sectionChecksum);
  writeFixed32(out, at + 4, checksum(out, at + 8, at + commitHeaderBytes, seed));
}

/** `undefined` when these 64 bytes are no commit header of this lineage. Its place is for the caller to check. */
export function parseCommitHeader(bytes: Uint8Array, at: number, seed: number): CommitHeader | undefined {
  if (at + commitHeaderBytes > bytes.length || readFixed32(bytes, at) !== commitMagic) return undefined;
  if (readFixed32(bytes, at + 4) !== checksum(bytes, at + 8, at + commitHeaderBytes, seed)) return undefined;
  const kind = bytes[at + 8];
  if (kind !== 1 && kind !== 2) return undefined;
  return {
    kind: kind === 1 ? 'written' : 'rewritten',
    sectionBytes: readFixed32(bytes, at + 12),
    runsBytes: readFixed32(bytes, at + 16),
    runCount: readFixed32(bytes, at + 20),
    entryCount: readFixed32(bytes, at + 24),
    bodyChecksum: readFixed32(bytes, at + 28),
    number: readFixed64(bytes, at + 32),
    firstArrival: readFixed64(bytes, at + 40),
    segment: readFixed32(bytes, at + 48),
    offset: readFixed32(bytes, at + 52),
    generation: readFixed32(bytes, at + 56),
    sectionChecksum: readFixed32(bytes, at + 60),
  };
}

/** The sum of the section, and that sum carried on over each run's checksum. `runsAt` is where the runs begin in
 *  `bytes`, their offsets count from there. */
export function bodySums(
  bytes: Uint8Array,
  sectionAt: number,
  runsAt: number,
  runs: readonly { readonly offset: number }[],
): { readonly sectionChecksum: number; readonly bodyChecksum: number } {
  const sectionChecksum = checksum(bytes, sectionAt, runsAt);
  let sum = sectionChecksum;
  for (const { offset } of runs) sum = checksum(bytes, runsAt + offset, runsAt + offset + 4, sum);
  return { sectionChecksum, bodyChecksum: sum };
}

export type Notes = ReadonlyMap<string, Uint8Array>;

export function encodeNotes(notes: Notes, out: ByteWriter): void {
  for (const [name, value] of notes) {
    const nameBytes = utf8(name);
    assert(nameBytes.length > 0 && nameBytes.length < 256, 'the name of a note has 1 to 255 bytes');
    out.u8(nameBytes.length);
    out.raw(nameBytes);
    out.fixed32(value.length);
    out.raw(value);
  }
}

/** Copies, so that the commit's buffer is not kept. `undefined` when the bytes are not notes. */
export function decodeNotes(bytes: Uint8Array): Map<string, Uint8Array> | undefined {
  const reader = new ByteReader(bytes);
  const notes = new Map<string, Uint8Array>();
  while (!reader.done) {
    const name = reader.take(reader.u8());
    const value = reader.take(reader.fixed32());
    if (reader.failed) return undefined;
    notes.set(utf8Text(name), value.slice());
  }
  return reader.failed ? undefined : notes;
}

/** Arrival numbers of a rewritten commit's runs. */
export function decodeOrigins(bytes: Uint8Array): number[] {
  const origins: number[] = [];
  for (let at = 0; at + 8 <= bytes.length; at += 8) origins.push(readFixed64(bytes, at));
  return origins;
}
