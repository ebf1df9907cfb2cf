/** Server frames in protobuf. */
import type { HubName, WriterId } from '../base/ids.js';
import { readDelivery, readSignals } from './delivery-decoder.js';
import { readDocument, readDocumentInfo } from './document-decoder.js';
import { readCount, readInfo, readNotifications } from './notification-decoder.js';
import type { Failure } from './errors.js';
import { foreignFailure } from './foreign-failure.js';
import { levelOf } from './levels.js';
import type {
  Ack,
  DeliveredEntry,
  Gap,
  GapReason,
  NotificationInfo,
  ServerEnvelope,
  ServerEvent,
  SessionInfo,
  SubscribedEvent,
  ToldDocument,
} from './messages.js';
import { readJoin, readLeave, readOccupancy, readPresence } from './presence-decoder.js';
import { readSessionKept } from './restore-decoder.js';
import { WireReader } from './wire.js';

const noBytes: Uint8Array = new Uint8Array(0);

/** `undefined` when the bytes are not a frame or an entry in it is damaged. */
export function decodeProtobufEvents(bytes: Uint8Array, hub: HubName): ServerEnvelope[] | undefined {
  const reader = new WireReader(bytes);
  const envelopes: ServerEnvelope[] = [];
  while (!reader.done) {
    const tag = reader.tag();
    if (tag !== 0x0a) {
      reader.skip(tag);
      continue;
    }
    const envelope = reader.nested(() => readEnvelope(reader, hub));
    if (envelope) envelopes.push(envelope);
  }
  return reader.failed || reader.invalid !== undefined ? undefined : envelopes;
}

function readEnvelope(reader: WireReader, hub: HubName): ServerEnvelope | undefined {
  let requestId = 0;
  let event: ServerEvent | undefined;
  while (!reader.done) {
    const tag = reader.tag();
    const read = readers[tag];
    if (tag === 0x08) requestId = reader.varint();
    else if (read === undefined) reader.skip(tag);
    else event = reader.nested(() => read(reader, hub));
  }
  return event && { requestId, event };
}

type Read = (reader: WireReader, hub: HubName) => ServerEvent;

/** By tag of the field in `ServerEnvelope`. */
const readers: Readonly<Record<number, Read>> = {
  0x12: readAuthResult,
  0x1a: (reader) => readEmpty(reader, { type: 'ping' }),
  0x22: (reader) => readEmpty(reader, { type: 'pong' }),
  0x2a: readClose,
  0x32: readSubscribeResult,
  0x3a: readUnsubscribeResult,
  0x42: readAck,
  0x4a: readHistoryResult,
  0x52: readSessionInfo,
  0x5a: (reader, hub) => {
    const { channel, entries } = readDelivery(reader, hub);
    return { type: 'delivery', channel, entries };
  },
  0x62: readSignals,
  0x6a: readGap,
  0x72: (reader) => ({ type: 'error', error: readError(reader) }),
  0x7a: readNodes,
  0x142: (reader) => ({ type: 'document', ...readDocument(reader) }),
  0x14a: (reader) => ({ type: 'rebase', ...readDocument(reader) }),
  0x152: (reader) => ({ type: 'notificationInfo', ...readCount(reader) }),
  0x15a: (reader) => ({ type: 'notifications', ...readNotifications(reader) }),
  0x192: readPresence,
  0x19a: readJoin,
  0x1a2: readLeave,
  0x1aa: readOccupancy,
  0x1e2: readUser,
  0x232: readSessionKept,
  0x23a: readSessionRestored,
  0x282: readRpcAnswer,
};

function readEmpty(reader: WireReader, event: ServerEvent): ServerEvent {
  while (!reader.done) reader.skip(reader.tag());
  return event;
}

function readUser(reader: WireReader): ServerEvent {
  let answer = '{}';
  while (!reader.done) {
    const tag = reader.tag();
    if (tag === 0x0a) answer = reader.text('answer');
    else reader.skip(tag);
  }
  return { type: 'user', answer };
}

