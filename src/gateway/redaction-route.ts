/** Redaction of one message, for administrators and for whoever may delete the channel. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';
import { dotText } from '../base/ids.js';
import { enterAndCount } from './authenticate.js';
import type { GatewayContext } from './context.js';
import { idFrom, need } from './request-values.js';
import { channelParams } from './schemas.js';

const messageParams = Type.Object({
  ...channelParams.properties,
  id: Type.String({ description: 'Of the message, as its ack and its delivery have it' }),
});

const redactedAnswer = Type.Object({
  redacted: Type.Boolean(),
  id: Type.String({ description: 'Of the entry that says so' }),
});

export const redactionRoute: FastifyPluginAsyncTypebox<{ context: GatewayContext }> = async (
  app,
  { context: { api } },
) => {
  app.delete(
    '/v1/hubs/:hub/channels/:channel/messages/:id',
    {
      schema: {
        summary: 'Redact a message: its content is removed everywhere, its place in the log stays',
        tags: ['messages'],
        params: messageParams,
        response: { 200: redactedAnswer },
      },
    },
    async ({ params: { hub, channel, id }, headers }) => {
      const of = need(idFrom('id', id));
      const principal = need(await enterAndCount(api, hub, headers));
      const { dot } = need(await api.redact(principal, hub, channel, of));
      return { redacted: true, id: dot ? dotText(dot) : '' };
    },
  );
};
