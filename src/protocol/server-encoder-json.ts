/** Server messages in JSON, written as text: a payload that is JSON goes in as it was published. */
import { unreachable } from '../base/assert.js';
import { toBase64Url, toHex, utf8, utf8Text } from '../base/bytes.js';
import { dotText } from '../base/ids.js';
import { contentToJson } from './content-json.js';
import { deliveryToJson, entriesToJson, signalToJson, timeToJson } from './entry-json.js';
import type { Failure } from './errors.js';
import type {
  Ack,
  AuthResult,
  DeliverySlice,
  DocumentInfo,
  DocumentState,
  Gap,
  ListedNotification,
  NotificationInfo,
  NotificationPage,
  ServerMessage,
  SessionInfo,
  SubscribedChannel,
  ToldDocument,
} from './messages.js';
import { presenceToJson } from './presence-encoder.js';
import { sessionKeptToJson } from './restore-encoder.js';

export function encodeJsonDelivery(slice: DeliverySlice): Uint8Array {
  return utf8(`{"delivery":${deliveryToJson(slice)}}`);
}

/** One envelope is an object, several are an array. */
export function encodeJsonFrame(
  envelopes: readonly { readonly requestId: number; readonly message: ServerMessage }[],
): Uint8Array {
  const objects = envelopes.flatMap(({ requestId, message }) =>
    message.type === 'ack'
      ? ackEnvelopes(requestId, message)
      : [envelope(requestId, message.type, membersOf(message))],
  );
  return utf8(objects.length === 1 ? objects[0]! : `[${objects.join(',')}]`);
}

function envelope(requestId: number, name: string, value: string): string {
  return requestId === 0 ? `{"${name}":${value}}` : `{"requestId":${requestId},"${name}":${value}}`;
}

function ackEnvelopes(requestId: number, ack: Ack): string[] {
  const { dot, level, copies } = ack;
  return Array.from({ length: ack.count }, (_, i) => {
    const id = dot ? `"id":"${dot.writer}-${dot.seq + i}",` : '';
    const duplicate = ack.duplicate ? ',"duplicate":true' : '';
    const version = ack.version === undefined ? '' : `,"version":${ack.version + i}`;
    const value = `{${id}${timeToJson(ack.timestamp + i)},"level":"${level}","copies":${copies}${duplicate}${version}}`;
    return envelope(requestId + i, 'ack', value);
  });
}

function membersOf(message: Exclude<ServerMessage, Ack>): string {
  switch (message.type) {
    case 'auth':
      return authToJson(message);
    case 'ping':
    case 'pong':
      return '{}';
    case 'close':
      return closeToJson(message);
    case 'subscribe':
      return `{"results":[${message.results.map(subscribedToJson).join(',')}]}`;
    case 'unsubscribe':
      return JSON.stringify({ results: message.results.map(({ channel, error }) => ({ channel, error })) });
    case 'history':
      return historyToJson(message);
    case 'sessionInfo':
      return sessionInfoToJson(message);
    case 'user':
      return `{"answer":${message.answer}}`;
    case 'rpc':
      return `{${contentToJson(message).join(',')}}`;
    case 'sessionKept':
      return sessionKeptToJson(message);
    case 'sessionRestored': {
      const about = JSON.stringify({ sessionId: message.sessionId, key: toBase64Url(message.key) });
      return `${about.slice(0, -1)},"results":[${message.results.map(subscribedToJson).join(',')}]}`;
    }
    case 'nodes':
      return JSON.stringify({ urls: message.urls, spreadMs: message.spreadMs });
    case 'delivery':
      return deliveryToJson(message.delivery);
    case 'signals':
      return `{"channel":${JSON.stringify(message.channel)},"signals":[${message.signals.map(signalToJson).join(',')}]}`;
    case 'gap':
      return gapToJson(message);
    case 'document':
    case 'rebase':
      return documentToJson(message);
    case 'notificationInfo':
      return JSON.stringify({ channel: message.channel, ...countMembers(message) });
    case 'notifications':
      return notificationsToJson(message);
    case 'presence':
    case 'join':
    case 'leave':
    case 'occupancy':
      return presenceToJson(message);
    case 'error':
      return failureToJson(message.error);
    default:
      return unreachable(message);
  }
}

