/** The state of a channel log as bytes, for the index beside the truth: written behind, so it may be old but must never
 *  be wrong. A CRC-32 that starts with the channel's name tells damage and mix-ups.
 *
 *  version u8 · flags u8 (1: a trim, 2: the trim is a head, 4: a retained entry,
 *  8: held trims, 16: a deletion, 32: redactions, 64: forced trims) · record bytes, last timestamp · [trim:
 *  writer index, round] · [retained: writer index, seq] · writers · spans (writer index × 2 + on the chain, count; seqs
 *  and positions follow from the order) · heads (writer indexes) · [held trims: dot, through,
 *  round, floors; each dot is writer 12, seq] · [deletion: through, end, timestamp, old] · [redactions: entry,
 *  1 where it is erased, entries that say so] · [what the trim and each that is held removed by force: its end, through; or
 *  0] · CRC-32 u32. Numbers are varints, lists begin with their length. */
import { ByteReader, ByteWriter, fromHex, readFixed32, toHex, utf8 } from '../base/bytes.js';
import { crc32 } from '../base/crc32.js';
import { type ChannelRef, type Dot, type WriterId, channelKey } from '../base/ids.js';
import { type Result, err, ok } from '../base/result.js';
import type { Forced, Timestamp, Trim, Vector } from './entry.js';
import type { HeldTrim, KnownDeletion, LogParts, Redaction } from './log-parts.js';
import { type Mark, SubLog } from './sub-log.js';

/** What is not in the parts themselves. */
export interface LogState {
  readonly bytes: number;
  readonly lastTimestamp: Timestamp;
  readonly heads: readonly SubLog[];
  readonly trimIsHead: boolean;
}

const version = 2;
const hasTrim = 1;
const trimIsHeadFlag = 2;
const hasRetained = 4;
const hasHeldTrims = 8;
const hasDeletion = 16;
const hasRedactions = 32;
const hasForced = 64;
const checksumBytes = 4;

export function encodeState(
  ref: ChannelRef,
  { subLogs, order, trim, retained, trims, deletion, redactions }: LogParts,
  state: LogState,
): Uint8Array {
  const out = new ByteWriter(64 + 48 * subLogs.size);
  const writers = subLogs.values();
  const indexes = new Map(writers.map((subLog, i) => [subLog.writer, i]));
  const forced = [trim, ...trims.map((held) => held.trim)].map((each) => each?.forced);
  const isForced = forced.some((each) => each);
  out.u8(version);
  out.u8(
    (trim ? hasTrim : 0) |
      (state.trimIsHead ? trimIsHeadFlag : 0) |
      (retained ? hasRetained : 0) |
      (trims.length > 0 ? hasHeldTrims : 0) |
      (deletion ? hasDeletion : 0) |
      (redactions.length > 0 ? hasRedactions : 0) |
      (isForced ? hasForced : 0),
  );
  out.varint(state.bytes);
  out.varint(state.lastTimestamp);
  if (trim) {
    out.varint(indexes.get(trim.through.writer)!);
    out.varint(trim.round);
  }
  if (retained) {
    out.varint(indexes.get(retained.writer)!);
    out.varint(retained.seq);
  }
  out.varint(writers.length);
  for (const subLog of writers) writeSubLog(out, subLog, indexes);
  out.varint(order.spans.length);
  for (const { subLog, count, onChain } of order.spans) {
    out.varint(2 * indexes.get(subLog.writer)! + (onChain ? 1 : 0));
    out.varint(count);
  }
  out.varint(state.heads.length);
  for (const { writer } of state.heads) out.varint(indexes.get(writer)!);
  if (trims.length > 0) writeHeldTrims(out, trims);
  if (deletion) writeDeletion(out, deletion);
  if (redactions.length > 0) writeRedactions(out, redactions);
  if (isForced) for (const each of forced) writeForced(out, each);
  out.fixed32(crc32(out.buffer, 0, out.length, seedOf(ref)));
  return out.bytes();
}

/** Fills `parts`, which are empty. After an error they are to be thrown away. */
export function decodeState(ref: ChannelRef, bytes: Uint8Array, parts: LogParts): Result<LogState, string> {
  const end = bytes.length - checksumBytes;
  if (end < 1 || bytes[0] !== version) return err('the state of a channel log has another version');
  if (crc32(bytes, 0, end, seedOf(ref)) !== readFixed32(bytes, end)) {
    return err('the state of a channel log is damaged');
  }
  const reader = new ByteReader(bytes, 1, end);
  const state = readState(reader, parts);
  return state && !reader.failed && reader.position === end
    ? ok(state)
    : err('the state of a channel log is malformed');
}

function seedOf(ref: ChannelRef): number {
  return crc32(utf8(channelKey(ref)));
}

