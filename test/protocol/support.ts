/** Random messages of the client protocol, and stored records to deliver. */
import { publishedKinds } from '../../src/protocol/levels.js';
import fc from 'fast-check';
import type { ChannelName, HubName, WriterId } from '../../src/base/ids.js';
import { toHex } from '../../src/base/bytes.js';
import { encodeContent } from '../../src/log/entry-wire.js';
import type { Content, Entry } from '../../src/log/entry.js';
import { type RunEntry, RunWriter } from '../../src/log/run-writer.js';
import { type Failure, errorCatalogue } from '../../src/protocol/errors.js';
import type {
  DeliverySlice,
  DocumentInfo,
  Gap,
  OutgoingMessage,
  ServerMessage,
  Signal,
  Start,
  ToldDocument,
} from '../../src/protocol/messages.js';

export const hub = 'default' as HubName;

const name = fc.stringMatching(/^[a-z][a-z0-9:-]{0,20}$/);
const bytes = (max: number) => fc.uint8Array({ maxLength: max });
const seq = fc.integer({ min: 1, max: 2 ** 40 });
const timestamp = fc.integer({ min: 1, max: 2 ** 52 });
const count = fc.integer({ min: 1, max: 2 ** 31 });
const unixMs = fc.integer({ min: 1, max: 2 ** 42 });
const text = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 12 });
export const writer = fc
  .uint8Array({ minLength: 12, maxLength: 12 })
  .map((value) => toHex(value) as WriterId);
const dot = fc.record({ writer, seq });
const restoreKey = fc.uint8Array({ minLength: 1, maxLength: 64 });

/** Leaves the members out whose value is undefined, as exact optional types want. */
function compact<T extends object>(value: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  const members = Object.entries(value).filter(([, each]) => each !== undefined);
  return Object.fromEntries(members) as { [K in keyof T]: Exclude<T[K], undefined> };
}
const maybe = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined });

const extras = fc
  .record({ store: maybe(fc.boolean()), retain: maybe(fc.boolean()), push: maybe(fc.boolean()) })
  .map(compact);

const typedPayload = fc.oneof(
  fc.record({ payload: bytes(40) }),
  fc.record({ payload: fc.string({ unit: 'grapheme' }).map((value) => Buffer.from(value)) }),
  fc.record({
    contentType: fc.constantFrom('application/json', 'application/vnd.x+json; charset=utf-8'),
    payload: fc.oneof(
      bytes(20),
      fc.jsonValue().map((value) => Buffer.from(JSON.stringify(value))),
    ),
  }),
  fc.record({
    contentType: fc.constantFrom('text/plain', 'application/octet-stream', 'é'),
    payload: bytes(40),
  }),
);

export const content: fc.Arbitrary<Content> = fc
  .record({
    typed: typedPayload,
    event: maybe(text),
    headers: maybe(
      fc
        .array(fc.tuple(fc.oneof(name, fc.constant('__proto__')), text), { minLength: 1, maxLength: 3 })
        .map((all) => new Map(all)),
    ),
    extras: maybe(extras),
    signature: maybe(fc.uint8Array({ minLength: 1, maxLength: 8 })),
  })
  .map(
    ({ typed, ...rest }) => compact({ ...typed, payload: new Uint8Array(typed.payload), ...rest }) as Content,
  );

const cursor = fc.uint8Array({ minLength: 1, maxLength: 40 });
const start: fc.Arbitrary<Start> = fc.oneof(
  fc.constant({ type: 'live' } as const),
  cursor.map((value) => ({ type: 'cursor', cursor: value }) as const),
  unixMs.map((value) => ({ type: 'since', unixMs: value }) as const),
  count.map((value) => ({ type: 'last', count: value }) as const),
  fc.constant({ type: 'beginning' } as const),
);
const level = fc.constantFrom('memory', 'owner', 'quorum');
/** What a client says of itself, as JSON. */
const metadata = fc
  .dictionary(fc.stringMatching(/^[a-z]{1,5}$/), fc.oneof(text, fc.integer(), fc.constant(null)), {
    maxKeys: 3,
  })
  .map((value) => JSON.stringify(value));

