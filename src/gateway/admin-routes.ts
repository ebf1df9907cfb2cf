/** What administrators may ask: hubs, channels with their sizes, logs, digests, status, the cluster. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { dotText } from '../base/ids.js';
import { unixMsOf } from '../log/timestamp.js';
import { failure } from '../protocol/errors.js';
import { authenticate } from './authenticate.js';
import { clusterRoutes } from './cluster-routes.js';
import type { GatewayContext } from './context.js';
import { gatewayLimits } from './gateway-limits.js';
import { logRoute } from './log-route.js';
import { hubRoutes } from './hub-routes.js';
import { trimRoute } from './trim-route.js';
import { usersRoutes } from './people-route.js';
import { HttpFailure } from './problem.js';
import { need } from './request-values.js';
import {
  channelParams,
  channelsAnswer,
  channelsQuery,
  digestAnswer,
  hubParams,
  statusAnswer,
} from './schemas.js';

export const adminRoutes: FastifyPluginAsyncTypebox<{ context: GatewayContext }> = async (
  app,
  { context },
) => {
  const { api } = context;
  app.addHook('onRequest', async (request) => {
    const principal = need(authenticate(api, request.headers));
    if (principal.admin) return;
    const message = 'This needs the token of an administrator.';
    throw new HttpFailure(failure(principal.authenticated ? 'DENIED' : 'UNAUTHENTICATED', { message }));
  });
  await app.register(logRoute, { context });
  await app.register(trimRoute, { context });
  await app.register(clusterRoutes, { context });
  await app.register(hubRoutes, { context });
  await app.register(usersRoutes, { context });
  app.get(
    '/v1/admin/hubs/:hub/channels',
    {
      schema: {
        summary: 'Channels of a hub with their sizes, by name',
        tags: ['admin'],
        params: hubParams,
        querystring: channelsQuery,
        response: { 200: channelsAnswer },
      },
    },
    async (request) => {
      const { after, limit = gatewayLimits.channelsPageDefault } = request.query;
      const page = need(
        await api.channels(request.params.hub, { limit, ...(after !== undefined && { after }) }),
      );
      const channels = page.map(({ ref, entries, bytes, lastTimestamp }) => ({
        channel: ref.channel as string,
        entries,
        bytes,
        lastTimestamp,
        lastTime: new Date(unixMsOf(lastTimestamp)).toISOString(),
      }));
      const last = channels.at(-1);
      return { channels, ...(last && channels.length === limit && { next: last.channel }) };
    },
  );
  app.get(
    '/v1/admin/hubs/:hub/channels/:channel/digest',
    {
      schema: {
        summary: 'Digest of all a channel holds: equal on two nodes means equal logs',
        tags: ['admin'],
        params: channelParams,
        response: { 200: digestAnswer },
      },
    },
    async (request) => {
      const digest = need(await api.digest(request.params.hub, request.params.channel));
      return { ...digest, floors: digest.floors.map(dotText), heads: digest.heads.map(dotText) };
    },
  );
  app.get(
    '/v1/admin/status',
    { schema: { summary: 'State of this node', tags: ['admin'], response: { 200: statusAnswer } } },
    async () => ({
      ...api.status(),
      connections: context.connections.open,
      connectionsRefused: context.connections.refused,
    }),
  );
};
