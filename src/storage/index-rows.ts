/** Keys and values of the index. Every value begins with the CRC-32 of its key and the rest of it, so that a row which
 *  was damaged or strayed is found out when it is read.
 *
 *  A key begins with a letter: `m` meta · `n` note name · `c` channel · `r` channel, writer 12, first seq u64 · `a` arrival
 *  u64 · `b` batch u64 · `k` bucket u32, channel, scope NUL key · `g` segment u32 · `t` channel · `d` channel · `s` how far
 *  scrubbing has come, a key · `x` channel. Numbers are big-endian, a channel is
 *  `hub NUL channel NUL`, so rows of one channel lie together and in order of seq. */
import {
  ByteReader,
  ByteWriter,
  fromHex,
  readFixed32,
  readOrdered64,
  toHex,
  utf8,
  utf8Text,
  writeFixed32,
  writeFixed64,
  writeOrdered64,
} from '../base/bytes.js';
import { readFixed64 } from '../base/bytes.js';
import { crc32 } from '../base/crc32.js';
import type { ChannelName, ChannelRef, HubName, WriterId } from '../base/ids.js';
import type { Timestamp } from '../log/entry.js';
import type { KeyRow } from '../log/run.js';
import { rowBytes } from './row-bytes.js';

export const indexFormat = 2;
const checksumBytes = 4;

/** Where a run lies, and what finding an entry in it needs. */
export interface RunPlace {
  readonly firstSeq: number;
  readonly count: number;
  readonly round: number;
  readonly firstTimestamp: Timestamp;
  readonly lastTimestamp: Timestamp;
  readonly segment: number;
  readonly generation: number;
  /** Of the run's header in its segment. */
  readonly offset: number;
  readonly headerBytes: number;
  readonly recordBytes: number;
  /** Record bytes of the same writer in this channel before this run: what a trim drops is a difference of two. */
  readonly bytesBefore: number;
  /** Of its first entry. */
  readonly arrival: number;
}

/** Where entries lie in order of arrival: a whole commit, or one run of a rewritten one. */
export interface ArrivalPlace {
  readonly arrival: number;
  readonly entries: number;
  readonly segment: number;
  readonly generation: number;
  readonly offset: number;
  readonly bytes: number;
  readonly kind: 'commit' | 'run';
}

export interface Meta {
  readonly storeId: string;
  /** The last commit the index covers, and where it lies and ends. All zero before the first. */
  readonly commit: number;
  readonly segment: number;
  readonly generation: number;
  readonly offset: number;
  readonly end: number;
  readonly nextArrival: number;
  /** Number of the batch that wrote this row. */
  readonly batch: number;
  /** Rows of channels, and entries in all of them. */
  readonly channels: number;
  readonly entries: number;
}

/** Where a value begins once its checksum was verified. */
export const valueStart = checksumBytes;

export function seal(key: Uint8Array, value: Uint8Array): Uint8Array {
  writeFixed32(value, 0, crc32(value, checksumBytes, value.length, crc32(key)));
  return value;
}

export function isSealed(key: Uint8Array, value: Uint8Array): boolean {
  if (value.length < checksumBytes) return false;
  return readFixed32(value, 0) === crc32(value, checksumBytes, value.length, crc32(key));
}

export const tags = {
  meta: 109,
  note: 110,
  channel: 99,
  run: 114,
  arrival: 97,
  batch: 98,
  key: 107,
  segment: 103,
  trim: 116,
  digest: 100,
  scrub: 115,
  waiting: 120,
};
type Tag = (typeof tags)[keyof typeof tags];

/** The first key after all that begin with `prefix`, whose last byte is below 255. */
export function keyAfter(prefix: Uint8Array): Uint8Array {
  const after = prefix.slice();
  after[after.length - 1]! += 1;
  return after;
}

export function tagged(tag: Tag, rest: Uint8Array = new Uint8Array(0)): Uint8Array {
  const key = rowBytes(1 + rest.length);
  key[0] = tag;
  key.set(rest, 1);
  return key;
}

export function channelBytes(ref: ChannelRef): Uint8Array {
  return utf8(`${ref.hub}\0${ref.channel}\0`);
}

export function channelOf(key: Uint8Array): ChannelRef {
  const [hub, channel] = utf8Text(key.subarray(1)).split('\0');
  return { hub: hub as HubName, channel: channel as ChannelName };
}

export function arrivalKey(arrival: number): Uint8Array {
  const key = tagged(tags.arrival, new Uint8Array(8));
  writeOrdered64(key, 1, arrival);
  return key;
}

/** A row that each batch adds, without a value: where one is missing LevelDB has dropped a batch. */
export function batchKey(batch: number): Uint8Array {
  const key = tagged(tags.batch, new Uint8Array(8));
  writeOrdered64(key, 1, batch);
  return key;
}

export function segmentKey(number: number): Uint8Array {
  return tagged(tags.segment, bigEndian32(number));
}

/** What every run row of a channel and writer begins with; the seq follows. */
export function runKeyPrefix(channel: Uint8Array, writer: WriterId): Uint8Array {
  const key = rowBytes(1 + channel.length + 12);
  key[0] = tags.run;
  key.set(channel, 1);
  key.set(fromHex(writer), 1 + channel.length);
  return key;
}

export function runKey(prefix: Uint8Array, seq: number): Uint8Array {
  const key = rowBytes(prefix.length + 8);
  key.set(prefix);
  writeOrdered64(key, prefix.length, seq);
  return key;
}

const runValueBytes = checksumBytes + 70;

