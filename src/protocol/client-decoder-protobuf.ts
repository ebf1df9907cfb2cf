/** Client frames in protobuf. A publish's content is not decoded: it is walked once and stays a view of the frame. */
import { equalBytes, utf8 } from '../base/bytes.js';
import { type Dot, channelNameBytesMax, parseDot } from '../base/ids.js';
import { limits } from '../base/limits.js';
import { checkPublishContent } from './content-check.js';
import { type Failure, failure } from './errors.js';
import { isNestedWithin } from './json-text.js';
import { levelOf, publishedKindOf } from './levels.js';
import type {
  ClientMessage,
  Level,
  PublishedKind,
  ReceivedEnvelope,
  Start,
  SubscribeChannel,
} from './messages.js';
import { metadataOf, readOccupancyGet, readPresenceGet, readPresenceUpdate } from './presence-requests.js';
import { readSessionRestore } from './restore-requests.js';
import { readRpc } from './rpc-requests.js';
import { WireReader, readCursor, textOf } from './wire.js';

const noBytes: Uint8Array = new Uint8Array(0);
const requestIdMax = 0xffffffff;

/** `undefined` when the bytes are not a frame; a failure when it has too many envelopes. */
export function decodeProtobufFrame(bytes: Uint8Array): ReceivedEnvelope[] | Failure | undefined {
  const reader = new WireReader(bytes);
  const envelopes: ReceivedEnvelope[] = [];
  while (!reader.done) {
    const tag = reader.tag();
    if (tag !== 10) {
      reader.skip(tag);
      continue;
    }
    if (envelopes.length === limits.envelopesPerFrameMax) return failure('FRAME_TOO_LARGE');
    // By hand instead of `nested`: a function made for every publish costs more than reading it.
    const outer = reader.enter();
    envelopes.push(readEnvelope(reader));
    reader.leave(outer);
  }
  return reader.failed ? undefined : envelopes;
}

/** Names of channels seen lately, by their bytes: publishes mostly go to few channels, and one string object for each
 *  spares decoding it and, in every map it is looked up in, hashing it. */
class ChannelNames {
  readonly #known = Array.from({ length: slots }, () => ({ bytes: noBytes, name: '' }));

  read(reader: WireReader): string {
    const length = reader.varint();
    const start = reader.position;
    const bytes = reader.take(length);
    if (bytes.length === 0) return '';
    // Names often differ in their last bytes only.
    const last = start + length - 1;
    const slot = (31 * reader.bytes[last]! + 7 * reader.bytes[last - 1]! + length) % slots;
    const known = this.#known[slot]!;
    if (equalBytes(known.bytes, bytes)) return known.name;
    const name = textOf(bytes);
    if (name === undefined) {
      reader.invalid ??= '"channel" is not valid UTF-8.';
      return '';
    }
    if (length <= channelNameBytesMax) this.#known[slot] = { bytes: bytes.slice(), name };
    return name;
  }
}

const slots = 256;
const channelNames = new ChannelNames();

function readEnvelope(reader: WireReader): ReceivedEnvelope {
  let requestId = 0;
  let message: ClientMessage | Failure | undefined;
  reader.invalid = undefined;
  while (!reader.done) {
    const tag = reader.tag();
    if (tag === 8) {
      requestId = reader.varint();
      if (requestId > requestIdMax) reader.fail();
      continue;
    }
    const read = readers[tag];
    if (read === undefined) {
      reader.skip(tag);
      continue;
    }
    const outer = reader.enter();
    message = read(reader);
    reader.leave(outer);
  }
  if (reader.invalid !== undefined) {
    return { requestId, error: failure('INVALID', { message: reader.invalid }) };
  }
  if (message === undefined) return { requestId, error: failure('UNKNOWN_MESSAGE') };
  return 'outcome' in message ? { requestId, error: message } : { requestId, message };
}

type Read = (reader: WireReader) => ClientMessage | Failure;

/** By tag of the field in `ClientEnvelope`. */
const readers: Readonly<Record<number, Read>> = {
  18: readAuth,
  26: (reader) => readEmpty(reader, { type: 'ping' }),
  34: (reader) => readEmpty(reader, { type: 'pong' }),
  42: readClose,
  50: readSubscribe,
  58: readUnsubscribe,
  66: readPublish,
  74: readHistory,
  322: readDocumentGet,
  330: readNotifications,
  402: readPresenceGet,
  410: readPresenceUpdate,
  418: readOccupancyGet,
  482: readUser,
  562: readSessionRestore,
  642: readRpc,
};

