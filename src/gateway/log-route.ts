/** Log queries of administrators: pages as JSON or NDJSON, and a live tail that goes on where the pages end. */
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { Static } from 'typebox';
import { toBase64Url } from '../base/bytes.js';
import type { LogPage, LogQuery } from '../engine/api.js';
import { failure } from '../protocol/errors.js';
import { gapToJson } from '../protocol/server-encoder.js';
import type { GatewayContext } from './context.js';
import { gatewayLimits } from './gateway-limits.js';
import { jsonType } from './history-route.js';
import { logEntryToJson } from './log-entry-json.js';
import { HttpFailure } from './problem.js';
import { cursorFrom, need, optionally, timeOrCursorFrom } from './request-values.js';
import { channelParams, entriesAnswer, logQuery } from './schemas.js';

const ndjsonType = 'application/x-ndjson; charset=utf-8';

type Query = Static<typeof logQuery>;

interface Asked {
  readonly hub: string;
  readonly channel: string;
  readonly query: LogQuery;
}

export const logRoute: FastifyPluginAsyncTypebox<{ context: GatewayContext }> = async (app, { context }) => {
  app.get(
    '/v1/admin/hubs/:hub/channels/:channel/log',
    {
      exposeHeadRoute: false,
      schema: {
        summary: 'Query the log of a channel',
        tags: ['admin'],
        params: channelParams,
        querystring: logQuery,
        response: { 200: entriesAnswer },
      },
    },
    async (request, reply) => {
      const { query } = request;
      const asked: Asked = { ...request.params, query: logQueryOf(query) };
      const follow = query.follow === 'true';
      if (follow && query.order === 'newest') {
        throw new HttpFailure(failure('INVALID', { message: 'A log is followed oldest first.' }));
      }
      const first = need(await context.api.queryLog(asked.hub, asked.channel, asked.query));
      if (wantsLines(query, request.headers.accept)) {
        if (!follow) return reply.type(ndjsonType).send(Buffer.from(linesOf(first)) as never);
        reply.hijack();
        const headers = reply.getHeaders() as Record<string, string>;
        reply.raw.writeHead(200, { ...headers, 'content-type': ndjsonType, 'x-accel-buffering': 'no' });
        await tail(context, asked, first, reply.raw);
        return reply;
      }
      const page =
        follow && isEmpty(first) ? await nextPage(context, asked, first, request.raw.socket) : first;
      return reply.type(jsonType).send(Buffer.from(pageJson(asked.channel, page)) as never);
    },
  );
};

function logQueryOf(query: Query): LogQuery {
  const { event, kind, actor, writer, order, limit } = query;
  let since = optionally(query.since, (text) => need(timeOrCursorFrom('since', text)));
  let until = optionally(query.until, (text) => need(timeOrCursorFrom('until', text)));
  const cursor = optionally(query.cursor, (text) => need(cursorFrom(text)));
  // A page's cursor stands for the end it was read towards.
  if (cursor !== undefined && order === 'newest') until = cursor;
  else if (cursor !== undefined) since = cursor;
  return {
    ...(since !== undefined && { since }),
    ...(until !== undefined && { until }),
    ...(event !== undefined && { event }),
    ...(kind !== undefined && { kind }),
    ...(actor !== undefined && { actor }),
    ...(writer !== undefined && { writer }),
    ...(order !== undefined && { order }),
    ...(limit !== undefined && { limit }),
  };
}

function wantsLines(query: Query, accept: string | undefined): boolean {
  if (query.format !== undefined) return query.format === 'ndjson';
  return accept !== undefined && /application\/(x-)?ndjson/i.test(accept);
}

const isEmpty = (page: LogPage) => page.entries.length === 0 && page.gaps.length === 0;

/** Waits for news once; the page may still be empty. */
async function nextPage(
  context: GatewayContext,
  asked: Asked,
  page: LogPage,
  connection: { readonly destroyed: boolean },
): Promise<LogPage> {
  let last = page;
  const until = context.clock.monotonicMs() + gatewayLimits.followWaitMs;
  while (isEmpty(last) && !connection.destroyed && !context.stopping.aborted) {
    const leftMs = until - context.clock.monotonicMs();
    if (leftMs <= 0) break;
    if (!last.more) await news(context, asked, last.cursor, leftMs);
    last = need(await context.api.queryLog(asked.hub, asked.channel, { ...asked.query, since: last.cursor }));
  }
  return last;
}

/** Writes pages until the reader goes or the node stops. An empty line now and then shows that the connection lives. */
async function tail(
  context: GatewayContext,
  asked: Asked,
  first: LogPage,
  out: ServerResponse,
): Promise<void> {
  let page = first;
  for (;;) {
    if (!out.write(isEmpty(page) ? '\n' : linesOf(page))) await drained(out);
    if (out.destroyed || context.stopping.aborted) break;
    if (!page.more) await news(context, asked, page.cursor, gatewayLimits.followWaitMs);
    if (out.destroyed || context.stopping.aborted) break;
    const next = await context.api.queryLog(asked.hub, asked.channel, { ...asked.query, since: page.cursor });
    if (!next.ok) {
      out.write(`${JSON.stringify({ error: next.error })}\n`);
      break;
    }
    page = next.value;
  }
  out.end();
}

/** The node's wait, cut short when it stops. */
async function news(
  context: GatewayContext,
  asked: Asked,
  cursor: Uint8Array,
  waitMs: number,
): Promise<void> {
  const { stopping } = context;
  const waiting = context.api.waitForMore(asked.hub, asked.channel, cursor, waitMs);
  if (stopping.aborted) return;
  let stop: () => void = () => {};
  const stopped = new Promise<void>((resolve) => {
    stop = () => resolve();
    stopping.addEventListener('abort', stop, { once: true });
  });
  await Promise.race([waiting, stopped]);
  stopping.removeEventListener('abort', stop);
}

async function drained(out: ServerResponse): Promise<void> {
  if (!out.destroyed) await Promise.race([once(out, 'drain'), once(out, 'close')]).catch(() => undefined);
}

function pageJson(channel: string, page: LogPage): string {
  const members = [
    `"channel":${JSON.stringify(channel)}`,
    `"entries":[${page.entries.map(({ entry, bytes }) => logEntryToJson(entry, bytes)).join(',')}]`,
    `"gaps":[${page.gaps.map(gapToJson).join(',')}]`,
    `"cursor":"${toBase64Url(page.cursor)}"`,
    `"more":${page.more}`,
  ];
  return `{${members.join(',')}}`;
}

/** An entry a line, `{"gap":…}` where something is missing, and last where to go on. */
function linesOf(page: LogPage): string {
  const lines = [
    ...page.gaps.map((gap) => `{"gap":${gapToJson(gap)}}`),
    ...page.entries.map(({ entry, bytes }) => logEntryToJson(entry, bytes)),
    `{"cursor":"${toBase64Url(page.cursor)}","more":${page.more}}`,
  ];
  return `${lines.join('\n')}\n`;
}
