/** Server frames in JSON. They carry no checksums, so entries have 0 there. */
import { type Dot, type WriterId, parseDot, parseWriterId } from '../base/ids.js';
import { limits } from '../base/limits.js';
import { type Content, type Entry, type Trim, entryKinds } from '../log/entry.js';
import { contentFromJson } from './content-json.js';
import { documentFromJson, toldFromJson } from './document-decoder.js';
import { countFromJson, listedFromJson, noCount } from './notification-decoder.js';
import type { Failure } from './errors.js';
import { foreignFailure } from './foreign-failure.js';
import { JsonMembers, isJsonObject } from './json-members.js';
import { JsonSource, isNestedWithin } from './json-text.js';
import { levels } from './levels.js';
import type {
  Ack,
  DeliveredEntry,
  Gap,
  ServerEnvelope,
  ServerEvent,
  SessionInfo,
  SubscribedEvent,
} from './messages.js';
import { presenceEventFromJson } from './presence-decoder.js';
import { sessionKeptFromJson } from './restore-decoder.js';
import { gapReason } from './server-decoder-protobuf.js';
import { textOf } from './wire.js';

/** A payload that is JSON may nest as deep as a frame may, inside one. */
const depthMax = 2 * limits.jsonDepthMax;
const noBytes: Uint8Array = new Uint8Array(0);

