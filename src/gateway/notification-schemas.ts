/** What requests and answers about notifications look like. */
import { Type } from 'typebox';
import { limits } from '../base/limits.js';
import { severities } from '../base/notification-limits.js';

const strict = { additionalProperties: false } as const;
const open = { additionalProperties: true } as const;

const time = (description: string) =>
  Type.String({ description: `ISO time or Unix milliseconds: ${description}`, maxLength: 64 });

export const notificationsQuery = Type.Object(
  {
    unread: Type.Optional(Type.Enum(['true', 'false'], { description: 'Only those that are not read' })),
    order: Type.Optional(Type.Enum(['newest', 'oldest'], { description: 'Newest first is the default' })),
    since: Type.Optional(time('created then or later')),
    until: Type.Optional(time('created before')),
    cursor: Type.Optional(
      Type.String({ description: 'Of an earlier page: goes on from there', maxLength: 4_096 }),
    ),
    limit: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: limits.notificationsPageMax,
        description: `By default ${limits.notificationsPageDefault}`,
      }),
    ),
    ticket: Type.Optional(Type.String()),
  },
  strict,
);

export const notificationBody = Type.Object(
  {
    title: Type.String({ minLength: 1 }),
    body: Type.Optional(Type.String()),
    data: Type.Optional(Type.Unknown({ description: 'Any JSON' })),
    severity: Type.Optional(Type.Enum([...severities])),
    expiresAt: Type.Optional(
      Type.Integer({ minimum: 0, description: 'Unix milliseconds: it does not count from then on' }),
    ),
  },
  strict,
);

export const readingBody = Type.Object(
  {
    ids: Type.Optional(
      Type.Array(Type.String(), { minItems: 1, maxItems: limits.notificationsReadMax, description: 'These' }),
    ),
    until: Type.Optional(
      Type.Integer({ minimum: 0, description: 'Unix milliseconds: all that were created then or before' }),
    ),
  },
  { ...strict, minProperties: 1, maxProperties: 1 },
);

export const notificationsAnswer = Type.Object({
  channel: Type.String(),
  info: Type.Object({
    unread: Type.Integer({ description: 'Of those that count, how many are not read' }),
    total: Type.Integer({ description: 'How many count: not expired, not trimmed, not too old' }),
    cursor: Type.String({ description: 'Of a reader that has what this is counted of' }),
  }),
  notifications: Type.Array(
    Type.Object(
      {
        id: Type.String(),
        timestamp: Type.Integer(),
        time: Type.String({ format: 'date-time' }),
        actor: Type.Optional(Type.String()),
        state: Type.Enum(['unread', 'read', 'expired']),
        notification: Type.Object({ title: Type.String() }, open),
      },
      open,
    ),
  ),
  cursor: Type.String({ description: 'Give this as `cursor` for the next page' }),
  more: Type.Boolean(),
});
