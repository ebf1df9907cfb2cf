/** Answers on connections while no process that serves clients is there to be given them: to who watches the node as the node
 *  does, to all others that they should come again. */
import { type IncomingMessage, type Server, type ServerResponse, createServer } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { Socket } from 'node:net';
import { Server as TlsServer } from 'node:tls';
import { failure } from '../protocol/errors.js';
import type { TlsMaterial } from './context.js';
import { gatewayLimits, tlsMinVersion } from './gateway-limits.js';
import { passingOn } from './passing-on.js';
import { problemHeaders, problemOf } from './problem.js';

/** At once; more are closed. */
const connectionsMax = 1_024;
/** The next request is to find a process that serves it. */
const once = { connection: 'close' };

export class StandIn {
  readonly #server: Server;
  readonly #open = new Set<Socket>();

  /** `administration`: where the node itself answers. */
  constructor(administration: string, tls: TlsMaterial | undefined) {
    const options = {
      headersTimeout: gatewayLimits.headersTimeoutMs,
      requestTimeout: gatewayLimits.requestTimeoutMs,
      connectionsCheckingInterval: gatewayLimits.timeoutCheckMs,
      maxHeaderSize: gatewayLimits.headerBytesMax,
      handshakeTimeout: gatewayLimits.tlsHandshakeTimeoutMs,
    };
    const passed = passingOn(administration, (_request, response) => refuse(response), once);
    const answer = (request: IncomingMessage, response: ServerResponse): void => {
      const path = (request.url ?? '').split('?', 1)[0];
      if (path === '/healthz') say(response, 200, 'ok');
      else if (path === '/readyz') say(response, 503, 'no-workers');
      else passed(request, response as never);
    };
    this.#server = tls
      ? createTlsServer({ ...options, ...tls, minVersion: tlsMinVersion }, answer)
      : createServer(options, answer);
    this.#server.on('clientError', (_error, socket) => socket.destroy());
  }

  take(socket: Socket): void {
    if (this.#open.size >= connectionsMax) return void socket.destroy();
    this.#open.add(socket);
    socket.once('close', () => this.#open.delete(socket));
    this.#server.emit('connection', socket);
    socket.resume();
  }

  renew(tls: TlsMaterial): void {
    if (this.#server instanceof TlsServer)
      this.#server.setSecureContext({ ...tls, minVersion: tlsMinVersion });
  }

  stop(): void {
    this.#server.close();
    for (const socket of this.#open) socket.destroy();
  }
}

function refuse(response: ServerResponse): void {
  const unavailable = failure('UNAVAILABLE', { retryAfterMs: 1_000 });
  response.writeHead(503, { ...problemHeaders(unavailable), ...once });
  response.end(JSON.stringify(problemOf(unavailable)));
}

function say(response: ServerResponse, code: number, status: string): void {
  response.writeHead(code, { 'content-type': 'application/json; charset=utf-8', ...once });
  response.end(JSON.stringify({ status }));
}
