/** What a client writes: messages into one frame. */
import { toBase64Url, utf8 } from '../base/bytes.js';
import { dotText } from '../base/ids.js';
import { encodeContent } from '../log/entry-wire.js';
import { encodeProtobufMessages } from './client-encoder-protobuf.js';
import { contentToJson, payloadToJson } from './content-json.js';
import type {
  ClientMessage,
  Encoding,
  HistoryMessage,
  NotificationsMessage,
  OutgoingMessage,
  OutgoingPublish,
  Start,
} from './messages.js';

interface OutgoingEnvelope {
  /** 0: no answer wanted. */
  readonly requestId: number;
  readonly message: OutgoingMessage;
}

/** One WebSocket message, for JSON its UTF-8. */
export function encodeClientFrame(encoding: Encoding, envelopes: readonly OutgoingEnvelope[]): Uint8Array {
  if (encoding === 'json') {
    const objects = envelopes.map(envelopeToJson);
    return utf8(objects.length === 1 ? objects[0]! : `[${objects.join(',')}]`);
  }
  return encodeProtobufMessages(
    envelopes.map(({ requestId, message }) => ({ requestId, message: withEncodedContent(message) })),
  );
}

function withEncodedContent(message: OutgoingMessage): ClientMessage {
  return message.type === 'publish' ? { ...message, content: encodeContent(message.content) } : message;
}

function envelopeToJson({ requestId, message }: OutgoingEnvelope): string {
  const id = requestId === 0 ? '' : `"requestId":${requestId},`;
  return `{${id}"${message.type}":${messageToJson(message)}}`;
}

function messageToJson(message: OutgoingMessage): string {
  switch (message.type) {
    case 'auth': {
      const { token, publisher } = message;
      return JSON.stringify({ token, publisherId: publisher?.id, publisherEpoch: publisher?.epoch });
    }
    case 'ping':
    case 'pong':
      return '{}';
    case 'close':
      return JSON.stringify({ code: message.code, reason: message.reason });
    case 'subscribe':
      return JSON.stringify({
        channels: message.channels.map(({ channel, start, presence }) => ({
          channel,
          ...startMember(start),
          presence: jsonOf(presence),
        })),
      });
    case 'presence':
    case 'occupancy':
      return JSON.stringify({ ...message, type: undefined });
    case 'presenceUpdate':
      return JSON.stringify({ channel: message.channel, metadata: jsonOf(message.metadata) });
    case 'sessionRestore': {
      const { key, cursors } = message;
      const places = cursors.map(({ channel, cursor }) => ({ channel, cursor: toBase64Url(cursor) }));
      return JSON.stringify({ key: key && toBase64Url(key), cursors: places });
    }
    case 'rpc': {
      const { method, contentType, payload } = message;
      const about = JSON.stringify({ method, contentType });
      return `${about.slice(0, -1)},${payloadToJson(contentType ?? '', payload)}}`;
    }
    case 'user':
      return JSON.stringify({ action: message.action, request: message.request });
    case 'unsubscribe':
      return JSON.stringify({ channels: message.channels });
    case 'publish':
      return publishToJson(message);
    case 'history':
      return historyToJson(message);
    case 'documentGet': {
      const { channel, cursor, atUnixMs } = message;
      return JSON.stringify({ channel, cursor: cursor && toBase64Url(cursor), at: atUnixMs });
    }
    case 'notifications':
      return notificationsToJson(message);
  }
}

function jsonOf(text: string | undefined): unknown {
  return text === undefined ? undefined : (JSON.parse(text) as unknown);
}

function startMember(start: Start): object {
  switch (start.type) {
    case 'live':
      return {};
    case 'cursor':
      return { cursor: toBase64Url(start.cursor) };
    case 'since':
      return { since: start.unixMs };
    case 'last':
      return { last: start.count };
    case 'beginning':
      return { beginning: true };
  }
}

function publishToJson(message: OutgoingPublish): string {
  const { channel, content, idempotencyKey, publisherSeq, ackedThrough, level, degrade, kind } = message;
  const rest = JSON.stringify({ channel, kind, idempotencyKey, publisherSeq, ackedThrough, level, degrade });
  return `${rest.slice(0, -1)},${contentToJson(content).join(',')}}`;
}

function notificationsToJson(message: NotificationsMessage): string {
  const { channel, cursor, sinceUnixMs: since, untilUnixMs: until, limit, forward, unread } = message;
  return JSON.stringify({
    channel,
    cursor: cursor && toBase64Url(cursor),
    since,
    until,
    limit,
    forward: forward || undefined,
    unread: unread || undefined,
  });
}

function historyToJson(message: HistoryMessage): string {
  const { channel, cursor, sinceUnixMs: since, untilUnixMs: until, limit, backward } = message;
  return JSON.stringify({
    channel,
    cursor: cursor && toBase64Url(cursor),
    since,
    until,
    limit,
    backward: backward || undefined,
    including: message.including && dotText(message.including),
  });
}