function readState(reader: ByteReader, parts: LogParts): LogState | undefined {
  const flags = reader.u8();
  const bytes = reader.varint();
  const lastTimestamp = reader.varint();
  const through = flags & hasTrim ? { index: reader.varint(), round: reader.varint() } : undefined;
  const retained = flags & hasRetained ? { index: reader.varint(), seq: reader.varint() } : undefined;
  const writers = readList(reader, () => readSubLog(reader));
  for (const { subLog } of writers) parts.subLogs.add(subLog);
  for (const { subLog, parents } of writers) {
    if (parents.length > 0) subLog.marks = marksOf(reader, parents, writers);
  }
  if (through) {
    const trimmed = writers[through.index]?.subLog;
    if (!trimmed || trimmed.floor < 1) return undefined;
    const floors = new Map<WriterId, number>();
    for (const { subLog } of writers) if (subLog.floor > 0) floors.set(subLog.writer, subLog.floor);
    parts.trim = { through: { writer: trimmed.writer, seq: trimmed.floor }, floors, round: through.round };
  }
  if (!readOrder(reader, parts, writers)) return undefined;
  if (retained) {
    const subLog = writers[retained.index]?.subLog;
    if (!subLog?.placementOf(retained.seq)) return undefined;
    parts.retained = { writer: subLog.writer, seq: retained.seq };
  }
  const heads = readList(reader, () => writers[reader.varint()]?.subLog).filter(
    (subLog) => subLog !== undefined,
  );
  if (flags & hasHeldTrims) parts.trims = readList(reader, () => readHeldTrim(reader));
  if (flags & hasDeletion) {
    parts.deletion = readDeletion(reader);
    if (parts.trim) parts.trim = { ...parts.trim, deletion: parts.deletion };
  }
  if (flags & hasRedactions) parts.redactions = readList(reader, () => readRedaction(reader));
  if (flags & hasForced) {
    const forced = readForced(reader);
    if (parts.trim) parts.trim = withForced(parts.trim, forced);
    parts.trims = parts.trims.map(({ dot, trim }) => ({ dot, trim: withForced(trim, readForced(reader)) }));
  }
  return { bytes, lastTimestamp, heads, trimIsHead: (flags & trimIsHeadFlag) !== 0 };
}

function writeForced(out: ByteWriter, forced: Forced | undefined): void {
  out.varint(forced?.end ?? 0);
  if (forced) writeDot(out, forced.through);
}

function readForced(reader: ByteReader): Forced | undefined {
  const end = reader.varint();
  return end > 0 ? { end, through: readDot(reader) } : undefined;
}

function withForced(trim: Trim, forced: Forced | undefined): Trim {
  return forced ? { ...trim, forced } : trim;
}

/** A trim may name writers that are not known here: nothing was checked yet. */
function writeHeldTrims(out: ByteWriter, trims: readonly HeldTrim[]): void {
  out.varint(trims.length);
  for (const { dot, trim } of trims) {
    writeDot(out, dot);
    writeDot(out, trim.through);
    out.varint(trim.round);
    writeVector(out, trim.floors);
  }
}

function writeDeletion(out: ByteWriter, { through, end, timestamp, old }: KnownDeletion): void {
  writeDot(out, through);
  out.varint(end);
  out.varint(timestamp);
  writeVector(out, old);
}

function readDeletion(reader: ByteReader): KnownDeletion {
  return {
    through: readDot(reader),
    end: reader.varint(),
    timestamp: reader.varint(),
    old: readVector(reader),
  };
}

function writeRedactions(out: ByteWriter, redactions: readonly Redaction[]): void {
  out.varint(redactions.length);
  for (const redaction of redactions) {
    writeDot(out, redaction);
    out.varint(redaction.isErased ? 1 : 0);
    out.varint(redaction.by.length);
    for (const dot of redaction.by) writeDot(out, dot);
  }
}

function readRedaction(reader: ByteReader): Redaction {
  const dot = readDot(reader);
  const isErased = reader.varint() === 1;
  return { ...dot, isErased, by: readList(reader, () => readDot(reader)) };
}

function writeVector(out: ByteWriter, vector: Vector): void {
  out.varint(vector.size);
  for (const [writer, seq] of vector) writeDot(out, { writer, seq });
}

function readVector(reader: ByteReader): Map<WriterId, number> {
  return new Map(readList(reader, () => readDot(reader)).map(({ writer, seq }) => [writer, seq]));
}

function readHeldTrim(reader: ByteReader): HeldTrim {
  const dot = readDot(reader);
  const through = readDot(reader);
  const round = reader.varint();
  return { dot, trim: { through, floors: readVector(reader), round } };
}

function writeDot(out: ByteWriter, { writer, seq }: Dot): void {
  out.raw(fromHex(writer));
  out.varint(seq);
}

function readDot(reader: ByteReader): Dot {
  return { writer: toHex(reader.take(12)) as WriterId, seq: reader.varint() };
}

