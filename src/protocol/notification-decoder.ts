/** Notifications in server frames, in both encodings. */
import { utf8 } from '../base/bytes.js';
import { type Dot, type WriterId, parseDot } from '../base/ids.js';
import type { JsonMembers } from './json-members.js';
import type { JsonSource } from './json-text.js';
import type { ListedNotification, NotificationInfo, NotificationPage } from './messages.js';
import type { WireReader } from './wire.js';

const noBytes: Uint8Array = new Uint8Array(0);
const noDot: Dot = { writer: '' as WriterId, seq: 0 };
const states = ['unread', 'read', 'expired'] as const;

export const noCount: NotificationInfo = { unread: 0, total: 0, cursor: noBytes };

export function readCount(reader: WireReader): NotificationInfo & { readonly channel: string } {
  let channel = '';
  let { unread, total, cursor } = noCount;
  while (!reader.done) {
    const tag = reader.tag();
    if (tag === 0x0a) channel = reader.text('channel');
    else if (tag === 0x10) unread = reader.varint();
    else if (tag === 0x18) total = reader.varint();
    else if (tag === 0x22) cursor = reader.chunk();
    else reader.skip(tag);
  }
  return { channel, unread, total, cursor };
}

export function readInfo(reader: WireReader): NotificationInfo {
  const { unread, total, cursor } = readCount(reader);
  return { unread, total, cursor };
}

export function readNotifications(reader: WireReader): NotificationPage {
  let channel = '';
  let info = noCount;
  const notifications: ListedNotification[] = [];
  let cursor = noBytes;
  let more = false;
  while (!reader.done) {
    const tag = reader.tag();
    if (tag === 0x0a) channel = reader.text('channel');
    else if (tag === 0x12) info = reader.nested(readInfo);
    else if (tag === 0x1a) notifications.push(reader.nested(readListed));
    else if (tag === 0x22) cursor = reader.chunk();
    else if (tag === 0x28) more = reader.bool();
    else reader.skip(tag);
  }
  return { channel, info, notifications, cursor, more };
}

function readListed(reader: WireReader): ListedNotification {
  let id = '';
  let timestamp = 0;
  let actor = '';
  let state = '';
  let value = noBytes;
  while (!reader.done) {
    const tag = reader.tag();
    if (tag === 0x0a) id = reader.text('id');
    else if (tag === 0x10) timestamp = reader.varint();
    else if (tag === 0x1a) actor = reader.text('actor');
    else if (tag === 0x22) state = reader.text('state');
    else if (tag === 0x2a) value = reader.chunk();
    else reader.skip(tag);
  }
  const dot = parseDot(id);
  if (!dot.ok) reader.invalid ??= dot.error;
  return {
    dot: dot.ok ? dot.value : noDot,
    timestamp,
    ...(actor === '' ? undefined : { actor }),
    state: states.find((each) => each === state) ?? 'read',
    value,
  };
}

export function countFromJson(members: JsonMembers): NotificationInfo {
  return {
    unread: members.count('unread') ?? 0,
    total: members.count('total') ?? 0,
    cursor: members.base64('cursor') ?? noBytes,
  };
}

export function listedFromJson(members: JsonMembers, source: JsonSource): ListedNotification {
  const dot = parseDot(members.text('id') ?? '');
  if (!dot.ok) members.refuse(dot.error);
  const actor = members.text('actor');
  return {
    dot: dot.ok ? dot.value : noDot,
    timestamp: members.count('timestamp') ?? 0,
    ...(actor ? { actor } : undefined),
    state: members.oneOf('state', states) ?? 'read',
    value: utf8(source.member('notification').text),
  };
}
