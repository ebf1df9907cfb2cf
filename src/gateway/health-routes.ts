/** For those who watch a node: is it alive, does it serve, what does it count. */
import type { FastifyPluginAsync, FastifyRequest } from 'fastify';
import { failure } from '../protocol/errors.js';
import { authenticate } from './authenticate.js';
import type { GatewayContext } from './context.js';
import { Metrics } from './metrics.js';
import { isLoopback } from '../base/loopback.js';
import { HttpFailure } from './problem.js';
import { need } from './request-values.js';

export const healthRoutes: FastifyPluginAsync<{ context: GatewayContext }> = async (app, { context }) => {
  const metrics = new Metrics(context);
  const schema = (summary: string) => ({ schema: { summary, tags: ['operation'] } });
  app.get('/healthz', schema('The process lives'), async () => ({ status: 'ok' }));
  app.get('/readyz', schema('The node takes requests'), async (_request, reply) => {
    const status = readiness(context);
    return reply.code(status === 'serving' ? 200 : 503).send({ status });
  });
  app.get('/metrics', schema('Counters for Prometheus'), async (request, reply) => {
    allowMetrics(request, context);
    return reply.type(metrics.contentType).send(await metrics.text());
  });
};

/** `serving`, or why nobody should be sent here now. */
function readiness({ api, stopping }: GatewayContext): string {
  if (stopping.aborted) return 'stopping';
  const { state, nodeId, cluster } = api.status();
  if (state === 'serving' && cluster?.looking === true) return 'joining';
  // It holds nothing, so it is no member.
  if (cluster?.role === 'edge') return state;
  const ring = state === 'serving' ? api.cluster?.ring() : undefined;
  if (!ring) return state;
  switch (ring.members.find(({ node }) => node === nodeId)?.state) {
    case 'active':
      return state;
    case 'joining':
    case 'synced':
      return 'joining';
    case 'draining':
      return 'draining';
    case undefined:
      return 'removed';
  }
}

/** Open on this machine; from elsewhere, also through a proxy, an administrator's token is needed. */
function allowMetrics(request: FastifyRequest, context: GatewayContext): void {
  const { headers, socket } = request.raw;
  const isForwarded = headers['x-forwarded-for'] !== undefined || headers['forwarded'] !== undefined;
  if (isLoopback(socket.remoteAddress) && !isForwarded) return;
  const principal = need(authenticate(context.api, headers));
  if (!principal.admin)
    throw new HttpFailure(failure(principal.authenticated ? 'DENIED' : 'UNAUTHENTICATED'));
}
