/** What is kept of a session, as clients read it, in both encodings. */
import type { JsonMembers } from './json-members.js';
import type { SessionKept } from './messages.js';
import type { WireReader } from './wire.js';

export function readSessionKept(reader: WireReader): SessionKept {
  let key: Uint8Array | undefined;
  const added: string[] = [];
  const dropped: string[] = [];
  let leftOut = 0;
  let forMs = 0;
  while (!reader.done) {
    const tag = reader.tag();
    if (tag === 0x0a) key = reader.chunk();
    else if (tag === 0x12) added.push(reader.text('added'));
    else if (tag === 0x1a) dropped.push(reader.text('dropped'));
    else if (tag === 0x20) leftOut = reader.varint();
    else if (tag === 0x28) forMs = reader.varint();
    else reader.skip(tag);
  }
  return { type: 'sessionKept', ...(key ? { key } : undefined), added, dropped, leftOut, forMs };
}

export function sessionKeptFromJson(members: JsonMembers): SessionKept {
  const key = members.base64('key');
  const textsOf = (name: string) => members.list(name).filter((each) => typeof each === 'string');
  return {
    type: 'sessionKept',
    ...(key ? { key } : undefined),
    added: textsOf('added'),
    dropped: textsOf('dropped'),
    leftOut: members.count('leftOut') ?? 0,
    forMs: members.count('forMs') ?? 0,
  };
}