function readRpcAnswer(reader: WireReader): ServerEvent {
  let contentType = '';
  let payload = noBytes;
  while (!reader.done) {
    const tag = reader.tag();
    if (tag === 0x0a) contentType = reader.text('contentType');
    else if (tag === 0x12) payload = reader.chunk();
    else reader.skip(tag);
  }
  return { type: 'rpc', payload, ...(contentType === '' ? undefined : { contentType }) };
}

function readAuthResult(reader: WireReader): ServerEvent {
  let authenticated = false;
  let actor = '';
  const publish: string[] = [];
  const subscribe: string[] = [];
  const rpc: string[] = [];
  const deletes: string[] = [];
  let metadata = '';
  let expiresAt = 0;
  let token = '';
  while (!reader.done) {
    const tag = reader.tag();
    if (tag === 0x08) authenticated = reader.bool();
    else if (tag === 0x12) actor = reader.text('actor');
    else if (tag === 0x1a) publish.push(reader.text('publish'));
    else if (tag === 0x22) subscribe.push(reader.text('subscribe'));
    else if (tag === 0x2a) metadata = reader.text('metadata');
    else if (tag === 0x30) expiresAt = reader.varint();
    else if (tag === 0x3a) rpc.push(reader.text('rpc'));
    else if (tag === 0x42) deletes.push(reader.text('delete'));
    else if (tag === 0x4a) token = reader.text('token');
    else reader.skip(tag);
  }
  return {
    type: 'auth',
    authenticated,
    ...(actor === '' ? undefined : { actor }),
    ...(publish.length > 0 ? { publish } : undefined),
    ...(subscribe.length > 0 ? { subscribe } : undefined),
    ...(rpc.length > 0 ? { rpc } : undefined),
    ...(deletes.length > 0 ? { delete: deletes } : undefined),
    ...(metadata === '' ? undefined : { metadata }),
    ...(expiresAt === 0 ? undefined : { expiresAt }),
    ...(token === '' ? undefined : { token }),
  };
}

function readClose(reader: WireReader): ServerEvent {
  let code = 0;
  let reason = '';
  const cursors: { channel: string; cursor: Uint8Array }[] = [];
  while (!reader.done) {
    const tag = reader.tag();
    if (tag === 0x08) code = reader.varint();
    else if (tag === 0x12) reason = reader.text('reason');
    else if (tag === 0x1a) cursors.push(reader.nested(readChannelCursor));
    else reader.skip(tag);
  }
  return { type: 'close', code, reason, cursors };
}

function readChannelCursor(reader: WireReader): { channel: string; cursor: Uint8Array } {
  let channel = '';
  let cursor = noBytes;
  while (!reader.done) {
    const tag = reader.tag();
    if (tag === 0x0a) channel = reader.text('channel');
    else if (tag === 0x12) cursor = reader.chunk();
    else reader.skip(tag);
  }
  return { channel, cursor };
}

function readSubscribeResult(reader: WireReader, hub: HubName): ServerEvent {
  const results: SubscribedEvent[] = [];
  while (!reader.done) {
    const tag = reader.tag();
    if (tag === 0x0a) results.push(reader.nested(() => readSubscribed(reader, hub)));
    else reader.skip(tag);
  }
  return { type: 'subscribe', results };
}

function readSessionRestored(reader: WireReader, hub: HubName): ServerEvent {
  const results: SubscribedEvent[] = [];
  let sessionId = '';
  let key = noBytes;
  while (!reader.done) {
    const tag = reader.tag();
    if (tag === 0x0a) results.push(reader.nested(() => readSubscribed(reader, hub)));
    else if (tag === 0x12) sessionId = reader.text('sessionId');
    else if (tag === 0x1a) key = reader.chunk();
    else reader.skip(tag);
  }
  return { type: 'sessionRestored', sessionId, key, results };
}

