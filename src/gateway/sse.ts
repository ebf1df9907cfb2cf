/** `GET /v1/hubs/{hub}/sse`: channels as an event stream that a plain EventSource can read and resume. */
import type { IncomingHttpHeaders } from 'node:http';
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { Static } from 'typebox';
import { toBase64Url, utf8 } from '../base/bytes.js';
import { parseChannelName, parseHubName } from '../base/ids.js';
import { limits } from '../base/limits.js';
import { type Result, err, ok } from '../base/result.js';
import type { Principal } from '../engine/api.js';
import { type Failure, failure } from '../protocol/errors.js';
import { enter } from './authenticate.js';
import type { GatewayContext } from './context.js';
import { HttpFailure } from './problem.js';
import { need, timeFrom } from './request-values.js';
import { hubParams, sseQuery } from './schemas.js';
import { type CursorMap, decodeEventId } from './sse-cursor.js';
import { SseSession } from './sse-session.js';

type Query = Static<typeof sseQuery>;

export const sseRoute: FastifyPluginAsyncTypebox<{ context: GatewayContext }> = async (app, { context }) => {
  const open = new Set<SseSession>();
  app.addHook('preClose', async () => {
    for (const session of open) session.close();
  });
  app.get(
    '/v1/hubs/:hub/sse',
    {
      exposeHeadRoute: false,
      schema: {
        summary: 'Subscribe to channels as an event stream',
        tags: ['sessions'],
        params: hubParams,
        querystring: sseQuery,
      },
    },
    async (request, reply) => {
      const { query, headers } = request;
      const hub = parseHubName(request.params.hub);
      if (!hub.ok) throw new HttpFailure(failure('BAD_NAME', { message: hub.error }));
      const channels = need(channelsOf(query.channels));
      const cursors = need(cursorsOf(channels, query, headers));
      const fresh = need(freshStart(query));
      const principal = need(await principalOf(context, hub.value, query, headers));
      const session = new SseSession(reply.raw, channels, cursors);
      const { remoteAddress } = request.raw.socket;
      const handle = need(
        context.api.openSession({
          hub: hub.value,
          encoding: 'json',
          principal,
          sink: session,
          ...(remoteAddress !== undefined && { remote: remoteAddress }),
        }),
      );
      reply.hijack();
      open.add(session);
      reply.raw.once('close', () => open.delete(session));
      session.start(handle, reply.getHeaders() as Record<string, string>);
      handle.receive(subscribeFrame(channels, cursors, fresh));
      return reply;
    },
  );
};

function channelsOf(text: string): Result<readonly string[], Failure> {
  const channels = text.split(',');
  if (channels.length > limits.sseChannelsMax) {
    const message = `A stream has at most ${limits.sseChannelsMax} channels. Open another one for the rest.`;
    return err(failure('TOO_MANY', { message }));
  }
  for (const channel of channels) {
    const name = parseChannelName(channel);
    if (!name.ok) return err(failure('BAD_NAME', { channel, message: name.error }));
  }
  return new Set(channels).size === channels.length
    ? ok(channels)
    : err(failure('INVALID', { message: 'A channel is named twice.' }));
}

function cursorsOf(
  channels: readonly string[],
  query: Query,
  headers: IncomingHttpHeaders,
): Result<CursorMap, Failure> {
  // The header is newer: an EventSource adds it when it opens the same address again.
  const header = headers['last-event-id'];
  const id = (typeof header === 'string' && header !== '' ? header : undefined) ?? query.lastEventId;
  return id === undefined ? ok(new Map()) : decodeEventId(channels, id);
}

type FreshStart = { last: number } | { since: number } | { beginning: true } | Record<string, never>;

/** Where channels start that are not resumed. */
function freshStart(query: Query): Result<FreshStart, Failure> {
  const given = [query.last, query.since, query.from].filter((value) => value !== undefined);
  if (given.length > 1) {
    return err(failure('INVALID', { message: 'Give one of "last", "since" and "from".' }));
  }
  if (query.last !== undefined) return ok({ last: query.last });
  if (query.from === 'beginning') return ok({ beginning: true });
  if (query.since === undefined) return ok({});
  const since = timeFrom('since', query.since);
  return since.ok ? ok({ since: since.value }) : since;
}

async function principalOf(
  context: GatewayContext,
  hub: string,
  query: Query,
  headers: IncomingHttpHeaders,
): Promise<Result<Principal, Failure>> {
  const principal =
    query.ticket === undefined
      ? await enter(context.api, hub, headers)
      : await context.api.redeem(hub, query.ticket, headers.origin);
  if (!principal.ok) return principal;
  // A stream has no frame to authenticate with later.
  return principal.value.authenticated || context.anonymousAllowed
    ? principal
    : err(failure('UNAUTHENTICATED'));
}

function subscribeFrame(channels: readonly string[], cursors: CursorMap, fresh: FreshStart): Uint8Array {
  const wanted = channels.map((channel) => {
    const cursor = cursors.get(channel);
    return { channel, ...(cursor ? { cursor: toBase64Url(cursor) } : fresh) };
  });
  return utf8(JSON.stringify({ requestId: 1, subscribe: { channels: wanted } }));
}
