/** A segment: one 4 KiB page of header, then commits (commit-format.ts) from byte 4096 on, then zeros.
 *
 *  Header, little-endian: magic 8 · checksum u32 of all that follows up to byte 128 · format u32 · lineage 16 ·
 *  number u32 · through u32 · generation u32 · reserved u32 · first commit u64 · first arrival u64 · last commit u64 ·
 *  end u64.
 *
 *  A segment is *written* (generation 0) or *rewritten* by compaction: generation 1 and up, standing for the written
 *  segments `number` to `through`, complete before it got its name, `end` saying where its content ends. A file made
 *  ahead for the next segment has a page of zeros in place of the header. */
import { equalBytes, fromHex, readFixed32, readFixed64, toHex, utf8 } from '../base/bytes.js';
import { writeFixed32, writeFixed64 } from '../base/bytes.js';
import { type Result, err, ok } from '../base/result.js';
import { checksum } from './checksum.js';

export const pageBytes = 4096;
export const segmentHeaderBytes = 4096;
/** What this program writes. Others are read through migrations/store. */
export const storeFormat = 1;

const magic = utf8('RINGSEG\n');
const fieldsEnd = 128;

export interface SegmentHeader {
  readonly format: number;
  /** 16 bytes as hex, the same in every segment of a directory for its whole life. */
  readonly lineage: string;
  readonly number: number;
  /** The last written segment this one stands for; its own number unless rewritten. */
  readonly through: number;
  readonly generation: number;
  readonly firstCommit: number;
  readonly firstArrival: number;
  /** Rewritten only, else 0: the last commit of those it stands for. */
  readonly lastCommit: number;
  /** Rewritten only, else 0: bytes up to the end of its last commit. */
  readonly end: number;
}

export type SegmentHeaderProblem = 'blank' | 'damaged' | { readonly newerFormat: number };

/** A page. */
export function encodeSegmentHeader(header: SegmentHeader): Uint8Array {
  const page = new Uint8Array(segmentHeaderBytes);
  page.set(magic);
  writeFixed32(page, 12, header.format);
  page.set(fromHex(header.lineage), 16);
  writeFixed32(page, 32, header.number);
  writeFixed32(page, 36, header.through);
  writeFixed32(page, 40, header.generation);
  writeFixed64(page, 48, header.firstCommit);
  writeFixed64(page, 56, header.firstArrival);
  writeFixed64(page, 64, header.lastCommit);
  writeFixed64(page, 72, header.end);
  writeFixed32(page, 8, checksum(page, 12, fieldsEnd));
  return page;
}

/** Reads the first `fieldsEnd` bytes of a segment; fewer count as damage. */
export function parseSegmentHeader(page: Uint8Array): Result<SegmentHeader, SegmentHeaderProblem> {
  if (isZero(page, 0, Math.min(page.length, fieldsEnd))) return err('blank');
  if (page.length < fieldsEnd || !equalBytes(page.subarray(0, 8), magic)) return err('damaged');
  if (readFixed32(page, 8) !== checksum(page, 12, fieldsEnd)) return err('damaged');
  const format = readFixed32(page, 12);
  if (format > storeFormat) return err({ newerFormat: format });
  return ok({
    format,
    lineage: toHex(page.subarray(16, 32)),
    number: readFixed32(page, 32),
    through: readFixed32(page, 36),
    generation: readFixed32(page, 40),
    firstCommit: readFixed64(page, 48),
    firstArrival: readFixed64(page, 56),
    lastCommit: readFixed64(page, 64),
    end: readFixed64(page, 72),
  });
}

/** `0000000042.seg`, or `0000000042.3.seg` for the third rewriting: names in order are segments in order. */
export function segmentFileName(number: number, generation: number): string {
  const digits = String(number).padStart(10, '0');
  return generation === 0 ? `${digits}.seg` : `${digits}.${generation}.seg`;
}

export function parseSegmentFileName(name: string): { number: number; generation: number } | undefined {
  const match = /^([0-9]{10})(?:\.([1-9][0-9]{0,8}))?\.seg$/.exec(name);
  if (!match) return undefined;
  return { number: Number(match[1]), generation: Number(match[2] ?? 0) };
}

export function isZero(bytes: Uint8Array, start = 0, end = bytes.length): boolean {
  for (let i = start; i < end; i++) if (bytes[i] !== 0) return false;
  return true;
}

export function roundUp(value: number, step: number): number {
  return Math.ceil(value / step) * step;
}
