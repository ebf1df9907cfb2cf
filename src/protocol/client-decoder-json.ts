/** Client frames in JSON: one envelope, or an array of them. */
import { type Dot, parseDot } from '../base/ids.js';
import { limits } from '../base/limits.js';
import { encodeContent } from '../log/entry-wire.js';
import { checkPublishContent } from './content-check.js';
import { contentFromJson } from './content-json.js';
import { type Failure, failure } from './errors.js';
import { type JsonObject, JsonMembers, isJsonObject } from './json-members.js';
import { JsonSource, compact, isNestedWithin } from './json-text.js';
import { levels, publishedKinds } from './levels.js';
import type { ClientMessage, ReceivedEnvelope, Start, SubscribeChannel } from './messages.js';
import {
  metadataFromJson,
  occupancyFromJson,
  presenceFromJson,
  presenceUpdateFromJson,
} from './presence-requests.js';
import { sessionRestoreFromJson } from './restore-requests.js';
import { rpcFromJson } from './rpc-requests.js';
import { textOf } from './wire.js';

const requestIdMax = 0xffffffff;

/** `undefined` when the bytes are not a frame; a failure when it has too many envelopes. */
export function decodeJsonFrame(bytes: Uint8Array): ReceivedEnvelope[] | Failure | undefined {
  const text = isNestedWithin(limits.jsonDepthMax, bytes) ? textOf(bytes) : undefined;
  if (text === undefined) return undefined;
  const value = parse(text);
  const objects: readonly unknown[] = Array.isArray(value) ? value : [value];
  if (objects.length > limits.envelopesPerFrameMax) return failure('FRAME_TOO_LARGE');
  const source = new JsonSource(text);
  const envelopes: ReceivedEnvelope[] = [];
  for (const [index, object] of objects.entries()) {
    if (!isJsonObject(object)) return undefined;
    const sourceOf = () => (Array.isArray(value) ? source.element(index) : source);
    envelopes.push(readEnvelope(object, (name) => compact(sourceOf().member(name).member('data').text)));
  }
  return envelopes;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

type Read = (members: JsonMembers, dataText: () => string) => ClientMessage | Failure;

const readers = {
  auth: readAuth,
  ping: () => ({ type: 'ping' }),
  pong: () => ({ type: 'pong' }),
  close: readClose,
  subscribe: readSubscribe,
  unsubscribe: readUnsubscribe,
  publish: readPublish,
  history: readHistory,
  documentGet: readDocumentGet,
  notifications: readNotifications,
  presence: presenceFromJson,
  presenceUpdate: presenceUpdateFromJson,
  occupancy: occupancyFromJson,
  user: readUser,
  rpc: rpcFromJson,
  sessionRestore: sessionRestoreFromJson,
} satisfies Readonly<Record<string, Read>>;

const names = Object.keys(readers) as (keyof typeof readers)[];

function readEnvelope(object: JsonObject, dataTextOf: (name: string) => string): ReceivedEnvelope {
  const envelope = new JsonMembers(object);
  const requestId = envelope.count('requestId', requestIdMax) ?? 0;
  const name = names.find((each) => envelope.has(each));
  if (name === undefined) return { requestId, error: failure('UNKNOWN_MESSAGE') };
  const members = envelope.child(name);
  if (members === undefined || envelope.problem !== undefined) {
    return { requestId, error: failure('INVALID', { message: envelope.problem ?? '' }) };
  }
  const read: Read = readers[name];
  const message = read(members, () => dataTextOf(name));
  if (members.problem !== undefined) {
    return { requestId, error: failure('INVALID', { message: members.problem }) };
  }
  return 'outcome' in message ? { requestId, error: message } : { requestId, message };
}

function readPublish(members: JsonMembers, dataText: () => string): ClientMessage | Failure {
  const channel = members.text('channel') ?? '';
  const idempotencyKey = members.text('idempotencyKey', limits.idempotencyKeyBytesMax);
  const publisherSeq = members.count('publisherSeq');
  const ackedThrough = members.count('ackedThrough');
  const level = members.oneOf('level', levels);
  const degrade = members.flag('degrade');
  const kind = members.oneOf('kind', ['publish', ...publishedKinds]);
  const content = encodeContent(contentFromJson(members, dataText));
  const checked = checkPublishContent(content, channel);
  if (!checked.ok) return checked.error;
  const { store, retain, push } = checked.value;
  return {
    type: 'publish',
    channel,
    content,
    ...(store === undefined ? undefined : { store }),
    ...(retain === undefined ? undefined : { retain }),
    ...(push === undefined ? undefined : { push }),
    ...(idempotencyKey ? { idempotencyKey } : undefined),
    ...(publisherSeq ? { publisherSeq } : undefined),
    ...(ackedThrough ? { ackedThrough } : undefined),
    ...(level === undefined ? undefined : { level }),
    ...(degrade === undefined ? undefined : { degrade }),
    ...(kind === undefined || kind === 'publish' ? undefined : { kind }),
  };
}

function readAuth(members: JsonMembers): ClientMessage {
  const token = members.text('token', limits.tokenBytesMax);
  const id = members.text('publisherId', limits.publisherIdBytesMax);
  const epoch = members.count('publisherEpoch') ?? 0;
  return {
    type: 'auth',
    ...(token ? { token } : undefined),
    ...(id ? { publisher: { id, epoch } } : undefined),
  };
}

function readUser(members: JsonMembers): ClientMessage {
  return { type: 'user', action: members.text('action') ?? '', request: members.get('request') ?? {} };
}

function readClose(members: JsonMembers): ClientMessage {
  const code = members.count('code');
  const reason = members.text('reason');
  return { type: 'close', ...(code ? { code } : undefined), ...(reason ? { reason } : undefined) };
}

function readSubscribe(members: JsonMembers): ClientMessage | Failure {
  const list = members.list('channels');
  if (list.length > limits.subscriptionsPerSessionMax) return failure('TOO_MANY');
  let refused: Failure | undefined;
  const channels = list.map((item): SubscribeChannel => {
    if (!isJsonObject(item)) {
      members.refuse('Each of "channels" must be an object with a "channel".');
      return { channel: '', start: { type: 'live' } as const };
    }
    const each = new JsonMembers(item);
    const channel = each.text('channel') ?? '';
    const start = readStart(each);
    if (each.problem !== undefined) members.refuse(each.problem);
    const presence = metadataFromJson(each, 'presence');
    if (typeof presence === 'object') refused ??= { ...presence, channel };
    return { channel, start, ...(typeof presence === 'string' ? { presence } : undefined) };
  });
  return refused ?? { type: 'subscribe', channels };
}

function readStart(members: JsonMembers): Start {
  const cursor = members.base64('cursor', limits.cursorBytesMax);
  if (cursor !== undefined) return { type: 'cursor', cursor };
  const unixMs = members.count('since');
  if (unixMs !== undefined) return { type: 'since', unixMs };
  const count = members.count('last', requestIdMax);
  if (count !== undefined) return { type: 'last', count };
  return members.flag('beginning') ? { type: 'beginning' } : { type: 'live' };
}

function readDocumentGet(members: JsonMembers): ClientMessage {
  const channel = members.text('channel') ?? '';
  const cursor = members.base64('cursor', limits.cursorBytesMax);
  const atUnixMs = members.count('at');
  return {
    type: 'documentGet',
    channel,
    ...(cursor && cursor.length > 0 ? { cursor } : undefined),
    ...(atUnixMs ? { atUnixMs } : undefined),
  };
}

function readNotifications(members: JsonMembers): ClientMessage {
  const channel = members.text('channel') ?? '';
  const cursor = members.base64('cursor', limits.cursorBytesMax);
  const sinceUnixMs = members.count('since');
  const untilUnixMs = members.count('until');
  const limit = members.count('limit');
  return {
    type: 'notifications',
    channel,
    forward: members.flag('forward') ?? false,
    unread: members.flag('unread') ?? false,
    ...(cursor && cursor.length > 0 ? { cursor } : undefined),
    ...(sinceUnixMs ? { sinceUnixMs } : undefined),
    ...(untilUnixMs ? { untilUnixMs } : undefined),
    ...(limit ? { limit } : undefined),
  };
}

function readUnsubscribe(members: JsonMembers): ClientMessage | Failure {
  const list = members.list('channels');
  if (list.length > limits.subscriptionsPerSessionMax) return failure('TOO_MANY');
  if (!list.every((item): item is string => typeof item === 'string')) {
    members.refuse('Each of "channels" must be a string.');
    return { type: 'unsubscribe', channels: [] };
  }
  return { type: 'unsubscribe', channels: list };
}

function readHistory(members: JsonMembers): ClientMessage {
  const channel = members.text('channel') ?? '';
  const cursor = members.base64('cursor', limits.cursorBytesMax);
  const sinceUnixMs = members.count('since');
  const untilUnixMs = members.count('until');
  const limit = members.count('limit');
  const backward = members.flag('backward') ?? false;
  const including = dotOf(members);
  return {
    type: 'history',
    channel,
    backward,
    ...(cursor && cursor.length > 0 ? { cursor } : undefined),
    ...(sinceUnixMs ? { sinceUnixMs } : undefined),
    ...(untilUnixMs ? { untilUnixMs } : undefined),
    ...(limit ? { limit } : undefined),
    ...(including ? { including } : undefined),
  };
}

function dotOf(members: JsonMembers): Dot | undefined {
  const text = members.text('including');
  if (!text) return undefined;
  const dot = parseDot(text);
  return dot.ok ? dot.value : members.refuse(`"including": ${dot.error}`);
}
