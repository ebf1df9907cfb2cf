/** The codec written by hand says what proto/client.proto says: an independent implementation reads what ours writes,
 *  and ours reads what it writes. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import protobuf from 'protobufjs';
import { describe, expect, test } from 'vitest';
import { fromHex } from '../../src/base/bytes.js';
import { type ChannelName, type Dot, dotText } from '../../src/base/ids.js';
import { decodeEntry, encodeContent, iterateRecords, placeOf } from '../../src/log/entry-wire.js';
import type { Failure } from '../../src/protocol/errors.js';
import {
  decodeClientFrame,
  decodeServerFrame,
  encodeClientFrame,
  encodeServerFrame,
} from '../../src/protocol/index.js';
import type {
  Ack,
  DeliverySlice,
  Gap,
  OutgoingMessage,
  OutgoingPublish,
  ServerMessage,
  Start,
  SubscribedChannel,
} from '../../src/protocol/messages.js';
import { hub, outgoingMessage, serverMessage, slice } from './support.js';

const source = readFileSync(fileURLToPath(new URL('../../proto/client.proto', import.meta.url)), 'utf8');
// The same on the wire: stored records are part of a delivery byte for byte, so they are compared as bytes.
const proto = protobuf.parse(source.replace('repeated Entry entries', 'repeated bytes entries')).root;
const type = (name: string) => proto.lookupType(`ringlog.v1.${name}`);
const asObject = {
  longs: Number,
  enums: String,
  bytes: Uint8Array,
} as unknown as protobuf.IConversionOptions;
const requestId = fc.integer({ min: 0, max: 2 ** 32 - 1 });

const read = (name: string, bytes: Uint8Array): object =>
  plain(type(name).toObject(type(name).decode(bytes), asObject));
const write = (name: string, value: object): Uint8Array =>
  // Not a Buffer, so that views of it compare as what they are.
  new Uint8Array(type(name).encode(type(name).fromObject(value)).finish());

/** Buffers and typed arrays compared alike; nothing undefined. */
function plain(value: unknown): object {
  if (value instanceof Uint8Array) return { bytes: Buffer.from(value).toString('hex') };
  if (Array.isArray(value))
    return value.map((each) => (typeof each === 'object' ? plain(each) : (each as object)));
  const members = Object.entries(value as object).filter(([, each]) => each !== undefined);
  return Object.fromEntries(
    members.map(([key, each]) => [key, typeof each === 'object' ? plain(each) : each]),
  );
}

describe('what a client writes', () => {
  test('is read by protobufjs as the same message', () => {
    fc.assert(
      fc.property(requestId, outgoingMessage, (id, message) => {
        const bytes = encodeClientFrame('protobuf', [{ requestId: id, message }]);
        const envelope = { ...(id === 0 ? {} : { requestId: id }), ...clientToProto(message) };
        expect(read('ClientFrame', bytes)).toEqual(plain({ envelopes: [envelope] }));
      }),
      { numRuns: 300 },
    );
  });

  test('written by protobufjs is read by the server', () => {
    fc.assert(
      fc.property(requestId, outgoingMessage, (id, message) => {
        const theirs = write('ClientFrame', { envelopes: [{ requestId: id, ...clientToProto(message) }] });
        const ours = encodeClientFrame('protobuf', [{ requestId: id, message }]);
        const decoded = decodeClientFrame('protobuf', theirs);
        expect(decoded).toEqual(decodeClientFrame('protobuf', ours));
        expect(decoded).toMatchObject({
          ok: true,
          value: [{ requestId: id, message: { type: message.type } }],
        });
      }),
      { numRuns: 300 },
    );
  });
});