const sessionInfoMembers: (keyof SessionInfo)[] = [
  'sessionId',
  'hub',
  'nodeId',
  'serverVersion',
  'protocolVersion',
  'authenticated',
  'anonymousAllowed',
  'pingIntervalMs',
  'messageBytesMax',
  'frameBytesMax',
  'subscriptionsMax',
];

function authToJson({ metadata, ...rest }: AuthResult): string {
  const text = JSON.stringify({ ...rest, type: undefined });
  return metadata === undefined ? text : `${text.slice(0, -1)},"metadata":${metadata}}`;
}

function sessionInfoToJson(message: SessionInfo): string {
  return `{${JSON.stringify(message, sessionInfoMembers).slice(1, -1)},${timeToJson(message.time)}}`;
}

function closeToJson({ code, reason, cursors }: Extract<ServerMessage, { type: 'close' }>): string {
  const texts = cursors.map(({ channel, cursor }) => ({ channel, cursor: toBase64Url(cursor) }));
  return JSON.stringify({ code, reason, cursors: texts });
}

/** The value as it is: it is JSON already. */
export function documentToJson({ channel, info, value, cursor }: DocumentState): string {
  const about = JSON.stringify({ channel, ...infoMembers(info), cursor: toBase64Url(cursor) });
  return `${about.slice(0, -1)},"value":${utf8Text(value)}}`;
}

export function infoMembers({ version, voids, hash, size, createParents }: DocumentInfo) {
  return { version, voids, hash: toHex(hash), size, ...(createParents === true && { createParents }) };
}

function toldMembers({ cursor, ...info }: ToldDocument) {
  return { ...infoMembers(info), ...(cursor && { cursor: toBase64Url(cursor) }) };
}

function countMembers({ unread, total, cursor }: NotificationInfo) {
  return { unread, total, cursor: toBase64Url(cursor) };
}

export function notificationsToJson(page: NotificationPage): string {
  const { channel, info, notifications, cursor, more } = page;
  const about = JSON.stringify({ channel, info: countMembers(info), cursor: toBase64Url(cursor), more });
  return `${about.slice(0, -1)},"notifications":[${notifications.map(notificationToJson).join(',')}]}`;
}

/** The value as it is: it is JSON already. */
function notificationToJson({ dot, timestamp, actor, state, value }: ListedNotification): string {
  const by = actor === undefined ? '' : `,"actor":${JSON.stringify(actor)}`;
  return `{"id":"${dotText(dot)}",${timeToJson(timestamp)}${by},"state":"${state}","notification":${utf8Text(value)}}`;
}

function subscribedToJson({
  channel,
  cursor,
  error,
  retained,
  document,
  notifications,
}: SubscribedChannel): string {
  const members = [`"channel":${JSON.stringify(channel)}`];
  if (cursor) members.push(`"cursor":"${toBase64Url(cursor)}"`);
  if (error) members.push(`"error":${failureToJson(error)}`);
  if (document) members.push(`"document":${JSON.stringify(toldMembers(document))}`);
  if (notifications) members.push(`"notifications":${JSON.stringify(countMembers(notifications))}`);
  const entry = retained && entriesToJson(retained)[0];
  if (entry !== undefined) members.push(`"retained":${entry}`);
  return `{${members.join(',')}}`;
}

function historyToJson(message: Extract<ServerMessage, { type: 'history' }>): string {
  const entries = message.deliveries.flatMap(entriesToJson);
  const members = [
    `"channel":${JSON.stringify(message.channel)}`,
    `"entries":[${entries.join(',')}]`,
    `"gaps":[${message.gaps.map(gapToJson).join(',')}]`,
    `"cursor":"${toBase64Url(message.cursor)}"`,
    `"more":${message.more}`,
  ];
  return `{${members.join(',')}}`;
}

export function gapToJson(gap: Gap): string {
  const { channel, reason, ranges } = gap;
  return JSON.stringify({
    channel,
    reason,
    ranges: ranges.map(({ writer, fromSeq, toSeq }) => ({ writer, fromSeq, toSeq })),
    cursor: toBase64Url(gap.cursor),
  });
}

export function failureToJson(error: Failure): string {
  const { code, outcome, message, retryAfterMs, channel, operation, reason } = error;
  return JSON.stringify({ code, outcome, message, retryAfterMs, channel, operation, reason });
}
