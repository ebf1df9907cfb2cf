/** Entries and signals in the JSON form, straight from their stored bytes, which the store verified when it read them.
 *  Checksums are left out: they are over the protobuf form. */
import { assert } from '../base/assert.js';
import { toBase64Url } from '../base/bytes.js';
import type { WriterId } from '../base/ids.js';
import { decodeContent, iterateRecords, recordSeq, recordTimestamp } from '../log/entry-wire.js';
import { entryKinds } from '../log/entry.js';
import { entryTags, fixedFieldsBytes, isRedactedTag } from '../log/record-layout.js';
import { unixMsOf } from '../log/timestamp.js';
import { contentToJson } from './content-json.js';
import type { DeliverySlice, Signal } from './messages.js';
import { WireReader } from './wire.js';

/** `{"channel", "cursor", "late", "entries"}`. */
export function deliveryToJson(slice: DeliverySlice): string {
  const members = [`"channel":${JSON.stringify(slice.channel)}`];
  if (slice.cursor) members.push(`"cursor":"${toBase64Url(slice.cursor)}"`);
  if (slice.late) members.push('"late":true');
  members.push(`"entries":[${entriesToJson({ ...slice, late: false }).join(',')}]`);
  return `{${members.join(',')}}`;
}

/** Each entry of a delivery as an object, with the delivery's mark `late`. */
export function entriesToJson(slice: DeliverySlice): string[] {
  const { records, writer, round, late } = slice;
  return Array.from(iterateRecords(records), ({ bodyStart, end }) =>
    entryToJson(records.subarray(bodyStart, end), writer, round, late),
  );
}

/** `timestamp` as the number it is and `time` as a person reads it. */
export function timeToJson(timestamp: number): string {
  return `"timestamp":${timestamp},"time":"${new Date(unixMsOf(timestamp)).toISOString()}"`;
}

export function signalToJson(signal: Signal): string {
  const members = [timeToJson(signal.timestamp)];
  if (signal.actor) members.push(`"actor":${JSON.stringify(signal.actor)}`);
  members.push(...contentMembers(signal.content));
  return `{${members.join(',')}}`;
}

function contentMembers(bytes: Uint8Array): string[] {
  const content = decodeContent(bytes);
  assert(content.ok, 'stored content was checked when it was published');
  return contentToJson(content.value);
}

/** `body`: a stored record without its tag and length. */
function entryToJson(body: Uint8Array, writer: WriterId, round: number, late: boolean): string {
  const id = `"id":"${writer}-${recordSeq(body, 0)}"`;
  const rest: string[] = [];
  let kind = 0;
  const parents: string[] = [];
  const reader = new WireReader(body, fixedFieldsBytes);
  while (!reader.done) {
    const tag = reader.tag();
    if (tag === entryTags.kind) kind = reader.varint();
    else if (tag === entryTags.actor) rest.push(`"actor":${JSON.stringify(reader.text('actor'))}`);
    else if (tag === entryTags.idempotencyKey)
      rest.push(`"idempotencyKey":${JSON.stringify(reader.text(''))}`);
    else if (tag === entryTags.retain) {
      if (reader.bool()) rest.push('"retain":true');
    } else if (tag === entryTags.push) {
      if (reader.bool()) rest.push('"push":true');
    } else if (tag === entryTags.createParents) {
      if (reader.bool()) rest.push('"createParents":true');
    } else if (tag === entryTags.content) rest.push(...contentMembers(reader.chunk()));
    else if (tag === entryTags.publisher) rest.push(`"publisher":${reader.nested(publisherToJson)}`);
    else if (tag === entryTags.parent) parents.push(reader.nested(dotToJson));
    else if (tag === entryTags.trim) rest.push(`"trim":${reader.nested(trimToJson)}`);
    else if (tag === entryTags.lost) rest.push(`"lost":${reader.nested(lostToJson)}`);
    else if (tag === entryTags.redacts) rest.push(`"redacts":${reader.nested(dotToJson)}`);
    else if (isRedactedTag(tag)) {
      rest.push('"redacted":true');
      reader.skip(tag);
    } else reader.skip(tag);
  }
  assert(!reader.failed, 'a stored record is whole');
  const members = [
    id,
    timeToJson(recordTimestamp(body, 0)),
    `"kind":"${entryKinds[kind] ?? `kind-${kind}`}"`,
  ];
  if (round !== 0) members.push(`"round":${round}`);
  if (late) members.push('"late":true');
  members.push(...rest);
  if (parents.length > 0) members.push(`"parents":[${parents.join(',')}]`);
  return `{${members.join(',')}}`;
}

function dotToJson(reader: WireReader): string {
  let writer: WriterId | undefined;
  let seq = 0;
  while (!reader.done) {
    const tag = reader.tag();
    if (tag === 0x0a) writer = reader.writerId();
    else if (tag === 0x10) seq = reader.varint();
    else reader.skip(tag);
  }
  return `"${writer}-${seq}"`;
}

function publisherToJson(reader: WireReader): string {
  const publisher = { id: '', epoch: 0, seq: 0 };
  while (!reader.done) {
    const tag = reader.tag();
    if (tag === 0x0a) publisher.id = reader.text('publisher');
    else if (tag === 0x10) publisher.epoch = reader.varint();
    else if (tag === 0x18) publisher.seq = reader.varint();
    else reader.skip(tag);
  }
  return JSON.stringify(publisher);
}

function trimToJson(reader: WireReader): string {
  let through = '';
  const floors: string[] = [];
  let round = 0;
  while (!reader.done) {
    const tag = reader.tag();
    if (tag === 0x0a) through = reader.nested(dotToJson);
    else if (tag === 0x12) floors.push(reader.nested(dotToJson));
    else if (tag === 0x18) round = reader.varint();
    else reader.skip(tag);
  }
  return `{"through":${through},"floors":[${floors.join(',')}],"round":${round}}`;
}

function lostToJson(reader: WireReader): string {
  let writer: WriterId | undefined;
  let fromSeq = 0;
  let toSeq = 0;
  while (!reader.done) {
    const tag = reader.tag();
    if (tag === 0x0a) writer = reader.writerId();
    else if (tag === 0x10) fromSeq = reader.varint();
    else if (tag === 0x18) toSeq = reader.varint();
    else reader.skip(tag);
  }
  return JSON.stringify({ writer, fromSeq, toSeq });
}
