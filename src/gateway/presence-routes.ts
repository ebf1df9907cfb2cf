/** Who is in a channel, and how many, for administrators and whoever else may subscribe to it. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';
import { limits } from '../base/limits.js';
import { memberToJson } from '../protocol/presence-encoder.js';
import { enterAndCount } from './authenticate.js';
import type { GatewayContext } from './context.js';
import { jsonType } from './history-route.js';
import { need } from './request-values.js';
import { channelParams } from './schemas.js';

const query = Type.Object(
  {
    after: Type.Optional(Type.String({ description: 'A session: those behind it', maxLength: 64 })),
    limit: Type.Optional(
      Type.Integer({
        description: 'Members at most',
        minimum: 1,
        maximum: limits.presencePageMax,
        default: limits.presencePageMax,
      }),
    ),
  },
  { additionalProperties: false },
);
const presenceAnswer = Type.Object({
  count: Type.Integer({ description: 'All that are present' }),
  members: Type.Array(
    Type.Object({
      session: Type.String(),
      user: Type.Optional(Type.String({ description: 'Who it authenticated as' })),
      since: Type.Integer({ description: 'Unix milliseconds' }),
      metadata: Type.Optional(Type.Unknown({ description: 'What it says of itself' })),
    }),
    { description: 'In the order of sessions' },
  ),
  next: Type.Optional(Type.String({ description: 'There are more: ask with it as `after`' })),
});
const occupancyAnswer = Type.Object({ count: Type.Integer({ description: 'All that are present' }) });
const tags = ['presence'];

export const presenceRoutes: FastifyPluginAsyncTypebox<{ context: GatewayContext }> = async (
  app,
  { context: { api } },
) => {
  app.get(
    '/v1/hubs/:hub/channels/:channel/presence',
    {
      schema: {
        summary: 'Who is in a channel',
        tags,
        params: channelParams,
        querystring: query,
        response: { 200: presenceAnswer },
      },
    },
    async (request, reply) => {
      const { hub, channel } = request.params;
      const principal = need(await enterAndCount(api, hub, request.headers));
      const { members, count, more } = need(await api.presence(principal, hub, channel, request.query));
      const next = more ? members.at(-1)?.session : undefined;
      // What members say of themselves is JSON already.
      const list = members.map(memberToJson).join(',');
      const about = JSON.stringify({ count, next });
      return reply.type(jsonType).send(`${about.slice(0, -1)},"members":[${list}]}` as never);
    },
  );
  app.get(
    '/v1/hubs/:hub/channels/:channel/occupancy',
    {
      schema: {
        summary: 'How many are in a channel',
        tags,
        params: channelParams,
        response: { 200: occupancyAnswer },
      },
    },
    async (request) => {
      const { hub, channel } = request.params;
      const principal = need(await enterAndCount(api, hub, request.headers));
      return { count: need(await api.occupancy(principal, hub, channel)) };
    },
  );
};