describe('what a server writes', () => {
  test('has records that are what an Entry is', () => {
    fc.assert(
      fc.property(slice, ({ records, writer, round, channel }) => {
        for (const { bodyStart, end } of iterateRecords(records)) {
          const body = records.slice(bodyStart, end);
          const ours = decodeEntry(body, placeOf({ hub, channel: channel as ChannelName }, writer, round));
          if (!ours.ok) throw new Error(ours.error);
          const { checksum, seq, timestamp, kind, actor, idempotencyKey, parents } = ours.value;
          const { retain, push, createParents } = ours.value;
          expect(read('Entry', body)).toMatchObject(
            plain({
              checksum,
              seq,
              timestamp,
              actor,
              idempotencyKey,
              retain,
              push,
              createParents,
              ...(kind === 'publish' ? {} : { kind: kind.toUpperCase() }),
              ...(parents && { parents: parents.map(dotToProto) }),
            }),
          );
        }
      }),
      { numRuns: 100 },
    );
  });

  test('is read by protobufjs as the same message', () => {
    fc.assert(
      fc.property(requestId, serverMessage, (id, message) => {
        const bytes = encodeServerFrame('protobuf', [{ requestId: id, message }]);
        const envelope = { ...(id === 0 ? {} : { requestId: id }), ...serverToProto(message) };
        expect(withoutDefaults(read('ServerFrame', bytes))).toEqual(
          withoutDefaults(plain({ envelopes: [envelope] })),
        );
      }),
      { numRuns: 300 },
    );
  });

  test('written by protobufjs is read by the client', () => {
    fc.assert(
      fc.property(requestId, serverMessage, (id, message) => {
        const theirs = write('ServerFrame', { envelopes: [{ requestId: id, ...serverToProto(message) }] });
        const ours = encodeServerFrame('protobuf', [{ requestId: id, message }]);
        const decoded = decodeServerFrame('protobuf', theirs, hub);
        expect(decoded).toEqual(decodeServerFrame('protobuf', ours, hub));
        expect(decoded).toMatchObject({
          ok: true,
          value: [{ requestId: id, event: { type: message.type } }],
        });
      }),
      { numRuns: 300 },
    );
  });
});

/** Proto3 gives no meaning to the presence of these; our encoder and protobufjs differ in whether they write them. */
function withoutDefaults(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutDefaults);
  if (typeof value !== 'object' || value === null) return value;
  const isDefault = (each: unknown) => each === 0 || each === '' || each === false || each === 'REJECTED';
  const members = Object.entries(value).filter(([, each]) => !isDefault(each));
  return Object.fromEntries(members.map(([key, each]) => [key, withoutDefaults(each)]));
}

function clientToProto(message: OutgoingMessage): object {
  switch (message.type) {
    case 'user':
      return { user: { action: message.action, request: JSON.stringify(message.request) } };
    case 'auth': {
      const { token, publisher } = message;
      return { auth: { token, publisherId: publisher?.id, publisherEpoch: publisher?.epoch } };
    }
    case 'rpc': {
      const { method, contentType, payload } = message;
      return { rpc: { method, contentType, payload: unlessEmpty(payload) } };
    }
    case 'ping':
      return { ping: {} };
    case 'pong':
      return { pong: {} };
    case 'close':
      return { close: { code: message.code, reason: message.reason } };
    case 'sessionRestore': {
      const { key, cursors } = message;
      return { sessionRestore: { key, ...list('cursors', cursors) } };
    }
    case 'subscribe': {
      const channels = message.channels.map(({ channel, start, presence }) => ({
        channel,
        ...startToProto(start),
        presence,
      }));
      return { subscribe: list('channels', channels) };
    }
    case 'unsubscribe':
      return { unsubscribe: list('channels', message.channels) };
    case 'publish':
      return { publish: publishToProto(message) };
    case 'history': {
      const { channel, cursor, sinceUnixMs: since, untilUnixMs: until, limit, backward } = message;
      const including = message.including && dotText(message.including);
      return {
        history: { channel, cursor, since, until, limit, backward: backward || undefined, including },
      };
    }
    case 'presence':
    case 'presenceUpdate':
    case 'occupancy': {
      const { type: name, ...fields } = message;
      return { [name]: fields };
    }
    case 'documentGet': {
      const { channel, cursor, atUnixMs: at } = message;
      return { documentGet: { channel, cursor, at } };
    }
    case 'notifications': {
      const { channel, cursor, sinceUnixMs: since, untilUnixMs: until, limit, forward, unread } = message;
      const flags = { forward: forward || undefined, unread: unread || undefined };
      return { notifications: { channel, cursor, since, until, limit, ...flags } };
    }
  }
}

const unlessEmpty = (bytes: Uint8Array) => (bytes.length > 0 ? bytes : undefined);

/** protobufjs leaves an empty list out. */
const list = (name: string, values: readonly unknown[]): object =>
  values.length === 0 ? {} : { [name]: values };

function startToProto(start: Start): object {
  switch (start.type) {
    case 'live':
      return {};
    case 'cursor':
      return { cursor: start.cursor };
    case 'since':
      return { since: start.unixMs };
    case 'last':
      return { last: start.count };
    case 'beginning':
      return { beginning: true };
  }
}

function publishToProto(message: OutgoingPublish): object {
  const { channel, content, idempotencyKey, publisherSeq, ackedThrough, level, degrade } = message;
  return {
    kind: message.kind?.toUpperCase(),
    channel,
    content: type('Content').toObject(type('Content').decode(encodeContent(content)), asObject),
    idempotencyKey,
    publisherSeq,
    ackedThrough,
    level: level?.toUpperCase(),
    degrade,
  };
}

