/** Proof that all homes hold the same, for administrators: a part of the ring a request. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';
import type { ProofPage, ProofRefusal } from '../engine/api.js';
import { type Failure, failure } from '../protocol/errors.js';
import { among } from './among.js';
import type { GatewayContext } from './context.js';
import { HttpFailure } from './problem.js';

const verifyBody = Type.Object(
  {
    after: Type.Optional(
      Type.String({
        maxLength: 32,
        description: '`next` of the page before; left out: from the beginning of the ring',
      }),
    ),
    repair: Type.Optional(
      Type.Boolean({ description: 'What differs is brought together by its homes, and compared again' }),
    ),
  },
  { additionalProperties: false },
);
const node = Type.String({ description: 'Id of a node' });
const verifyAnswer = Type.Object({
  equal: Type.Boolean({
    description: 'Every home of this part of the ring was reached, and all hold the same on their disks',
  }),
  channels: Type.Integer({ description: 'Of this part, each counted once' }),
  entries: Type.Integer(),
  homes: Type.Array(
    Type.Object({
      node,
      state: Type.Enum(['equal', 'differs', 'unreachable', 'interrupted', 'late'], {
        description: 'interrupted: a link broke or the ring changed; late: it took too long. Ask again',
      }),
    }),
  ),
  differences: Type.Array(
    Type.Object({
      hub: Type.String(),
      channel: Type.String(),
      interval: Type.String({ description: 'Part of the ring that the channel lies in' }),
      kind: Type.Enum(['missing', 'entries', 'records', 'unreadable'], {
        description:
          'missing: the home `at` has nothing of the channel; entries: they hold different ones; records: the same entries are not the same bytes; unreadable: one of them cannot read all it holds',
      }),
      homes: Type.Array(node, { description: 'Those that were compared' }),
      at: Type.Optional(node),
    }),
  ),
  more: Type.Integer({ description: 'Differences that are not listed' }),
  repaired: Type.Integer({ description: 'Differences that there were, and are no more' }),
  done: Type.Number({ description: 'How much of the ring lies before the end of this part: 0 to 1' }),
  next: Type.Optional(
    Type.String({
      description: 'Ask with it as `after` for the next part; absent at the end of the ring',
    }),
  ),
});

export const verifyRoute: FastifyPluginAsyncTypebox<{ context: GatewayContext }> = async (
  app,
  { context: { api } },
) => {
  app.post(
    '/v1/admin/cluster/verify',
    {
      schema: {
        summary: 'Read a part of the ring from the disks of all its homes and prove that they are equal',
        tags: ['admin'],
        body: verifyBody,
        response: { 200: verifyAnswer },
      },
    },
    async (request) => {
      const page = await among(api.cluster).prove(request.body);
      if (!page.ok) throw new HttpFailure(refusals[page.error]);
      return answerOf(page.value);
    },
  );
};

function answerOf({ isEqual, homes, differences, ...page }: ProofPage) {
  return {
    ...page,
    equal: isEqual,
    homes: [...homes],
    differences: differences.map(({ ref, homes: compared, ...difference }) => ({
      ...difference,
      hub: ref.hub as string,
      channel: ref.channel as string,
      homes: [...compared] as string[],
    })),
  };
}

const mayPass = { retryAfterMs: 1_000 };
const refusals: Readonly<Record<ProofRefusal, Failure>> = {
  'bad-cursor': failure('INVALID', { message: '`after` is not what a page gave as `next`.' }),
  busy: failure('UNAVAILABLE', { message: 'Others verify already. Try again.', ...mayPass }),
  'not-serving': failure('UNAVAILABLE', { message: 'The node does not serve now. Try again.', ...mayPass }),
};