export const outgoingMessage: fc.Arbitrary<OutgoingMessage> = fc.oneof(
  fc
    .record({
      type: fc.constant('auth' as const),
      token: maybe(text),
      publisher: maybe(fc.record({ id: text, epoch: count })),
    })
    .map(compact),
  fc
    .record({ type: fc.constant('rpc' as const), method: name, typed: typedPayload })
    .map(({ typed, ...rest }) => ({ ...rest, ...typed, payload: new Uint8Array(typed.payload) })),
  fc.record({
    type: fc.constant('user' as const),
    action: text,
    request: fc.dictionary(fc.stringMatching(/^[a-z]{1,5}$/), fc.integer(), { maxKeys: 3 }),
  }),
  fc.constant({ type: 'ping' as const }),
  fc.constant({ type: 'pong' as const }),
  fc.record({ type: fc.constant('close' as const), code: maybe(count), reason: maybe(text) }).map(compact),
  fc.record({
    type: fc.constant('subscribe' as const),
    channels: fc.array(fc.record({ channel: name, start, presence: maybe(metadata) }).map(compact), {
      maxLength: 4,
    }),
  }),
  fc.record({ type: fc.constant('unsubscribe' as const), channels: fc.array(name, { maxLength: 4 }) }),
  fc
    .record({
      type: fc.constant('publish' as const),
      channel: name,
      content,
      idempotencyKey: maybe(text),
      publisherSeq: maybe(seq),
      ackedThrough: maybe(seq),
      level: maybe(level),
      degrade: maybe(fc.boolean()),
      kind: maybe(fc.constantFrom(...publishedKinds)),
    })
    .map(compact),
  fc
    .record({
      type: fc.constant('presence' as const),
      channel: name,
      after: maybe(text),
      limit: maybe(fc.integer({ min: 1, max: 1_000 })),
      follow: maybe(fc.boolean()),
    })
    .map(compact),
  fc
    .record({ type: fc.constant('presenceUpdate' as const), channel: name, metadata: maybe(metadata) })
    .map(compact),
  fc
    .record({ type: fc.constant('occupancy' as const), channel: name, follow: maybe(fc.boolean()) })
    .map(compact),
  fc
    .record({
      type: fc.constant('sessionRestore' as const),
      key: maybe(restoreKey),
      cursors: fc.array(fc.record({ channel: name, cursor }), { maxLength: 3 }),
    })
    .map(compact),
  fc
    .record({
      type: fc.constant('documentGet' as const),
      channel: name,
      cursor: maybe(cursor),
      atUnixMs: maybe(unixMs),
    })
    .map(compact),
  fc
    .record({
      type: fc.constant('notifications' as const),
      channel: name,
      cursor: maybe(cursor),
      sinceUnixMs: maybe(unixMs),
      untilUnixMs: maybe(unixMs),
      limit: maybe(count),
      forward: fc.boolean(),
      unread: fc.boolean(),
    })
    .map(compact),
  fc
    .record({
      type: fc.constant('history' as const),
      channel: name,
      cursor: maybe(cursor),
      sinceUnixMs: maybe(unixMs),
      untilUnixMs: maybe(unixMs),
      limit: maybe(count),
      backward: fc.boolean(),
      including: maybe(dot),
    })
    .map(compact),
) as fc.Arbitrary<OutgoingMessage>;

const common = {
  timestamp,
  retain: maybe(fc.constant(true)),
  push: maybe(fc.constant(true)),
  createParents: maybe(fc.constant(true)),
  actor: maybe(text),
  publisher: maybe(fc.record({ id: text, epoch: count, seq })),
  idempotencyKey: maybe(text),
  parents: maybe(fc.uniqueArray(dot, { minLength: 1, maxLength: 3, selector: (each) => each.writer })),
};

const runEntry: fc.Arbitrary<RunEntry> = fc.oneof(
  fc
    .record({ ...common, kind: fc.constantFrom('publish' as const, 'patch' as const), content })
    .map((entry) => compact({ ...entry, content: encodeContent(entry.content) })),
  fc.record({ ...common, kind: fc.constant('merge' as const) }).map(compact),
  fc
    .record({ ...common, kind: fc.constant('trim' as const), through: dot, floor: dot, round: count })
    .map(({ through, floor, round, ...entry }) =>
      compact({
        ...entry,
        trim: {
          through,
          floors: new Map([
            [floor.writer, floor.seq],
            [through.writer, through.seq],
          ]),
          round,
        },
      }),
    ),
  fc
    .record({ ...common, kind: fc.constant('gap' as const), writer, fromSeq: seq, more: count })
    .map(({ writer: lostWriter, fromSeq, more, ...entry }) =>
      compact({ ...entry, lost: { writer: lostWriter, fromSeq, toSeq: fromSeq + more } }),
    ),
) as fc.Arbitrary<RunEntry>;

export interface Place {
  readonly channel: string;
  readonly writer: WriterId;
  readonly round: number;
}

