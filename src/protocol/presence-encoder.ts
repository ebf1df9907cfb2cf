/** Who is in a channel, in server frames of both encodings. */
import type { ByteWriter } from '../base/bytes.js';
import { closeField, openField } from '../base/protobuf.js';
import type { Member, ServerMessage } from './messages.js';
import { putFlag, putNumber, putText } from './wire.js';

type Told = Extract<ServerMessage, { type: 'presence' | 'join' | 'leave' | 'occupancy' }>;

export function putPresence(out: ByteWriter, message: Told): void {
  putText(out, 0x0a, message.channel);
  switch (message.type) {
    case 'presence':
      for (const member of message.members) putMember(out, member);
      putNumber(out, 0x18, message.count);
      return putFlag(out, 0x20, message.more);
    case 'join':
      for (const member of message.members) putMember(out, member);
      putNumber(out, 0x18, message.count);
      return putNumber(out, 0x20, message.more);
    case 'leave':
      for (const session of message.sessions) putText(out, 0x12, session);
      return putNumber(out, 0x18, message.count);
    case 'occupancy':
      return putNumber(out, 0x10, message.count);
  }
}

function putMember(out: ByteWriter, { session, user, metadata, since }: Member): void {
  const field = openField(out, 0x12);
  putText(out, 0x0a, session);
  putText(out, 0x12, user);
  putText(out, 0x1a, metadata);
  putNumber(out, 0x20, since);
  closeField(out, field);
}

export function presenceToJson(message: Told): string {
  const { channel, count } = message;
  switch (message.type) {
    case 'presence':
    case 'join': {
      const { members, more } = message;
      const about = JSON.stringify({ channel, count, more });
      return `${about.slice(0, -1)},"members":[${members.map(memberToJson).join(',')}]}`;
    }
    case 'leave':
      return JSON.stringify({ channel, sessions: message.sessions, count });
    case 'occupancy':
      return JSON.stringify({ channel, count });
  }
}

/** What a member says of itself is JSON already. */
export function memberToJson({ session, user, metadata, since }: Member): string {
  const about = JSON.stringify({ session, user, since });
  return metadata === undefined ? about : `${about.slice(0, -1)},"metadata":${metadata}}`;
}
