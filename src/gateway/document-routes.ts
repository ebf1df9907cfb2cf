/** Documents over HTTP: the document itself is the body, its version is the entity tag. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { toBase64Url, toHex } from '../base/bytes.js';
import { type Result, err, ok } from '../base/result.js';
import type { DocumentChange, DocumentChanges } from '../engine/api.js';
import { timeToJson } from '../protocol/entry-json.js';
import { jsonPatchType, jsonType } from '../protocol/content-type.js';
import { type Failure, failure } from '../protocol/errors.js';
import type { DocumentInfo } from '../protocol/messages.js';
import { enter } from './authenticate.js';
import type { GatewayContext } from './context.js';
import { jsonType as jsonAnswer } from './history-route.js';
import { publishMessage } from './publish-message.js';
import { acceptedOf } from './publish-route.js';
import { need, optionally, timeOrCursorFrom } from './request-values.js';
import {
  changesAnswer,
  changesQuery,
  channelParams,
  documentQuery,
  patchQuery,
  publishAnswer,
} from './schemas.js';

const path = '/v1/hubs/:hub/channels/:channel/document';

export const documentRoutes: FastifyPluginAsyncTypebox<{ context: GatewayContext }> = async (
  app,
  { context },
) => {
  app.get(
    path,
    {
      schema: {
        summary: 'A document, as it is or as it was',
        tags: ['documents'],
        params: channelParams,
        querystring: documentQuery,
      },
    },
    async (request, reply) => {
      const { hub, channel } = request.params;
      const principal = need(await enter(context.api, hub, request.headers));
      const at = optionally(request.query.at, (text) => need(timeOrCursorFrom('at', text)));
      const state = need(
        await context.api.document(principal, hub, {
          type: 'documentGet',
          channel,
          ...(typeof at === 'number' && { atUnixMs: at }),
          ...(at instanceof Uint8Array && { cursor: at }),
        }),
      );
      const tag = tagOf(state.info);
      void reply
        .header('etag', tag)
        .header('x-ringlog-version', String(state.info.version))
        .header('x-ringlog-voids', String(state.info.voids))
        .header('x-ringlog-cursor', toBase64Url(state.cursor));
      if (request.headers['if-none-match'] === tag) return reply.code(304).send();
      return reply.type(jsonType).send(Buffer.from(state.value) as never);
    },
  );
  app.get(
    `${path}/changes`,
    {
      schema: {
        summary: 'What changed a document, in its order, and what is void',
        tags: ['documents'],
        params: channelParams,
        querystring: changesQuery,
        response: { 200: changesAnswer },
      },
    },
    async (request, reply) => {
      const { hub, channel } = request.params;
      const { since, until, limit } = request.query;
      const principal = need(await enter(context.api, hub, request.headers));
      const from = optionally(since, (text) => need(timeOrCursorFrom('since', text)));
      const to = optionally(until, (text) => need(timeOrCursorFrom('until', text)));
      const changes = await context.api.documentChanges(principal, hub, channel, {
        ...(from !== undefined && { since: from }),
        ...(to !== undefined && { until: to }),
        ...(limit !== undefined && { limit }),
      });
      return reply.type(jsonAnswer).send(changesJson(need(changes)) as never);
    },
  );
};

export const patchRoute: FastifyPluginAsyncTypebox<{ context: GatewayContext }> = async (
  app,
  { context },
) => {
  app.removeAllContentTypeParsers();
  for (const type of [jsonPatchType, jsonType])
    app.addContentTypeParser(type, { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
  app.patch(
    path,
    {
      schema: {
        summary: 'Change a document; the body is a JSON patch (RFC 6902)',
        tags: ['documents'],
        consumes: [jsonPatchType],
        params: channelParams,
        querystring: patchQuery,
        response: { 200: publishAnswer },
      },
    },
    async (request) => {
      const { hub } = request.params;
      const principal = need(await enter(context.api, hub, request.headers));
      const version = need(versionIn(request.headers['if-match']));
      const content = {
        contentType: jsonPatchType,
        payload: (request.body ?? Buffer.alloc(0)) as Buffer,
        ...(version !== undefined && { headers: new Map([['if-version', version]]) }),
      };
      const message = need(publishMessage(request, content, 'patch'));
      const [result] = await context.api.publish(principal, hub, [message]);
      return acceptedOf(need(result!));
    },
  );
};

function tagOf({ version, hash }: DocumentInfo): string {
  return `"${version}-${toHex(hash.subarray(0, 8))}"`;
}

/** The version that an entity tag of ours names. */
function versionIn(ifMatch: string | undefined): Result<string | undefined, Failure> {
  if (ifMatch === undefined || ifMatch.trim() === '*') return ok(undefined);
  const match = /^\s*"(0|[1-9]\d{0,14})(?:-[0-9a-f]*)?"\s*$/.exec(ifMatch);
  return match
    ? ok(match[1])
    : err(failure('INVALID', { message: 'If-Match is one ETag as a document has it: "version-hash".' }));
}

/** As bytes: a text would be taken for a value and quoted. */
function changesJson({ changes, cursor, more }: DocumentChanges): Buffer {
  return Buffer.from(
    `{"changes":[${changes.map(changeJson).join(',')}],"cursor":"${toBase64Url(cursor)}","more":${more}}`,
  );
}

function changeJson({ id, timestamp, actor, version, patch, ifVersion, fault }: DocumentChange): string {
  const members = [`"id":"${id}"`, timeToJson(timestamp), `"version":${version}`];
  if (actor !== undefined) members.push(`"actor":${JSON.stringify(actor)}`);
  if (ifVersion !== undefined) members.push(`"ifVersion":${ifVersion}`);
  if (patch !== undefined) members.push(`"patch":${patch}`);
  if (fault) {
    const { code: reason, operation, message } = fault;
    members.push(`"void":${JSON.stringify({ reason, operation, message })}`);
  }
  return `{${members.join(',')}}`;
}
