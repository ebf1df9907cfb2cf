/** All routes of a gateway. */
import type { FastifyInstance } from 'fastify';
import type { GatewayContext } from './context.js';

export async function registerRoutes(app: FastifyInstance, context: GatewayContext): Promise<void> {
  app.get('/healthz', async () => ({ status: 'ok' }));
  app.get('/readyz', async (_request, reply) => {
    const { state } = context.api.status();
    return reply.code(state === 'serving' ? 200 : 503).send({ status: state });
  });
}
