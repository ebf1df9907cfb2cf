/** Server messages in protobuf. Stored records and signals are spliced in as they are. */
import { ByteWriter, utf8, writeVarint } from '../base/bytes.js';
import { unreachable } from '../base/assert.js';
import { fromHex } from '../base/bytes.js';
import { varintLength } from '../base/bytes.js';
import { dotText } from '../base/ids.js';
import { closeField, openField, writeVarintField } from '../base/protobuf.js';
import type { Failure } from './errors.js';
import { levelNumber } from './levels.js';
import type {
  Ack,
  AuthResult,
  DeliverySlice,
  DocumentInfo,
  DocumentState,
  Gap,
  NotificationInfo,
  NotificationPage,
  ServerMessage,
  SessionInfo,
  ToldDocument,
} from './messages.js';
import { putPresence } from './presence-encoder.js';
import { putSessionKept } from './restore-encoder.js';
import { fieldLength, putBytes, putCursors, putFlag, putNumber, putText, putWriter } from './wire.js';

const envelopesTag = 0x0a;
const deliveryTag = 0x5a;
const writerFieldBytes = 14;
/** A whole frame with one delivery, in one allocation of its exact size. */
export function encodeProtobufDelivery(slice: DeliverySlice): Uint8Array {
  const channel = utf8(slice.channel);
  const deliveryBytes = deliveryLength(channel, slice);
  const envelopeBytes = fieldLength(deliveryBytes);
  const out = new Uint8Array(fieldLength(envelopeBytes));
  out[0] = envelopesTag;
  let at = writeVarint(out, 1, envelopeBytes);
  out[at++] = deliveryTag;
  at = writeVarint(out, at, deliveryBytes);
  writeDelivery(out, at, channel, slice);
  return out;
}

function deliveryLength(channel: Uint8Array, slice: DeliverySlice): number {
  const roundBytes = slice.round === 0 ? 0 : 1 + varintLength(slice.round);
  return (
    fieldLength(channel.length) + slice.records.length + writerFieldBytes + roundBytes + (slice.late ? 2 : 0)
  );
}

function writeDelivery(out: Uint8Array, at: number, channel: Uint8Array, slice: DeliverySlice): void {
  out[at++] = 0x0a;
  at = writeVarint(out, at, channel.length);
  out.set(channel, at);
  at += channel.length;
  out.set(slice.records, at);
  at += slice.records.length;
  out[at++] = 0x1a;
  out[at++] = 12;
  out.set(fromHex(slice.writer), at);
  at += 12;
  if (slice.round !== 0) {
    out[at++] = 0x20;
    at = writeVarint(out, at, slice.round);
  }
  if (slice.late) {
    out[at++] = 0x28;
    out[at++] = 1;
  }
}

/** Used again for every frame: most are acks, so small that the copy costs less than a buffer of their own. */
let scratch = new ByteWriter();
const scratchBytesMax = 65_536;

export function encodeProtobufFrame(
  envelopes: readonly { readonly requestId: number; readonly message: ServerMessage }[],
): Uint8Array {
  const out = scratch;
  out.clear();
  for (const { requestId, message } of envelopes) {
    const envelope = openField(out, envelopesTag);
    putNumber(out, 0x08, requestId);
    putMessage(out, message);
    closeField(out, envelope);
  }
  const frame = out.bytes().slice();
  // One large answer must not hold its memory for ever.
  if (out.buffer.length > scratchBytesMax) scratch = new ByteWriter();
  return frame;
}

function putMessage(out: ByteWriter, message: ServerMessage): void {
  const field = openField(out, messageTags[message.type]);
  putMembers(out, message);
  closeField(out, field);
}

const messageTags: Readonly<Record<ServerMessage['type'], number>> = {
  auth: 0x12,
  ping: 0x1a,
  pong: 0x22,
  close: 0x2a,
  subscribe: 0x32,
  unsubscribe: 0x3a,
  ack: 0x42,
  history: 0x4a,
  sessionInfo: 0x52,
  delivery: deliveryTag,
  signals: 0x62,
  gap: 0x6a,
  error: 0x72,
  nodes: 0x7a,
  document: 0x142,
  rebase: 0x14a,
  notificationInfo: 0x152,
  notifications: 0x15a,
  presence: 0x192,
  join: 0x19a,
  leave: 0x1a2,
  occupancy: 0x1aa,
  user: 0x1e2,
  sessionKept: 0x232,
  sessionRestored: 0x23a,
  rpc: 0x282,
};

