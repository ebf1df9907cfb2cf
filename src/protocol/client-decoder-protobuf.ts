/** Client frames in protobuf. A publish's content is not decoded: it is walked once and stays a view of the frame. */
import { limits } from '../base/limits.js';
import { checkPublishContent } from './content-check.js';
import { type Failure, failure } from './errors.js';
import { levelOf } from './levels.js';
import type { ClientMessage, Level, ReceivedEnvelope, Start } from './messages.js';
import { WireReader, textOf } from './wire.js';

const noBytes: Uint8Array = new Uint8Array(0);
const requestIdMax = 0xffffffff;

/** `undefined` when the bytes are not a frame; a failure when it has too many envelopes. */
export function decodeProtobufFrame(bytes: Uint8Array): ReceivedEnvelope[] | Failure | undefined {
  const reader = new WireReader(bytes);
  const channels = new ChannelNames();
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
    envelopes.push(readEnvelope(reader, channels));
    reader.leave(outer);
  }
  return reader.failed ? undefined : envelopes;
}

/** Publishes of one frame mostly go to one channel: its name is made into a string once. */
class ChannelNames {
  #bytes = noBytes;
  #name = '';

  read(reader: WireReader): string {
    const length = reader.varint();
    if (this.#isNext(reader, length)) {
      reader.position += length;
      return this.#name;
    }
    const bytes = reader.take(length);
    const name = textOf(bytes);
    if (name === undefined) {
      reader.invalid ??= '"channel" is not valid UTF-8.';
      return '';
    }
    this.#bytes = bytes;
    this.#name = name;
    return name;
  }

  #isNext(reader: WireReader, length: number): boolean {
    const known = this.#bytes;
    if (length !== known.length || length > reader.end - reader.position) return false;
    for (let i = 0; i < length; i++) if (reader.bytes[reader.position + i] !== known[i]) return false;
    return true;
  }
}

function readEnvelope(reader: WireReader, channels: ChannelNames): ReceivedEnvelope {
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
    message = read(reader, channels);
    reader.leave(outer);
  }
  if (reader.invalid !== undefined) {
    return { requestId, error: failure('INVALID', { message: reader.invalid }) };
  }
  if (message === undefined) return { requestId, error: failure('UNKNOWN_MESSAGE') };
  return 'outcome' in message ? { requestId, error: message } : { requestId, message };
}

type Read = (reader: WireReader, channels: ChannelNames) => ClientMessage | Failure;

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
};

function readEmpty(reader: WireReader, message: ClientMessage): ClientMessage {
  while (!reader.done) reader.skip(reader.tag());
  return message;
}

function readPublish(reader: WireReader, channels: ChannelNames): ClientMessage | Failure {
  let channel = '';
  let content = noBytes;
  let idempotencyKey = '';
  let publisherSeq = 0;
  let ackedThrough = 0;
  let level: Level | undefined;
  let degrade: boolean | undefined;
  while (!reader.done) {
    const tag = reader.tag();
    if (tag === 10) channel = channels.read(reader);
    else if (tag === 18) content = reader.chunk();
    else if (tag === 26) idempotencyKey = reader.text('idempotencyKey', limits.idempotencyKeyBytesMax);
    else if (tag === 32) publisherSeq = reader.varint();
    else if (tag === 40) ackedThrough = reader.varint();
    else if (tag === 48) level = readLevel(reader);
    else if (tag === 56) degrade = reader.bool();
    else reader.skip(tag);
  }
  const checked = checkPublishContent(content, channel);
  if (!checked.ok) return checked.error;
  const { store, retain } = checked.value;
  return {
    type: 'publish',
    channel,
    content,
    ...(store === undefined ? undefined : { store }),
    ...(retain === undefined ? undefined : { retain }),
    ...(idempotencyKey === '' ? undefined : { idempotencyKey }),
    ...(publisherSeq === 0 ? undefined : { publisherSeq }),
    ...(ackedThrough === 0 ? undefined : { ackedThrough }),
    ...(level === undefined ? undefined : { level }),
    ...(degrade === undefined ? undefined : { degrade }),
  };
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
  const channels: { channel: string; start: Start }[] = [];
  while (!reader.done) {
    const tag = reader.tag();
    if (tag !== 10) {
      reader.skip(tag);
      continue;
    }
    channels.push(reader.nested(readSubscribeChannel));
  }
  return channels.length > limits.subscriptionsPerSessionMax
    ? failure('TOO_MANY')
    : { type: 'subscribe', channels };
}

function readSubscribeChannel(reader: WireReader): { channel: string; start: Start } {
  let channel = '';
  let start: Start = { type: 'live' };
  while (!reader.done) {
    const tag = reader.tag();
    if (tag === 10) channel = reader.text('channel');
    else if (tag === 18) start = { type: 'cursor', cursor: readCursor(reader) };
    else if (tag === 24) start = { type: 'since', unixMs: reader.varint() };
    else if (tag === 32) start = { type: 'last', count: reader.varint() };
    else if (tag === 40) start = reader.bool() ? { type: 'beginning' } : { type: 'live' };
    else reader.skip(tag);
  }
  return { channel, start };
}

function readCursor(reader: WireReader): Uint8Array {
  const cursor = reader.chunk();
  if (cursor.length > limits.cursorBytesMax) {
    reader.invalid ??= `"cursor" has more than ${limits.cursorBytesMax} bytes.`;
  }
  // Kept beyond this turn, while the frame's memory is used again.
  return cursor.slice();
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
  while (!reader.done) {
    const tag = reader.tag();
    if (tag === 10) channel = reader.text('channel');
    else if (tag === 18) cursor = readCursor(reader);
    else if (tag === 24) sinceUnixMs = reader.varint();
    else if (tag === 32) untilUnixMs = reader.varint();
    else if (tag === 40) limit = reader.varint();
    else if (tag === 48) backward = reader.bool();
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
  };
}
