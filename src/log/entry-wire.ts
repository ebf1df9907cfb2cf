/** Stubs while the API settles. */
import type { ChannelRef, WriterId } from '../base/ids.js';
import type { Result } from '../base/result.js';
import type { Entry, Timestamp } from './entry.js';
export { checkContent, contentHash, decodeContent, encodeContent } from './content-wire.js';
export type { ContentCheck, ContentFault, ContentLimits } from './content-wire.js';

/** Where an entry belongs; its checksum starts with `seed`. */
export interface Place {
  readonly writer: WriterId;
  readonly round: number;
  readonly seed: number;
}
export type EntryFault = 'malformed' | 'damaged' | 'unknown-kind';

/** A walk over `0x12, varint length, Entry` records without an object each. */
export declare class RecordWalk {
  constructor(bytes: Uint8Array, start?: number, end?: number);
  /** The record `next` moved to: bytes[start, end), its Entry from `bodyStart`. */
  start: number;
  bodyStart: number;
  end: number;
  /** The bytes are not whole records. */
  malformed: boolean;
  next(): boolean;
}
export declare function placeSeed(ref: ChannelRef, writer: WriterId, round: number): number;
export declare function placeOf(ref: ChannelRef, writer: WriterId, round: number): Place;
/** The body: without the record's tag and length. `checksum` of the entry is computed, not read. */
export declare function encodeEntry(entry: Entry, place: Place): Uint8Array;
export declare function decodeEntry(body: Uint8Array, place: Place): Result<Entry, EntryFault>;
/** Records one after another; stops where they are malformed. For hot loops use RecordWalk. */
export declare function iterateRecords(
  records: Uint8Array,
): Generator<{ readonly start: number; readonly bodyStart: number; readonly end: number }>;
export declare function recordSeq(bytes: Uint8Array, bodyStart: number): number;
export declare function recordTimestamp(bytes: Uint8Array, bodyStart: number): Timestamp;
export declare function recordChecksum(bytes: Uint8Array, bodyStart: number): number;
export declare function recordPrevious(bytes: Uint8Array, bodyStart: number): number;
/** Whether the checksum of the body bytes[bodyStart, end) fits its place. */
export declare function recordIsWhole(bytes: Uint8Array, bodyStart: number, end: number, seed: number): boolean;
