/** What clients ask of presence, from both encodings. What a client says of itself is JSON, and kept as JSON.stringify writes
 *  it, so that it may stand in the JSON of others. */
import { utf8 } from '../base/bytes.js';
import { limits } from '../base/limits.js';
import { type Failure, failure } from './errors.js';
import type { JsonMembers } from './json-members.js';
import { isNestedWithin } from './json-text.js';
import type { OccupancyMessage, PresenceMessage, PresenceUpdateMessage } from './messages.js';
import type { WireReader } from './wire.js';

export function readPresenceGet(reader: WireReader): PresenceMessage | Failure {
  let channel = '';
  let after = '';
  let limit = 0;
  let follow: boolean | undefined;
  while (!reader.done) {
    const tag = reader.tag();
    if (tag === 10) channel = reader.text('channel');
    else if (tag === 18) after = reader.text('after', limits.presenceMetadataBytesMax);
    else if (tag === 24) limit = reader.varint();
    else if (tag === 32) follow = reader.bool();
    else reader.skip(tag);
  }
  return presenceOf(channel, after, limit, follow);
}

export function presenceFromJson(members: JsonMembers): PresenceMessage | Failure {
  const channel = members.text('channel') ?? '';
  const after = members.text('after', limits.presenceMetadataBytesMax) ?? '';
  return presenceOf(channel, after, members.count('limit') ?? 0, members.flag('follow'));
}

function presenceOf(
  channel: string,
  after: string,
  limit: number,
  follow: boolean | undefined,
): PresenceMessage | Failure {
  if (limit > limits.presencePageMax) {
    const message = `"limit" is at most ${limits.presencePageMax}.`;
    return failure('INVALID', { channel, message });
  }
  return {
    type: 'presence',
    channel,
    ...(after === '' ? undefined : { after }),
    ...(limit === 0 ? undefined : { limit }),
    ...(follow === undefined ? undefined : { follow }),
  };
}

export function readPresenceUpdate(reader: WireReader): PresenceUpdateMessage | Failure {
  let channel = '';
  let text = '';
  while (!reader.done) {
    const tag = reader.tag();
    if (tag === 10) channel = reader.text('channel');
    else if (tag === 18) text = reader.text('metadata');
    else reader.skip(tag);
  }
  const metadata = text === '' ? undefined : metadataOf(text);
  if (typeof metadata === 'object') return { ...metadata, channel };
  return { type: 'presenceUpdate', channel, ...(metadata === undefined ? undefined : { metadata }) };
}

export function presenceUpdateFromJson(members: JsonMembers): PresenceUpdateMessage | Failure {
  const channel = members.text('channel') ?? '';
  const metadata = metadataFromJson(members, 'metadata');
  if (typeof metadata === 'object') return { ...metadata, channel };
  return { type: 'presenceUpdate', channel, ...(metadata === undefined ? undefined : { metadata }) };
}

export function readOccupancyGet(reader: WireReader): OccupancyMessage {
  let channel = '';
  let follow: boolean | undefined;
  while (!reader.done) {
    const tag = reader.tag();
    if (tag === 10) channel = reader.text('channel');
    else if (tag === 16) follow = reader.bool();
    else reader.skip(tag);
  }
  return { type: 'occupancy', channel, ...(follow === undefined ? undefined : { follow }) };
}

export function occupancyFromJson(members: JsonMembers): OccupancyMessage {
  const channel = members.text('channel') ?? '';
  const follow = members.flag('follow');
  return { type: 'occupancy', channel, ...(follow === undefined ? undefined : { follow }) };
}

/** A member of any JSON value; `undefined` where there is none. */
export function metadataFromJson(members: JsonMembers, name: string): string | Failure | undefined {
  const value = members.get(name);
  return value === undefined ? undefined : checked(JSON.stringify(value));
}

/** The same JSON as it is kept; a failure where it is none, or too large. */
export function metadataOf(text: string): string | Failure {
  const refused = checked(text);
  if (typeof refused === 'object') return refused;
  try {
    return checked(JSON.stringify(JSON.parse(text)));
  } catch {
    return failure('INVALID', { message: 'What a client says of itself in a channel is JSON.' });
  }
}

function checked(text: string): string | Failure {
  const bytes = utf8(text);
  if (bytes.length > limits.presenceMetadataBytesMax) {
    const message = `What a client says of itself in a channel has at most ${limits.presenceMetadataBytesMax} bytes.`;
    return failure('TOO_LARGE', { message });
  }
  if (isNestedWithin(limits.metadataDepthMax, bytes)) return text;
  const message = `What a client says of itself in a channel has at most ${limits.metadataDepthMax} levels.`;
  return failure('INVALID', { message });
}
