/** The fields that messages between nodes are made of. */
import { type ByteWriter, fromHex } from '../base/bytes.js';
import type { ChannelRef, Dot, WriterId } from '../base/ids.js';
import type { Deletion, Forced, LostRange, Trim, Vector } from '../log/entry.js';
import { closeField, openField, writeText, writeVarintField } from '../base/protobuf.js';

export function putRef(out: ByteWriter, tag: number, { hub, channel }: ChannelRef): void {
  const field = openField(out, tag);
  putText(out, 0x0a, hub);
  putText(out, 0x12, channel);
  closeField(out, field);
}

export function putDot(out: ByteWriter, tag: number, dot: Dot | undefined): void {
  if (dot) putSeqOf(out, tag, dot.writer, dot.seq);
}

export function putVector(out: ByteWriter, tag: number, vector: Vector): void {
  for (const [writer, seq] of vector) putSeqOf(out, tag, writer, seq);
}

function putSeqOf(out: ByteWriter, tag: number, writer: WriterId, seq: number): void {
  const field = openField(out, tag);
  putBytes(out, 0x0a, fromHex(writer));
  putNumber(out, 0x10, seq);
  closeField(out, field);
}

export function putTrim(out: ByteWriter, tag: number, trim: Trim | undefined): void {
  if (!trim) return;
  const field = openField(out, tag);
  putDot(out, 0x0a, trim.through);
  putNumber(out, 0x10, trim.round);
  putVector(out, 0x1a, trim.floors);
  if (trim.deletion) putDeletion(out, 0x22, trim.deletion);
  if (trim.forced) putForced(out, 0x2a, trim.forced);
  closeField(out, field);
}

function putForced(out: ByteWriter, tag: number, { through, end }: Forced): void {
  const field = openField(out, tag);
  putDot(out, 0x0a, through);
  putNumber(out, 0x10, end);
  closeField(out, field);
}

function putDeletion(out: ByteWriter, tag: number, { through, end, timestamp, old }: Deletion): void {
  const field = openField(out, tag);
  putDot(out, 0x0a, through);
  putNumber(out, 0x10, end);
  putNumber(out, 0x18, timestamp);
  putVector(out, 0x22, old);
  closeField(out, field);
}

export function putLost(out: ByteWriter, tag: number, ranges: readonly LostRange[] = []): void {
  for (const { writer, fromSeq, toSeq } of ranges) {
    const field = openField(out, tag);
    putBytes(out, 0x0a, fromHex(writer));
    putNumber(out, 0x10, fromSeq);
    putNumber(out, 0x18, toSeq);
    closeField(out, field);
  }
}

/** Proto3 leaves out what has its default value. */
export function putNumber(out: ByteWriter, tag: number, value: number): void {
  if (value !== 0) writeVarintField(out, tag, value);
}

export function putText(out: ByteWriter, tag: number, text: string): void {
  if (text !== '') writeText(out, tag, text);
}

export function putBytes(out: ByteWriter, tag: number, bytes: Uint8Array): void {
  writeVarintField(out, tag, bytes.length);
  out.raw(bytes);
}
