/** Who is in channels, in letters (proto/peer.proto: PresenceTold and those behind it), both ways. */
import { unreachable } from '../../base/assert.js';
import { type ByteWriter, fromHex, toHex } from '../../base/bytes.js';
import { limits } from '../../base/limits.js';
import { closeField, openField } from '../../base/protobuf.js';
import type {
  PresenceFollow,
  PresenceFollowed,
  PresenceMessage,
  PresenceTold,
  ToldChannel,
  VersionedMember,
} from '../../presence/messages.js';
import type { Member } from '../../protocol/messages.js';
import { metadataOf } from '../../protocol/presence-requests.js';
import { putBytes, putNumber, putRef, putText } from '../../replication/wire-writer.js';
import { type LetterReader, noRef } from './peer-wire-reader.js';

const sessionBytes = 12;
const bootBytes = 8;

/** Elements of lists, as the receiver counts them. */
export function presenceItems(message: PresenceMessage): number {
  switch (message.type) {
    case 'presence':
      return message.channels.reduce((sum, { joins, leaves }) => sum + 1 + joins.length + leaves.length, 1);
    case 'presenceFollowed':
      return 1 + message.joins.length + message.leaves.length;
    default:
      return 1;
  }
}

export function putPresenceMessage(out: ByteWriter, message: PresenceMessage): void {
  switch (message.type) {
    case 'presence':
      return putTold(out, message);
    case 'askPresence':
      return;
    case 'followPresence':
      putNumber(out, 0x08, message.id);
      putRef(out, 0x12, message.ref);
      return putNumber(out, 0x18, message.isCount ? 1 : 0);
    case 'unfollowPresence':
    case 'presenceEnded':
      return putNumber(out, 0x08, message.id);
    case 'presenceFollowed':
      return putFollowed(out, message);
    default:
      unreachable(message);
  }
}

function putTold(out: ByteWriter, { boot, stream, number, isWhole, channels }: PresenceTold): void {
  putBytes(out, 0x0a, fromHex(boot));
  putNumber(out, 0x10, stream);
  putNumber(out, 0x18, number);
  putNumber(out, 0x20, isWhole ? 1 : 0);
  for (const { ref, joins, leaves, others, isGone } of channels) {
    const field = openField(out, 0x2a);
    putRef(out, 0x0a, ref);
    for (const { member, version } of joins) putMember(out, 0x12, member, version);
    for (const session of leaves) putBytes(out, 0x1a, fromHex(session));
    putNumber(out, 0x20, others);
    putNumber(out, 0x28, isGone ? 1 : 0);
    closeField(out, field);
  }
}

function putFollowed(out: ByteWriter, message: PresenceFollowed): void {
  putNumber(out, 0x08, message.id);
  putNumber(out, 0x10, message.begins ? 1 : 0);
  putNumber(out, 0x18, message.isWhole ? 1 : 0);
  for (const member of message.joins) putMember(out, 0x22, member, 0);
  for (const session of message.leaves) putBytes(out, 0x2a, fromHex(session));
  putNumber(out, 0x30, message.count);
}

function putMember(out: ByteWriter, tag: number, member: Member, version: number): void {
  const field = openField(out, tag);
  putBytes(out, 0x0a, fromHex(member.session));
  putNumber(out, 0x10, version);
  putText(out, 0x1a, member.user ?? '');
  putText(out, 0x22, member.metadata ?? '');
  putNumber(out, 0x28, member.since);
  closeField(out, field);
}

export const presenceReaders = {
  presence: readTold,
  askPresence: (reader: LetterReader): PresenceMessage => {
    reader.nested(() => false);
    return { type: 'askPresence' };
  },
  followPresence: readFollow,
  unfollowPresence: (reader: LetterReader): PresenceMessage => ({
    type: 'unfollowPresence',
    id: reader.withId(),
  }),
  presenceFollowed: readFollowed,
  presenceEnded: (reader: LetterReader): PresenceMessage => ({ type: 'presenceEnded', id: reader.withId() }),
};