export function encodeRun(key: Uint8Array, place: RunPlace): Uint8Array {
  const value = rowBytes(runValueBytes);
  writeFixed32(value, 4, place.count);
  writeFixed32(value, 8, place.segment);
  writeFixed32(value, 12, place.generation);
  writeFixed32(value, 16, place.offset);
  writeFixed32(value, 20, place.headerBytes);
  writeFixed32(value, 24, place.recordBytes);
  writeFixed64(value, 28, place.round);
  writeFixed64(value, 36, place.firstTimestamp);
  writeFixed64(value, 44, place.lastTimestamp);
  writeFixed64(value, 52, place.bytesBefore);
  writeFixed64(value, 60, place.arrival);
  return seal(key, value);
}

/** `undefined` when the row is damaged. */
export function decodeRun(key: Uint8Array, value: Uint8Array): RunPlace | undefined {
  if (value.length !== runValueBytes || !isSealed(key, value)) return undefined;
  return {
    firstSeq: readOrdered64(key, key.length - 8),
    count: readFixed32(value, 4),
    segment: readFixed32(value, 8),
    generation: readFixed32(value, 12),
    offset: readFixed32(value, 16),
    headerBytes: readFixed32(value, 20),
    recordBytes: readFixed32(value, 24),
    round: readFixed64(value, 28),
    firstTimestamp: readFixed64(value, 36),
    lastTimestamp: readFixed64(value, 44),
    bytesBefore: readFixed64(value, 52),
    arrival: readFixed64(value, 60),
  };
}

const arrivalValueBytes = checksumBytes + 21;

export function encodeArrival(key: Uint8Array, place: ArrivalPlace): Uint8Array {
  const value = rowBytes(arrivalValueBytes);
  writeFixed32(value, 4, place.entries);
  writeFixed32(value, 8, place.segment);
  writeFixed32(value, 12, place.generation);
  writeFixed32(value, 16, place.offset);
  writeFixed32(value, 20, place.bytes);
  value[24] = place.kind === 'commit' ? 1 : 2;
  return seal(key, value);
}

export function decodeArrival(key: Uint8Array, value: Uint8Array): ArrivalPlace | undefined {
  if (value.length !== arrivalValueBytes || !isSealed(key, value)) return undefined;
  return {
    arrival: readOrdered64(key, 1),
    entries: readFixed32(value, 4),
    segment: readFixed32(value, 8),
    generation: readFixed32(value, 12),
    offset: readFixed32(value, 16),
    bytes: readFixed32(value, 20),
    kind: value[24] === 1 ? 'commit' : 'run',
  };
}

export function encodeMeta(meta: Meta): Uint8Array {
  const out = new ByteWriter(104);
  out.fixed32(0);
  out.fixed32(indexFormat);
  out.raw(fromHex(meta.storeId));
  out.fixed64(meta.commit);
  out.fixed32(meta.segment);
  out.fixed32(meta.generation);
  out.fixed32(meta.offset);
  out.fixed32(meta.end);
  out.fixed64(meta.nextArrival);
  out.fixed64(meta.batch);
  out.fixed64(meta.channels);
  out.fixed64(meta.entries);
  return seal(tagged(tags.meta), out.bytes().slice());
}

/** `undefined` when it is damaged or of another index format: then the index is dropped. */
export function decodeMeta(value: Uint8Array): Meta | undefined {
  if (!isSealed(tagged(tags.meta), value)) return undefined;
  const reader = new ByteReader(value, checksumBytes);
  if (reader.fixed32() !== indexFormat) return undefined;
  const meta = {
    storeId: toHex(reader.take(16)),
    commit: reader.fixed64(),
    segment: reader.fixed32(),
    generation: reader.fixed32(),
    offset: reader.fixed32(),
    end: reader.fixed32(),
    nextArrival: reader.fixed64(),
    batch: reader.fixed64(),
    channels: reader.fixed64(),
    entries: reader.fixed64(),
  };
  return reader.failed ? undefined : meta;
}

export function keyRowPrefix(bucket: number): Uint8Array {
  return tagged(tags.key, bigEndian32(bucket));
}

export function keyRowKey(bucket: number, channel: Uint8Array, scope: string, key: string): Uint8Array {
  const text = utf8(`${scope}\0${key}`);
  const out = rowBytes(5 + channel.length + text.length);
  out.set(keyRowPrefix(bucket));
  out.set(channel, 5);
  out.set(text, 5 + channel.length);
  return out;
}

export function encodeKeyRow(key: Uint8Array, row: KeyRow): Uint8Array {
  const value = rowBytes(checksumBytes + 32);
  value.set(fromHex(row.dot.writer), 4);
  writeFixed64(value, 16, row.dot.seq);
  writeFixed64(value, 24, row.timestamp);
  writeFixed32(value, 32, row.contentHash);
  return seal(key, value);
}

export function decodeKeyRow(
  wanted: { ref: ChannelRef; scope: string; key: string },
  key: Uint8Array,
  value: Uint8Array,
): KeyRow | undefined {
  if (value.length !== checksumBytes + 32 || !isSealed(key, value)) return undefined;
  const dot = { writer: toHex(value.subarray(4, 16)) as WriterId, seq: readFixed64(value, 16) };
  const { ref, scope, key: name } = wanted;
  return {
    ref,
    scope,
    key: name,
    dot,
    timestamp: readFixed64(value, 24),
    contentHash: readFixed32(value, 32),
  };
}

export function bigEndian32(value: number): Uint8Array {
  return Uint8Array.of(value >>> 24, value >>> 16, value >>> 8, value);
}

export function readBigEndian32(bytes: Uint8Array, at: number): number {
  return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0;
}
