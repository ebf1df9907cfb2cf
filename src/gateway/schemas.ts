/** What requests and answers look like: these schemas validate, and the OpenAPI description is made from them. */
import { Type } from 'typebox';
import { limits } from '../base/limits.js';
import { entryKinds } from '../log/entry.js';
import { gatewayLimits } from './gateway-limits.js';

const strict = { additionalProperties: false } as const;
const open = { additionalProperties: true } as const;

export const hubParams = Type.Object({ hub: Type.String({ description: 'Name of a hub' }) });
export const channelParams = Type.Object({
  hub: Type.String({ description: 'Name of a hub' }),
  channel: Type.String({ description: 'Name of a channel, percent-encoded' }),
});

const level = Type.Enum(['memory', 'owner', 'quorum'], {
  description: 'How safe it must be before the answer',
});
const flag = (description: string) => Type.Enum(['true', 'false'], { description });

export const publishQuery = Type.Object(
  {
    event: Type.Optional(Type.String({ description: 'Event name; also as header X-Ringlog-Event' })),
    level: Type.Optional(level),
    degrade: Type.Optional(flag('Whether a minority side may take it at level `owner`')),
    store: Type.Optional(flag('`false` makes it a signal: delivered now, not in the log')),
    retain: Type.Optional(flag('Makes it the retained message of the channel')),
    push: Type.Optional(flag('Marks it for push services')),
    ticket: Type.Optional(Type.String()),
  },
  strict,
);

export const patchQuery = Type.Object(
  {
    level: Type.Optional(level),
    degrade: Type.Optional(flag('Whether a minority side may take it at level `owner`')),
  },
  strict,
);

export const documentQuery = Type.Object(
  {
    at: Type.Optional(
      Type.String({ description: 'ISO time or Unix milliseconds: before it; or a cursor', maxLength: 4_096 }),
    ),
  },
  strict,
);

/** One message of a batch. The wire form of `Publish` in JSON, which checks the rest. */
const batchMessage = Type.Object(
  {
    channel: Type.String(),
    kind: Type.Optional(
      Type.Enum(['publish', 'patch', 'notification', 'read'], {
        description: '`patch`: of a document; `notification` and `read`: in a notification channel',
      }),
    ),
    event: Type.Optional(Type.String()),
    data: Type.Optional(Type.Unknown({ description: 'Text, or any JSON value' })),
    dataBase64: Type.Optional(Type.String()),
    contentType: Type.Optional(Type.String()),
    headers: Type.Optional(Type.Record(Type.String(), Type.String())),
    extras: Type.Optional(
      Type.Object(
        {
          store: Type.Optional(Type.Boolean()),
          retain: Type.Optional(Type.Boolean()),
          push: Type.Optional(Type.Boolean()),
        },
        strict,
      ),
    ),
    idempotencyKey: Type.Optional(Type.String()),
    level: Type.Optional(level),
    degrade: Type.Optional(Type.Boolean()),
  },
  strict,
);

export const batchBody = Type.Object(
  { messages: Type.Array(batchMessage, { maxItems: gatewayLimits.publishesPerRequestMax }) },
  strict,
);

const accepted = {
  id: Type.Optional(Type.String({ description: 'Message id; a signal has none' })),
  timestamp: Type.Integer(),
  time: Type.String({ format: 'date-time' }),
  level: Type.Enum(['memory', 'owner', 'quorum'], { description: 'The level reached' }),
  copies: Type.Integer(),
  duplicate: Type.Optional(Type.Boolean({ description: 'The idempotency key was taken before' })),
  version: Type.Optional(Type.Integer({ description: "Of a patch: the document's behind it" })),
};

export const publishAnswer = Type.Object(accepted);

