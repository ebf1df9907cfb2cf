/** A run: consecutive entries of one writer in one channel, stored and sent together. Its header names the place once
 *  and carries a checksum of everything behind it, so bulk reading checks a run and single reads check a record.
 *
 *  Header, little-endian: checksum u32 (of the header after itself and of the records) · header bytes u16 · reserved
 *  u16 · record bytes u32 · count u32 · first seq u64 · round u64 · writer 12 · hub length u8 · hub · channel length u8
 *  · channel. Records follow: each is `0x12, varint length, Entry`, an element of `Delivery.entries`, so a range of
 *  stored bytes goes into a delivery as it is. */
import type { ChannelRef, Dot, WriterId } from '../base/ids.js';
import type { Entry, Timestamp } from './entry.js';

/** What a log keeps of a run without reading its records again. */
export interface RunSummary {
  readonly ref: ChannelRef;
  readonly writer: WriterId;
  readonly round: number;
  readonly firstSeq: number;
  readonly count: number;
  readonly firstTimestamp: Timestamp;
  readonly lastTimestamp: Timestamp;
  /** Where a timestamp is not its predecessor's plus one: seq, timestamp, seq, timestamp, …; absent when all are.
   *  With it the timestamp of every entry is known, which placing concurrent entries needs. */
  readonly timestampSteps?: readonly number[] | undefined;
  /** Entries marked `retain`, as flat pairs of first and last seq; absent without any. Not the last one alone: a commit
   *  may place a part of the run. */
  readonly retained?: readonly number[] | undefined;
  /** Entries whose content was taken out, in the same way. */
  readonly redacted?: readonly number[] | undefined;
  /** `previous` of the first and checksum of the last entry: the chain must fit what is held. */
  readonly firstPrevious: number;
  readonly lastChecksum: number;
  /** Bytes of all records, headers left out. */
  readonly recordBytes: number;
  /** Entries that the log itself goes by: those with parents, and of any kind but `isContentKind`. In order of seq. */
  readonly marked: readonly Entry[];
  /** Idempotency keys in this run. */
  readonly keys: readonly KeyRow[];
  /** Where the run lies in the commit's bytes: header first. */
  readonly offset: number;
  readonly headerBytes: number;
}

/** An idempotency key as it is remembered. */
export interface KeyRow {
  readonly ref: ChannelRef;
  /** Actor and publisher: a key of one never meets a key of another. */
  readonly scope: string;
  readonly key: string;
  readonly dot: Dot;
  readonly timestamp: Timestamp;
  /** CRC-32 of the content's bytes: the same key with other content is a conflict. */
  readonly contentHash: number;
}
