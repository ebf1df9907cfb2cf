/** A trim that an administrator forces: the way out of a full disk. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { type Static, Type } from 'typebox';
import { dotText } from '../base/ids.js';
import type { Keep } from '../log/retention.js';
import { timestampFromUnixMs } from '../log/timestamp.js';
import { failure } from '../protocol/errors.js';
import { authenticate } from './authenticate.js';
import type { GatewayContext } from './context.js';
import { HttpFailure } from './problem.js';
import { need, timeFrom } from './request-values.js';
import { channelParams } from './schemas.js';

const count = (description: string) =>
  Type.Optional(Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER, description }));
const keepBody = Type.Object({
  entries: count('That many of the newest entries'),
  bytes: count('About that many bytes'),
  since: Type.Optional(Type.String({ description: 'What is not older: ISO time or Unix milliseconds' })),
});
const trimBody = Type.Object({
  force: Type.Literal(true, {
    description: 'What goes may be needed: by readers who have not read it, and by homes that are away',
  }),
  keep: keepBody,
});
const trimAnswer = Type.Object({
  trimmed: Type.Boolean({ description: 'False: nothing had to go' }),
  id: Type.Optional(Type.String({ description: 'Of the entry that removes' })),
});

export const trimRoute: FastifyPluginAsyncTypebox<{ context: GatewayContext }> = async (
  app,
  { context: { api } },
) => {
  app.post(
    '/v1/admin/hubs/:hub/channels/:channel/trim',
    {
      schema: {
        summary: 'Remove all but what is to be kept, whether it was read or not; also on a full disk',
        tags: ['admin'],
        params: channelParams,
        body: trimBody,
        response: { 200: trimAnswer },
      },
    },
    async ({ params: { hub, channel }, body, headers }) => {
      const { actor } = need(authenticate(api, headers));
      const { dot } = need(await api.trimChannel(hub, channel, keepOf(body.keep), actor));
      return { trimmed: dot !== undefined, ...(dot ? { id: dotText(dot) } : {}) };
    },
  );
};

function keepOf({ entries, bytes, since }: Static<typeof keepBody>): Keep {
  const given: Keep[] = [];
  if (entries !== undefined) given.push({ entries });
  if (bytes !== undefined) given.push({ bytes });
  if (since !== undefined) given.push({ since: timestampFromUnixMs(need(timeFrom('since', since))) });
  const [keep] = given;
  if (keep && given.length === 1) return keep;
  const message = 'Say what is to be kept, in one way: "entries", "bytes" or "since".';
  throw new HttpFailure(failure('INVALID', { message }));
}
