/** Cursors: the maximal entries a reader has, as opaque bytes. Not signed, since a cursor grants nothing.
 *
 *  version 1 u8 · tag of hub and channel u32 · heads, each writer 12 and seq as varint, by rising writer · CRC-32 of
 *  everything before u32. */
import { ByteReader, ByteWriter, fromHex, readFixed32, toHex, utf8 } from '../base/bytes.js';
import { crc32 } from '../base/crc32.js';
import { type ChannelRef, type Dot, type WriterId, channelKey } from '../base/ids.js';
import { wireLimits } from '../base/wire-limits.js';
import { type Result, err, ok } from '../base/result.js';

export type CursorFault = 'malformed' | 'damaged' | 'other-channel' | 'too-large';

const version = 1;
const prefixBytes = 5;
const checksumBytes = 4;
const writerBytes = 12;

/** At most `wireLimits.cursorBytesMax` bytes. Heads that do not fit are left out, the last first: their reader may get
 *  again what only they cover, and loses nothing. */
export function encodeCursor(ref: ChannelRef, heads: readonly Dot[]): Uint8Array {
  const out = new ByteWriter(prefixBytes + 20 * heads.length + checksumBytes);
  out.u8(version);
  out.fixed32(channelTag(ref));
  for (const head of headsThatFit(heads)) {
    out.raw(fromHex(head.writer));
    out.varint(head.seq);
  }
  out.fixed32(crc32(out.buffer, 0, out.length));
  return out.bytes();
}

/** Heads by rising writer. */
export function decodeCursor(ref: ChannelRef, bytes: Uint8Array): Result<readonly Dot[], CursorFault> {
  if (bytes.length > wireLimits.cursorBytesMax) return err('too-large');
  if (bytes.length < prefixBytes + checksumBytes || bytes[0] !== version) return err('malformed');
  const end = bytes.length - checksumBytes;
  if (crc32(bytes, 0, end) !== readFixed32(bytes, end)) return err('damaged');
  if (readFixed32(bytes, 1) !== channelTag(ref)) return err('other-channel');
  const reader = new ByteReader(bytes, prefixBytes, end);
  const heads: Dot[] = [];
  let previous = '';
  while (!reader.done) {
    const writer = toHex(reader.take(writerBytes)) as WriterId;
    const seq = reader.varint();
    if (reader.failed || seq < 1 || writer <= previous) return err('malformed');
    heads.push({ writer, seq });
    previous = writer;
  }
  return ok(heads);
}

/** The heads after one more entry was delivered: it replaces its writer's head and every head named in its parents.
 *  Heads it covers without naming them stay; they cost bytes, never entries. */
export function advanceHeads(
  heads: readonly Dot[],
  dot: Dot,
  parents: readonly Dot[] | undefined,
): readonly Dot[] {
  const kept = heads.filter(
    (head) =>
      head.writer !== dot.writer &&
      !parents?.some((parent) => parent.writer === head.writer && parent.seq >= head.seq),
  );
  kept.push({ writer: dot.writer, seq: dot.seq });
  return kept;
}

function channelTag(ref: ChannelRef): number {
  return crc32(utf8(channelKey(ref)));
}

function headsThatFit(heads: readonly Dot[]): readonly Dot[] {
  const seqBytesMax = 8;
  const room = wireLimits.cursorBytesMax - prefixBytes - checksumBytes;
  const fitting = heads.slice(0, Math.floor(room / (writerBytes + seqBytesMax)));
  return fitting.sort((a, b) => (a.writer < b.writer ? -1 : 1));
}
