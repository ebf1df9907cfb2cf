/** Frames as they were written when they were recorded: both ends must read them for ever, and still write the same.
 *  After a change of proto/client.proto that only adds, record the new ones: RINGLOG_UPDATE_GOLDEN=1. */
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { utf8 } from '../../src/base/bytes.js';
import type { WriterId } from '../../src/base/ids.js';
import { encodeContent } from '../../src/log/entry-wire.js';
import { failure } from '../../src/protocol/errors.js';
import {
  decodeClientFrame,
  decodeServerFrame,
  encodeClientFrame,
  encodeServerFrame,
} from '../../src/protocol/index.js';
import type { OutgoingMessage, ServerMessage } from '../../src/protocol/messages.js';
import { hub, recordsOf } from './support.js';

const writer = '01a1fd2fd41b69b56a697af4' as WriterId;
const other = '01a1fd2fd41b69b56a697af5' as WriterId;
const cursor = Uint8Array.of(1, 2, 3, 250);
const place = { channel: 'lobby', writer, round: 2 };
const content = {
  event: 'move',
  contentType: 'application/json',
  payload: utf8('{"x":9007199254740993}'),
  headers: new Map([['trace', 'é']]),
  extras: { retain: true, push: false },
  signature: Uint8Array.of(255, 0),
};
const delivery = {
  ...place,
  late: true,
  records: recordsOf(place, 7, [
    {
      timestamp: 373_481_196_642_304,
      kind: 'publish',
      actor: 'alice',
      publisher: { id: 'sensor', epoch: 3, seq: 1 },
      idempotencyKey: 'k',
      parents: [{ writer: other, seq: 4 }],
      content: encodeContent(content),
    },
    {
      timestamp: 373_481_196_642_305,
      kind: 'publish',
      content: encodeContent({ payload: Uint8Array.of(0, 255) }),
    },
    {
      timestamp: 373_481_196_642_306,
      kind: 'merge',
      parents: [
        { writer, seq: 8 },
        { writer: other, seq: 5 },
      ],
    },
    {
      timestamp: 373_481_196_642_307,
      kind: 'trim',
      trim: { through: { writer: other, seq: 3 }, floors: new Map([[other, 3]]), round: 1 },
    },
    { timestamp: 373_481_196_642_308, kind: 'gap', lost: { writer: other, fromSeq: 9, toSeq: 12 } },
  ]),
};
/** What came later than the frames above. */
const retained = {
  ...place,
  late: false,
  records: recordsOf(place, 12, [
    {
      timestamp: 373_481_196_642_309,
      kind: 'publish',
      retain: true,
      content: encodeContent({ payload: utf8('newest') }),
    },
  ]),
};
const gap = {
  type: 'gap',
  channel: 'lobby',
  reason: 'lost',
  ranges: [{ writer, fromSeq: 1, toSeq: 4 }],
  cursor,
} as const;

const notifications = { unread: 2, total: 3, cursor };

const clientMessages: readonly OutgoingMessage[] = [
  { type: 'auth', token: 'secret', publisher: { id: 'sensor', epoch: 3 } },
  { type: 'ping' },
  { type: 'pong' },
  { type: 'close', code: 1000, reason: 'done' },
  {
    type: 'subscribe',
    channels: [
      { channel: 'live', start: { type: 'live' } },
      { channel: 'cursor', start: { type: 'cursor', cursor } },
      { channel: 'since', start: { type: 'since', unixMs: 1_795_162_732_000 } },
      { channel: 'last', start: { type: 'last', count: 0 } },
      { channel: 'beginning', start: { type: 'beginning' } },
    ],
  },
  { type: 'unsubscribe', channels: ['lobby', 'kitchen'] },
  {
    type: 'publish',
    channel: 'lobby',
    content,
    idempotencyKey: 'k',
    publisherSeq: 2 ** 40,
    ackedThrough: 2 ** 40 - 1,
    level: 'owner',
    degrade: false,
  },
  { type: 'publish', channel: 'lobby', content: { payload: utf8('hello') } },
  { type: 'history', channel: 'lobby', cursor, sinceUnixMs: 1, untilUnixMs: 2, limit: 3, backward: true },
  {
    type: 'publish',
    channel: 'notification:alerts',
    content: { contentType: 'application/json', payload: utf8('{"title":"Disk full"}') },
    kind: 'notification',
  },
  {
    type: 'publish',
    channel: 'notification:alerts',
    content: { contentType: 'application/json', payload: utf8('{"until":1795162732000}') },
    kind: 'read',
  },
  { type: 'notifications', channel: 'notification:alerts', forward: false, unread: true },
  {
    type: 'notifications',
    channel: 'notification:alerts',
    cursor,
    sinceUnixMs: 1,
    untilUnixMs: 2,
    limit: 3,
    forward: true,
    unread: false,
  },
  // Came later than those above.
  {
    type: 'subscribe',
    channels: [{ channel: 'lobby', start: { type: 'live' }, presence: '{"name":"Ada"}' }],
  },
  { type: 'presence', channel: 'lobby', after: 'b'.repeat(24), limit: 10, follow: true },
  { type: 'presence', channel: 'lobby', follow: false },
  { type: 'presenceUpdate', channel: 'lobby', metadata: '{"name":"Ada","at":[1,2]}' },
  { type: 'occupancy', channel: 'lobby', follow: true },
  { type: 'sessionRestore', cursors: [] },
  { type: 'sessionRestore', key: utf8('key'), cursors: [{ channel: 'lobby', cursor }] },
  { type: 'rpc', method: 'orders:find', contentType: 'application/json', payload: content.payload },
  { type: 'rpc', method: 'ping', payload: Uint8Array.of(255) },
];

