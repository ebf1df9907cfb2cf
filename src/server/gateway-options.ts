/** What the gateway is told of the settings. */
import type { FastifyBaseLogger } from 'fastify';
import type { GatewayOptions, TlsMaterial } from '../gateway/context.js';
import type { Config } from './config-schema.js';
import type { ListenAddress } from './listen-address.js';
import { packageVersion } from './version.js';

export function gatewayOptions(
  config: Config,
  { host, port }: ListenAddress,
  logger: FastifyBaseLogger,
  tls?: TlsMaterial,
): GatewayOptions {
  return {
    ...(tls && { tls }),
    host,
    port,
    origins: config.http.origins,
    anonymousAllowed: config.auth.anonymous,
    connectionsMax: config.http.connectionsMax,
    connectionsPerAddressMax: config.http.connectionsPerAddressMax,
    version: packageVersion(),
    logger,
  };
}
