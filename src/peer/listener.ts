/** The peer port for connections: proves who connects, within bounds of number and time, and hands the connection to gRPC. */
import { type Server as NetServer, type Socket, createServer as createNetServer } from 'node:net';
import { Server as TlsServer, type TLSSocket, createServer as createTlsServer } from 'node:tls';
import * as grpc from '@grpc/grpc-js';
import { limits } from '../base/limits.js';
import type { Certificates } from './certificates.js';
import type { IsRevoked } from './revoked.js';
import { type Security, provenBy, tlsOf } from './security.js';
import { serverOptions } from './service.js';
import { Unproven } from './unproven.js';

export interface ListenAt {
  readonly host: string;
  readonly port: number;
}

export interface Listener {
  readonly port: number;
  /** Ends the connection of a call at once; `from`: as gRPC names it. */
  cut(from: string): void;
  /** Where members are: these have places of their own. */
  expect(addresses: readonly string[]): void;
  /** Shown to those who connect from now on. */
  renew(certificates: Certificates): void;
  /** Ends connections of whoever showed such a certificate. */
  endRevoked(isRevoked: IsRevoked): void;
  close(): void;
}

export interface ListenerParts {
  readonly services: (server: grpc.Server) => void;
  /** Somebody showed a certificate that does not do, and why. */
  readonly refused: (from: string, why: string) => void;
}

/** Rejects with what the system says: EADDRINUSE and the like. */
export async function listen(
  { host, port }: ListenAt,
  security: Security,
  { services, refused }: ListenerParts,
): Promise<Listener> {
  const server = new grpc.Server(serverOptions);
  services(server);
  const injector = server.createConnectionInjector(grpc.ServerCredentials.createInsecure());
  const gate = new Gate((socket) => injector.injectConnection(socket), refused);
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
    expect: (addresses) => gate.unproven.expect(addresses),
    renew(certificates) {
      if (net instanceof TlsServer) net.setSecureContext(tlsOf(certificates));
    },
    endRevoked: (isRevoked) => gate.endRevoked(isRevoked),
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
  /** What was shown on connections that are open. */
  readonly #shown = new Map<TLSSocket, Uint8Array>();
  readonly unproven = new Unproven();
  readonly #pass: (socket: Socket) => void;
  readonly #refused: ListenerParts['refused'];

  constructor(pass: (socket: Socket) => void, refused: ListenerParts['refused']) {
    this.#pass = pass;
    this.#refused = refused;
  }

  serverFor(security: Security): NetServer {
    if (security.kind === 'plain')
      return createNetServer({ noDelay: true }, (socket) => {
        if (!this.#takeIn(socket)) return;
        this.unproven.remove(nameOf(socket));
        this.#pass(socket);
      });
    const server = createTlsServer({
      ...tlsOf(security.certificates),
      requestCert: true,
      // Refused below, where it can be said why.
      rejectUnauthorized: false,
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

  endRevoked(isRevoked: IsRevoked): void {
    for (const [socket, certificate] of this.#shown) if (isRevoked(certificate)) socket.destroy();
  }

  close(): void {
    for (const socket of this.#open.values()) socket.destroy();
  }

  #proved(socket: TLSSocket): void {
    socket.on('error', () => undefined);
    const certificate = socket.getPeerCertificate();
    const proven = socket.authorized ? provenBy(certificate) : undefined;
    if (!proven) {
      // Strangers without one are many, and nothing to tell.
      if (certificate.raw) this.#refused(`${socket.remoteAddress}`, reasonOf(socket));
      return void socket.destroy();
    }
    this.unproven.proved(nameOf(socket));
    this.#shown.set(socket, certificate.raw);
    socket.once('close', () => this.#shown.delete(socket));
    this.#pass(socket);
  }

  #takeIn(socket: Socket): boolean {
    socket.on('error', () => undefined);
    const name = nameOf(socket);
    const isFull = this.#open.size >= limits.peerConnectionsMax && !this.unproven.makeRoom();
    // Whoever is gone already has no address.
    if (isFull || this.#open.has(name) || socket.remoteAddress === undefined) {
      socket.destroy();
      return false;
    }
    const ended = (): void => {
      if (this.#open.get(name) === socket) this.#open.delete(name);
      this.unproven.remove(name);
    };
    this.#open.set(name, socket);
    this.unproven.add(name, socket.remoteAddress, () => {
      ended();
      socket.destroy();
    });
    socket.once('close', () => this.#open.get(name) === socket && ended());
    return true;
  }
}

function reasonOf({ authorized, authorizationError }: TLSSocket): string {
  // A code such as CERT_HAS_EXPIRED, whatever the types say.
  const code = authorized
    ? 'it names no node, or is not for both serverAuth and clientAuth'
    : `${authorizationError}`;
  return /^[A-Z_]+$/.test(code) ? code.toLowerCase().replaceAll('_', ' ') : code;
}

function nameOf({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress}:${remotePort}`;
}
