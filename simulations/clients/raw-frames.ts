/** Frames of the client protocol as bytes (proto/client.proto), written and read without any code of the product. */
import { ProtobufReader, hexOf } from '../checkers/protobuf-reader.js';
import { type LogRecord, type PlaceSeeds, decodeRecord } from '../checkers/record.js';

export interface RawAck {
  readonly requestId: number;
  readonly writer: string;
  readonly seq: number;
  readonly level: number;
  /** Homes that hold it. */
  readonly copies: number;
  /** Request ids and seqs of so many acks rise by one from the first. */
  readonly count: number;
  readonly duplicate: boolean;
}

export interface RawError {
  readonly requestId: number;
  readonly code: string;
  readonly indeterminate: boolean;
  readonly message: string;
}

/** What a frame holds is told one by one, in its order. */
export interface RawFrameSink {
  entry(channel: string, writer: string, record: LogRecord, late: boolean): void;
  ack(ack: RawAck): void;
  error(error: RawError): void;
  gap(channel: string, reason: string, cursor: Uint8Array): void;
  /** `problem` is the code of an error, or empty. */
  subscribed(channel: string, cursor: Uint8Array, problem: string): void;
  ping(): void;
}

export interface RawPublish {
  readonly channel: string;
  readonly event: string;
  readonly payload: Uint8Array;
  readonly idempotencyKey?: string;
  readonly publisherSeq?: number;
  readonly ackedThrough?: number;
  /** At level quorum, or not at all. */
  readonly isStrict?: boolean;
}

export const levelNames = ['default', 'memory', 'owner', 'quorum'] as const;

// Field numbers of the envelopes' messages.
const clientField = { auth: 2, pong: 4, subscribe: 6, publish: 8 } as const;
const serverField = { ping: 3, subscribe: 6, ack: 8, delivery: 11, gap: 13, error: 14 } as const;

/** One frame of several envelopes. */
export function frameOf(envelopes: readonly Buffer[]): Buffer {
  return Buffer.concat(envelopes.map((envelope) => bytesField(1, envelope)));
}

export function pongEnvelope(): Buffer {
  return bytesField(clientField.pong, Buffer.alloc(0));
}

/** Names the client as a publisher, so that it may number what it publishes. */
export function authEnvelope(requestId: number, publisher: { id: string; epoch: number }): Buffer {
  const auth = Buffer.concat([textField(2, publisher.id), numberField(3, publisher.epoch)]);
  return Buffer.concat([numberField(1, requestId), bytesField(clientField.auth, auth)]);
}

/** A cursor for each channel; without one it is read from the beginning, or with 'live' from now on. */
export function subscribeEnvelope(
  requestId: number,
  channels: readonly { readonly channel: string; readonly start: Uint8Array | 'beginning' | 'live' }[],
): Buffer {
  const subscribe = channels.map(({ channel, start }) =>
    bytesField(1, Buffer.concat([textField(1, channel), startField(start)])),
  );
  return Buffer.concat([
    numberField(1, requestId),
    bytesField(clientField.subscribe, Buffer.concat(subscribe)),
  ]);
}

export function publishEnvelope(requestId: number, publish: RawPublish): Buffer {
  const content = Buffer.concat([
    textField(1, publish.event),
    textField(2, 'application/json'),
    bytesField(3, publish.payload),
  ]);
  const message = Buffer.concat([
    textField(1, publish.channel),
    bytesField(2, content),
    textField(3, publish.idempotencyKey ?? ''),
    numberField(4, publish.publisherSeq ?? 0),
    numberField(5, publish.ackedThrough ?? 0),
    publish.isStrict === true ? strictFields : Buffer.alloc(0),
  ]);
  return Buffer.concat([numberField(1, requestId), bytesField(clientField.publish, message)]);
}

/** Level quorum (6), and not to be degraded (7), which says so by being there. */
const strictFields = Buffer.from([0x30, 3, 0x38, 0]);