function readEmpty(reader: WireReader, message: ClientMessage): ClientMessage {
  while (!reader.done) reader.skip(reader.tag());
  return message;
}

function readPublish(reader: WireReader): ClientMessage | Failure {
  let channel = '';
  let content = noBytes;
  let idempotencyKey = '';
  let publisherSeq = 0;
  let ackedThrough = 0;
  let level: Level | undefined;
  let degrade: boolean | undefined;
  let kind: PublishedKind | undefined;
  while (!reader.done) {
    const tag = reader.tag();
    if (tag === 10) channel = channelNames.read(reader);
    else if (tag === 18) content = reader.chunk();
    else if (tag === 26) idempotencyKey = reader.text('idempotencyKey', limits.idempotencyKeyBytesMax);
    else if (tag === 32) publisherSeq = reader.varint();
    else if (tag === 40) ackedThrough = reader.varint();
    else if (tag === 48) level = readLevel(reader);
    else if (tag === 56) degrade = reader.bool();
    else if (tag === 320) kind = readKind(reader);
    else reader.skip(tag);
  }
  const checked = checkPublishContent(content, channel);
  if (!checked.ok) return checked.error;
  const { store, retain, push } = checked.value;
  // One shape for all, whatever is set: this is the hottest object of the node.
  return {
    type: 'publish',
    channel,
    content,
    store,
    retain,
    push,
    idempotencyKey: idempotencyKey === '' ? undefined : idempotencyKey,
    publisherSeq: publisherSeq === 0 ? undefined : publisherSeq,
    ackedThrough: ackedThrough === 0 ? undefined : ackedThrough,
    level,
    degrade,
    kind,
  };
}

function readKind(reader: WireReader): PublishedKind | undefined {
  const number = reader.varint();
  const kind = publishedKindOf(number);
  if (kind === undefined && number !== 0) reader.invalid ??= `Entries of kind ${number} are not published.`;
  return kind;
}

function readLevel(reader: WireReader): Level | undefined {
  const value = reader.varint();
  const level = levelOf(value);
  if (level === undefined && value !== 0) reader.invalid ??= `There is no level ${value}.`;
  return level;
}

function readAuth(reader: WireReader): ClientMessage {
  let token = '';
  let id = '';
  let epoch = 0;
  while (!reader.done) {
    const tag = reader.tag();
    if (tag === 10) token = reader.text('token', limits.tokenBytesMax);
    else if (tag === 18) id = reader.text('publisherId', limits.publisherIdBytesMax);
    else if (tag === 24) epoch = reader.varint();
    else reader.skip(tag);
  }
  return {
    type: 'auth',
    ...(token === '' ? undefined : { token }),
    ...(id === '' ? undefined : { publisher: { id, epoch } }),
  };
}

function readUser(reader: WireReader): ClientMessage | Failure {
  let action = '';
  let request = '';
  while (!reader.done) {
    const tag = reader.tag();
    if (tag === 10) action = reader.text('action');
    else if (tag === 18) request = reader.text('request', limits.metadataBytesMax * 2);
    else reader.skip(tag);
  }
  if (request === '') return { type: 'user', action, request: {} };
  try {
    if (!isNestedWithin(limits.jsonDepthMax, utf8(request))) throw new SyntaxError('nested too deep');
    return { type: 'user', action, request: JSON.parse(request) as unknown };
  } catch {
    return failure('INVALID', { message: '"request" is not JSON.' });
  }
}

function readClose(reader: WireReader): ClientMessage {
  let code = 0;
  let reason = '';
  while (!reader.done) {
    const tag = reader.tag();
    if (tag === 8) code = reader.varint();
    else if (tag === 18) reason = reader.text('reason');
    else reader.skip(tag);
  }
  return {
    type: 'close',
    ...(code === 0 ? undefined : { code }),
    ...(reason === '' ? undefined : { reason }),
  };
}

function readSubscribe(reader: WireReader): ClientMessage | Failure {
  const channels: SubscribeChannel[] = [];
  let refused: Failure | undefined;
  while (!reader.done) {
    const tag = reader.tag();
    if (tag !== 10) {
      reader.skip(tag);
      continue;
    }
    const wanted = reader.nested(readSubscribeChannel);
    if ('outcome' in wanted) refused ??= wanted;
    else channels.push(wanted);
  }
  if (refused) return refused;
  return channels.length > limits.subscriptionsPerSessionMax
    ? failure('TOO_MANY')
    : { type: 'subscribe', channels };
}