const failureFields = {
  code: Type.String(),
  outcome: Type.Enum(['rejected', 'indeterminate']),
  retryAfterMs: Type.Optional(Type.Integer()),
  channel: Type.Optional(Type.String()),
  operation: Type.Optional(Type.Integer({ description: 'Of a patch: index of the operation' })),
  reason: Type.Optional(Type.String({ description: 'Of a patch: what is wrong with it' })),
};

export const batchAnswer = Type.Object({
  results: Type.Array(
    Type.Union([
      Type.Object(accepted),
      Type.Object({ error: Type.Object({ message: Type.String(), ...failureFields }) }),
    ]),
  ),
});

export const problem = Type.Object(
  {
    type: Type.String(),
    title: Type.String(),
    status: Type.Integer(),
    detail: Type.String(),
    requestId: Type.Optional(Type.String()),
    ...failureFields,
  },
  { description: 'Problem details (RFC 9457)' },
);

const time = (description: string) =>
  Type.String({ description: `${description}: ISO time, Unix milliseconds, or a cursor`, maxLength: 4_096 });
const limit = (fallback: number, maximum: number) =>
  Type.Integer({ minimum: 1, maximum, default: fallback, description: 'Entries in one page' });
const order = Type.Enum(['oldest', 'newest'], { default: 'oldest', description: 'Which come first' });
const cursor = Type.String({ description: 'Goes on where an earlier page ended', maxLength: 4_096 });

export const historyQuery = Type.Object(
  {
    cursor: Type.Optional(cursor),
    since: Type.Optional(Type.String({ description: 'ISO time or Unix milliseconds, inclusive' })),
    until: Type.Optional(Type.String({ description: 'ISO time or Unix milliseconds, exclusive' })),
    limit: Type.Optional(limit(limits.historyEntriesDefault, limits.historyEntriesMax)),
    order: Type.Optional(order),
    including: Type.Optional(
      Type.String({ description: 'A message id: of a log that has it, else UNAVAILABLE', maxLength: 64 }),
    ),
  },
  strict,
);

const entry = Type.Object(
  {
    id: Type.String(),
    timestamp: Type.Integer(),
    time: Type.String({ format: 'date-time' }),
    kind: Type.String(),
    round: Type.Optional(Type.Integer()),
    actor: Type.Optional(Type.String()),
    event: Type.Optional(Type.String()),
    contentType: Type.Optional(Type.String()),
    data: Type.Optional(Type.Unknown()),
    dataBase64: Type.Optional(Type.String()),
    headers: Type.Optional(Type.Record(Type.String(), Type.String())),
    bytes: Type.Optional(Type.Integer({ description: 'Size of the stored record' })),
  },
  open,
);

const gap = Type.Object(
  {
    channel: Type.String(),
    reason: Type.Enum(['trimmed', 'forced', 'deleted', 'damaged', 'lost']),
    cursor: Type.String(),
  },
  open,
);

export const entriesAnswer = Type.Object({
  channel: Type.String(),
  entries: Type.Array(entry),
  gaps: Type.Array(gap),
  cursor: Type.String(),
  more: Type.Boolean(),
});

const documentHeaders = {
  etag: {
    ...Type.String(),
    description:
      'The version and how the hash begins, for If-Match and If-None-Match: `"5-44136fa355b3678a"`',
  },
  'x-ringlog-version': { ...Type.Integer(), description: 'How many patches took effect' },
  'x-ringlog-voids': { ...Type.Integer(), description: 'How many did not, where the order has them' },
  'x-ringlog-cursor': { ...Type.String(), description: 'Of a reader that has what it is made of' },
};

export const documentAnswers = {
  200: {
    description: 'The document in canonical form (RFC 8785)',
    headers: documentHeaders,
    content: { 'application/json': { schema: Type.Unknown() } },
  },
  304: {
    ...Type.Null(),
    description: 'It has one of the ETags that If-None-Match names',
    headers: documentHeaders,
  },
};

export const patchHeaders = Type.Object(
  {
    'if-match': Type.Optional(
      Type.String({
        description: 'Only a document with one of these ETags, or with "*" any, is changed; else 412',
      }),
    ),
  },
  open,
);

