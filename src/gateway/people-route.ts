/** The people of a hub: what they ask of its directory, and what administrators do. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { FastifyRequest } from 'fastify';
import { type Static, Type } from 'typebox';
import { groupActions } from '../people/group-requests.js';
import { userActions } from '../people/requests.js';
import { authenticate, enterAndCount } from './authenticate.js';
import type { GatewayContext } from './context.js';
import { gatewayLimits } from './gateway-limits.js';
import { need } from './request-values.js';
import { channelParams, channelsQuery, hubParams } from './schemas.js';

const open = { additionalProperties: true } as const;
const actionParams = Type.Object({
  hub: Type.String({ description: 'Name of a hub' }),
  action: Type.Enum([...userActions]),
});
const groupParams = Type.Object({
  hub: Type.String({ description: 'Name of a hub' }),
  action: Type.Enum([...groupActions]),
});
const userParams = Type.Object({
  hub: Type.String({ description: 'Name of a hub' }),
  name: Type.String({ description: 'Of a user' }),
});
const request = Type.Object({}, { ...open, description: 'As docs/people.md says for each action' });
const answer = Type.Object({}, open);

export const peopleRoute: FastifyPluginAsyncTypebox<{ context: GatewayContext }> = async (
  app,
  { context: { api } },
) => {
  const asked = async (hub: string, action: string, { body, headers, raw }: FastifyRequest) => {
    const principal = need(await enterAndCount(api, hub, headers));
    return need(await api.people(principal, hub, action, body, raw.socket.remoteAddress ?? ''));
  };
  app.post(
    '/v1/hubs/:hub/users/:action',
    {
      schema: {
        summary: 'Register, log in, change or delete an account of the hub’s directory; list users',
        tags: ['people'],
        params: actionParams,
        body: request,
        response: { 200: answer },
      },
    },
    (asking) => asked(asking.params.hub, asking.params.action, asking),
  );
  app.post(
    '/v1/hubs/:hub/groups/:action',
    {
      schema: {
        summary: 'Make, join, leave or change a group of people; list groups and members',
        tags: ['people'],
        params: groupParams,
        body: request,
        response: { 200: answer },
      },
    },
    (asking) => asked(asking.params.hub, `groups/${asking.params.action}`, asking),
  );
  app.post(
    '/v1/hubs/:hub/receipts/mark',
    {
      schema: {
        summary: 'Say up to which entry of a user’s or a group’s channel one has received, or read',
        tags: ['people'],
        params: hubParams,
        body: request,
        response: { 200: answer },
      },
    },
    (asking) => asked(asking.params.hub, 'receipts/mark', asking),
  );
  app.get(
    '/v1/hubs/:hub/channels',
    {
      schema: {
        summary:
          'Names of channels that the rules list, and that the client may subscribe to; partial: fewer nodes answered than it takes to know of all',
        tags: ['channels'],
        params: hubParams,
        querystring: channelsQuery,
        response: { 200: answer },
      },
    },
    async ({
      params: { hub },
      headers,
      query: { after = '', limit = gatewayLimits.channelsPageDefault },
    }) => {
      const principal = need(await enterAndCount(api, hub, headers));
      return need(await api.people(principal, hub, 'channels/list', { after, limit }, ''));
    },
  );
};

const lossesAnswer = Type.Object({
  users: Type.Boolean({ description: 'Something of its people was missing' }),
  groups: Type.Boolean({ description: 'Something of its groups was missing' }),
});

const metadataAnswer = Type.Object({
  channel: Type.String(),
  metadata: Type.Optional(
    Type.Unknown({ description: 'What administrators say of it; absent where nothing is' }),
  ),
});

export const metadataRoute: FastifyPluginAsyncTypebox<{ context: GatewayContext }> = async (
  app,
  { context: { api } },
) => {
  app.get(
    '/v1/hubs/:hub/channels/:channel/metadata',
    {
      schema: {
        summary: 'What administrators say of a channel, for whoever may subscribe to it',
        tags: ['channels'],
        params: channelParams,
        response: { 200: metadataAnswer },
      },
    },
    async ({ params: { hub, channel }, headers }) => {
      const principal = need(await enterAndCount(api, hub, headers));
      const found = need(await api.people(principal, hub, 'channels/metadata', { channel }, ''));
      return found as Static<typeof metadataAnswer>;
    },
  );
};

/** For administrators: the check for that is where it is registered. */
export const usersRoutes: FastifyPluginAsyncTypebox<{ context: GatewayContext }> = async (
  app,
  { context: { api } },
) => {
  app.get(
    '/v1/admin/hubs/:hub/users',
    {
      schema: {
        summary: 'Accounts of a hub’s directory, by name',
        tags: ['admin'],
        params: hubParams,
        querystring: channelsQuery,
        response: { 200: answer },
      },
    },
    async ({
      params: { hub },
      headers,
      query: { after = '', limit = gatewayLimits.channelsPageDefault },
    }) => {
      const principal = need(await enterAndCount(api, hub, headers));
      return need(await api.people(principal, hub, 'list', { after, limit }, ''));
    },
  );
  app.post(
    '/v1/admin/hubs/:hub/losses/accept',
    {
      schema: {
        summary: 'Go on without entries of a hub’s people and groups that no node has any more',
        description:
          'Until then nobody is let in by the directory, or known to be in a group. What was lost counts as never written; users log in anew.',
        tags: ['admin'],
        params: hubParams,
        response: { 200: lossesAnswer },
      },
    },
    async ({ params: { hub }, headers }) => {
      const principal = need(authenticate(api, headers));
      need(await enterAndCount(api, hub, headers));
      return need(await api.people(principal, hub, 'losses/accept', {}, '')) as Static<typeof lossesAnswer>;
    },
  );
  app.delete(
    '/v1/admin/hubs/:hub/users/:name',
    {
      schema: {
        summary: 'Delete an account, and all that is known of the person',
        tags: ['admin'],
        params: userParams,
        response: { 200: answer },
      },
    },
    async ({ params: { hub, name }, headers }) => {
      const principal = need(authenticate(api, headers));
      need(await enterAndCount(api, hub, headers));
      return need(await api.people(principal, hub, 'delete', { name }, ''));
    },
  );
};
