/** One node, put together and taken apart: store, engine, gateway, and back in reverse. */
import { join } from 'node:path';
import type { FastifyBaseLogger } from 'fastify';
import type { NodeApi } from '../engine/api.js';
import { Engine } from '../engine/engine.js';
import type { EnginePorts, Observation, Observer, Secrets } from '../engine/ports.js';
import { type Gateway, startGateway } from '../gateway/http-server.js';
import { levelKeyValue } from '../storage/level-key-value.js';
import { openLogStore } from '../storage/log-store.js';
import { nodeFiles } from '../storage/node-files.js';
import { systemSecrets } from '../services/people/secrets.js';
import { storeMigrations } from '../../migrations/store/index.js';
import { clientAddressesOf } from './client-addresses.js';
import type { ClusterPlan } from './cluster.js';
import { ConfigError } from './config-error.js';
import { type Config, ruleConfigOf } from './config.js';
import { CurrentNode } from './current-node.js';
import { type DataDirectory, noteMember, openDataDirectory } from './data-directory.js';
import { Finding } from './finding.js';
import { type ListenAddress, formatListen, parseListen } from './listen-address.js';
import { type LogDestination, createLogger, loggingObserver } from './logger.js';
import { type LazyProviders, lazyProviders } from './providers.js';
import { systemClock, systemHashing, systemRandom, systemTimers } from './system-ports.js';
import { tokenVerifier } from './tokens.js';
import { packageVersion } from './version.js';

/** What a start goes through, for those who tell people about it. */
export type BootStep =
  | { readonly type: 'data-directory'; readonly directory: DataDirectory }
  | { readonly type: 'port-taken'; readonly asked: number; readonly used: number }
  | { readonly type: 'listening'; readonly url: string }
  | { readonly type: 'peers'; readonly address: string; readonly isSealed: boolean }
  | Observation;

export interface ServerOptions {
  /** Nobody chose the port: when it is taken, the next free one will do. */
  readonly portIsDefault?: boolean;
  /** What nodes of a cluster prove each other with, as `ringlog key new` prints it. */
  readonly clusterKey?: string;
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

  const { observer, failed, fail } = observe(loggingObserver(logger), options.onStep);
  const providers = lazyProviders(config, observer);
  const openPeers = (clientAddresses: readonly string[]) =>
    clusterOf(config, directory, options, { clientAddresses, observer });
  // One that begins alone listens for clients first: what other nodes need takes a while to load.
  const early = expectsOthers(config, directory, options) ? await openPeers([]) : undefined;
  const secrets = systemSecrets();
  const parts: NodeParts = { config, directory, observer, providers, secrets };
  const node = await startNode(parts, early);
  let cluster = early;
  let gateway: Gateway | undefined;
  let finding: Finding | undefined;
  let stopping: Promise<void> | undefined;
  const stop = async () => {
    gateway?.refuseNew();
    await finding?.stop();
    await node.stop();
    cluster?.peers.stop();
    await gateway?.stop();
    providers.stop();
    await secrets.stop();
    logger.info('Stopped.');
  };
  try {
    gateway = await listen(config, options, node, logger as unknown as FastifyBaseLogger);
    const url = `http://${formatListen({ ...gateway.address, host: reachable(gateway.address.host) })}`;
    logger.info({ url, nodeId: directory.nodeId, data: directory.path }, 'Listening.');
    options.onStep?.({ type: 'listening', url });
    const addresses = clientAddressesOf(config, gateway.address);
    node.cluster?.announce(addresses);
    cluster ??= await openPeers(addresses);
    if (cluster) finding = await find(parts, { cluster, node, fail });
    return { url, config, directory, api: node, failed, stop: () => (stopping ??= stop()) };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Then it does not begin alone. */
function expectsOthers(config: Config, directory: DataDirectory, options: ServerOptions): boolean {
  const hasKey = config.cluster.keyFile !== '' || (options.clusterKey ?? '').trim() !== '';
  const named = config.join.some((item) => item !== 'auto' && item !== 'none');
  return directory.isMember || (!isToStayAlone(config) && (hasKey || named));
}

function isToStayAlone({ join: found }: Config): boolean {
  return found.length === 1 && found[0] === 'none';
}

/** `undefined` for a node that is to stay alone and always was. */
async function clusterOf(
  config: Config,
  directory: DataDirectory,
  options: ServerOptions,
  parts: { readonly clientAddresses: readonly string[]; readonly observer: Observer },
): Promise<ClusterPlan | undefined> {
  if (isToStayAlone(config) && !directory.isMember) return undefined;
  const { openCluster } = await import('./cluster.js');
  const cluster = await openCluster(config, {
    node: directory.nodeId,
    secret: options.clusterKey,
    ...parts,
  });
  const { address } = cluster.peers.own;
  options.onStep?.({ type: 'peers', address, isSealed: cluster.secret !== undefined });
  return cluster;
}

/** What every engine of this process is made of. */
interface NodeParts {
  readonly config: Config;
  readonly directory: DataDirectory;
  readonly observer: Observer;
  readonly providers: LazyProviders;
  readonly secrets: Secrets;
}

/** Alone, where no others are expected. */
async function startNode(parts: NodeParts, cluster: ClusterPlan | undefined): Promise<CurrentNode> {
  try {
    if (cluster) await noteMember(parts.directory.path);
    const engine = startable(parts, cluster);
    await engine.start();
    return new CurrentNode(engine);
  } catch (error) {
    cluster?.peers.stop();
    throw error;
  }
}

async function find(
  parts: NodeParts,
  { cluster, node, fail }: { cluster: ClusterPlan; node: CurrentNode; fail: (message: string) => void },
): Promise<Finding> {
  const { directory, observer } = parts;
  const { cluster: name, node: id, address } = cluster.peers.own;
  const finding = new Finding({
    node,
    join: cluster.join,
    observer,
    own: { cluster: name, node: id, address },
    secret: cluster.secret,
    begin: async () => {
      try {
        await node.become(async () => {
          await noteMember(directory.path);
          return startable(parts, cluster);
        });
      } catch (error) {
        fail(error instanceof Error ? error.message : String(error));
        throw error;
      }
    },
  });
  await finding.start();
  return finding;
}

function startable(
  { config, directory, observer, providers, secrets }: NodeParts,
  cluster: ClusterPlan | undefined,
): Engine {
  const ports: EnginePorts = {
    clock: systemClock,
    timers: systemTimers,
    random: systemRandom,
    hashing: systemHashing,
    observer,
    authenticator: providers,
    secrets,
    ...(cluster && { peers: cluster.peers }),
    openStore: () =>
      openLogStore({
        directory: directory.path,
        files: nodeFiles(),
        openIndex: () => levelKeyValue(join(directory.storePath, 'index')),
        soleHome: cluster === undefined,
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
    hubs: { createOnUse: config.createHubs === 'on-use' },
    verifyToken: tokenVerifier(directory.adminToken),
    session: config.session,
    maintenanceIntervalMs: config.storage.maintenanceIntervalMs,
    ...(cluster && { cluster: cluster.options }),
  });
}

function observe(
  logging: Observer,
  onStep: ServerOptions['onStep'],
): { observer: Observer; failed: Promise<string>; fail: (message: string) => void } {
  let fail: (message: string) => void = () => {};
  const failed = new Promise<string>((resolve) => (fail = resolve));
  const observer: Observer = {
    observe(observation) {
      logging.observe(observation);
      onStep?.(observation);
      if (observation.type === 'node-failed') fail(observation.message);
    },
  };
  return { observer, failed, fail: (message) => fail(message) };
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
