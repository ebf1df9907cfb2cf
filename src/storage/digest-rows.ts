/** The row of a channel's digest in the index: what was read and summed up when, so that the next time only what came
 *  since is read. A cache: it may be old, or gone, and is never trusted beyond what it says it covers.
 *
 *  Checksum u32 · version u8 · read at u64 (Unix milliseconds) · sum 32, count u64 · writers varint · of each writer 12, floor
 *  varint, through varint · missing ranges varint · of each writer 12, from varint, to varint ·
 *  redactions varint. */
import { ByteReader, ByteWriter, fromHex, toHex } from '../base/bytes.js';
import type { ChannelRef, WriterId } from '../base/ids.js';
import type { MissingRange } from '../engine/ports.js';
import type { ChannelLog } from '../log/channel-log.js';
import type { LostRange } from '../log/entry.js';
import { HashSum, hashSumBytes } from '../log/hash-sum.js';
import { channelBytes, isSealed, seal, tagged, tags, valueStart } from './index-rows.js';

/** Of one writer what is summed up: above the floor, through a seq. */
export interface Stretch {
  readonly floor: number;
  readonly through: number;
}

export interface DigestRow {
  /** Everything in it was read from disk at this time or later. */
  readonly readAt: number;
  readonly sum: HashSum;
  readonly writers: ReadonlyMap<WriterId, Stretch>;
  /** Within the stretches, and not in the sum: in order of seq of each writer. All that was given up is among it. */
  readonly missing: readonly MissingRange[];
  /** What was redacted then is in it as it is without its content: `Redactions.version`. */
  readonly redactions: number;
}

const version = 2;
/** A row with more holes than this is not kept. */
export const missingInRowMax = 64;

export function digestKey(ref: ChannelRef): Uint8Array {
  return tagged(tags.digest, channelBytes(ref));
}

export function encodeDigestRow(key: Uint8Array, row: DigestRow): Uint8Array {
  const out = new ByteWriter(64 + 32 * (row.writers.size + row.missing.length));
  out.fixed32(0);
  out.u8(version);
  out.fixed64(row.readAt);
  out.raw(row.sum.encode());
  out.varint(row.writers.size);
  for (const [writer, { floor, through }] of row.writers) {
    out.raw(fromHex(writer));
    out.varint(floor);
    out.varint(through);
  }
  out.varint(row.missing.length);
  for (const { writer, fromSeq, toSeq } of row.missing) {
    out.raw(fromHex(writer));
    out.varint(fromSeq);
    out.varint(toSeq);
  }
  out.varint(row.redactions);
  return seal(key, out.bytes().slice());
}

/** `undefined` when the row is damaged or of another version: it is made anew. */
export function decodeDigestRow(key: Uint8Array, value: Uint8Array): DigestRow | undefined {
  if (!isSealed(key, value)) return undefined;
  const reader = new ByteReader(value, valueStart);
  if (reader.u8() !== version) return undefined;
  const readAt = reader.fixed64();
  const sum = HashSum.decode(reader.take(hashSumBytes));
  const writers = new Map<WriterId, Stretch>();
  for (let left = reader.varint(); left > 0 && !reader.failed; left--) {
    writers.set(writerOf(reader), { floor: reader.varint(), through: reader.varint() });
  }
  const missing: MissingRange[] = [];
  for (let left = reader.varint(); left > 0 && !reader.failed; left--) {
    missing.push({ writer: writerOf(reader), fromSeq: reader.varint(), toSeq: reader.varint() });
  }
  const redactions = reader.varint();
  return reader.failed ? undefined : { readAt, sum, writers, missing, redactions };
}

/** Whether the row can be gone on from: nothing it covers was trimmed, redacted or given up since, or is gone. */
export function isBegun(row: DigestRow, log: ChannelLog): boolean {
  const { writers, redactions } = row;
  if (redactions !== log.redactions.version) return false;
  for (const [writer, { floor, through }] of writers) {
    const state = log.writer(writer);
    if (!state || state.floor !== floor || state.seq < through) return false;
  }
  return log.givenUp().every((range) => isLeftOut(row, range));
}

function isLeftOut({ writers, missing }: DigestRow, { writer, fromSeq, toSeq }: LostRange): boolean {
  const last = Math.min(toSeq, writers.get(writer)?.through ?? 0);
  let next = fromSeq;
  for (const range of missing)
    if (range.writer === writer && range.fromSeq <= next && range.toSeq >= next) next = range.toSeq + 1;
  return next > last;
}

/** Whether the row covers exactly what is held now. */
export function isWhole(row: DigestRow, log: ChannelLog): boolean {
  const states = log.writers();
  if (states.length !== row.writers.size) return false;
  return states.every(({ writer, seq, floor }) => {
    const stretch = row.writers.get(writer);
    return stretch?.through === seq && stretch.floor === floor;
  });
}

function writerOf(reader: ByteReader): WriterId {
  return toHex(reader.take(12)) as WriterId;
}
