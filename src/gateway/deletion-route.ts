/** Deletion of a channel, for administrators and for whoever was granted it. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';
import { dotText } from '../base/ids.js';
import { enterAndCount } from './authenticate.js';
import type { GatewayContext } from './context.js';
import { need } from './request-values.js';
import { channelParams } from './schemas.js';

const deletedAnswer = Type.Object({
  deleted: Type.Boolean(),
  id: Type.Optional(Type.String({ description: 'Of the entry that ends the generation' })),
});

export const deletionRoute: FastifyPluginAsyncTypebox<{ context: GatewayContext }> = async (
  app,
  { context: { api } },
) => {
  app.delete(
    '/v1/hubs/:hub/channels/:channel',
    {
      schema: {
        summary: 'Delete a channel with all it holds; what is written later is a new one',
        tags: ['messages'],
        params: channelParams,
        response: { 200: deletedAnswer },
      },
    },
    async ({ params: { hub, channel }, headers }) => {
      const principal = need(await enterAndCount(api, hub, headers));
      const { dot } = need(await api.deleteChannel(principal, hub, channel));
      return { deleted: true, ...(dot ? { id: dotText(dot) } : {}) };
    },
  );
};
