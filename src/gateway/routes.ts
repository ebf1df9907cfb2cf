/** All routes of a gateway, and their description. */
import swagger from '@fastify/swagger';
import type { FastifyInstance } from 'fastify';
import { failure } from '../protocol/errors.js';
import { adminRoutes } from './admin-routes.js';
import type { GatewayContext } from './context.js';
import { deletionRoute } from './deletion-route.js';
import { documentRoutes, patchRoute } from './document-routes.js';
import { healthRoutes } from './health-routes.js';
import { historyRoute } from './history-route.js';
import { metadataRoute, peopleRoute } from './people-route.js';
import { notificationRoutes } from './notification-routes.js';
import { presenceRoutes } from './presence-routes.js';
import { batchRoute, publishRoute } from './publish-route.js';
import { HttpFailure } from './problem.js';
import { problem } from './schemas.js';
import { redactionRoute } from './redaction-route.js';
import { rpcRoute } from './rpc-route.js';
import { sseRoute } from './sse.js';
import { installValidation } from './validation.js';

const allowedHeaders =
  'authorization, content-type, idempotency-key, if-match, if-none-match, last-event-id, x-ringlog-event, x-ringlog-signature';

export async function registerRoutes(app: FastifyInstance, context: GatewayContext): Promise<void> {
  installValidation(app);
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Ringlog',
        version: context.version,
        description: 'Publish, history, streams and administration. WebSocket sessions: docs/protocol.md.',
      },
      components: {
        securitySchemes: { token: { type: 'http', scheme: 'bearer' } },
        schemas: { Problem: problem as object },
      },
      security: [{ token: [] }, {}],
    },
    transform: ({ schema, url }) => ({
      schema: withProblem(schema as Record<string, unknown> | undefined),
      url,
    }),
  });
  await app.register(healthRoutes, { context });
  await app.register(publishRoute, { context });
  await app.register(batchRoute, { context });
  await app.register(historyRoute, { context });
  await app.register(deletionRoute, { context });
  await app.register(redactionRoute, { context });
  await app.register(documentRoutes, { context });
  await app.register(patchRoute, { context });
  await app.register(notificationRoutes, { context });
  await app.register(presenceRoutes, { context });
  await app.register(sseRoute, { context });
  await app.register(peopleRoute, { context });
  await app.register(metadataRoute, { context });
  await app.register(rpcRoute, { context });
  await app.register(adminRoutes, { context });
  app.get('/v1/openapi.json', { schema: { hide: true } }, async () => app.swagger());
  app.get('/v1/hubs/:hub/ws', { schema: { hide: true } }, async () => {
    throw new HttpFailure(failure('INVALID', { message: 'Open this address as a WebSocket.' }));
  });
  // Which origins may ask was decided before any route.
  app.options('/*', { schema: { hide: true } }, async (_request, reply) =>
    reply
      .code(204)
      .header('access-control-allow-methods', 'GET, POST, PUT, PATCH, DELETE')
      .header('access-control-allow-headers', allowedHeaders)
      .header('access-control-max-age', '600')
      .send(),
  );
}

/** Every route may answer with a problem. */
function withProblem(schema: Record<string, unknown> | undefined): Record<string, unknown> {
  const content = { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } };
  const response = schema?.['response'] as object | undefined;
  return {
    ...schema,
    ...(response && {
      response: { ...response, default: { description: 'Problem details (RFC 9457)', content } },
    }),
  };
}