/** Throws MalformedError. `hub` is the one the connection belongs to: checksums of entries depend on it. */
export function decodeServerFrame(
  frame: Uint8Array,
  hub: string,
  seeds: PlaceSeeds,
  sink: RawFrameSink,
): void {
  const envelopes = new ProtobufReader(frame);
  while (envelopes.next()) {
    if (envelopes.field !== 1) continue;
    const envelope = envelopes.nested();
    let requestId = 0;
    while (envelope.next()) {
      if (envelope.field === 1) requestId = envelope.value;
      else if (envelope.field === serverField.delivery) decodeDelivery(envelope.nested(), hub, seeds, sink);
      else if (envelope.field === serverField.ack) sink.ack(decodeAck(requestId, envelope.nested()));
      else if (envelope.field === serverField.error) sink.error(decodeError(requestId, envelope.nested()));
      else if (envelope.field === serverField.gap) decodeGap(envelope.nested(), sink);
      else if (envelope.field === serverField.subscribe) decodeSubscribed(envelope.nested(), sink);
      else if (envelope.field === serverField.ping) sink.ping();
    }
  }
}

function decodeDelivery(reader: ProtobufReader, hub: string, seeds: PlaceSeeds, sink: RawFrameSink): void {
  let [channel, writer, round, late] = ['', '', 0, false];
  // Place and entries may come in any order, and an entry cannot be checked without its place.
  const entries: number[] = [];
  while (reader.next()) {
    if (reader.field === 1) channel = reader.text();
    else if (reader.field === 2) entries.push(reader.start, reader.end);
    else if (reader.field === 3) writer = hexOf(reader.bytes, reader.start, reader.end);
    else if (reader.field === 4) round = reader.value;
    else if (reader.field === 5) late = reader.value !== 0;
  }
  const seed = seeds.of(hub, channel, writer, round);
  for (let i = 0; i < entries.length; i += 2)
    sink.entry(channel, writer, decodeRecord(reader.bytes, entries[i]!, entries[i + 1]!, seed), late);
}

function decodeAck(requestId: number, reader: ProtobufReader): RawAck {
  const ack = { requestId, writer: '', seq: 0, level: 0, copies: 0, count: 1, duplicate: false };
  while (reader.next()) {
    if (reader.field === 1) ack.writer = hexOf(reader.bytes, reader.start, reader.end);
    else if (reader.field === 2) ack.seq = reader.value;
    else if (reader.field === 4) ack.level = reader.value;
    else if (reader.field === 5) ack.copies = reader.value;
    else if (reader.field === 6) ack.count = Math.max(1, reader.value);
    else if (reader.field === 7) ack.duplicate = reader.value !== 0;
  }
  return ack;
}

function decodeError(requestId: number, reader: ProtobufReader): RawError {
  const error = { requestId, code: '', indeterminate: false, message: '' };
  while (reader.next()) {
    if (reader.field === 1) error.code = reader.text();
    else if (reader.field === 2) error.indeterminate = reader.value === 1;
    else if (reader.field === 3) error.message = reader.text();
  }
  return error;
}

function decodeGap(reader: ProtobufReader, sink: RawFrameSink): void {
  let [channel, reason, cursor] = ['', '', new Uint8Array(0)];
  while (reader.next()) {
    if (reader.field === 1) channel = reader.text();
    else if (reader.field === 2) reason = reader.text();
    else if (reader.field === 4) cursor = reader.view().slice();
  }
  sink.gap(channel, reason, cursor);
}

function decodeSubscribed(reader: ProtobufReader, sink: RawFrameSink): void {
  while (reader.next()) {
    if (reader.field !== 1) continue;
    let [channel, cursor, problem] = ['', new Uint8Array(0), ''];
    const result = reader.nested();
    while (result.next()) {
      if (result.field === 1) channel = result.text();
      else if (result.field === 2) cursor = result.view().slice();
      else if (result.field === 3) problem = decodeError(0, result.nested()).code;
    }
    sink.subscribed(channel, cursor, problem);
  }
}

function startField(start: Uint8Array | 'beginning' | 'live'): Buffer {
  if (start === 'live') return Buffer.alloc(0);
  return start === 'beginning' ? numberField(5, 1) : bytesField(2, start);
}

// Fields of the value nought are left out, as proto3 has it.

function numberField(field: number, value: number): Buffer {
  return value === 0 ? Buffer.alloc(0) : Buffer.from([...varint(field * 8), ...varint(value)]);
}

function textField(field: number, text: string): Buffer {
  return text === '' ? Buffer.alloc(0) : bytesField(field, Buffer.from(text));
}

function bytesField(field: number, bytes: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from([...varint(field * 8 + 2), ...varint(bytes.length)]), bytes]);
}

function varint(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 0x80);
  bytes.push(rest);
  return bytes;
}
