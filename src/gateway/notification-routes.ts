/** Notifications over HTTP: listed, created, marked as read. */
import type { IncomingHttpHeaders } from 'node:http';
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { type Result, ok } from '../base/result.js';
import { encodeContent } from '../log/entry-wire.js';
import { checkPublishContent } from '../protocol/content-check.js';
import { jsonType } from '../protocol/content-type.js';
import type { Failure } from '../protocol/errors.js';
import type { Level, PublishMessage } from '../protocol/messages.js';
import { notificationsToJson } from '../protocol/server-encoder.js';
import { enter } from './authenticate.js';
import type { GatewayContext } from './context.js';
import { jsonType as jsonAnswer } from './history-route.js';
import {
  notificationBody,
  notificationsAnswer,
  notificationsQuery,
  readingBody,
} from './notification-schemas.js';
import { acceptedOf } from './publish-route.js';
import { rawJson, takeJson } from './raw-json.js';
import { cursorFrom, idempotencyKeyFrom, need, optionally, timeFrom } from './request-values.js';
import { channelParams, patchQuery, publishAnswer } from './schemas.js';

const path = '/v1/hubs/:hub/channels/:channel/notifications';

export const notificationRoutes: FastifyPluginAsyncTypebox<{ context: GatewayContext }> = async (
  app,
  { context },
) => {
  takeJson(app);
  app.get(
    path,
    {
      schema: {
        summary: 'Notifications of a channel, and how many are not read',
        tags: ['notifications'],
        params: channelParams,
        querystring: notificationsQuery,
        response: { 200: notificationsAnswer },
      },
    },
    async (request, reply) => {
      const { hub, channel } = request.params;
      const { unread, order, limit, ...places } = request.query;
      const principal = need(await enter(context.api, hub, request.headers));
      const since = optionally(places.since, (text) => need(timeFrom('since', text)));
      const until = optionally(places.until, (text) => need(timeFrom('until', text)));
      const cursor = optionally(places.cursor, (text) => need(cursorFrom(text)));
      const page = await context.api.notifications(principal, hub, {
        type: 'notifications',
        channel,
        unread: unread === 'true',
        forward: order === 'oldest',
        ...(since !== undefined && { sinceUnixMs: since }),
        ...(until !== undefined && { untilUnixMs: until }),
        ...(cursor !== undefined && { cursor }),
        ...(limit !== undefined && { limit }),
      });
      return reply.type(jsonAnswer).send(Buffer.from(notificationsToJson(need(page))) as never);
    },
  );
  for (const { kind, to, body, summary } of [
    { kind: 'notification', to: path, body: notificationBody, summary: 'Create a notification' },
    { kind: 'read', to: `${path}/read`, body: readingBody, summary: 'Mark notifications as read' },
  ] as const) {
    app.post(
      to,
      {
        schema: {
          summary,
          tags: ['notifications'],
          params: channelParams,
          querystring: patchQuery,
          body,
          response: { 200: publishAnswer },
        },
      },
      async (request) => {
        const { hub, channel } = request.params;
        const principal = need(await enter(context.api, hub, request.headers));
        const message = messageOf(channel, kind, request.headers, request.query, rawJson(request));
        const [result] = await context.api.publish(principal, hub, [need(message)]);
        return acceptedOf(need(result!));
      },
    );
  }
};

function messageOf(
  channel: string,
  kind: 'notification' | 'read',
  headers: IncomingHttpHeaders,
  query: { readonly level?: string; readonly degrade?: string },
  payload: Buffer,
): Result<PublishMessage, Failure> {
  const key = idempotencyKeyFrom(headers);
  if (!key.ok) return key;
  const content = encodeContent({ contentType: jsonType, payload });
  const checked = checkPublishContent(content, channel);
  if (!checked.ok) return checked;
  return ok({
    type: 'publish',
    channel,
    content,
    kind,
    ...(key.value !== undefined && { idempotencyKey: key.value }),
    ...(query.level !== undefined && { level: query.level as Level }),
    ...(query.degrade !== undefined && { degrade: query.degrade === 'true' }),
  });
}
