/** The node's one address for clients and operators: HTTP, and upgrades to WebSocket. */
import { type IncomingMessage, type Server, createServer } from 'node:http';
import { type Server as TlsServer, createServer as createTlsServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import {
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  LogController,
  fastify,
} from 'fastify';
import { limits } from '../base/limits.js';
import { isLoopback } from '../base/loopback.js';
import { type Failure, errorCatalogue, failure } from '../protocol/errors.js';
import { refuseTokenInUrl } from './authenticate.js';
import { ConnectionCounts } from './connection-counts.js';
import type { GatewayContext, GatewayOptions, GatewayPorts, TlsMaterial } from './context.js';
import { endSocket } from './end-socket.js';
import { gatewayLimits, tlsMinVersion } from './gateway-limits.js';
import { originRefusal } from './origin.js';
import { passingOn } from './passing-on.js';
import { HttpFailure, failureOf, problemHeaders, problemOf, rawProblem } from './problem.js';
import { registerRoutes } from './routes.js';
import { WebSocketEndpoint } from './websocket.js';

export interface Gateway {
  /** Where it listens, once it does. */
  readonly address: { readonly host: string; readonly port: number };
  /** Takes in a connection that another process accepted. */
  take(socket: Socket): void;
  /** What new connections are shown from now on. */
  renew(tls: TlsMaterial): void;
  /** Takes no new connections and ends streams; what is under way goes on. */
  refuseNew(): void;
  /** Ends what is left; resolves when every connection is gone. */
  stop(): Promise<void>;
}

/** Listens; rejects with Node's error where that is not possible (`EADDRINUSE`, `EACCES`). */
export async function startGateway(options: GatewayOptions, ports: GatewayPorts): Promise<Gateway> {
  const stopping = new AbortController();
  const context: GatewayContext = {
    ...ports,
    anonymousAllowed: options.anonymousAllowed,
    version: options.version,
    origins: { allowed: options.origins, loopback: isLoopback(options.facing ?? options.host) },
    connections: new ConnectionCounts({
      connectionsMax: options.connectionsMax ?? gatewayLimits.connectionsMax,
      connectionsPerAddressMax: options.connectionsPerAddressMax ?? gatewayLimits.connectionsPerAddressMax,
      countLoopback: options.countLoopback ?? false,
    }),
    stopping: stopping.signal,
  };
  const app = createApp(options, context);
  const websockets = new WebSocketEndpoint(context);
  app.server.on('upgrade', (request: IncomingMessage, socket, head) => {
    context.connections.served(socket as Socket);
    websockets.upgrade(request, socket, head);
  });
  await registerRoutes(app, context);
  await app.ready();
  const host = options.host === 'localhost' ? '127.0.0.1' : options.host;
  await listening(app.server, host, options.port);
  const { port } = app.server.address() as AddressInfo;
  let closed: Promise<void> | undefined;
  const refuseNew = () => {
    stopping.abort();
    // Only the listening socket: connections that are open keep working.
    closed ??= new Promise((resolve) => void app.server.close(() => resolve()));
    return closed;
  };
  return {
    address: { host, port },
    take: (socket) => void app.server.emit('connection', socket),
    renew: (tls) =>
      (app.server as Server | TlsServer as TlsServer).setSecureContext({ ...tls, minVersion: tlsMinVersion }),
    refuseNew: () => void refuseNew(),
    stop: async () => {
      const late = setTimeout(() => app.server.closeAllConnections(), gatewayLimits.stopGraceMs);
      // A connection kept alive becomes idle only when its last answer is out.
      const idle = setInterval(() => app.server.closeIdleConnections(), 50);
      await Promise.all([refuseNew(), websockets.close(gatewayLimits.stopGraceMs), app.close()]);
      clearTimeout(late);
      clearInterval(idle);
    },
  };
}

/** Not the framework's own, which tells it to the log in its words and opens a second server for `localhost`. */
async function listening(server: Server, host: string, port: number): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host, port, backlog: 4_096 }, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