/** Stored bytes of consecutive entries. */
export function recordsOf(place: Place, firstSeq: number, entries: readonly RunEntry[]): Uint8Array {
  const out = new RunWriter();
  const ref = { hub, channel: place.channel as ChannelName };
  out.begin(ref, place.writer, place.round, firstSeq, firstSeq === 1 ? 0 : 7);
  for (const entry of entries) out.append(entry);
  const run = out.end();
  const from = run.offset + run.headerBytes;
  return out.bytes().slice(from, from + run.recordBytes);
}

function sliceOf(entriesMax: number): fc.Arbitrary<DeliverySlice> {
  return fc
    .record({
      channel: name,
      writer,
      round: fc.oneof(fc.constant(0), count),
      late: fc.boolean(),
      firstSeq: fc.integer({ min: 1, max: 2 ** 40 }),
      entries: fc.array(runEntry, { minLength: 1, maxLength: entriesMax }),
    })
    .map(({ firstSeq, entries, ...place }) => {
      // Timestamps rise within a writer.
      const from = Math.min(...entries.map((entry) => entry.timestamp));
      const rising = entries.map((entry, i) => ({ ...entry, timestamp: from + i }));
      return { ...place, records: recordsOf(place, firstSeq, rising) };
    });
}
export const slice = sliceOf(4);

const failure: fc.Arbitrary<Failure> = fc
  .record({
    code: fc.constantFrom(...(Object.keys(errorCatalogue) as Failure['code'][])),
    outcome: fc.constantFrom('rejected' as const, 'indeterminate' as const),
    message: text,
    retryAfterMs: maybe(count),
    channel: maybe(name),
    operation: maybe(fc.nat(999)),
    reason: maybe(name),
  })
  .map(compact);

const gap: fc.Arbitrary<Gap> = fc.record({
  type: fc.constant('gap' as const),
  channel: name,
  reason: fc.constantFrom('trimmed' as const, 'damaged' as const, 'lost' as const),
  ranges: fc.array(fc.record({ writer, fromSeq: seq, toSeq: seq }), { maxLength: 3 }),
  cursor,
});

const info = fc
  .record({
    version: fc.nat(),
    voids: fc.nat(),
    hash: fc.uint8Array({ minLength: 32, maxLength: 32 }),
    size: fc.nat(),
    createParents: maybe(fc.constant(true)),
  })
  .map((each) => compact(each) as DocumentInfo);

const toldDocument = fc
  .record({ info, cursor: maybe(cursor) })
  .map(({ info: told, cursor: at }) => compact({ ...told, cursor: at }) as ToldDocument);

const documentState = fc.record({
  type: fc.constantFrom('document' as const, 'rebase' as const),
  channel: name,
  info,
  value: fc.jsonValue().map((value) => new Uint8Array(Buffer.from(JSON.stringify(value)))),
  cursor,
});

const notificationCount = fc.record({ unread: fc.nat(), total: fc.nat(), cursor });

const listedNotification = fc
  .record({
    dot,
    timestamp,
    actor: maybe(text),
    state: fc.constantFrom('unread' as const, 'read' as const, 'expired' as const),
    value: fc.jsonValue().map((value) => new Uint8Array(Buffer.from(JSON.stringify(value)))),
  })
  .map(compact);

const signal: fc.Arbitrary<Signal> = fc
  .record({ timestamp, actor: maybe(text), content: content.map(encodeContent) })
  .map(compact);

const member = fc
  .record({ session: text, user: maybe(text), metadata: maybe(metadata), since: unixMs })
  .map(compact);
const members = fc.array(member, { maxLength: 3 });

const names = fc.array(name, { maxLength: 3 });

const subscribed = fc.array(
  fc
    .record({
      channel: name,
      cursor: maybe(cursor),
      error: maybe(failure),
      retained: maybe(sliceOf(1)),
      document: maybe(toldDocument),
      notifications: maybe(notificationCount),
    })
    .map(({ retained, ...rest }) =>
      compact({ ...rest, retained: retained && { ...retained, channel: rest.channel } }),
    )
    .map(withOwnRecords),
  { maxLength: 3 },
);

