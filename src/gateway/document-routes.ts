/** Documents over HTTP: the document itself is the body, its version is the entity tag. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { toBase64Url, toHex } from '../base/bytes.js';
import { type Result, err, ok } from '../base/result.js';
import type { DocumentChange, DocumentChanges, Principal } from '../engine/api.js';
import { timeToJson } from '../protocol/entry-json.js';
import { jsonPatchType, jsonType } from '../protocol/content-type.js';
import { type Failure, failure } from '../protocol/errors.js';
import type { DocumentInfo, DocumentState } from '../protocol/messages.js';
import { enter, enterAndCount } from './authenticate.js';
import type { GatewayContext } from './context.js';
import { hasTag, tagCondition } from './entity-tags.js';
import { jsonType as jsonAnswer } from './history-route.js';
import { publishMessage } from './publish-message.js';
import { acceptedOf } from './publish-route.js';
import { need, optionally, timeOrCursorFrom } from './request-values.js';
import {
  changesAnswer,
  changesQuery,
  channelParams,
  documentAnswers,
  documentQuery,
  patchHeaders,
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
        response: documentAnswers,
      },
    },
    async (request, reply) => {
      const { hub, channel } = request.params;
      const principal = need(await enterAndCount(context.api, hub, request.headers));
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
      const known = optionally(request.headers['if-none-match'], tagCondition);
      if (hasTag(known, tag)) return reply.code(304).send(undefined as never);
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
      const principal = need(await enterAndCount(context.api, hub, request.headers));
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
        headers: patchHeaders,
        querystring: patchQuery,
        response: { 200: publishAnswer },
      },
    },
    async (request) => {
      const { hub, channel } = request.params;
      const principal = need(await enter(context.api, hub, request.headers));
      const condition = need(ownTags(request.headers['if-match'], channel));
      // One of several: that which the document has now. The node that orders the channel looks at that again.
      const wanted =
        condition && condition.length > 1
          ? need(matching(condition, need(await stateOf(context.api, principal, hub, channel))))
          : condition?.[0];
      const content = {
        contentType: jsonPatchType,
        payload: (request.body ?? Buffer.alloc(0)) as Buffer,
        ...(wanted && { headers: headersOf(wanted) }),
      };
      const message = need(publishMessage(request, content, 'patch'));
      const [result] = await context.api.publish(principal, hub, [message]);
      return acceptedOf(need(result!));
    },
  );
};

function tagOf({ version, hash }: DocumentInfo): string {
  return `"${version}-${toHex(hash.subarray(0, hashBytes))}"`;
}

const hashBytes = 8;
const ownTag = /^(0|[1-9]\d{0,14})(?:-([0-9a-f]{16}))?$/;

/** An entity tag of ours, as `tagOf` makes it; one without a hash goes for any document of that version. */
interface OwnTag {
  readonly version: string;
  readonly hash: string | undefined;
}

/** Those that a document may have; `undefined` where any will do. Weak ones match nothing here (RFC 9110, 13.1.1). */
function ownTags(
  ifMatch: string | undefined,
  channel: string,
): Result<readonly OwnTag[] | undefined, Failure> {
  if (ifMatch === undefined) return ok(undefined);
  const condition = tagCondition(ifMatch);
  if (!condition)
    return err(
      failure('INVALID', {
        channel,
        message: 'If-Match is "*", or ETags as documents have them: "version-hash".',
      }),
    );
  // There is a document in every such channel.
  if (condition === '*') return ok(undefined);
  const own = condition.flatMap(({ isWeak, value }): OwnTag[] => {
    const match = isWeak ? null : ownTag.exec(value);
    return match ? [{ version: match[1]!, hash: match[2] }] : [];
  });
  return own.length > 0 ? ok(own) : err(failure('VERSION_MISMATCH', { channel }));
}

function matching(tags: readonly OwnTag[], { channel, info }: DocumentState): Result<OwnTag, Failure> {
  const hash = toHex(info.hash.subarray(0, hashBytes));
  const found = tags.find(
    (tag) => Number(tag.version) === info.version && (tag.hash === undefined || tag.hash === hash),
  );
  return found ? ok(found) : err(failure('VERSION_MISMATCH', { channel }));
}

function stateOf(
  api: GatewayContext['api'],
  principal: Principal,
  hub: string,
  channel: string,
): Promise<Result<DocumentState, Failure>> {
  return api.document(principal, hub, { type: 'documentGet', channel });
}

function headersOf({ version, hash }: OwnTag): ReadonlyMap<string, string> {
  return new Map([['if-version', version], ...(hash === undefined ? [] : ([['if-hash', hash]] as const))]);
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