function createApp(options: GatewayOptions, context: GatewayContext): FastifyInstance {
  const app = fastify({
    ...(options.logger ? { loggerInstance: options.logger } : { logger: false }),
    // No line a request: addresses and who asks belong to those who put a proxy in front.
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: limits.frameBytesMax,
    routerOptions: { maxParamLength: 1_024, ignoreTrailingSlash: false },
    ajv: { customOptions: { coerceTypes: false, removeAdditional: false, useDefaults: false } },
    serverFactory: (handler) =>
      createHttpServer(passingOn(options.administration, handler), context, options.tls),
    clientErrorHandler: answerBrokenRequest,
    frameworkErrors: (_error, request, reply) => {
      const unreadable = failure('INVALID', { message: 'The address cannot be read.' });
      void sendProblem(reply as FastifyReply, unreadable, request.id);
    },
  });
  app.addHook('onRequest', async (request, reply) => guard(request, reply, context));
  app.setErrorHandler((error, request, reply) => {
    const { failure: found, unexpected } = failureOf(error);
    if (unexpected) request.log.error({ err: error, requestId: request.id }, 'A request failed.');
    return sendProblem(reply, found, request.id);
  });
  app.setNotFoundHandler((request, reply) => sendProblem(reply, failure('NOT_FOUND'), request.id));
  return app;
}

function createHttpServer(
  handler: (request: IncomingMessage, response: never) => void,
  context: GatewayContext,
  tls: TlsMaterial | undefined,
): Server {
  const options = {
    headersTimeout: gatewayLimits.headersTimeoutMs,
    requestTimeout: gatewayLimits.requestTimeoutMs,
    keepAliveTimeout: gatewayLimits.keepAliveTimeoutMs,
    connectionsCheckingInterval: gatewayLimits.timeoutCheckMs,
    maxHeaderSize: gatewayLimits.headerBytesMax,
    noDelay: true,
  };
  const answer = (request: IncomingMessage, response: unknown): void => {
    context.connections.served(request.socket);
    handler(request, response as never);
  };
  const handshakeTimeout = gatewayLimits.tlsHandshakeTimeoutMs;
  const server = tls
    ? (createTlsServer({ ...options, ...tls, minVersion: tlsMinVersion, handshakeTimeout }, answer) as
        | Server
        | TlsServer as Server)
    : createServer(options, answer);
  // Node drops the headers above this number silently; one more than allowed is kept so that `guard` sees it.
  server.maxHeadersCount = gatewayLimits.headersMax + 1;
  server.on('connection', (socket: Socket) => context.connections.accept(socket));
  return server;
}

/** What holds for every route. */
async function guard(request: FastifyRequest, reply: FastifyReply, context: GatewayContext): Promise<void> {
  const { origin, host } = request.headers;
  void reply.header('x-content-type-options', 'nosniff').header('cache-control', 'no-store');
  if (request.raw.rawHeaders.length / 2 > gatewayLimits.headersMax) {
    throw new HttpFailure(
      failure('INVALID', { message: `A request has at most ${gatewayLimits.headersMax} headers.` }),
    );
  }
  const refusal = originRefusal(context.origins, { origin, host });
  if (refusal !== undefined) throw new HttpFailure(failure('DENIED', { message: refusal }));
  if (origin !== undefined) {
    void reply.header('access-control-allow-origin', origin).header('vary', 'Origin');
  }
  const question = request.url.indexOf('?');
  const tokenRefusal =
    question < 0 ? undefined : refuseTokenInUrl(new URLSearchParams(request.url.slice(question + 1)));
  if (tokenRefusal) throw new HttpFailure(tokenRefusal);
}

export function sendProblem(reply: FastifyReply, error: Failure, requestId: string): FastifyReply {
  return reply
    .code(errorCatalogue[error.code].status)
    .headers(problemHeaders(error))
    .send(problemOf(error, requestId));
}

/** What Node could not read as HTTP: bad bytes, headers too large, or too slow. */
function answerBrokenRequest(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === 'ECONNRESET' || socket.destroyed || !socket.writable) {
    socket.destroy();
    return;
  }
  const [status, message] =
    error.code === 'HPE_HEADER_OVERFLOW'
      ? [431, 'The headers are larger than 8 KiB.']
      : error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
        ? [408, 'The request did not arrive in time.']
        : [400, 'This is not a request of HTTP/1.1.'];
  endSocket(socket, rawProblem(failure('INVALID', { message }), status as number));
}