export const serverMessage: fc.Arbitrary<ServerMessage> = fc.oneof(
  fc
    .record({
      type: fc.constant('sessionKept' as const),
      key: maybe(restoreKey),
      added: names,
      dropped: names,
      leftOut: count,
      forMs: count,
    })
    .map(compact),
  fc.record({
    type: fc.constant('sessionRestored' as const),
    sessionId: text,
    key: restoreKey,
    results: subscribed,
  }),
  fc.record({
    type: fc.constant('presence' as const),
    channel: name,
    members,
    count,
    more: fc.boolean(),
  }),
  fc.record({ type: fc.constant('join' as const), channel: name, members, count, more: count }),
  fc.record({
    type: fc.constant('leave' as const),
    channel: name,
    sessions: fc.array(text, { maxLength: 3 }),
    count,
  }),
  fc.record({ type: fc.constant('occupancy' as const), channel: name, count }),
  fc
    .record({
      type: fc.constant('auth' as const),
      authenticated: fc.boolean(),
      actor: maybe(text),
      publish: maybe(fc.array(text, { minLength: 1, maxLength: 3 })),
      subscribe: maybe(fc.array(text, { minLength: 1, maxLength: 3 })),
      rpc: maybe(fc.array(text, { minLength: 1, maxLength: 3 })),
      delete: maybe(fc.array(text, { minLength: 1, maxLength: 3 })),
      metadata: maybe(fc.json({ maxDepth: 3 })),
      expiresAt: maybe(fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER })),
      token: maybe(fc.string({ minLength: 1 })),
    })
    .map(compact),
  typedPayload.map((typed) => ({
    type: 'rpc' as const,
    ...typed,
    payload: new Uint8Array(typed.payload),
  })),
  fc.record({
    type: fc.constant('user' as const),
    answer: fc
      .dictionary(fc.stringMatching(/^[a-z]{1,5}$/), fc.integer(), { maxKeys: 3 })
      .map((value) => JSON.stringify(value)),
  }),
  fc.constant({ type: 'ping' as const }),
  fc.constant({ type: 'pong' as const }),
  fc.record({
    type: fc.constant('close' as const),
    code: count,
    reason: text,
    cursors: fc.array(fc.record({ channel: name, cursor }), { maxLength: 3 }),
  }),
  fc.record({
    type: fc.constant('subscribe' as const),
    results: subscribed,
  }),
  fc.record({
    type: fc.constant('unsubscribe' as const),
    results: fc.array(fc.record({ channel: name, error: maybe(failure) }).map(compact), { maxLength: 3 }),
  }),
  fc
    .record({
      type: fc.constant('ack' as const),
      dot: maybe(dot),
      timestamp,
      level,
      copies: fc.integer({ min: 0, max: 9 }),
      count: fc.integer({ min: 1, max: 5 }),
      duplicate: fc.boolean(),
      version: maybe(count),
    })
    .map(compact),
  fc
    .record({
      type: fc.constant('history' as const),
      channel: name,
      deliveries: fc.array(slice, { maxLength: 3 }),
      gaps: fc.array(gap, { maxLength: 2 }),
      cursor,
      more: fc.boolean(),
    })
    .map((message) => ({
      ...message,
      deliveries: message.deliveries.map(
        (each) => withOwnRecords({ channel: message.channel, retained: each }).retained!,
      ),
    })),
  fc
    .record({ channel: name, info: notificationCount })
    .map(({ channel, info: told }) => ({ type: 'notificationInfo' as const, channel, ...told })),
  fc.record({
    type: fc.constant('notifications' as const),
    channel: name,
    info: notificationCount,
    notifications: fc.array(listedNotification, { maxLength: 3 }),
    cursor,
    more: fc.boolean(),
  }),
  fc.record({
    type: fc.constant('sessionInfo' as const),
    sessionId: text,
    hub: name,
    nodeId: text,
    serverVersion: text,
    protocolVersion: count,
    authenticated: fc.boolean(),
    anonymousAllowed: fc.boolean(),
    pingIntervalMs: count,
    messageBytesMax: count,
    frameBytesMax: count,
    subscriptionsMax: count,
    time: timestamp,
  }),
  fc.record({ type: fc.constant('nodes' as const), urls: fc.array(text, { maxLength: 3 }), spreadMs: count }),
  slice.map((delivery) => ({ type: 'delivery' as const, delivery })),
  fc.record({
    type: fc.constant('signals' as const),
    channel: name,
    signals: fc.array(signal, { maxLength: 3 }),
  }),
  gap,
  documentState,
  failure.map((error) => ({ type: 'error' as const, error })),
) as fc.Arbitrary<ServerMessage>;

/** Records are whole in their own channel only: those of a nested delivery are written again for the outer one. */
export function withOwnRecords<T extends { readonly channel: string; readonly retained?: DeliverySlice }>(
  result: T,
): T {
  const { retained, channel } = result;
  if (retained === undefined) return result;
  const place = { channel, writer: retained.writer, round: retained.round };
  const entry: RunEntry = {
    timestamp: 5,
    kind: 'publish',
    content: encodeContent({ payload: new Uint8Array([104, 105]) }),
  };
  return { ...result, retained: { ...retained, channel, records: recordsOf(place, 1, [entry]) } };
}

/** What the JSON form of an entry does not carry. */
export function withoutChecksums(entry: Entry): Entry {
  return { ...entry, checksum: 0, previous: 0 };
}
