/** Reading and writing protobuf by hand: only what proto/client.proto needs, held to protobufjs by a test.
 *
 *  By hand because a publish must stay the bytes the client sent, a delivery must take stored bytes as they are, and
 *  a general library would be more than half of what a browser loads. */
import { type ByteWriter, fromHex, toHex, utf8Text, varintLength } from '../base/bytes.js';
import type { WriterId } from '../base/ids.js';
import { FieldReader, closeField, openField, writeText, writeVarintField } from '../base/protobuf.js';
import { wireLimits } from '../base/wire-limits.js';
import type { ChannelCursor } from './messages.js';

const writerBytes = 12;

/** The text, or `undefined` when the bytes are not UTF-8. */
export function textOf(bytes: Uint8Array): string | undefined {
  try {
    return utf8Text(bytes);
  } catch {
    return undefined;
  }
}

/** Reads fields of untrusted messages. `failed`: the structure is broken. `invalid`: a value is, and which. */
export class WireReader extends FieldReader {
  invalid: string | undefined;

  /** Reads the length-delimited field at hand as a message of its own. */
  nested<T>(read: (reader: WireReader) => T): T {
    const outer = this.enter();
    const value = read(this);
    this.leave(outer);
    return value;
  }

  text(name: string, bytesMax = Infinity): string {
    const bytes = this.chunk();
    const text = textOf(bytes);
    if (text === undefined) this.invalid ??= `"${name}" is not valid UTF-8.`;
    if (bytes.length > bytesMax) this.invalid ??= `"${name}" has more than ${bytesMax} bytes.`;
    return text ?? '';
  }

  writerId(): WriterId | undefined {
    const bytes = this.chunk();
    if (bytes.length === writerBytes) return toHex(bytes) as WriterId;
    if (bytes.length > 0) this.invalid ??= 'A writer id has 12 bytes.';
    return undefined;
  }

  bool(): boolean {
    return this.varint() !== 0;
  }
}

export function readCursor(reader: WireReader): Uint8Array {
  const cursor = reader.chunk();
  if (cursor.length > wireLimits.cursorBytesMax) {
    reader.invalid ??= `"cursor" has more than ${wireLimits.cursorBytesMax} bytes.`;
  }
  // Kept beyond this turn, while the frame's memory is used again.
  return cursor.slice();
}

/** Proto3 leaves out what has its default value. */
export function putNumber(out: ByteWriter, tag: number, value: number | undefined): void {
  if (value) writeVarintField(out, tag, value);
}

export function putFlag(out: ByteWriter, tag: number, value: boolean): void {
  if (value) writeVarintField(out, tag, 1);
}

/** Written even when empty: presence of a member of a `oneof` means something. */
export function putBytes(out: ByteWriter, tag: number, bytes: Uint8Array): void {
  writeVarintField(out, tag, bytes.length);
  out.raw(bytes);
}

export function putText(out: ByteWriter, tag: number, text: string | undefined): void {
  if (text) writeText(out, tag, text);
}

export function putCursors(out: ByteWriter, tag: number, cursors: readonly ChannelCursor[]): void {
  for (const { channel, cursor } of cursors) {
    const field = openField(out, tag);
    putText(out, 0x0a, channel);
    putBytes(out, 0x12, cursor);
    closeField(out, field);
  }
}

export function putWriter(out: ByteWriter, tag: number, writer: WriterId): void {
  putBytes(out, tag, fromHex(writer));
}

/** Bytes of a length-delimited field with a tag of one byte. */
export function fieldLength(contentLength: number): number {
  return 1 + varintLength(contentLength) + contentLength;
}
