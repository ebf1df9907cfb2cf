/** Deliveries and signals in protobuf: what a client reads most. */
import type { ChannelName, HubName, WriterId } from '../base/ids.js';
import { decodeContent, decodeEntry, placeOf, recordSeq, recordTimestamp } from '../log/entry-wire.js';
import type { Content, Entry } from '../log/entry.js';
import { fixedFieldsBytes } from '../log/record-layout.js';
import type { DeliveredEntry, DeliveredSignal, ServerEvent } from './messages.js';
import type { WireReader } from './wire.js';

const noBytes: Uint8Array = new Uint8Array(0);

/** The entries stand before the writer and round that their checksums cover, so they are decoded at the end. */
export function readDelivery(
  reader: WireReader,
  hub: HubName,
): { channel: string; entries: DeliveredEntry[] } {
  let channel = '';
  let writer: WriterId | undefined;
  let round = 0;
  let late = false;
  const bodies: Uint8Array[] = [];
  while (!reader.done) {
    const tag = reader.tag();
    if (tag === 0x0a) channel = reader.text('channel');
    else if (tag === 0x12) bodies.push(reader.chunk());
    else if (tag === 0x1a) writer = reader.writerId();
    else if (tag === 0x20) round = reader.varint();
    else if (tag === 0x28) late = reader.bool();
    else reader.skip(tag);
  }
  if (writer === undefined) {
    if (bodies.length > 0) reader.fail();
    return { channel, entries: [] };
  }
  const place = placeOf({ hub, channel: channel as ChannelName }, writer, round);
  const entries = bodies.map((body): DeliveredEntry => {
    const decoded = decodeEntry(body, place);
    if (decoded.ok) return { channel, entry: decoded.value, late };
    if (decoded.error !== 'unknown-kind') reader.fail();
    return { channel, entry: ofUnknownKind(body, writer, round), late };
  });
  return { channel, entries };
}

/** What a newer version wrote counts as read and shows nothing, as a merge does. */
function ofUnknownKind(body: Uint8Array, writer: WriterId, round: number): Entry {
  if (body.length < fixedFieldsBytes) return { ...unreadable, writer, round };
  return { ...unreadable, writer, round, seq: recordSeq(body, 0), timestamp: recordTimestamp(body, 0) };
}

const unreadable = { seq: 0, timestamp: 0, kind: 'merge', checksum: 0, previous: 0 } as const;

export function readSignals(reader: WireReader): ServerEvent {
  let channel = '';
  const signals: Omit<DeliveredSignal, 'channel'>[] = [];
  while (!reader.done) {
    const tag = reader.tag();
    if (tag === 0x0a) channel = reader.text('channel');
    else if (tag === 0x12) signals.push(reader.nested(readSignal));
    else reader.skip(tag);
  }
  return { type: 'signals', channel, signals: signals.map((signal) => ({ ...signal, channel })) };
}

function readSignal(reader: WireReader): Omit<DeliveredSignal, 'channel'> {
  let timestamp = 0;
  let actor = '';
  let content: Content = { payload: noBytes };
  while (!reader.done) {
    const tag = reader.tag();
    if (tag === 0x08) timestamp = reader.varint();
    else if (tag === 0x12) actor = reader.text('actor');
    else if (tag === 0x1a) content = readContent(reader);
    else reader.skip(tag);
  }
  return { timestamp, content, ...(actor === '' ? undefined : { actor }) };
}

function readContent(reader: WireReader): Content {
  const content = decodeContent(reader.chunk());
  if (content.ok) return content.value;
  reader.fail();
  return { payload: noBytes };
}