function readTold(reader: LetterReader): PresenceTold {
  let boot = '';
  let [stream, number] = [0, 0];
  let isWhole = false;
  const channels: ToldChannel[] = [];
  reader.nested((tag) => {
    if (tag === 0x0a) boot = hex(reader, bootBytes);
    else if (tag === 0x10) stream = reader.varint();
    else if (tag === 0x18) number = reader.varint();
    else if (tag === 0x20) isWhole = reader.varint() !== 0;
    else if (tag === 0x2a) channels.push(readChannel(reader));
    else return false;
    return true;
  });
  if (boot === '' || stream < 1 || number < 1) reader.fail();
  return { type: 'presence', boot, stream, number, isWhole, channels };
}

function readChannel(reader: LetterReader): ToldChannel {
  reader.item();
  let ref = noRef;
  const joins: VersionedMember[] = [];
  const leaves: string[] = [];
  let others = 0;
  let isGone = false;
  reader.nested((tag) => {
    if (tag === 0x0a) ref = reader.ref();
    else if (tag === 0x12) joins.push(readMember(reader));
    else if (tag === 0x1a) leaves.push(readSession(reader));
    else if (tag === 0x20) others = reader.varint();
    else if (tag === 0x28) isGone = reader.varint() !== 0;
    else return false;
    return true;
  });
  if (ref === noRef) reader.fail();
  return { ref, joins, leaves, others, isGone };
}

function readFollow(reader: LetterReader): PresenceFollow {
  let ref = noRef;
  let isCount = false;
  const id = reader.withId((tag) => {
    if (tag === 0x12) ref = reader.ref();
    else if (tag === 0x18) isCount = reader.varint() !== 0;
    else return false;
    return true;
  });
  if (ref === noRef) reader.fail();
  return { type: 'followPresence', id, ref, isCount };
}

function readFollowed(reader: LetterReader): PresenceFollowed {
  let begins = false;
  let isWhole = false;
  const joins: Member[] = [];
  const leaves: string[] = [];
  let count = 0;
  const id = reader.withId((tag) => {
    if (tag === 0x10) begins = reader.varint() !== 0;
    else if (tag === 0x18) isWhole = reader.varint() !== 0;
    else if (tag === 0x22) joins.push(readMember(reader).member);
    else if (tag === 0x2a) leaves.push(readSession(reader));
    else if (tag === 0x30) count = reader.varint();
    else return false;
    return true;
  });
  return { type: 'presenceFollowed', id, begins, isWhole, joins, leaves, count };
}

/** What it says of itself goes into the JSON of others: it is JSON, or the letter is dropped. */
function readMember(reader: LetterReader): VersionedMember {
  reader.item();
  let session = '';
  let version = 0;
  let user = '';
  let said = '';
  let since = 0;
  reader.nested((tag) => {
    if (tag === 0x0a) session = hex(reader, sessionBytes);
    else if (tag === 0x10) version = reader.varint();
    else if (tag === 0x1a) user = reader.text(limits.tokenBytesMax);
    else if (tag === 0x22) said = reader.text(limits.presenceMetadataBytesMax);
    else if (tag === 0x28) since = reader.varint();
    else return false;
    return true;
  });
  const metadata = said === '' ? undefined : metadataOf(said);
  if (session === '' || typeof metadata === 'object') reader.fail();
  return {
    member: {
      session,
      ...(user === '' ? {} : { user }),
      ...(typeof metadata === 'string' ? { metadata } : {}),
      since,
    },
    version,
  };
}

function readSession(reader: LetterReader): string {
  reader.item();
  return hex(reader, sessionBytes);
}

function hex(reader: LetterReader, bytes: number): string {
  const chunk = reader.chunk();
  if (chunk.length !== bytes) reader.fail();
  return toHex(chunk);
}
