/** `/v1/hubs/{hub}/ws`: from an upgrade request to a session. */
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { type ServerOptions, type WebSocket, WebSocketServer } from 'ws';
import { toHex } from '../base/bytes.js';
import { parseHubName } from '../base/ids.js';
import { limits } from '../base/limits.js';
import type { Principal } from '../engine/api.js';
import { type Failure, errorCatalogue, failure } from '../protocol/errors.js';
import type { Encoding } from '../protocol/messages.js';
import { enter, nobody, refuseTokenInUrl } from './authenticate.js';
import type { GatewayContext } from './context.js';
import { endSocket } from './end-socket.js';
import { gatewayLimits } from './gateway-limits.js';
import { originRefusal } from './origin.js';
import { rawProblem } from './problem.js';
import { WebSocketSession, type WebSocketSessionOwner } from './websocket-session.js';

const protobufProtocol = 'ringlog.v1.protobuf';
const jsonProtocol = 'ringlog.v1.json';

interface AcceptedUpgrade {
  readonly hub: string;
  readonly encoding: Encoding;
  readonly principal: Principal;
  /** Of the session it will have. */
  readonly id?: string;
  /** Told by a close code: a browser shows its page no status of a refused upgrade. */
  readonly refusal?: Failure;
}

type UpgradeAnswer = AcceptedUpgrade | { readonly refuse: Failure };

export class WebSocketEndpoint implements WebSocketSessionOwner {
  readonly #context: GatewayContext;
  readonly #server: WebSocketServer;
  readonly #sessions = new Set<WebSocketSession>();
  #allEnded: (() => void) | undefined;

  constructor(context: GatewayContext) {
    this.#context = context;
    this.#server = new WebSocketServer({
      noServer: true,
      perMessageDeflate: false,
      clientTracking: false,
      maxPayload: limits.frameBytesMax,
      maxFragments: gatewayLimits.fragmentsMax,
      maxBufferedChunks: gatewayLimits.bufferedChunksMax,
      autoPong: false,
      closeTimeout: gatewayLimits.closeTimeoutMs,
      allowSynchronousEvents: true,
      handleProtocols: (offered) => chosenProtocol(offered) ?? false,
    } as ServerOptions);
  }

  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    socket.on('error', destroyOnError);
    void this.#decide(request)
      .catch((): UpgradeAnswer => ({ refuse: failure('INTERNAL') }))
      .then((answer) => {
        // It may be gone by now.
        if (socket.destroyed) return;
        if ('refuse' in answer) endSocket(socket, rawProblem(answer.refuse));
        else
          this.#server.handleUpgrade(request, socket, head, (ws) => this.#open(ws, socket as Socket, answer));
      });
  }

  /** Ends what the engine has not ended; resolves when all connections are gone. */
  async close(graceMs: number): Promise<void> {
    const { close, message } = errorCatalogue.SHUTTING_DOWN;
    for (const session of this.#sessions) session.close(close, message);
    if (this.#sessions.size === 0) return;
    const late = setTimeout(() => {
      for (const session of this.#sessions) session.terminate();
    }, graceMs);
    await new Promise<void>((resolve) => (this.#allEnded = resolve));
    clearTimeout(late);
  }

  ended(session: WebSocketSession): void {
    this.#sessions.delete(session);
    if (this.#sessions.size === 0) this.#allEnded?.();
  }

  async #decide(request: IncomingMessage): Promise<UpgradeAnswer> {
    const { headers } = request;
    if (this.#context.stopping.aborted) return { refuse: failure('SHUTTING_DOWN') };
    if (headers.upgrade?.toLowerCase() !== 'websocket') {
      return { refuse: failure('INVALID', { message: 'Only WebSocket upgrades are taken.' }) };
    }
    const url = parseTarget(request.url);
    const match = url && /^\/v1\/hubs\/([^/]+)\/ws$/.exec(url.pathname);
    if (!url || !match) return { refuse: failure('NOT_FOUND') };
    const pageRefusal = originRefusal(this.#context.origins, { origin: headers.origin, host: headers.host });
    if (pageRefusal !== undefined) return { refuse: failure('DENIED', { message: pageRefusal }) };
    const hub = parseHubName(match[1]!);
    if (!hub.ok) return { refuse: failure('BAD_NAME', { message: hub.error }) };
    const tokenRefusal = refuseTokenInUrl(url.searchParams);
    if (tokenRefusal) return { refuse: tokenRefusal };
    const encoding = encodingOf(headers['sec-websocket-protocol']);
    if (encoding === undefined) {
      const message = `Offer the sub-protocol ${protobufProtocol} or ${jsonProtocol}, or none for JSON.`;
      return { refuse: failure('INVALID', { message }) };
    }
    const ticket = url.searchParams.get('ticket');
    if (ticket !== null) {
      const principal = await this.#context.api.redeem(hub.value, ticket, headers.origin);
      return principal.ok
        ? { hub: hub.value, encoding, principal: principal.value }
        : { hub: hub.value, encoding, principal: nobody, refusal: principal.error };
    }
    const id = toHex(this.#context.random.bytes(12));
    const principal = await enter(this.#context.api, hub.value, headers, id);
    if (principal.ok) return { hub: hub.value, encoding, principal: principal.value, id };
    return principal.error.code === 'UNAUTHENTICATED'
      ? { refuse: principal.error }
      : { hub: hub.value, encoding, principal: nobody, refusal: principal.error };
  }

  #open(ws: WebSocket, socket: Socket, accepted: AcceptedUpgrade): void {
    const session = new WebSocketSession({
      ws,
      socket,
      encoding: accepted.encoding,
      clock: this.#context.clock,
      mustAuthenticate: !accepted.principal.authenticated && !this.#context.anonymousAllowed,
      owner: this,
    });
    this.#sessions.add(session);
    if (accepted.refusal) {
      closeWith(session, accepted.refusal);
      return;
    }
    const opened = this.#context.api.openSession({
      hub: accepted.hub,
      encoding: accepted.encoding,
      principal: accepted.principal,
      sink: session,
      ...(accepted.id !== undefined && { id: accepted.id }),
      ...(socket.remoteAddress !== undefined && { remote: socket.remoteAddress }),
    });
    if (opened.ok) session.attach(opened.value);
    else closeWith(session, opened.error);
  }
}

function destroyOnError(this: Duplex): void {
  this.destroy();
}

/** Codes without a close code of their own get one that says whether to come back. */
function closeWith(session: WebSocketSession, error: Failure): void {
  const definition: { status: number; close?: number } = errorCatalogue[error.code];
  const again = definition.status >= 500 || definition.status === 429;
  session.close(definition.close ?? (again ? 4500 : 4400), `${error.code}: ${error.message}`);
}

function parseTarget(target: string | undefined): URL | undefined {
  try {
    return new URL(target ?? '', 'http://node');
  } catch {
    return undefined;
  }
}

function chosenProtocol(offered: Iterable<string>): string | undefined {
  for (const name of offered) if (name === protobufProtocol || name === jsonProtocol) return name;
  return undefined;
}

/** No offer means JSON, so that any WebSocket tool can talk to a node; only unknown offers are refused. */
function encodingOf(header: string | undefined): Encoding | undefined {
  if (header === undefined) return 'json';
  const chosen = chosenProtocol(header.split(',').map((name) => name.trim()));
  if (chosen === undefined) return undefined;
  return chosen === protobufProtocol ? 'protobuf' : 'json';
}
