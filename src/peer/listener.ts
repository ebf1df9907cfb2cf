/** The peer port for connections: proves who connects, within bounds of number and time, and hands the connection to gRPC. */
import { type Server as NetServer, type Socket, createServer as createNetServer } from 'node:net';
import { type TLSSocket, createServer as createTlsServer } from 'node:tls';
import * as grpc from '@grpc/grpc-js';
import { limits } from '../base/limits.js';
import { type Security, provenBy } from './security.js';
import { serverOptions } from './service.js';

export interface ListenAt {
  readonly host: string;
  readonly port: number;
}

export interface Listener {
  readonly port: number;
  /** Ends the connection of a call at once; `from`: as gRPC names it. */
  cut(from: string): void;
  close(): void;
}

/** Rejects with what the system says: EADDRINUSE and the like. */
export async function listen(
  { host, port }: ListenAt,
  security: Security,
  services: (server: grpc.Server) => void,
): Promise<Listener> {
  const server = new grpc.Server(serverOptions);
  services(server);
  const injector = server.createConnectionInjector(grpc.ServerCredentials.createInsecure());
  const gate = new Gate((socket) => injector.injectConnection(socket));
  const net = gate.serverFor(security);
  await new Promise<void>((resolve, reject) => {
    net.once('error', reject);
    net.listen({ host, port, exclusive: true }, () => {
      net.off('error', reject);
      // Running out of file handles is no reason to end: connections are refused until there are some.
      net.on('error', () => undefined);
      resolve();
    });
  });
  const address = net.address();
  return {
    port: typeof address === 'object' && address ? address.port : port,
    cut: (from) => gate.cut(from),
    close() {
      net.close();
      gate.close();
      server.forceShutdown();
    },
  };
}

/** Lets connections in that proved a node of ours. */
class Gate {
  /** By remote address and port. */
  readonly #open = new Map<string, Socket>();
  readonly #unproven = new Set<string>();
  readonly #pass: (socket: Socket) => void;

  constructor(pass: (socket: Socket) => void) {
    this.#pass = pass;
  }

  serverFor(security: Security): NetServer {
    if (security.kind === 'plain')
      return createNetServer({ noDelay: true }, (socket) => {
        if (!this.#takeIn(socket)) return;
        this.#unproven.delete(nameOf(socket));
        this.#pass(socket);
      });
    const { authority, certificate, key } = security.certificates;
    const server = createTlsServer({
      ca: authority,
      cert: certificate,
      key,
      minVersion: 'TLSv1.3',
      requestCert: true,
      rejectUnauthorized: true,
      ALPNProtocols: ['h2'],
      handshakeTimeout: limits.peerProofMs,
      noDelay: true,
    });
    server.on('connection', (socket: Socket) => this.#takeIn(socket));
    server.on('secureConnection', (socket) => this.#proved(socket));
    server.on('tlsClientError', (_error, socket) => socket.destroy());
    return server;
  }

  cut(from: string): void {
    this.#open.get(from)?.destroy();
  }

  close(): void {
    for (const socket of this.#open.values()) socket.destroy();
  }

  #proved(socket: TLSSocket): void {
    socket.on('error', () => undefined);
    if (!socket.authorized || !provenBy(socket.getPeerCertificate())) return void socket.destroy();
    this.#unproven.delete(nameOf(socket));
    this.#pass(socket);
  }

  #takeIn(socket: Socket): boolean {
    socket.on('error', () => undefined);
    const isFull =
      this.#open.size >= limits.peerConnectionsMax ||
      this.#unproven.size >= limits.peerConnectionsUnprovenMax;
    const name = nameOf(socket);
    if (isFull || this.#open.has(name)) {
      socket.destroy();
      return false;
    }
    this.#open.set(name, socket);
    this.#unproven.add(name);
    socket.once('close', () => {
      this.#open.delete(name);
      this.#unproven.delete(name);
    });
    return true;
  }
}

function nameOf({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress}:${remotePort}`;
}
