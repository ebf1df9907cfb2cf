/** The cluster for administrators: its ring and members, and changes of them. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';
import type { NodeId } from '../base/ids.js';
import type { ClusterApi } from '../engine/api.js';
import { type Failure, failure } from '../protocol/errors.js';
import type { GatewayContext } from './context.js';
import { among } from './among.js';
import { HttpFailure } from './problem.js';
import { verifyRoute } from './verify-route.js';

const nodeId = Type.String({ pattern: '^[0-9a-f]{32}$', description: 'Id of a node' });
const changeBody = Type.Union([
  Type.Object(
    {
      kind: Type.Enum(['drain', 'remove'], {
        description: 'drain: what it holds goes to others first; remove: of one that does not come back',
      }),
      node: nodeId,
    },
    { additionalProperties: false },
  ),
  Type.Object(
    {
      kind: Type.Enum(['replicas']),
      replicas: Type.Union([Type.Integer({ minimum: 1, maximum: 9 }), Type.Enum(['all'])]),
    },
    { additionalProperties: false },
  ),
  Type.Object({ kind: Type.Enum(['abandon']) }, { additionalProperties: false }),
]);
const changeAnswer = Type.Object({
  version: Type.Integer({ description: 'Of the ring the change begins with' }),
});
const joinBody = Type.Object(
  { address: Type.String({ description: 'Peer address of any node of the ring', maxLength: 128 }) },
  { additionalProperties: false },
);
const clusterAnswer = Type.Object(
  { alone: Type.Boolean({ description: 'No other node was found, and the node goes by no ring' }) },
  { additionalProperties: true },
);

type Intent = Parameters<ClusterApi['change']>[0];
type Refusal = Extract<Awaited<ReturnType<ClusterApi['join']>>, { ok: false }>['error'];

export const clusterRoutes: FastifyPluginAsyncTypebox<{ context: GatewayContext }> = async (
  app,
  { context },
) => {
  const { api } = context;
  await app.register(verifyRoute, { context });
  app.get(
    '/v1/admin/cluster',
    {
      schema: {
        summary: 'The ring, its members and what this node sees of them',
        tags: ['admin'],
        response: { 200: clusterAnswer },
      },
    },
    async () => {
      const { nodeId: node, cluster: seen } = api.status();
      const ring = api.cluster?.ring();
      return ring ? { alone: false, node, ring, seen } : { alone: true, node };
    },
  );
  app.post(
    '/v1/admin/cluster/changes',
    {
      schema: {
        summary:
          'Begin a change of the ring; the answer comes once it is decided, the ring tells how far it is',
        tags: ['admin'],
        body: changeBody,
        response: { 200: changeAnswer },
      },
    },
    async (request) => ({ version: versionOf(await among(api.cluster).change(intentOf(request.body))) }),
  );
  app.post(
    '/v1/admin/cluster/join',
    {
      schema: {
        summary: 'Make this node, alone and empty, a member of the ring of another',
        tags: ['admin'],
        body: joinBody,
        response: { 200: changeAnswer },
      },
    },
    async (request) => ({ version: versionOf(await among(api.cluster).join(request.body.address)) }),
  );
};

function intentOf(
  body:
    | { readonly kind: 'drain' | 'remove'; readonly node: string }
    | { readonly kind: 'replicas'; readonly replicas: number | 'all' }
    | { readonly kind: 'abandon' },
): Intent {
  if (body.kind === 'abandon') return { kind: 'abandon' };
  if (body.kind === 'replicas') return { kind: 'replicas', replicas: body.replicas } as Intent;
  const node = body.node as NodeId;
  return body.kind === 'drain' ? { kind: 'drain', nodes: [node] } : { kind: 'remove', node };
}

function versionOf(
  outcome: { readonly ok: true; readonly value: number } | { readonly ok: false; readonly error: Refusal },
): number {
  if (outcome.ok) return outcome.value;
  throw new HttpFailure(failureOf(outcome.error));
}

function failureOf(refusal: Refusal): Failure {
  const message = `${sentences[refusal]} (${refusal})`;
  if (refusal === 'undecided') return failure('INDETERMINATE', { message });
  const mayPass = refusal === 'no-voter' || refusal === 'overloaded' || refusal === 'change-under-way';
  return mayPass ? failure('UNAVAILABLE', { message, retryAfterMs: 1_000 }) : failure('INVALID', { message });
}

const sentences: Readonly<Record<Refusal, string>> = {
  'no-voter':
    'No node that decides about the ring could be reached. Try again when a majority of the nodes is there.',
  overloaded: 'Too many changes are asked for at once. Try again.',
  undecided: 'No majority of the nodes answered in time; the change may come about. Look at the ring.',
  'change-under-way': 'Another change of the ring is under way. Try again when it is done.',
  'not-core': 'The node holds no data, so it is no member of the ring.',
  'already-member': 'The node is a member already.',
  'not-a-member': 'The node is no member of the ring.',
  'nothing-to-do': 'The ring is so already.',
  'last-member': 'The last member cannot go: nobody would be left.',
  'too-many-members': 'The ring has as many members as it may.',
  'no-change': 'No change is under way.',
  'wrong-phase': 'The change has gone too far for that.',
  'not-ready': 'Too few nodes hold everything yet. Try again later.',
  'not-alone': 'This node is in a ring with others: drain them, or it, first.',
  'has-entries':
    'This node holds entries of its own, which would be put before what others committed. Start it with an empty --data.',
};