const ada = { session: 'a'.repeat(24), user: 'ada', metadata: '{"name":"Ada"}', since: 1_795_162_732_000 };
const somebody = { session: 'b'.repeat(24), since: 1_795_162_732_001 };

const serverMessages: readonly ServerMessage[] = [
  { type: 'auth', authenticated: true, actor: 'alice' },
  { type: 'ping' },
  { type: 'pong' },
  { type: 'close', code: 4503, reason: 'SLOW_READER', cursors: [{ channel: 'lobby', cursor }] },
  {
    type: 'subscribe',
    results: [
      { channel: 'lobby', cursor, retained: { ...delivery, late: false } },
      { channel: 'attic', error: failure('DENIED', { message: 'No.' }) },
    ],
  },
  {
    type: 'unsubscribe',
    results: [
      { channel: 'lobby' },
      { channel: 'attic', error: failure('NOT_SUBSCRIBED', { message: 'No.' }) },
    ],
  },
  {
    type: 'ack',
    dot: { writer, seq: 7 },
    timestamp: 373_481_196_642_304,
    level: 'quorum',
    copies: 3,
    count: 2,
    duplicate: true,
  },
  { type: 'ack', timestamp: 1, level: 'memory', copies: 1, count: 1, duplicate: false },
  { type: 'history', channel: 'lobby', deliveries: [delivery], gaps: [gap], cursor, more: true },
  {
    type: 'sessionInfo',
    sessionId: 's',
    hub: 'default',
    nodeId: 'n',
    serverVersion: '0.1.0',
    protocolVersion: 1,
    authenticated: false,
    anonymousAllowed: true,
    pingIntervalMs: 25_000,
    messageBytesMax: 1_048_576,
    frameBytesMax: 2_097_152,
    subscriptionsMax: 4_096,
    time: 373_481_196_642_304,
  },
  { type: 'delivery', delivery },
  {
    type: 'signals',
    channel: 'lobby',
    signals: [{ timestamp: 5, actor: 'bob', content: encodeContent({ payload: utf8('hi') }) }],
  },
  gap,
  {
    type: 'error',
    error: failure('RATE_LIMITED', { message: 'Wait.', retryAfterMs: 250, channel: 'lobby' }),
  },
  { type: 'subscribe', results: [{ channel: 'lobby', cursor, retained }] },
  { type: 'nodes', urls: ['http://10.0.0.6:8080', 'https://b.example'], spreadMs: 100 },
  { type: 'subscribe', results: [{ channel: 'notification:alerts', cursor, notifications }] },
  { type: 'notificationInfo', channel: 'notification:alerts', ...notifications },
  {
    type: 'notifications',
    channel: 'notification:alerts',
    info: notifications,
    notifications: [
      {
        dot: { writer, seq: 7 },
        timestamp: 373_481_196_642_304,
        actor: 'watcher',
        state: 'unread',
        value: utf8('{"title":"Disk full","data":{"free":9007199254740993}}'),
      },
    ],
    cursor,
    more: true,
  },
  { type: 'presence', channel: 'lobby', members: [ada, somebody], count: 3, more: true },
  { type: 'join', channel: 'lobby', members: [ada], count: 2, more: 0 },
  { type: 'join', channel: 'lobby', members: [], count: 30_000, more: 7 },
  { type: 'leave', channel: 'lobby', sessions: [ada.session], count: 1 },
  { type: 'occupancy', channel: 'lobby', count: 1 },
  { type: 'sessionKept', key: utf8('key'), added: ['lobby'], dropped: [], leftOut: 0, forMs: 2_400_000 },
  { type: 'sessionKept', added: [], dropped: ['lobby'], leftOut: 3, forMs: 2_400_000 },
  {
    type: 'sessionRestored',
    sessionId: ada.session,
    key: utf8('next'),
    results: [
      { channel: 'lobby', cursor, retained: { ...delivery, late: false } },
      { channel: 'attic', error: failure('DENIED', { message: 'No.' }) },
    ],
  },
  { type: 'rpc', contentType: 'application/json', payload: content.payload },
  { type: 'rpc', payload: utf8('done') },
  { type: 'error', error: failure('CALL_REFUSED', { message: 'Closed.', reason: 'order-closed' }) },
  { type: 'auth', authenticated: true, actor: 'alice', rpc: ['orders:*'] },
  { type: 'auth', authenticated: true, actor: 'alice', metadata: '{"name":"A"}', token: 'rl1.a.b.c' },
  {
    type: 'subscribe',
    results: [
      {
        channel: 'doc:plan',
        cursor,
        document: {
          version: 5,
          voids: 1,
          hash: new Uint8Array(32).fill(7),
          size: 26,
          createParents: true,
          cursor: Uint8Array.of(9, 9),
        },
      },
    ],
  },
];