/** `undefined` when the bytes are not a frame. */
export function decodeJsonEvents(bytes: Uint8Array): ServerEnvelope[] | undefined {
  const text = isNestedWithin(depthMax, bytes) ? textOf(bytes) : undefined;
  const value = text === undefined ? undefined : parse(text);
  const objects: readonly unknown[] = Array.isArray(value) ? value : [value];
  const source = new JsonSource(text ?? '');
  const envelopes: ServerEnvelope[] = [];
  for (const [index, object] of objects.entries()) {
    if (!isJsonObject(object)) return undefined;
    const envelope = new JsonMembers(object);
    const requestId = envelope.count('requestId') ?? 0;
    const name = names.find((each) => envelope.has(each));
    if (name === undefined) continue;
    const sourceOf = Array.isArray(value) ? source.element(index) : source;
    const event = readNode(envelope, name, sourceOf, readers[name]);
    if (event === undefined || envelope.problem !== undefined) return undefined;
    envelopes.push({ requestId, event });
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

/** Members of an object with the text they came as. */
type Read<T> = (members: JsonMembers, source: JsonSource) => T;

/** Reads the member `name` of an object as an object; what is wrong in it is wrong in the parent. */
function readNode<T>(parent: JsonMembers, name: string, source: JsonSource, read: Read<T>): T | undefined {
  const child = parent.child(name);
  if (child === undefined) return undefined;
  const value = read(child, source.member(name));
  if (child.problem !== undefined) parent.refuse(child.problem);
  return value;
}

function readNodes<T>(parent: JsonMembers, name: string, source: JsonSource, read: Read<T>): T[] {
  const list = source.member(name);
  return parent.list(name).flatMap((item, index): T[] => {
    if (!isJsonObject(item)) {
      parent.refuse(`Each of "${name}" must be an object.`);
      return [];
    }
    const child = new JsonMembers(item);
    const value = read(child, list.element(index));
    if (child.problem !== undefined) parent.refuse(child.problem);
    return [value];
  });
}

const readers = {
  auth: readAuthResult,
  ping: () => ({ type: 'ping' }),
  pong: () => ({ type: 'pong' }),
  close: readClose,
  subscribe: (members, source) => ({
    type: 'subscribe',
    results: readNodes(members, 'results', source, readSubscribed),
  }),
  unsubscribe: (members, source) => ({
    type: 'unsubscribe',
    results: readNodes(members, 'results', source, readUnsubscribed),
  }),
  ack: readAck,
  history: readHistoryResult,
  sessionInfo: readSessionInfo,
  delivery: readDelivery,
  signals: readSignals,
  gap: readGap,
  error: (members) => ({ type: 'error', error: readError(members) }),
  nodes: readNodesMessage,
  document: (members, source) => ({ type: 'document', ...documentFromJson(members, source) }),
  rebase: (members, source) => ({ type: 'rebase', ...documentFromJson(members, source) }),
  notificationInfo: (members) => ({
    type: 'notificationInfo',
    channel: members.text('channel') ?? '',
    ...countFromJson(members),
  }),
  notifications: readNotifications,
  presence: (members) => presenceEventFromJson('presence', members),
  join: (members) => presenceEventFromJson('join', members),
  leave: (members) => presenceEventFromJson('leave', members),
  occupancy: (members) => presenceEventFromJson('occupancy', members),
  sessionKept: sessionKeptFromJson,
  sessionRestored: (members, source) => ({
    type: 'sessionRestored',
    sessionId: members.text('sessionId') ?? '',
    key: members.base64('key') ?? noBytes,
    results: readNodes(members, 'results', source, readSubscribed),
  }),
  rpc: (members, source) => {
    const { contentType, payload } = readContent(members, source);
    return { type: 'rpc', payload, ...(contentType === undefined ? undefined : { contentType }) };
  },
  user: (_members, source) => ({ type: 'user', answer: source.member('answer').text }),
} satisfies Readonly<Record<string, Read<ServerEvent>>>;

const names = Object.keys(readers) as (keyof typeof readers)[];

function readAuthResult(members: JsonMembers, source: JsonSource): ServerEvent {
  const actor = members.text('actor');
  const patterns = (name: string) => members.list(name).filter((each) => typeof each === 'string');
  const [publish, subscribe, rpc, deletes] = ['publish', 'subscribe', 'rpc', 'delete'].map(patterns) as [
    string[],
    string[],
    string[],
    string[],
  ];
  const expiresAt = members.count('expiresAt');
  const token = members.text('token');
  return {
    type: 'auth',
    authenticated: members.flag('authenticated') ?? false,
    ...(actor ? { actor } : undefined),
    ...(publish.length > 0 ? { publish } : undefined),
    ...(subscribe.length > 0 ? { subscribe } : undefined),
    ...(rpc.length > 0 ? { rpc } : undefined),
    ...(deletes.length > 0 ? { delete: deletes } : undefined),
    ...(members.has('metadata') ? { metadata: source.member('metadata').text } : undefined),
    ...(expiresAt ? { expiresAt } : undefined),
    ...(token ? { token } : undefined),
  };
}

function readClose(members: JsonMembers, source: JsonSource): ServerEvent {
  return {
    type: 'close',
    code: members.count('code') ?? 0,
    reason: members.text('reason') ?? '',
    cursors: readNodes(members, 'cursors', source, (each) => ({
      channel: each.text('channel') ?? '',
      cursor: each.base64('cursor') ?? noBytes,
    })),
  };
}

function readSubscribed(members: JsonMembers, source: JsonSource): SubscribedEvent {
  const channel = members.text('channel') ?? '';
  const cursor = members.base64('cursor');
  const error = readNode(members, 'error', source, readError);
  const retained = readNode(members, 'retained', source, (each, entry) =>
    readDelivered(each, entry, channel),
  );
  const document = readNode(members, 'document', source, toldFromJson);
  const notifications = readNode(members, 'notifications', source, countFromJson);
  return {
    channel,
    ...(cursor === undefined ? undefined : { cursor }),
    ...(error === undefined ? undefined : { error }),
    ...(retained === undefined ? undefined : { retained }),
    ...(document === undefined ? undefined : { document }),
    ...(notifications === undefined ? undefined : { notifications }),
  };
}

function readUnsubscribed(members: JsonMembers, source: JsonSource): { channel: string; error?: Failure } {
  const error = readNode(members, 'error', source, readError);
  return { channel: members.text('channel') ?? '', ...(error === undefined ? undefined : { error }) };
}

function readAck(members: JsonMembers): Ack {
  const dot = readDot(members, 'id');
  const version = members.count('version');
  return {
    type: 'ack',
    ...(dot === undefined ? undefined : { dot }),
    timestamp: members.count('timestamp') ?? 0,
    level: members.oneOf('level', levels) ?? 'memory',
    copies: members.count('copies') ?? 0,
    count: 1,
    duplicate: members.flag('duplicate') ?? false,
    ...(version === undefined ? undefined : { version }),
  };
}

function readHistoryResult(members: JsonMembers, source: JsonSource): ServerEvent {
  const channel = members.text('channel') ?? '';
  const read: Read<DeliveredEntry> = (each, entry) => readDelivered(each, entry, channel);
  return {
    type: 'history',
    channel,
    entries: readNodes(members, 'entries', source, read),
    gaps: readNodes(members, 'gaps', source, readGap),
    cursor: members.base64('cursor') ?? noBytes,
    more: members.flag('more') ?? false,
  };
}

function readNotifications(members: JsonMembers, source: JsonSource): ServerEvent {
  return {
    type: 'notifications',
    channel: members.text('channel') ?? '',
    info: readNode(members, 'info', source, countFromJson) ?? noCount,
    notifications: readNodes(members, 'notifications', source, listedFromJson),
    cursor: members.base64('cursor') ?? noBytes,
    more: members.flag('more') ?? false,
  };
}

function readSessionInfo(members: JsonMembers): SessionInfo {
  return {
    type: 'sessionInfo',
    sessionId: members.text('sessionId') ?? '',
    hub: members.text('hub') ?? '',
    nodeId: members.text('nodeId') ?? '',
    serverVersion: members.text('serverVersion') ?? '',
    protocolVersion: members.count('protocolVersion') ?? 0,
    authenticated: members.flag('authenticated') ?? false,
    anonymousAllowed: members.flag('anonymousAllowed') ?? false,
    pingIntervalMs: members.count('pingIntervalMs') ?? 0,
    messageBytesMax: members.count('messageBytesMax') ?? 0,
    frameBytesMax: members.count('frameBytesMax') ?? 0,
    subscriptionsMax: members.count('subscriptionsMax') ?? 0,
    time: members.count('timestamp') ?? 0,
  };
}

function readNodesMessage(members: JsonMembers): ServerEvent {
  const urls = members.list('urls').filter((url) => typeof url === 'string');
  return { type: 'nodes', urls, spreadMs: members.count('spreadMs') ?? 0 };
}

function readDelivery(members: JsonMembers, source: JsonSource): ServerEvent {
  const channel = members.text('channel') ?? '';
  const cursor = members.base64('cursor');
  const late = members.flag('late') ?? false;
  const entries = readNodes(members, 'entries', source, readEntry);
  return {
    type: 'delivery',
    channel,
    entries: entries.map((entry): DeliveredEntry => ({ channel, entry, late })),
    ...(cursor === undefined ? undefined : { cursor }),
  };
}

function readSignals(members: JsonMembers, source: JsonSource): ServerEvent {
  const channel = members.text('channel') ?? '';
  const signals = readNodes(members, 'signals', source, (each, eachSource) => {
    const actor = each.text('actor');
    const content = readContent(each, eachSource);
    return { channel, timestamp: each.count('timestamp') ?? 0, content, ...(actor ? { actor } : undefined) };
  });
  return { type: 'signals', channel, signals };
}

function readGap(members: JsonMembers, source: JsonSource): Gap {
  const ranges = readNodes(members, 'ranges', source, readRange);
  return {
    type: 'gap',
    channel: members.text('channel') ?? '',
    reason: gapReason(members.text('reason') ?? ''),
    ranges,
    cursor: members.base64('cursor') ?? noBytes,
  };
}

function readError(members: JsonMembers): Failure {
  const retryAfterMs = members.count('retryAfterMs');
  const channel = members.text('channel');
  const operation = members.count('operation');
  const reason = members.text('reason');
  return foreignFailure({
    code: members.text('code') ?? '',
    outcome: members.oneOf('outcome', ['rejected', 'indeterminate']) ?? 'rejected',
    message: members.text('message') ?? '',
    ...(retryAfterMs === undefined ? undefined : { retryAfterMs }),
    ...(channel === undefined ? undefined : { channel }),
    ...(operation === undefined ? undefined : { operation }),
    ...(reason === undefined ? undefined : { reason }),
  });
}

function readDelivered(members: JsonMembers, source: JsonSource, channel: string): DeliveredEntry {
  return { channel, entry: readEntry(members, source), late: members.flag('late') ?? false };
}

function readEntry(members: JsonMembers, source: JsonSource): Entry {
  const dot = readDot(members, 'id');
  if (dot === undefined) members.refuse('"id" is missing.');
  const kind = entryKinds.find((each) => each === members.get('kind'));
  const actor = members.text('actor');
  const idempotencyKey = members.text('idempotencyKey');
  const parents = members.list('parents').flatMap((text) => dotOf(members, text) ?? []);
  const publisher = readNode(members, 'publisher', source, readPublisher);
  const trim = readNode(members, 'trim', source, readTrim);
  const lost = readNode(members, 'lost', source, readRange);
  const retain = members.flag('retain');
  const push = members.flag('push');
  const createParents = members.flag('createParents');
  const redacted = members.flag('redacted');
  const redacts = readDot(members, 'redacts');
  const hasContent = members.has('data') || members.has('dataBase64');
  return {
    writer: dot?.writer ?? ('' as WriterId),
    seq: dot?.seq ?? 0,
    timestamp: members.count('timestamp') ?? 0,
    round: members.count('round') ?? 0,
    // What a newer version wrote counts as read and shows nothing, as a merge does.
    kind: kind ?? 'merge',
    checksum: 0,
    previous: 0,
    ...(actor ? { actor } : undefined),
    ...(publisher === undefined ? undefined : { publisher }),
    ...(idempotencyKey ? { idempotencyKey } : undefined),
    ...(parents.length === 0 ? undefined : { parents }),
    ...(trim === undefined ? undefined : { trim }),
    ...(lost === undefined ? undefined : { lost }),
    ...(retain ? { retain } : undefined),
    ...(push ? { push } : undefined),
    ...(createParents ? { createParents } : undefined),
    ...(redacted ? { redacted } : undefined),
    ...(redacts ? { redacts } : undefined),
    ...(hasContent ? { content: readContent(members, source) } : undefined),
  };
}

function readContent(members: JsonMembers, source: JsonSource): Content {
  return contentFromJson(members, () => source.member('data').text);
}

function readPublisher(members: JsonMembers): NonNullable<Entry['publisher']> {
  return {
    id: members.text('id') ?? '',
    epoch: members.count('epoch') ?? 0,
    seq: members.count('seq') ?? 0,
  };
}

function readTrim(members: JsonMembers): Trim {
  const floors = members.list('floors').flatMap((text) => dotOf(members, text) ?? []);
  return {
    through: readDot(members, 'through') ?? { writer: '' as WriterId, seq: 0 },
    floors: new Map(floors.map(({ writer, seq }) => [writer, seq])),
    round: members.count('round') ?? 0,
  };
}

function readRange(members: JsonMembers): Gap['ranges'][number] {
  const writer = parseWriterId(members.text('writer') ?? '');
  if (!writer.ok) members.refuse(writer.error);
  return {
    writer: writer.ok ? writer.value : ('' as WriterId),
    fromSeq: members.count('fromSeq') ?? 0,
    toSeq: members.count('toSeq') ?? 0,
  };
}

function readDot(members: JsonMembers, name: string): Dot | undefined {
  return members.has(name) ? dotOf(members, members.get(name)) : undefined;
}

function dotOf(members: JsonMembers, text: unknown): Dot | undefined {
  const dot = parseDot(typeof text === 'string' ? text : '');
  return dot.ok ? dot.value : members.refuse(dot.error);
}
