/** Bodies that are JSON, checked by a schema and passed on as they came: numbers must not go through `JSON.parse`. */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { limits } from '../base/limits.js';
import { isNestedWithin } from '../protocol/json-text.js';

const rawBodies = new WeakMap<FastifyRequest, Buffer>();

/** Takes JSON, and nothing else, in the routes of `app`. */
export function takeJson(
  app: Pick<FastifyInstance, 'removeAllContentTypeParsers' | 'addContentTypeParser'>,
): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (request, body, done) => {
    const bytes = body as Buffer;
    try {
      if (!isNestedWithin(limits.jsonDepthMax, bytes)) throw new SyntaxError('nested too deep');
      rawBodies.set(request, bytes);
      done(null, JSON.parse(bytes.toString()));
    } catch (error) {
      done(Object.assign(error as Error, { statusCode: 400 }));
    }
  });
}

/** Of a route with a body. */
export function rawJson(request: FastifyRequest): Buffer {
  return rawBodies.get(request)!;
}
