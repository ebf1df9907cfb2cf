/** The place in an event stream of several channels, as one text that a browser sends back by itself:
 *  base64url of version 1 u8 · for each channel, in the order of the address, length of its cursor as varint · cursor.
 *  Length 0: nothing known of that channel yet. Each cursor carries its own check. */
import { ByteReader, ByteWriter, fromBase64, toBase64Url } from '../base/bytes.js';
import { limits } from '../base/limits.js';
import { type Result, err, ok } from '../base/result.js';
import { type Failure, failure } from '../protocol/errors.js';
import { gatewayLimits } from './gateway-limits.js';

const version = 1;

export type CursorMap = ReadonlyMap<string, Uint8Array>;

/** `undefined` when it would not fit a header: the reader keeps its older place, may get entries twice, and loses none. */
export function encodeEventId(channels: readonly string[], cursors: CursorMap): string | undefined {
  const out = new ByteWriter(64 * channels.length + 1);
  out.u8(version);
  for (const channel of channels) {
    const cursor = cursors.get(channel);
    out.varint(cursor?.length ?? 0);
    if (cursor) out.raw(cursor);
  }
  const id = toBase64Url(out.bytes());
  return id.length <= gatewayLimits.sseEventIdBytesMax ? id : undefined;
}

export function decodeEventId(channels: readonly string[], id: string): Result<CursorMap, Failure> {
  const bytes = id.length <= gatewayLimits.sseEventIdBytesMax ? fromBase64(id) : undefined;
  if (!bytes) return err(badEventId());
  const reader = new ByteReader(bytes);
  if (reader.u8() !== version) return err(badEventId());
  const cursors = new Map<string, Uint8Array>();
  for (const channel of channels) {
    const length = reader.varint();
    if (length > limits.cursorBytesMax) return err(badEventId());
    const cursor = reader.take(length);
    if (length > 0) cursors.set(channel, cursor);
  }
  return reader.failed || !reader.done ? err(badEventId()) : ok(cursors);
}

function badEventId(): Failure {
  return failure('BAD_CURSOR', {
    message:
      'The last event id is not one of this stream. Open it without, or with the same channels in the same order.',
  });
}
