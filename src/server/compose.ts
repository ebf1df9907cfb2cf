/** One node, put together and taken apart: store, engine, gateway, and back in reverse. */
import { join } from 'node:path';
import type { FastifyBaseLogger } from 'fastify';
import type { NodeApi } from '../engine/api.js';
import { Engine } from '../engine/engine.js';
import type { EnginePorts, Observation, Observer } from '../engine/ports.js';
import { type Gateway, startGateway } from '../gateway/http-server.js';
import { levelKeyValue } from '../storage/level-key-value.js';
import { openLogStore } from '../storage/log-store.js';
import { nodeFiles } from '../storage/node-files.js';
import { storeMigrations } from '../../migrations/store/index.js';
import { ConfigError } from './config-error.js';
import { type Config, ruleConfigOf } from './config.js';
import { type DataDirectory, openDataDirectory } from './data-directory.js';
import { type ListenAddress, formatListen, parseListen } from './listen-address.js';
import { type LogDestination, createLogger, loggingObserver } from './logger.js';
import { systemClock, systemHashing, systemRandom, systemTimers } from './system-ports.js';
import { tokenVerifier } from './tokens.js';
import { packageVersion } from './version.js';

/** What a start goes through, for those who tell people about it. */
export type BootStep =
  | { readonly type: 'data-directory'; readonly directory: DataDirectory }
  | { readonly type: 'port-taken'; readonly asked: number; readonly used: number }
  | { readonly type: 'listening'; readonly url: string }
  | Observation;

export interface ServerOptions {
  /** Nobody chose the port: when it is taken, the next free one will do. */
  readonly portIsDefault?: boolean;
  readonly logDestination?: LogDestination;
  readonly onStep?: (step: BootStep) => void;
}

export interface RunningServer {
  readonly url: string;
  readonly config: Config;
  readonly directory: DataDirectory;
  readonly api: NodeApi;
  /** Resolves with a sentence when the node cannot go on; then it should be stopped. */
  readonly failed: Promise<string>;
  stop(): Promise<void>;
}

/** How far from the default port a free one is looked for. */
const portsTriedMax = 100;

export async function compose(config: Config, options: ServerOptions): Promise<RunningServer> {
  const logger = createLogger(config.log.level, options.logDestination ?? process.stderr);
  const directory = await openDataDirectory(config.data, systemRandom);
  for (const warning of directory.warnings) logger.warn({ type: 'data-directory' }, warning);
  options.onStep?.({ type: 'data-directory', directory });

  const { observer, failed } = observe(loggingObserver(logger), options.onStep);
  const engine = startable(config, directory, observer);
  await engine.start();
  let gateway: Gateway;
  try {
    gateway = await listen(config, options, engine, logger as unknown as FastifyBaseLogger);
  } catch (error) {
    await engine.stop();
    throw error;
  }
  const url = `http://${formatListen({ ...gateway.address, host: reachable(gateway.address.host) })}`;
  logger.info({ url, nodeId: directory.nodeId, data: directory.path }, 'Listening.');
  options.onStep?.({ type: 'listening', url });

  let stopping: Promise<void> | undefined;
  const stop = async () => {
    gateway.refuseNew();
    await engine.stop();
    await gateway.stop();
    logger.info('Stopped.');
  };
  return { url, config, directory, api: engine, failed, stop: () => (stopping ??= stop()) };
}

function startable(config: Config, directory: DataDirectory, observer: Observer): Engine {
  const ports: EnginePorts = {
    clock: systemClock,
    timers: systemTimers,
    random: systemRandom,
    hashing: systemHashing,
    observer,
    openStore: () =>
      openLogStore({
        directory: directory.path,
        files: nodeFiles(),
        openIndex: () => levelKeyValue(join(directory.storePath, 'index')),
        soleHome: true,
        migrations: storeMigrations,
        segmentBytes: config.storage.segmentBytes,
        fullAtRatio: config.storage.fullAtRatio,
        clock: systemClock,
        random: systemRandom,
        observer,
      }),
  };
  return new Engine(ports, {
    nodeId: directory.nodeId,
    version: packageVersion(),
    rules: ruleConfigOf(config),
    anonymous: config.auth.anonymous,
    verifyToken: tokenVerifier(directory.adminToken),
    session: config.session,
    maintenanceIntervalMs: config.storage.maintenanceIntervalMs,
  });
}

function observe(
  logging: Observer,
  onStep: ServerOptions['onStep'],
): { observer: Observer; failed: Promise<string> } {
  let fail: (message: string) => void = () => {};
  const failed = new Promise<string>((resolve) => (fail = resolve));
  const observer: Observer = {
    observe(observation) {
      logging.observe(observation);
      onStep?.(observation);
      if (observation.type === 'node-failed') fail(observation.message);
    },
  };
  return { observer, failed };
}

async function listen(
  config: Config,
  options: ServerOptions,
  api: NodeApi,
  logger: FastifyBaseLogger,
): Promise<Gateway> {
  const asked = parseListen(config.listen);
  const tries = options.portIsDefault === true ? portsTriedMax : 1;
  for (let port = asked.port; ; port++) {
    try {
      const gateway = await startGateway(gatewayOptions(config, { ...asked, port }, logger), {
        api,
        clock: systemClock,
        random: systemRandom,
      });
      if (port !== asked.port) options.onStep?.({ type: 'port-taken', asked: asked.port, used: port });
      return gateway;
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      const mayGoOn = code === 'EADDRINUSE' && port + 1 < asked.port + tries && port < 65_535;
      if (!mayGoOn) throw listenError(error as NodeJS.ErrnoException, asked);
    }
  }
}

function gatewayOptions(config: Config, { host, port }: ListenAddress, logger: FastifyBaseLogger) {
  return {
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

function listenError(error: NodeJS.ErrnoException, asked: ListenAddress): Error {
  const address = formatListen(asked);
  switch (error.code) {
    case 'EADDRINUSE':
      return new ConfigError(
        `Another program listens on ${address}. Stop it, or choose another address with --listen ${formatListen({ ...asked, port: asked.port + 1 })}.`,
      );
    case 'EACCES':
      return new ConfigError(
        `This user may not listen on ${address}. Choose a port above 1023 with --listen.`,
      );
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return new ConfigError(
        `${asked.host} is not an address of this machine. Choose another with --listen.`,
      );
    default:
      return error;
  }
}

/** An address a client of this machine can use. */
function reachable(host: string): string {
  return host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host;
}