function putMembers(out: ByteWriter, message: ServerMessage): void {
  switch (message.type) {
    case 'auth':
      return putAuth(out, message);
    case 'ping':
    case 'pong':
      return;
    case 'close':
      return putClose(out, message);
    case 'subscribe':
      return putSubscribeResult(out, message);
    case 'unsubscribe':
      return putUnsubscribeResult(out, message);
    case 'ack':
      return putAck(out, message);
    case 'history':
      return putHistory(out, message);
    case 'sessionInfo':
      return putSessionInfo(out, message);
    case 'user':
      return putText(out, 0x0a, message.answer);
    case 'rpc':
      putText(out, 0x0a, message.contentType);
      return putBytes(out, 0x12, message.payload);
    case 'sessionKept':
      return putSessionKept(out, message);
    case 'sessionRestored':
      putSubscribeResult(out, message);
      putText(out, 0x12, message.sessionId);
      return putBytes(out, 0x1a, message.key);
    case 'nodes':
      for (const url of message.urls) putText(out, 0x0a, url);
      return putNumber(out, 0x10, message.spreadMs);
    case 'delivery':
      return putDelivery(out, message.delivery);
    case 'signals':
      return putSignals(out, message);
    case 'gap':
      return putGap(out, message);
    case 'document':
    case 'rebase':
      return putDocument(out, message);
    case 'notificationInfo':
      putText(out, 0x0a, message.channel);
      return putCount(out, message);
    case 'notifications':
      return putNotifications(out, message);
    case 'presence':
    case 'join':
    case 'leave':
    case 'occupancy':
      return putPresence(out, message);
    case 'error':
      return putError(out, message.error);
    default:
      unreachable(message);
  }
}

type Of<T extends ServerMessage['type']> = Extract<ServerMessage, { type: T }>;

function putClose(out: ByteWriter, message: Of<'close'>): void {
  putNumber(out, 0x08, message.code);
  putText(out, 0x12, message.reason);
  putCursors(out, 0x1a, message.cursors);
}

function putSubscribeResult(out: ByteWriter, message: Of<'subscribe' | 'sessionRestored'>): void {
  for (const { channel, cursor, error, retained, document, notifications } of message.results) {
    const field = openField(out, 0x0a);
    putText(out, 0x0a, channel);
    if (cursor) putBytes(out, 0x12, cursor);
    if (error) putField(out, 0x1a, () => putError(out, error));
    if (retained) putField(out, 0x22, () => putDelivery(out, retained));
    if (document) putField(out, 0x142, () => putTold(out, document));
    if (notifications) putField(out, 0x14a, () => putCount(out, notifications));
    closeField(out, field);
  }
}

function putUnsubscribeResult(out: ByteWriter, message: Of<'unsubscribe'>): void {
  for (const { channel, error } of message.results) {
    const field = openField(out, 0x0a);
    putText(out, 0x0a, channel);
    if (error) putField(out, 0x12, () => putError(out, error));
    closeField(out, field);
  }
}

function putAck(out: ByteWriter, ack: Ack): void {
  if (ack.dot) {
    putWriter(out, 0x0a, ack.dot.writer);
    writeVarintField(out, 0x10, ack.dot.seq);
  }
  putNumber(out, 0x18, ack.timestamp);
  writeVarintField(out, 0x20, levelNumber(ack.level));
  putNumber(out, 0x28, ack.copies);
  if (ack.count > 1) writeVarintField(out, 0x30, ack.count);
  putFlag(out, 0x38, ack.duplicate);
  putNumber(out, 0x140, ack.version);
}

function putHistory(out: ByteWriter, message: Of<'history'>): void {
  putText(out, 0x0a, message.channel);
  for (const delivery of message.deliveries) putField(out, 0x12, () => putDelivery(out, delivery));
  for (const gap of message.gaps) putField(out, 0x1a, () => putGap(out, gap));
  putBytes(out, 0x22, message.cursor);
  putFlag(out, 0x28, message.more);
}

function putDelivery(out: ByteWriter, slice: DeliverySlice): void {
  const channel = utf8(slice.channel);
  const length = deliveryLength(channel, slice);
  out.reserve(length);
  writeDelivery(out.buffer, out.length, channel, slice);
  out.length += length;
}

function putSignals(out: ByteWriter, message: Of<'signals'>): void {
  putText(out, 0x0a, message.channel);
  for (const { timestamp, actor, content } of message.signals) {
    const field = openField(out, 0x12);
    putNumber(out, 0x08, timestamp);
    putText(out, 0x12, actor);
    putBytes(out, 0x1a, content);
    closeField(out, field);
  }
}

