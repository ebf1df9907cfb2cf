/** Notifications over HTTP: listed, created, marked as read. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { jsonType } from '../protocol/content-type.js';
import { notificationsToJson } from '../protocol/server-encoder.js';
import { enter, enterAndCount } from './authenticate.js';
import type { GatewayContext } from './context.js';
import { jsonType as jsonAnswer } from './history-route.js';
import {
  notificationBody,
  notificationsAnswer,
  notificationsQuery,
  readingBody,
} from './notification-schemas.js';
import { publishMessage } from './publish-message.js';
import { acceptedOf } from './publish-route.js';
import { rawJson, takeJson } from './raw-json.js';
import { cursorFrom, need, optionally, timeFrom } from './request-values.js';
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
      const principal = need(await enterAndCount(context.api, hub, request.headers));
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
        const { hub } = request.params;
        const principal = need(await enter(context.api, hub, request.headers));
        const content = { contentType: jsonType, payload: rawJson(request) };
        const message = need(publishMessage(request, content, kind));
        const [result] = await context.api.publish(principal, hub, [message]);
        return acceptedOf(need(result!));
      },
    );
  }
};
