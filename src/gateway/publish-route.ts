/** Publishing and history over plain HTTP.
 *
 *  One message: the body is the payload as it is, its Content-Type goes with it, and everything else is in headers and
 *  query, so that any program that can post a file can publish. Many: JSON with the messages of the WebSocket form. */
import type { IncomingHttpHeaders } from 'node:http';
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { fromBase64, utf8 } from '../base/bytes.js';
import { dotText } from '../base/ids.js';
import { type Result, err, ok } from '../base/result.js';
import type { NodeApi, PublishAccepted } from '../engine/api.js';
import type { Content, Extras } from '../log/entry.js';
import { unixMsOf } from '../log/timestamp.js';
import { decodeClientFrame } from '../protocol/client-decoder.js';
import type { Failure } from '../protocol/errors.js';
import { JsonSource } from '../protocol/json-text.js';
import type { PublishMessage } from '../protocol/messages.js';
import { enter } from './authenticate.js';
import type { GatewayContext } from './context.js';
import { publishMessage } from './publish-message.js';
import { rawJson, takeJson } from './raw-json.js';
import { contentTypeFrom, need, optionally, textHeader } from './request-values.js';
import { batchAnswer, batchBody, channelParams, hubParams, publishAnswer, publishQuery } from './schemas.js';

const entryHeaderPrefix = 'x-ringlog-header-';

export const publishRoute: FastifyPluginAsyncTypebox<{ context: GatewayContext }> = async (
  app,
  { context },
) => {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
  app.post(
    '/v1/hubs/:hub/channels/:channel/publish',
    {
      schema: {
        summary: 'Publish one message; the body is its payload',
        tags: ['messages'],
        consumes: ['*/*'],
        params: channelParams,
        querystring: publishQuery,
        response: { 200: publishAnswer },
      },
    },
    async (request) => {
      const { hub } = request.params;
      const principal = need(await enter(context.api, hub, request.headers));
      const payload = (request.body as Buffer | undefined) ?? Buffer.alloc(0);
      const content = contentOf(request.headers, request.query, payload);
      const [result] = await context.api.publish(principal, hub, [need(publishMessage(request, content))]);
      return acceptedOf(need(result!));
    },
  );
};

export const batchRoute: FastifyPluginAsyncTypebox<{ context: GatewayContext }> = async (
  app,
  { context },
) => {
  takeJson(app);
  app.post(
    '/v1/hubs/:hub/publish',
    {
      schema: {
        summary: 'Publish messages; one result each, in order',
        tags: ['messages'],
        params: hubParams,
        body: batchBody,
        response: { 200: batchAnswer },
      },
    },
    async (request) => {
      const principal = need(await enter(context.api, request.params.hub, request.headers));
      const messages = batchOf(rawJson(request), request.body.messages.length);
      const results = await publishAll(messages, (valid) =>
        context.api.publish(principal, request.params.hub, valid),
      );
      return { results: results.map(resultOf) };
    },
  );
};

type Publish = (messages: readonly PublishMessage[]) => ReturnType<NodeApi['publish']>;

/** Publishes what is valid and keeps everybody's place. */
async function publishAll(
  messages: readonly Result<PublishMessage, Failure>[],
  publish: Publish,
): Promise<Result<PublishAccepted, Failure>[]> {
  const valid = messages.flatMap((message) => (message.ok ? [message.value] : []));
  const published = valid.length > 0 ? await publish(valid) : [];
  let next = 0;
  return messages.map((message) => (message.ok ? published[next++]! : err(message.error)));
}

function contentOf(
  headers: IncomingHttpHeaders,
  query: { readonly [name: string]: string | undefined },
  payload: Buffer,
): Content {
  const event = query['event'] ?? textHeader(headers['x-ringlog-event']);
  const type = contentTypeFrom(headers);
  const signature = optionally(textHeader(headers['x-ringlog-signature']), fromBase64);
  const own = Object.keys(headers).filter((name) => name.startsWith(entryHeaderPrefix));
  const extras: Extras = {
    ...(query['store'] !== undefined && { store: query['store'] === 'true' }),
    ...(query['retain'] !== undefined && { retain: query['retain'] === 'true' }),
    ...(query['push'] !== undefined && { push: query['push'] === 'true' }),
  };
  return {
    payload,
    ...(event !== undefined && { event }),
    ...(type !== undefined && { contentType: type }),
    ...(own.length > 0 && {
      headers: new Map(
        own.map((name) => [name.slice(entryHeaderPrefix.length), textHeader(headers[name]) ?? '']),
      ),
    }),
    ...(Object.keys(extras).length > 0 && { extras }),
    ...(signature !== undefined && { signature }),
  };
}

/** The messages of a batch as the WebSocket form has them, so that one decoder checks both. */
function batchOf(body: Buffer, count: number): Result<PublishMessage, Failure>[] {
  if (count === 0) return [];
  const messages = new JsonSource(body.toString()).member('messages');
  const texts = Array.from({ length: count }, (_, i) => `{"publish":${messages.element(i).text}}`);
  const envelopes = need(decodeClientFrame('json', utf8(`[${texts.join(',')}]`)));
  return envelopes.map((envelope) =>
    'error' in envelope ? err(envelope.error) : ok(envelope.message as PublishMessage),
  );
}

export function acceptedOf({ dot, timestamp, level, copies, duplicate, version }: PublishAccepted) {
  return {
    ...(dot && { id: dotText(dot) }),
    timestamp,
    time: new Date(unixMsOf(timestamp)).toISOString(),
    level,
    copies,
    ...(duplicate && { duplicate }),
    ...(version !== undefined && { version }),
  };
}

function resultOf(result: Result<PublishAccepted, Failure>) {
  return result.ok ? acceptedOf(result.value) : { error: result.error };
}
