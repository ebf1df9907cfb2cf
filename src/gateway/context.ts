/** What the routes and transports of one gateway share. */
import type { FastifyBaseLogger } from 'fastify';
import type { Clock, Random } from '../engine/ports.js';
import type { NodeApi } from '../engine/api.js';
import type { ConnectionCounts } from './connection-counts.js';
import type { OriginRules } from './origin.js';

/** PEM texts. */
export interface TlsMaterial {
  /** The certificate, and those it was signed by. */
  readonly cert: string;
  readonly key: string;
}

export interface GatewayOptions {
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  /** Web pages allowed besides the node's own: exact origins, or `*`. */
  readonly origins: readonly string[];
  /** Clients without a token are served. */
  readonly anonymousAllowed: boolean;
  readonly connectionsMax?: number;
  readonly connectionsPerAddressMax?: number;
  /** Counts loopback connections by address too. */
  readonly countLoopback?: boolean;
  readonly version: string;
  readonly logger?: FastifyBaseLogger;
  /** Clients speak TLS, and are shown this. */
  readonly tls?: TlsMaterial;
  /** Where clients reach it, when that is not `host`: another process takes their connections and hands them over. */
  readonly facing?: string;
  /** Of one that serves clients for another process: where what administrators ask is answered, as `http://host:port`. */
  readonly administration?: string;
}

export interface GatewayPorts {
  readonly api: NodeApi;
  readonly clock: Clock;
  readonly random: Random;
}

export interface GatewayContext extends GatewayPorts {
  readonly anonymousAllowed: boolean;
  readonly version: string;
  readonly origins: OriginRules;
  readonly connections: ConnectionCounts;
  /** Aborted when the node stops: streams without end stop then. */
  readonly stopping: AbortSignal;
}