interface Recorded {
  /** Bytes as hex for protobuf, the text for JSON. */
  readonly frame: string;
  /** What it is read as. */
  readonly read: unknown;
}

const folder = fileURLToPath(new URL('../golden/protocol/', import.meta.url));
const encodings = ['protobuf', 'json'] as const;
const frameText = (encoding: (typeof encodings)[number], bytes: Uint8Array): string =>
  Buffer.from(bytes).toString(encoding === 'json' ? 'utf8' : 'hex');
const frameBytes = (encoding: (typeof encodings)[number], frame: string): Uint8Array =>
  new Uint8Array(Buffer.from(frame, encoding === 'json' ? 'utf8' : 'hex'));

/** As it can stand in a file: bytes as hex, maps as pairs. */
function plain(value: unknown): unknown {
  const text = JSON.stringify(value, (_, each: unknown) => {
    if (each instanceof Uint8Array) return { hex: Buffer.from(each).toString('hex') };
    return each instanceof Map ? { pairs: [...each] } : each;
  });
  return JSON.parse(text);
}

/** What is recorded under that name, after recording it if that was asked for. */
function golden(name: string, made: readonly Recorded[]): Recorded[] {
  const path = `${folder}${name}.json`;
  if (process.env['RINGLOG_UPDATE_GOLDEN'] !== undefined) {
    writeFileSync(path, `${JSON.stringify(made, undefined, 1)}\n`);
  }
  return JSON.parse(readFileSync(path, 'utf8')) as Recorded[];
}

describe.each(encodings)('recorded frames in %s', (encoding) => {
  test('of clients are read and written as ever', () => {
    const read = (frame: string): unknown => plain(decodeClientFrame(encoding, frameBytes(encoding, frame)));
    const made = clientMessages.map((message, index) => {
      const frame = frameText(encoding, encodeClientFrame(encoding, [{ requestId: index, message }]));
      return { frame, read: read(frame) };
    });
    const recorded = golden(`client-${encoding}`, made);
    expect(recorded.map(({ frame }) => read(frame))).toEqual(recorded.map((each) => each.read));
    expect(made).toEqual(recorded);
  });

  test('of servers are read and written as ever', () => {
    const read = (frame: string): unknown =>
      plain(decodeServerFrame(encoding, frameBytes(encoding, frame), hub));
    const made = serverMessages.map((message, index) => {
      const frame = frameText(encoding, encodeServerFrame(encoding, [{ requestId: index, message }]));
      return { frame, read: read(frame) };
    });
    const recorded = golden(`server-${encoding}`, made);
    expect(recorded.map(({ frame }) => read(frame))).toEqual(recorded.map((each) => each.read));
    expect(made).toEqual(recorded);
  });
});
