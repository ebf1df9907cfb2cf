/** Client messages in protobuf. A publish's content comes encoded, so that a retry costs nothing. */
import { unreachable } from '../base/assert.js';
import { ByteWriter } from '../base/bytes.js';
import { dotText } from '../base/ids.js';
import { closeField, openField, writeVarintField } from '../base/protobuf.js';
import { levelNumber, publishedKindNumber } from './levels.js';
import type { ClientMessage, HistoryMessage, PublishMessage, SubscribeChannel } from './messages.js';
import { putBytes, putCursors, putFlag, putNumber, putText } from './wire.js';

const messageTags: Readonly<Record<ClientMessage['type'], number>> = {
  auth: 0x12,
  ping: 0x1a,
  pong: 0x22,
  close: 0x2a,
  subscribe: 0x32,
  unsubscribe: 0x3a,
  publish: 0x42,
  history: 0x4a,
  documentGet: 0x142,
  notifications: 0x14a,
  presence: 0x192,
  presenceUpdate: 0x19a,
  occupancy: 0x1a2,
  user: 0x1e2,
  sessionRestore: 0x232,
  rpc: 0x282,
};

/** Adds an envelope to a frame: envelopes one after another are a frame. */
export function putClientEnvelope(out: ByteWriter, requestId: number, message: ClientMessage): void {
  const envelope = openField(out, 0x0a);
  putNumber(out, 0x08, requestId);
  const field = openField(out, messageTags[message.type]);
  putMembers(out, message);
  closeField(out, field);
  closeField(out, envelope);
}

export function encodeProtobufMessages(
  envelopes: readonly { readonly requestId: number; readonly message: ClientMessage }[],
): Uint8Array {
  const out = new ByteWriter(128 * envelopes.length);
  for (const { requestId, message } of envelopes) putClientEnvelope(out, requestId, message);
  return out.bytes();
}

function putMembers(out: ByteWriter, message: ClientMessage): void {
  switch (message.type) {
    case 'auth':
      putText(out, 0x0a, message.token);
      putText(out, 0x12, message.publisher?.id);
      return putNumber(out, 0x18, message.publisher?.epoch);
    case 'ping':
    case 'pong':
      return;
    case 'close':
      putNumber(out, 0x08, message.code);
      return putText(out, 0x12, message.reason);
    case 'subscribe':
      for (const channel of message.channels) putSubscribeChannel(out, channel);
      return;
    case 'unsubscribe':
      for (const channel of message.channels) putText(out, 0x0a, channel);
      return;
    case 'publish':
      return putPublish(out, message);
    case 'history':
      return putHistory(out, message);
    case 'documentGet':
      putText(out, 0x0a, message.channel);
      if (message.cursor) putBytes(out, 0x12, message.cursor);
      return putNumber(out, 0x18, message.atUnixMs);
    case 'notifications':
      putText(out, 0x0a, message.channel);
      if (message.cursor) putBytes(out, 0x12, message.cursor);
      putNumber(out, 0x18, message.sinceUnixMs);
      putNumber(out, 0x20, message.untilUnixMs);
      putNumber(out, 0x28, message.limit);
      putFlag(out, 0x30, message.forward);
      return putFlag(out, 0x38, message.unread);
    case 'presence':
      putText(out, 0x0a, message.channel);
      putText(out, 0x12, message.after);
      putNumber(out, 0x18, message.limit);
      return putOption(out, 0x20, message.follow);
    case 'presenceUpdate':
      putText(out, 0x0a, message.channel);
      return putText(out, 0x12, message.metadata);
    case 'occupancy':
      putText(out, 0x0a, message.channel);
      return putOption(out, 0x10, message.follow);
    case 'user':
      putText(out, 0x0a, message.action);
      return putText(out, 0x12, JSON.stringify(message.request));
    case 'rpc':
      putText(out, 0x0a, message.method);
      putText(out, 0x12, message.contentType);
      return putBytes(out, 0x1a, message.payload);
    case 'sessionRestore':
      if (message.key) putBytes(out, 0x0a, message.key);
      return putCursors(out, 0x12, message.cursors);
    default:
      unreachable(message);
  }
}

/** Left out where nothing is said. */
function putOption(out: ByteWriter, tag: number, value: boolean | undefined): void {
  if (value !== undefined) writeVarintField(out, tag, value ? 1 : 0);
}

function putSubscribeChannel(out: ByteWriter, { channel, start, presence }: SubscribeChannel): void {
  const field = openField(out, 0x0a);
  putText(out, 0x0a, channel);
  if (start.type === 'cursor') putBytes(out, 0x12, start.cursor);
  if (start.type === 'since') writeVarintField(out, 0x18, start.unixMs);
  if (start.type === 'last') writeVarintField(out, 0x20, start.count);
  putFlag(out, 0x28, start.type === 'beginning');
  putText(out, 0x192, presence);
  closeField(out, field);
}

function putPublish(out: ByteWriter, message: PublishMessage): void {
  putText(out, 0x0a, message.channel);
  putBytes(out, 0x12, message.content);
  putText(out, 0x1a, message.idempotencyKey);
  putNumber(out, 0x20, message.publisherSeq);
  putNumber(out, 0x28, message.ackedThrough);
  if (message.level) writeVarintField(out, 0x30, levelNumber(message.level));
  putOption(out, 0x38, message.degrade);
  if (message.kind) writeVarintField(out, 0x140, publishedKindNumber(message.kind));
}

function putHistory(out: ByteWriter, message: HistoryMessage): void {
  putText(out, 0x0a, message.channel);
  if (message.cursor) putBytes(out, 0x12, message.cursor);
  putNumber(out, 0x18, message.sinceUnixMs);
  putNumber(out, 0x20, message.untilUnixMs);
  putNumber(out, 0x28, message.limit);
  putFlag(out, 0x30, message.backward);
  putText(out, 0x3a, message.including && dotText(message.including));
}
