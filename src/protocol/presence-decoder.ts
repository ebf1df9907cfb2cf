/** Who is in a channel, as clients read it, in both encodings. */
import { JsonMembers, isJsonObject } from './json-members.js';
import type { Member, ServerEvent } from './messages.js';
import type { WireReader } from './wire.js';

interface Fields {
  channel: string;
  readonly members: Member[];
  readonly sessions: string[];
  count: number;
  more: number;
}

/** Join, Leave and Presence have their fields at the same places. */
function readFields(reader: WireReader, isLeave: boolean): Fields {
  const fields: Fields = { channel: '', members: [], sessions: [], count: 0, more: 0 };
  while (!reader.done) {
    const tag = reader.tag();
    if (tag === 0x0a) fields.channel = reader.text('channel');
    else if (tag === 0x12 && isLeave) fields.sessions.push(reader.text('sessions'));
    else if (tag === 0x12) fields.members.push(reader.nested(readMember));
    else if (tag === 0x18) fields.count = reader.varint();
    else if (tag === 0x20) fields.more = reader.varint();
    else reader.skip(tag);
  }
  return fields;
}

function readMember(reader: WireReader): Member {
  let session = '';
  let user = '';
  let metadata = '';
  let since = 0;
  while (!reader.done) {
    const tag = reader.tag();
    if (tag === 0x0a) session = reader.text('session');
    else if (tag === 0x12) user = reader.text('user');
    else if (tag === 0x1a) metadata = reader.text('metadata');
    else if (tag === 0x20) since = reader.varint();
    else reader.skip(tag);
  }
  return { session, ...(user ? { user } : undefined), ...(metadata ? { metadata } : undefined), since };
}

export function readPresence(reader: WireReader): ServerEvent {
  const { channel, members, count, more } = readFields(reader, false);
  return { type: 'presence', channel, members, count, more: more !== 0 };
}

export function readJoin(reader: WireReader): ServerEvent {
  const { channel, members, count, more } = readFields(reader, false);
  return { type: 'join', channel, members, count, more };
}

export function readLeave(reader: WireReader): ServerEvent {
  const { channel, sessions, count } = readFields(reader, true);
  return { type: 'leave', channel, sessions, count };
}

export function readOccupancy(reader: WireReader): ServerEvent {
  let channel = '';
  let count = 0;
  while (!reader.done) {
    const tag = reader.tag();
    if (tag === 0x0a) channel = reader.text('channel');
    else if (tag === 0x10) count = reader.varint();
    else reader.skip(tag);
  }
  return { type: 'occupancy', channel, count };
}

/** Their JSON form. */
export function presenceEventFromJson(
  type: 'presence' | 'join' | 'leave' | 'occupancy',
  members: JsonMembers,
): ServerEvent {
  const channel = members.text('channel') ?? '';
  const count = members.count('count') ?? 0;
  switch (type) {
    case 'presence':
      return { type, channel, members: membersOf(members), count, more: members.flag('more') ?? false };
    case 'join':
      return { type, channel, members: membersOf(members), count, more: members.count('more') ?? 0 };
    case 'leave': {
      const sessions = members.list('sessions').filter((each) => typeof each === 'string');
      return { type, channel, sessions, count };
    }
    case 'occupancy':
      return { type, channel, count };
  }
}

function membersOf(parent: JsonMembers): Member[] {
  return parent.list('members').map((item) => {
    const each = new JsonMembers(isJsonObject(item) ? item : {});
    const user = each.text('user');
    const metadata = each.get('metadata');
    if (each.problem !== undefined) parent.refuse(each.problem);
    return {
      session: each.text('session') ?? '',
      ...(user ? { user } : undefined),
      ...(metadata === undefined ? undefined : { metadata: JSON.stringify(metadata) }),
      since: each.count('since') ?? 0,
    };
  });
}