const sessionInfoTexts = ['sessionId', 'hub', 'nodeId', 'serverVersion'] as const;
const sessionInfoNumbers = {
  pingIntervalMs: 0x40,
  messageBytesMax: 0x48,
  frameBytesMax: 0x50,
  subscriptionsMax: 0x58,
  time: 0x60,
} as const;

function putSessionInfo(out: ByteWriter, message: SessionInfo): void {
  for (const [index, name] of sessionInfoTexts.entries()) putText(out, 0x0a + 8 * index, message[name]);
  putNumber(out, 0x28, message.protocolVersion);
  putFlag(out, 0x30, message.authenticated);
  putFlag(out, 0x38, message.anonymousAllowed);
  for (const [name, tag] of Object.entries(sessionInfoNumbers)) {
    putNumber(out, tag, message[name as keyof typeof sessionInfoNumbers]);
  }
}

function putAuth(out: ByteWriter, message: AuthResult): void {
  putFlag(out, 0x08, message.authenticated);
  putText(out, 0x12, message.actor);
  for (const pattern of message.publish ?? []) putText(out, 0x1a, pattern);
  for (const pattern of message.subscribe ?? []) putText(out, 0x22, pattern);
  putText(out, 0x2a, message.metadata);
  putNumber(out, 0x30, message.expiresAt ?? 0);
  for (const pattern of message.rpc ?? []) putText(out, 0x3a, pattern);
  for (const pattern of message.delete ?? []) putText(out, 0x42, pattern);
  putText(out, 0x4a, message.token);
}

function putGap(out: ByteWriter, gap: Gap): void {
  putText(out, 0x0a, gap.channel);
  putText(out, 0x12, gap.reason);
  for (const { writer, fromSeq, toSeq } of gap.ranges) {
    const field = openField(out, 0x1a);
    putWriter(out, 0x0a, writer);
    putNumber(out, 0x10, fromSeq);
    putNumber(out, 0x18, toSeq);
    closeField(out, field);
  }
  putBytes(out, 0x22, gap.cursor);
}

function putError(out: ByteWriter, error: Failure): void {
  putText(out, 0x0a, error.code);
  putFlag(out, 0x10, error.outcome === 'indeterminate');
  putText(out, 0x1a, error.message);
  putNumber(out, 0x20, error.retryAfterMs === undefined ? undefined : Math.ceil(error.retryAfterMs));
  putText(out, 0x2a, error.channel);
  if (error.operation !== undefined) writeVarintField(out, 0x140, error.operation);
  putText(out, 0x14a, error.reason);
}

function putDocument(out: ByteWriter, { channel, info, value, cursor }: DocumentState): void {
  putText(out, 0x0a, channel);
  putField(out, 0x12, () => putInfo(out, info));
  putBytes(out, 0x1a, value);
  putBytes(out, 0x22, cursor);
}

function putInfo(out: ByteWriter, { version, voids, hash, size, createParents }: DocumentInfo): void {
  putNumber(out, 0x08, version);
  putNumber(out, 0x10, voids);
  putBytes(out, 0x1a, hash);
  putNumber(out, 0x20, size);
  putNumber(out, 0x28, createParents === true ? 1 : 0);
}

function putTold(out: ByteWriter, document: ToldDocument): void {
  putInfo(out, document);
  if (document.cursor) putBytes(out, 0x32, document.cursor);
}

function putCount(out: ByteWriter, { unread, total, cursor }: NotificationInfo): void {
  putNumber(out, 0x10, unread);
  putNumber(out, 0x18, total);
  putBytes(out, 0x22, cursor);
}

function putNotifications(out: ByteWriter, page: NotificationPage): void {
  putText(out, 0x0a, page.channel);
  putField(out, 0x12, () => putCount(out, page.info));
  for (const { dot, timestamp, actor, state, value } of page.notifications) {
    const field = openField(out, 0x1a);
    putText(out, 0x0a, dotText(dot));
    putNumber(out, 0x10, timestamp);
    putText(out, 0x1a, actor);
    putText(out, 0x22, state);
    putBytes(out, 0x2a, value);
    closeField(out, field);
  }
  putBytes(out, 0x22, page.cursor);
  putFlag(out, 0x28, page.more);
}

function putField(out: ByteWriter, tag: number, members: () => void): void {
  const field = openField(out, tag);
  members();
  closeField(out, field);
}
