/** Documents in server frames, in both encodings. */
import { fromHex, utf8 } from '../base/bytes.js';
import type { JsonMembers } from './json-members.js';
import type { JsonSource } from './json-text.js';
import type { DocumentInfo, DocumentState, ToldDocument } from './messages.js';
import type { WireReader } from './wire.js';

const noBytes: Uint8Array = new Uint8Array(0);
const noInfo: DocumentInfo = { version: 0, voids: 0, hash: noBytes, size: 0 };

export function readDocument(reader: WireReader): DocumentState {
  let channel = '';
  let info = noInfo;
  let value = noBytes;
  let cursor = noBytes;
  while (!reader.done) {
    const tag = reader.tag();
    if (tag === 0x0a) channel = reader.text('channel');
    else if (tag === 0x12) info = reader.nested(readDocumentInfo);
    else if (tag === 0x1a) value = reader.chunk();
    else if (tag === 0x22) cursor = reader.chunk();
    else reader.skip(tag);
  }
  return { channel, info, value, cursor };
}

export function readDocumentInfo(reader: WireReader): ToldDocument {
  let { version, voids, hash, size } = noInfo;
  let createParents = false;
  let cursor: Uint8Array | undefined;
  while (!reader.done) {
    const tag = reader.tag();
    if (tag === 0x08) version = reader.varint();
    else if (tag === 0x10) voids = reader.varint();
    else if (tag === 0x1a) hash = reader.chunk();
    else if (tag === 0x20) size = reader.varint();
    else if (tag === 0x28) createParents = reader.bool();
    else if (tag === 0x32) cursor = reader.chunk();
    else reader.skip(tag);
  }
  return {
    version,
    voids,
    hash,
    size,
    ...(createParents && { createParents }),
    ...(cursor && { cursor }),
  };
}

export function documentFromJson(members: JsonMembers, source: JsonSource): DocumentState {
  return {
    channel: members.text('channel') ?? '',
    info: infoFromJson(members),
    value: utf8(source.member('value').text),
    cursor: members.base64('cursor') ?? noBytes,
  };
}

export function toldFromJson(members: JsonMembers): ToldDocument {
  const cursor = members.base64('cursor');
  return { ...infoFromJson(members), ...(cursor && { cursor }) };
}

function infoFromJson(members: JsonMembers): DocumentInfo {
  return {
    version: members.count('version') ?? 0,
    voids: members.count('voids') ?? 0,
    hash: hashFrom(members),
    size: members.count('size') ?? 0,
    ...(members.flag('createParents') === true && { createParents: true }),
  };
}

function hashFrom(members: JsonMembers): Uint8Array {
  const text = members.text('hash') ?? '';
  return /^(?:[0-9a-f]{2})*$/.test(text) ? fromHex(text) : (members.refuse('"hash" must be hex.') ?? noBytes);
}