function readSubscribed(reader: WireReader, hub: HubName): SubscribedEvent {
  let channel = '';
  let cursor: Uint8Array | undefined;
  let error: Failure | undefined;
  let retained: DeliveredEntry | undefined;
  let document: ToldDocument | undefined;
  let notifications: NotificationInfo | undefined;
  while (!reader.done) {
    const tag = reader.tag();
    if (tag === 0x0a) channel = reader.text('channel');
    else if (tag === 0x12) cursor = reader.chunk();
    else if (tag === 0x1a) error = reader.nested(readError);
    else if (tag === 0x22) retained = reader.nested(() => readDelivery(reader, hub)).entries[0];
    else if (tag === 0x142) document = reader.nested(readDocumentInfo);
    else if (tag === 0x14a) notifications = reader.nested(readInfo);
    else reader.skip(tag);
  }
  return {
    channel,
    ...(cursor === undefined ? undefined : { cursor }),
    ...(error === undefined ? undefined : { error }),
    ...(retained === undefined ? undefined : { retained }),
    ...(document === undefined ? undefined : { document }),
    ...(notifications === undefined ? undefined : { notifications }),
  };
}

function readUnsubscribeResult(reader: WireReader): ServerEvent {
  const results: { channel: string; error?: Failure }[] = [];
  while (!reader.done) {
    const tag = reader.tag();
    if (tag === 0x0a) results.push(reader.nested(readUnsubscribed));
    else reader.skip(tag);
  }
  return { type: 'unsubscribe', results };
}

function readUnsubscribed(reader: WireReader): { channel: string; error?: Failure } {
  let channel = '';
  let error: Failure | undefined;
  while (!reader.done) {
    const tag = reader.tag();
    if (tag === 0x0a) channel = reader.text('channel');
    else if (tag === 0x12) error = reader.nested(readError);
    else reader.skip(tag);
  }
  return { channel, ...(error === undefined ? undefined : { error }) };
}

function readAck(reader: WireReader): Ack {
  let writer: WriterId | undefined;
  let seq = 0;
  const ack = { timestamp: 0, copies: 0, count: 1, duplicate: false };
  let level = 0;
  let version = 0;
  while (!reader.done) {
    const tag = reader.tag();
    if (tag === 0x0a) writer = reader.writerId();
    else if (tag === 0x10) seq = reader.varint();
    else if (tag === 0x18) ack.timestamp = reader.varint();
    else if (tag === 0x20) level = reader.varint();
    else if (tag === 0x28) ack.copies = reader.varint();
    else if (tag === 0x30) ack.count = Math.max(1, reader.varint());
    else if (tag === 0x38) ack.duplicate = reader.bool();
    else if (tag === 0x140) version = reader.varint();
    else reader.skip(tag);
  }
  return {
    type: 'ack',
    ...(writer === undefined ? undefined : { dot: { writer, seq } }),
    ...ack,
    // A level of a newer version: at least the least is reached.
    level: levelOf(level) ?? 'memory',
    ...(version === 0 ? undefined : { version }),
  };
}

function readHistoryResult(reader: WireReader, hub: HubName): ServerEvent {
  let channel = '';
  const entries: DeliveredEntry[] = [];
  const gaps: Gap[] = [];
  let cursor = noBytes;
  let more = false;
  while (!reader.done) {
    const tag = reader.tag();
    if (tag === 0x0a) channel = reader.text('channel');
    else if (tag === 0x12) entries.push(...reader.nested(() => readDelivery(reader, hub)).entries);
    else if (tag === 0x1a) gaps.push(reader.nested(readGap));
    else if (tag === 0x22) cursor = reader.chunk();
    else if (tag === 0x28) more = reader.bool();
    else reader.skip(tag);
  }
  return { type: 'history', channel, entries, gaps, cursor, more };
}