function serverToProto(message: ServerMessage): object {
  switch (message.type) {
    case 'user':
      return { user: { answer: message.answer } };
    case 'auth': {
      const { type: _, ...members } = message;
      return { auth: members };
    }
    case 'rpc':
      return { rpc: { contentType: message.contentType, payload: unlessEmpty(message.payload) } };
    case 'ping':
      return { ping: {} };
    case 'pong':
      return { pong: {} };
    case 'close':
      return { close: { code: message.code, reason: message.reason, ...list('cursors', message.cursors) } };
    case 'subscribe':
      return { subscribe: subscribedToProto(message.results) };
    case 'sessionKept': {
      const { key, added, dropped, leftOut, forMs } = message;
      return { sessionKept: { key, ...list('added', added), ...list('dropped', dropped), leftOut, forMs } };
    }
    case 'sessionRestored': {
      const { sessionId, key, results } = message;
      return { sessionRestored: { sessionId, key, ...subscribedToProto(results) } };
    }
    case 'unsubscribe': {
      const results = message.results.map(({ channel, error }) => ({
        channel,
        error: error && failureToProto(error),
      }));
      return { unsubscribe: list('results', results) };
    }
    case 'ack':
      return { ack: ackToProto(message) };
    case 'history': {
      const { channel, deliveries, gaps, cursor, more } = message;
      const lists = {
        ...list('deliveries', deliveries.map(deliveryToProto)),
        ...list('gaps', gaps.map(gapToProto)),
      };
      return { history: { channel, cursor, more, ...lists } };
    }
    case 'sessionInfo': {
      const { type: _type, ...members } = message;
      return { sessionInfo: members };
    }
    case 'nodes':
      return { nodes: { ...list('urls', message.urls), spreadMs: message.spreadMs } };
    case 'delivery':
      return { delivery: deliveryToProto(message.delivery) };
    case 'signals': {
      const signals = message.signals.map(({ timestamp, actor, content }) => ({
        timestamp,
        actor,
        content: type('Content').toObject(type('Content').decode(content), asObject),
      }));
      return { signals: { channel: message.channel, ...list('signals', signals) } };
    }
    case 'gap':
      return { gap: gapToProto(message) };
    case 'document':
    case 'rebase': {
      const { type: name, ...state } = message;
      return { [name]: state };
    }
    case 'notificationInfo': {
      const { type: _type, ...info } = message;
      return { notificationInfo: info };
    }
    case 'notifications': {
      const { type: _type, notifications, ...page } = message;
      const listed = notifications.map(({ dot, ...each }) => ({ id: dotText(dot), ...each }));
      return { notifications: { ...page, ...list('notifications', listed) } };
    }
    case 'presence':
    case 'join': {
      const { type: name, members, ...fields } = message;
      return { [name]: { ...fields, ...list('members', members) } };
    }
    case 'leave': {
      const { channel, sessions, count } = message;
      return { leave: { channel, count, ...list('sessions', sessions) } };
    }
    case 'occupancy':
      return { occupancy: { channel: message.channel, count: message.count } };
    case 'error':
      return { error: failureToProto(message.error) };
  }
}

function subscribedToProto(results: readonly SubscribedChannel[]): object {
  const protos = results.map(({ channel, cursor, error, retained, document, notifications }) => ({
    document,
    notifications,
    channel,
    cursor,
    error: error && failureToProto(error),
    retained: retained && deliveryToProto(retained),
  }));
  return list('results', protos);
}

const dotToProto = ({ writer, seq }: Dot) => ({ writer: fromHex(writer), seq });

function ackToProto({ dot, timestamp, level, copies, count, duplicate, version }: Ack): object {
  return {
    version,
    ...(dot && dotToProto(dot)),
    timestamp,
    level: level.toUpperCase(),
    copies,
    count: count === 1 ? undefined : count,
    duplicate,
  };
}

function deliveryToProto({ channel, writer, round, late, records }: DeliverySlice): object {
  const entries = Array.from(iterateRecords(records), ({ bodyStart, end }) => records.slice(bodyStart, end));
  return { channel, entries, writer: fromHex(writer), round, late };
}

function gapToProto({ channel, reason, ranges, cursor }: Gap): object {
  const all = ranges.map(({ writer, fromSeq, toSeq }) => ({ writer: fromHex(writer), fromSeq, toSeq }));
  return { channel, reason, cursor, ...list('ranges', all) };
}

function failureToProto({ outcome, ...rest }: Failure): object {
  return { outcome: outcome.toUpperCase(), ...rest };
}