function readSubscribeChannel(reader: WireReader): SubscribeChannel | Failure {
  let channel = '';
  let presence = '';
  let start: Start = { type: 'live' };
  while (!reader.done) {
    const tag = reader.tag();
    if (tag === 10) channel = reader.text('channel');
    else if (tag === 18) start = { type: 'cursor', cursor: readCursor(reader) };
    else if (tag === 24) start = { type: 'since', unixMs: reader.varint() };
    else if (tag === 32) start = { type: 'last', count: reader.varint() };
    else if (tag === 40) start = reader.bool() ? { type: 'beginning' } : { type: 'live' };
    else if (tag === 402) presence = reader.text('presence');
    else reader.skip(tag);
  }
  const metadata = presence === '' ? undefined : metadataOf(presence);
  if (typeof metadata === 'object') return { ...metadata, channel };
  return { channel, start, ...(metadata === undefined ? undefined : { presence: metadata }) };
}

function readDocumentGet(reader: WireReader): ClientMessage {
  let channel = '';
  let cursor: Uint8Array | undefined;
  let atUnixMs = 0;
  while (!reader.done) {
    const tag = reader.tag();
    if (tag === 10) channel = reader.text('channel');
    else if (tag === 18) cursor = readCursor(reader);
    else if (tag === 24) atUnixMs = reader.varint();
    else reader.skip(tag);
  }
  return {
    type: 'documentGet',
    channel,
    ...(cursor === undefined || cursor.length === 0 ? undefined : { cursor }),
    ...(atUnixMs === 0 ? undefined : { atUnixMs }),
  };
}

function readNotifications(reader: WireReader): ClientMessage {
  let channel = '';
  let cursor: Uint8Array | undefined;
  let sinceUnixMs = 0;
  let untilUnixMs = 0;
  let limit = 0;
  let forward = false;
  let unread = false;
  while (!reader.done) {
    const tag = reader.tag();
    if (tag === 10) channel = reader.text('channel');
    else if (tag === 18) cursor = readCursor(reader);
    else if (tag === 24) sinceUnixMs = reader.varint();
    else if (tag === 32) untilUnixMs = reader.varint();
    else if (tag === 40) limit = reader.varint();
    else if (tag === 48) forward = reader.bool();
    else if (tag === 56) unread = reader.bool();
    else reader.skip(tag);
  }
  return {
    type: 'notifications',
    channel,
    forward,
    unread,
    ...(cursor === undefined || cursor.length === 0 ? undefined : { cursor }),
    ...(sinceUnixMs === 0 ? undefined : { sinceUnixMs }),
    ...(untilUnixMs === 0 ? undefined : { untilUnixMs }),
    ...(limit === 0 ? undefined : { limit }),
  };
}

function readUnsubscribe(reader: WireReader): ClientMessage | Failure {
  const channels: string[] = [];
  while (!reader.done) {
    const tag = reader.tag();
    if (tag === 10) channels.push(reader.text('channel'));
    else reader.skip(tag);
  }
  return channels.length > limits.subscriptionsPerSessionMax
    ? failure('TOO_MANY')
    : { type: 'unsubscribe', channels };
}

function readHistory(reader: WireReader): ClientMessage {
  let channel = '';
  let cursor: Uint8Array | undefined;
  let sinceUnixMs: number | undefined;
  let untilUnixMs: number | undefined;
  let limit = 0;
  let backward = false;
  let including: Dot | undefined;
  while (!reader.done) {
    const tag = reader.tag();
    if (tag === 10) channel = reader.text('channel');
    else if (tag === 18) cursor = readCursor(reader);
    else if (tag === 24) sinceUnixMs = reader.varint();
    else if (tag === 32) untilUnixMs = reader.varint();
    else if (tag === 40) limit = reader.varint();
    else if (tag === 48) backward = reader.bool();
    else if (tag === 58) including = readDot(reader);
    else reader.skip(tag);
  }
  return {
    type: 'history',
    channel,
    backward,
    ...(cursor === undefined || cursor.length === 0 ? undefined : { cursor }),
    ...(sinceUnixMs ? { sinceUnixMs } : undefined),
    ...(untilUnixMs ? { untilUnixMs } : undefined),
    ...(limit === 0 ? undefined : { limit }),
    ...(including ? { including } : undefined),
  };
}

function readDot(reader: WireReader): Dot | undefined {
  const text = reader.text('including');
  if (text === '') return undefined;
  const dot = parseDot(text);
  if (dot.ok) return dot.value;
  reader.invalid ??= `"including": ${dot.error}`;
  return undefined;
}