function readSessionInfo(reader: WireReader): SessionInfo {
  const texts = ['', '', '', ''];
  const numbers = new Map<number, number>();
  while (!reader.done) {
    const tag = reader.tag();
    const field = tag >>> 3;
    if (field >= 1 && field <= 4 && tag % 8 === 2) texts[field - 1] = reader.text('session');
    else if (field >= 5 && field <= 12 && tag % 8 === 0) numbers.set(field, reader.varint());
    else reader.skip(tag);
  }
  const [sessionId = '', hub = '', nodeId = '', serverVersion = ''] = texts;
  const number = (field: number): number => numbers.get(field) ?? 0;
  return {
    type: 'sessionInfo',
    sessionId,
    hub,
    nodeId,
    serverVersion,
    protocolVersion: number(5),
    authenticated: number(6) !== 0,
    anonymousAllowed: number(7) !== 0,
    pingIntervalMs: number(8),
    messageBytesMax: number(9),
    frameBytesMax: number(10),
    subscriptionsMax: number(11),
    time: number(12),
  };
}

function readNodes(reader: WireReader): ServerEvent {
  const urls: string[] = [];
  let spreadMs = 0;
  while (!reader.done) {
    const tag = reader.tag();
    if (tag === 0x0a) urls.push(reader.text('url'));
    else if (tag === 0x10) spreadMs = reader.varint();
    else reader.skip(tag);
  }
  return { type: 'nodes', urls, spreadMs };
}

function readGap(reader: WireReader): Gap {
  let channel = '';
  let reason = '';
  const ranges: GapRange[] = [];
  let cursor = noBytes;
  while (!reader.done) {
    const tag = reader.tag();
    if (tag === 0x0a) channel = reader.text('channel');
    else if (tag === 0x12) reason = reader.text('reason');
    else if (tag === 0x1a) ranges.push(...reader.nested(readGapRange));
    else if (tag === 0x22) cursor = reader.chunk();
    else reader.skip(tag);
  }
  return { type: 'gap', channel, reason: gapReason(reason), ranges, cursor };
}

type GapRange = Gap['ranges'][number];

const knownReasons: readonly GapReason[] = ['trimmed', 'forced', 'deleted', 'damaged'];

/** A reason of a newer version is still a loss. */
export function gapReason(text: string): GapReason {
  return knownReasons.find((reason) => reason === text) ?? 'lost';
}

function readGapRange(reader: WireReader): GapRange[] {
  let writer: WriterId | undefined;
  let fromSeq = 0;
  let toSeq = 0;
  while (!reader.done) {
    const tag = reader.tag();
    if (tag === 0x0a) writer = reader.writerId();
    else if (tag === 0x10) fromSeq = reader.varint();
    else if (tag === 0x18) toSeq = reader.varint();
    else reader.skip(tag);
  }
  return writer === undefined ? [] : [{ writer, fromSeq, toSeq }];
}

function readError(reader: WireReader): Failure {
  let code = '';
  let isIndeterminate = false;
  let message = '';
  let retryAfterMs = 0;
  let channel = '';
  let operation: number | undefined;
  let reason = '';
  while (!reader.done) {
    const tag = reader.tag();
    if (tag === 0x0a) code = reader.text('code');
    else if (tag === 0x10) isIndeterminate = reader.bool();
    else if (tag === 0x1a) message = reader.text('message');
    else if (tag === 0x20) retryAfterMs = reader.varint();
    else if (tag === 0x2a) channel = reader.text('channel');
    else if (tag === 0x140) operation = reader.varint();
    else if (tag === 0x14a) reason = reader.text('reason');
    else reader.skip(tag);
  }
  return foreignFailure({
    code,
    outcome: isIndeterminate ? 'indeterminate' : 'rejected',
    message,
    ...(retryAfterMs === 0 ? undefined : { retryAfterMs }),
    ...(channel === '' ? undefined : { channel }),
    ...(operation === undefined ? undefined : { operation }),
    ...(reason === '' ? undefined : { reason }),
  });
}
