/** Calling a method over plain HTTP: the body goes to the service as the payload, with its Content-Type, and what the service
 *  answers comes back in the same way. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';
import { limits } from '../base/limits.js';
import { type Result, err, ok } from '../base/result.js';
import { type Failure, failure } from '../protocol/errors.js';
import type { RpcMessage } from '../protocol/messages.js';
import { rpcOf } from '../protocol/rpc-requests.js';
import { enter } from './authenticate.js';
import type { GatewayContext } from './context.js';
import { contentTypeFrom, need } from './request-values.js';

const methodParams = Type.Object({
  hub: Type.String({ description: 'Name of a hub' }),
  method: Type.String({ description: 'Name of a method of one of its services, percent-encoded' }),
});

export const rpcRoute: FastifyPluginAsyncTypebox<{ context: GatewayContext }> = async (
  app,
  { context: { api } },
) => {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
  app.post(
    '/v1/hubs/:hub/rpc/:method',
    {
      schema: {
        summary: 'Call a method of a service; the body goes to it, and the answer is what it answers',
        tags: ['rpc'],
        consumes: ['*/*'],
        params: methodParams,
      },
    },
    async (request, reply) => {
      const { hub, method } = request.params;
      const principal = need(await enter(api, hub, request.headers));
      const payload = (request.body as Buffer | undefined) ?? Buffer.alloc(0);
      const message = need(messageOf(method, contentTypeFrom(request.headers) ?? '', payload));
      const call = api.call(principal, hub, message);
      // Answered, or gone: what is answered is not taken back.
      reply.raw.once('close', () => call.cancel());
      const answer = need(await call.answer);
      return (
        reply
          .type(answer.contentType ?? 'text/plain; charset=utf-8')
          // It comes from somebody else's program, and is no page of this node.
          .header('content-security-policy', 'sandbox')
          .send(Buffer.from(answer.payload) as never)
      );
    },
  );
};

function messageOf(method: string, type: string, payload: Uint8Array): Result<RpcMessage, Failure> {
  if (type.length > limits.contentTypeBytesMax)
    return err(
      failure('INVALID', { message: `Content-Type has more than ${limits.contentTypeBytesMax} bytes.` }),
    );
  const message = rpcOf(method, { type, payload });
  return 'outcome' in message ? err(message) : ok(message);
}