function readOrder(
  reader: ByteReader,
  { order, subLogs }: LogParts,
  writers: readonly ReadSubLog[],
): boolean {
  let trimmed = 0;
  for (const { floor } of subLogs.values()) trimmed += floor;
  order.trim(trimmed);
  const spans = readList(reader, () => ({ key: reader.varint(), count: reader.varint() }));
  for (const { key, count } of spans) {
    const subLog = writers[Math.floor(key / 2)]?.subLog;
    if (!subLog || count < 1 || subLog.placed + count > subLog.seq) return false;
    order.append(subLog, subLog.placed + 1, count, key % 2 === 1);
    subLog.placed += count;
  }
  return !reader.failed;
}

const checksumKnown = 1;
const hasGiven = 2;
const hasVoided = 4;
const hasRedacted = 8;

function writeSubLog(out: ByteWriter, subLog: SubLog, indexes: ReadonlyMap<WriterId, number>): void {
  const { floor, seq, lastChecksum } = subLog;
  out.raw(fromHex(subLog.writer));
  out.u8(
    (lastChecksum === undefined ? 0 : checksumKnown) |
      (subLog.given.length > 0 ? hasGiven : 0) |
      (subLog.voided > 0 ? hasVoided : 0) |
      (subLog.redacted.length > 0 ? hasRedacted : 0),
  );
  out.varint(floor);
  out.varint(seq - floor);
  out.fixed32(lastChecksum ?? 0);
  out.varint(subLog.lastTimestamp + 1);
  writeNumbers(out, subLog.rounds);
  // Lost entries have the timestamp -1.
  writeNumbers(
    out,
    subLog.times.map((value, i) => value + (i % 2)),
  );
  writeNumbers(out, subLog.lost);
  writeNumbers(out, subLog.retained);
  if (subLog.given.length > 0) writeNumbers(out, subLog.given);
  if (subLog.voided > 0) out.varint(subLog.voided);
  if (subLog.redacted.length > 0) writeNumbers(out, subLog.redacted);
  out.varint(subLog.marks.length);
  for (const { seq: at, parents } of subLog.marks) {
    out.varint(at);
    out.varint(parents.length);
    for (const parent of parents) {
      out.varint(indexes.get(parent.writer)!);
      out.varint(parent.seq);
    }
  }
}

interface ReadSubLog {
  readonly subLog: SubLog;
  /** Marks whose parents are still named by index. */
  readonly parents: readonly {
    readonly seq: number;
    readonly dots: readonly { index: number; seq: number }[];
  }[];
}

function readSubLog(reader: ByteReader): ReadSubLog {
  const subLog = new SubLog(toHex(reader.take(12)) as WriterId);
  const flags = reader.u8();
  subLog.floor = reader.varint();
  subLog.seq = subLog.floor + reader.varint();
  subLog.placed = subLog.floor;
  const lastChecksum = reader.fixed32();
  subLog.lastChecksum = flags & checksumKnown ? lastChecksum : undefined;
  subLog.lastTimestamp = reader.varint() - 1;
  const rounds = readNumbers(reader);
  const times = readNumbers(reader).map((value, i) => value - (i % 2));
  const lost = readNumbers(reader);
  const retained = readNumbers(reader);
  const given = flags & hasGiven ? readNumbers(reader) : [];
  if (flags & hasVoided) subLog.voided = reader.varint();
  const redacted = flags & hasRedacted ? readNumbers(reader) : [];
  // The empty lists of a new sub-log are shared by all.
  if (rounds.length > 0) subLog.rounds = rounds;
  if (times.length > 0) subLog.times = times;
  if (lost.length > 0) subLog.lost = lost;
  if (retained.length > 0) subLog.retained = retained;
  if (given.length > 0) subLog.given = given;
  if (redacted.length > 0) subLog.redacted = redacted;
  const parents = readList(reader, () => {
    const seq = reader.varint();
    return { seq, dots: readList(reader, () => ({ index: reader.varint(), seq: reader.varint() })) };
  });
  return { subLog, parents };
}

function marksOf(reader: ByteReader, marks: ReadSubLog['parents'], writers: readonly ReadSubLog[]): Mark[] {
  return marks.map(({ seq, dots }) => ({
    seq,
    parents: dots.map(({ index, seq: parentSeq }): Dot => {
      const writer = writers[index]?.subLog.writer;
      if (!writer) reader.fail();
      return { writer: writer ?? ('' as WriterId), seq: parentSeq };
    }),
  }));
}

function writeNumbers(out: ByteWriter, numbers: readonly number[]): void {
  out.varint(numbers.length);
  for (const value of numbers) out.varint(value);
}

function readNumbers(reader: ByteReader): number[] {
  return readList(reader, () => reader.varint()).slice();
}

/** Stops at the first failure, so a wrong length costs no more than the bytes that are there. */
function readList<T>(reader: ByteReader, read: () => T): T[] {
  const length = reader.varint();
  const out: T[] = [];
  for (let i = 0; i < length && !reader.failed; i++) out.push(read());
  return out;
}
