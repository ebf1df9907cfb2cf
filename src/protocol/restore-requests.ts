/** What clients ask so that their session is kept or restored, from both encodings. */
import { limits } from '../base/limits.js';
import { type Failure, failure } from './errors.js';
import { JsonMembers, isJsonObject } from './json-members.js';
import type { ChannelCursor, SessionRestoreMessage } from './messages.js';
import { type WireReader, readCursor } from './wire.js';

export function readSessionRestore(reader: WireReader): SessionRestoreMessage | Failure {
  let key: Uint8Array | undefined;
  const cursors: ChannelCursor[] = [];
  while (!reader.done) {
    const tag = reader.tag();
    if (tag === 10) key = reader.chunk().slice();
    else if (tag === 18) cursors.push(reader.nested(readChannelCursor));
    else reader.skip(tag);
  }
  return restoreOf(key, cursors);
}

/** Of this frame: its memory is used again. */
function readChannelCursor(reader: WireReader): ChannelCursor {
  let channel = '';
  let cursor: Uint8Array = new Uint8Array(0);
  while (!reader.done) {
    const tag = reader.tag();
    if (tag === 10) channel = reader.text('channel');
    else if (tag === 18) cursor = readCursor(reader);
    else reader.skip(tag);
  }
  return { channel, cursor };
}

export function sessionRestoreFromJson(members: JsonMembers): SessionRestoreMessage | Failure {
  const key = members.base64('key');
  const cursors = members.list('cursors').map((item): ChannelCursor => {
    const each = new JsonMembers(isJsonObject(item) ? item : {});
    const channel = each.text('channel') ?? '';
    const cursor = each.base64('cursor', limits.cursorBytesMax) ?? new Uint8Array(0);
    if (each.problem !== undefined) members.refuse(each.problem);
    return { channel, cursor };
  });
  return restoreOf(key, cursors);
}

function restoreOf(
  key: Uint8Array | undefined,
  cursors: readonly ChannelCursor[],
): SessionRestoreMessage | Failure {
  if (key && key.length > limits.restoreKeyBytesMax)
    return failure('INVALID', { message: `"key" has at most ${limits.restoreKeyBytesMax} bytes.` });
  if (cursors.length > limits.subscriptionsPerSessionMax) return failure('TOO_MANY');
  return { type: 'sessionRestore', cursors, ...(key && key.length > 0 ? { key } : undefined) };
}
