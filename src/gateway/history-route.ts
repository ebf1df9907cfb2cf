/** History of a channel, and tickets for clients that cannot send headers. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { toBase64Url } from '../base/bytes.js';
import { parseHubName } from '../base/ids.js';
import { limits } from '../base/limits.js';
import type { HistoryPage } from '../engine/api.js';
import { failure } from '../protocol/errors.js';
import { entriesToJson, gapToJson } from '../protocol/server-encoder.js';
import { enterAndCount } from './authenticate.js';
import type { GatewayContext } from './context.js';
import { HttpFailure } from './problem.js';
import { cursorFrom, idFrom, need, optionally, timeFrom } from './request-values.js';
import { channelParams, entriesAnswer, historyQuery, hubParams, ticketAnswer } from './schemas.js';

export const jsonType = 'application/json; charset=utf-8';

export const historyRoute: FastifyPluginAsyncTypebox<{ context: GatewayContext }> = async (
  app,
  { context },
) => {
  app.get(
    '/v1/hubs/:hub/channels/:channel/history',
    {
      schema: {
        summary: 'Read what a channel has',
        tags: ['messages'],
        params: channelParams,
        querystring: historyQuery,
        response: { 200: entriesAnswer },
      },
    },
    async (request, reply) => {
      const { hub, channel } = request.params;
      const { cursor, since, until, limit, order, including } = request.query;
      const principal = need(await enterAndCount(context.api, request.params.hub, request.headers));
      const from = optionally(cursor, (text) => need(cursorFrom(text)));
      const sinceUnixMs = optionally(since, (text) => need(timeFrom('since', text)));
      const untilUnixMs = optionally(until, (text) => need(timeFrom('until', text)));
      const dot = optionally(including, (text) => need(idFrom('including', text)));
      const page = await context.api.history(principal, hub, {
        type: 'history',
        channel,
        backward: order === 'newest',
        ...(from !== undefined && { cursor: from }),
        ...(sinceUnixMs !== undefined && { sinceUnixMs }),
        ...(untilUnixMs !== undefined && { untilUnixMs }),
        ...(limit !== undefined && { limit }),
        ...(dot !== undefined && { including: dot }),
      });
      return reply.type(jsonType).send(historyJson(need(page)) as never);
    },
  );
  app.post(
    '/v1/hubs/:hub/tickets',
    {
      schema: {
        summary: 'A one-use ticket for a WebSocket or SSE connection, good for 30 seconds at every node',
        tags: ['sessions'],
        params: hubParams,
        response: { 201: ticketAnswer },
      },
    },
    async (request, reply) => {
      const hub = parseHubName(request.params.hub);
      if (!hub.ok) throw new HttpFailure(failure('BAD_NAME', { message: hub.error }));
      const principal = need(await enterAndCount(context.api, request.params.hub, request.headers));
      if (!principal.authenticated) throw new HttpFailure(failure('UNAUTHENTICATED'));
      const ticket = need(await context.api.ticket(principal, hub.value, request.headers.origin));
      return reply.code(201).send({ ticket, expiresInMs: limits.ticketMs });
    },
  );
};

/** As bytes: a text would be taken for a value and quoted. */
function historyJson(page: HistoryPage): Buffer {
  const members = [
    `"channel":${JSON.stringify(page.channel)}`,
    `"entries":[${page.deliveries.flatMap(entriesToJson).join(',')}]`,
    `"gaps":[${page.gaps.map(gapToJson).join(',')}]`,
    `"cursor":"${toBase64Url(page.cursor)}"`,
    `"more":${page.more}`,
  ];
  return Buffer.from(`{${members.join(',')}}`);
}