export const changesQuery = Type.Object(
  {
    since: Type.Optional(time('From here, inclusive')),
    until: Type.Optional(time('To here, exclusive')),
    limit: Type.Optional(limit(limits.historyEntriesDefault, limits.historyEntriesMax)),
  },
  strict,
);

export const changesAnswer = Type.Object({
  changes: Type.Array(
    Type.Object(
      {
        id: Type.String(),
        timestamp: Type.Integer(),
        time: Type.String({ format: 'date-time' }),
        version: Type.Integer({ description: 'Of the document behind it' }),
        actor: Type.Optional(Type.String()),
        ifVersion: Type.Optional(Type.Integer()),
        patch: Type.Optional(Type.Array(Type.Unknown())),
        void: Type.Optional(
          Type.Object(
            { reason: Type.String(), message: Type.String() },
            { ...open, description: 'It does not apply where the order has it' },
          ),
        ),
      },
      open,
    ),
  ),
  cursor: Type.String({ description: 'Give this as `since` for the next page' }),
  more: Type.Boolean(),
});

export const logQuery = Type.Object(
  {
    since: Type.Optional(time('From here, inclusive')),
    until: Type.Optional(time('To here, exclusive')),
    event: Type.Optional(Type.String({ description: 'Only this event' })),
    kind: Type.Optional(Type.Enum([...entryKinds], { description: 'Only this kind of entry' })),
    actor: Type.Optional(Type.String({ description: 'Only of this actor' })),
    writer: Type.Optional(Type.String({ description: 'Only of this writer', pattern: '^[0-9a-f]{24}$' })),
    order: Type.Optional(order),
    limit: Type.Optional(limit(limits.historyEntriesDefault, limits.historyEntriesMax)),
    cursor: Type.Optional(cursor),
    follow: Type.Optional(flag('Goes on with new entries: NDJSON without end, JSON once there are some')),
    format: Type.Optional(Type.Enum(['json', 'ndjson'], { description: 'Stronger than Accept' })),
  },
  strict,
);

export const channelsQuery = Type.Object(
  {
    after: Type.Optional(Type.String({ description: 'Channels after this name' })),
    limit: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: gatewayLimits.channelsPageMax,
        default: gatewayLimits.channelsPageDefault,
      }),
    ),
  },
  strict,
);

export const hubsAnswer = Type.Object({ hubs: Type.Array(Type.String()) });

export const channelsAnswer = Type.Object({
  channels: Type.Array(
    Type.Object({
      channel: Type.String(),
      entries: Type.Integer(),
      bytes: Type.Integer(),
      lastTimestamp: Type.Integer(),
      lastTime: Type.String({ format: 'date-time' }),
    }),
  ),
  next: Type.Optional(Type.String({ description: 'Give this as `after` for the next page' })),
});

export const digestAnswer = Type.Object({
  hub: Type.String(),
  channel: Type.String(),
  entries: Type.Integer(),
  digest: Type.String(),
  floors: Type.Array(Type.String()),
  heads: Type.Array(Type.String()),
});

export const statusAnswer = Type.Object({}, open);
export const ticketAnswer = Type.Object({ ticket: Type.String(), expiresInMs: Type.Integer() });

export const sseQuery = Type.Object(
  {
    channels: Type.String({ description: `Up to ${limits.sseChannelsMax} names joined by ","` }),
    last: Type.Optional(Type.Integer({ minimum: 0, maximum: 0xffffffff })),
    since: Type.Optional(Type.String({ description: 'ISO time or Unix milliseconds' })),
    from: Type.Optional(Type.Enum(['live', 'beginning'])),
    lastEventId: Type.Optional(Type.String({ description: 'For clients that cannot send Last-Event-ID' })),
    ticket: Type.Optional(Type.String()),
  },
  strict,
);
