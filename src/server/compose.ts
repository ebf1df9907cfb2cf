/** One node, put together and taken apart: store, engine, gateway, and back in reverse. */
import { join } from 'node:path';
import type { FastifyBaseLogger } from 'fastify';
import type { NodeApi } from '../engine/api.js';
import type { Engine } from '../engine/engine.js';
import { OwnTallies } from '../engine/people/tallies.js';
import type { Observation, Observer, Secrets } from '../engine/ports.js';
import type { TlsMaterial } from '../gateway/context.js';
import { type Gateway, startGateway } from '../gateway/http-server.js';
import { levelKeyValue } from '../storage/level-key-value.js';
import { openLogStore } from '../storage/log-store.js';
import { openNotesStore } from '../storage/notes-store.js';
import { nodeFiles } from '../storage/node-files.js';
import { systemSecrets } from '../services/people/secrets.js';
import { storeMigrations } from '../../migrations/store/index.js';
import { type CalledServices, calledServices } from './called-services.js';
import { clientAddressesOf, schemeOf } from './client-addresses.js';
import type { ClusterParts, ClusterPlan } from './cluster.js';
import { ConfigError } from './config-error.js';
import type { Config } from './config.js';
import { CurrentNode } from './current-node.js';
import { type DataDirectory, noteMember, openDataDirectory } from './data-directory.js';
import { Finding } from './finding.js';
import { gatewayOptions } from './gateway-options.js';
import { type ListenAddress, formatListen, parseListen } from './listen-address.js';
import { type LogDestination, createLogger, loggingObserver } from './logger.js';
import { makeEngine } from './make-engine.js';
import { openGivenCertificates, refuseOther } from './peer-certificates.js';
import { systemClock, systemRandom } from './system-ports.js';
import { type ServerTls, openTls } from './tls.js';
import { workerStart } from './worker-start.js';
import { Workers } from './workers.js';

/** What a start goes through, for those who tell people about it. */
export type BootStep =
  | { readonly type: 'data-directory'; readonly directory: DataDirectory }
  | { readonly type: 'port-taken'; readonly asked: number; readonly used: number }
  | { readonly type: 'listening'; readonly url: string }
  | { readonly type: 'certificate'; readonly file: string; readonly fingerprint: string }
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

/** Of this machine alone, on any free port. */
const anyLocal: ListenAddress = { host: '127.0.0.1', port: 0 };
/** How far from the default port a free one is looked for. */
const portsTriedMax = 100;

export async function compose(config: Config, options: ServerOptions): Promise<RunningServer> {
  const logger = createLogger(config.log.level, options.logDestination ?? process.stderr);
  refuseAloneEdge(config);
  const warn = (message: string) => logger.warn({ type: 'certificate' }, message);
  const given = await openGivenCertificates(config, { warn });
  const directory = await openDataDirectory(config.data, systemRandom, config.role, given?.node);
  if (given) refuseOther(given.node, directory.nodeId, config.peer.certFile);
  for (const warning of directory.warnings) logger.warn({ type: 'data-directory' }, warning);
  options.onStep?.({ type: 'data-directory', directory });
  const tls = await openTls(config, { warn });

  const { observer, failed, fail } = observe(loggingObserver(logger), options.onStep);
  const called = calledServices(config, observer);
  const openPeers = (clientAddresses: readonly string[]) =>
    clusterOf(config, directory, options, { clientAddresses, observer, given });
  // One that begins alone listens for clients first: what other nodes need takes a while to load.
  const early = expectsOthers(config, directory, options) ? await openPeers([]) : undefined;
  const own = { secrets: systemSecrets(), tallies: new OwnTallies(systemClock) };
  const parts: NodeParts = { config, directory, observer, called, ...own };
  const node = await startNode(parts, early);
  let cluster = early;
  let gateway: Gateway | undefined;
  let workers: Workers | undefined;
  let finding: Finding | undefined;
  let stopping: Promise<void> | undefined;
  const stop = async () => {
    await workers?.stop();
    gateway?.refuseNew();
    await finding?.stop();
    await node.stop();
    cluster?.peers.stop();
    await gateway?.stop();
    called.stop();
    tls?.stop();
    given?.files.stop();
    await own.secrets.stop();
    logger.info('Stopped.');
  };
  try {
    const ports = { api: node, clock: systemClock, random: systemRandom };
    const optionsAt = (at: ListenAddress, shown?: TlsMaterial) =>
      gatewayOptions(config, at, logger as unknown as FastifyBaseLogger, shown);
    const startAt = (at: ListenAddress) => startGateway(optionsAt(at, tls?.material), ports);
    if (config.workers > 0) {
      workers = await listen(config, options, (at) =>
        Workers.listen(at, { logger, observer, tallies: own.tallies }),
      );
      const { host: facing } = workers.address;
      gateway = await startGateway({ ...optionsAt(anyLocal), facing }, ports);
      const administration = `http://${formatListen(gateway.address)}`;
      const told = { ...secretOf(options), adminToken: directory.adminToken, facing, administration };
      workers.start(config.workers, workerStart(config, cluster!.peers.port, told), tls?.material);
    } else gateway = await listen(config, options, startAt);
    // Workers look at the files themselves too, and nobody but they connect to this one's gateway.
    const shown = workers ?? gateway;
    tls?.onRenewed((material) => shown.renew(material));
    const address = workers?.address ?? gateway.address;
    const url = `${schemeOf(config)}://${formatListen({ ...address, host: reachable(address.host) })}`;
    logger.info({ url, nodeId: directory.nodeId, data: directory.path }, 'Listening.');
    tellListening(url, tls, options);
    const addresses = clientAddressesOf(config, address);
    node.cluster?.announce({ clientAddresses: addresses });
    cluster ??= await openPeers(addresses);
    if (cluster) finding = await find(parts, { cluster, node, fail, address });
    return { url, config, directory, api: node, failed, stop: () => (stopping ??= stop()) };
  } catch (error) {
    await stop();
    throw error;
  }
}

function tellListening(url: string, tls: ServerTls | undefined, { onStep }: ServerOptions): void {
  onStep?.({ type: 'listening', url });
  if (tls) onStep?.({ type: 'certificate', file: tls.certFile, fingerprint: tls.fingerprint });
}

/** Then it does not begin alone. */
function expectsOthers(config: Config, directory: DataDirectory, options: ServerOptions): boolean {
  if (config.role === 'edge' || config.workers > 0) return true;
  const hasKey = config.cluster.keyFile !== '' || (options.clusterKey ?? '').trim() !== '';
  const named = config.join.some((item) => item !== 'auto' && item !== 'none');
  return directory.isMember || (!isToStayAlone(config) && (hasKey || named));
}

function refuseAloneEdge(config: Config): void {
  if (config.role !== 'edge' || !isToStayAlone(config)) return;
  throw new ConfigError(
    'An edge node serves what other nodes hold: name one with --join host:port, or use auto.',
  );
}

function isToStayAlone({ join: found }: Config): boolean {
  return found.length === 1 && found[0] === 'none';
}

/** `undefined` for a node that is to stay alone and always was. */
async function clusterOf(
  config: Config,
  directory: DataDirectory,
  options: ServerOptions,
  parts: Pick<ClusterParts, 'clientAddresses' | 'observer' | 'given'>,
): Promise<ClusterPlan | undefined> {
  if (isToStayAlone(config) && !directory.isMember && config.workers === 0) return undefined;
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
  readonly called: CalledServices;
  readonly secrets: Secrets;
  readonly tallies: OwnTallies;
}

/** Alone, where no others are expected. */
async function startNode(parts: NodeParts, cluster: ClusterPlan | undefined): Promise<CurrentNode> {
  try {
    if (cluster && parts.config.role === 'core') await noteMember(parts.directory.path);
    const engine = startable(parts, cluster);
    await engine.start();
    return new CurrentNode(engine);
  } catch (error) {
    cluster?.peers.stop();
    throw error;
  }
}

/** With the address at which this node is found by now. */
function asNow(cluster: ClusterPlan): ClusterPlan {
  const { options, peers } = cluster;
  return {
    ...cluster,
    options: { ...options, profile: { ...options.profile, peerAddress: peers.own.address } },
  };
}

/** An edge node keeps nothing, and who wants to stay alone looks for nobody. */
function keepsPeers({ config }: NodeParts): boolean {
  return config.role === 'core' && !config.join.includes('none');
}

interface FindParts {
  readonly cluster: ClusterPlan;
  readonly node: CurrentNode;
  readonly fail: (message: string) => void;
  /** Where it listens for clients. */
  readonly address: ListenAddress;
}

async function find(parts: NodeParts, { cluster, node, fail, address }: FindParts): Promise<Finding> {
  const { directory, observer } = parts;
  const { cluster: name, node: id } = cluster.peers.own;
  const finding = new Finding({
    node,
    join: cluster.join,
    directory: keepsPeers(parts) ? directory.path : undefined,
    observer,
    own: (at) => ({ cluster: name, node: id, address: cluster.addressAt(at) }),
    moved: () => {
      cluster.peers.moved(cluster.addressAt());
      node.cluster?.announce({
        peerAddress: cluster.peers.own.address,
        clientAddresses: clientAddressesOf(parts.config, address),
      });
    },
    secret: cluster.secret,
    begin: async () => {
      try {
        await node.become(async () => {
          await noteMember(directory.path);
          return startable(parts, asNow(cluster));
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
  { config, directory, observer, called, secrets, tallies }: NodeParts,
  cluster: ClusterPlan | undefined,
): Engine {
  return makeEngine({
    config,
    directory,
    observer,
    cluster,
    called,
    secrets,
    tallies,
    openStore: async () => {
      if (config.role === 'edge')
        return openNotesStore(systemRandom, await nodeFiles().lock(join(directory.path, 'lock')));
      return await openLogStore({
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
      });
    },
  });
}

function secretOf({ clusterKey }: ServerOptions): { readonly clusterKey?: string } {
  return clusterKey === undefined ? {} : { clusterKey };
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

/** The configured address, or a port above it where nobody chose one. `open` rejects with Node's error where it is taken. */
async function listen<T>(
  config: Config,
  options: ServerOptions,
  open: (address: ListenAddress) => Promise<T>,
): Promise<T> {
  const asked = parseListen(config.listen);
  const tries = options.portIsDefault === true ? portsTriedMax : 1;
  for (let port = asked.port; ; port++) {
    try {
      const opened = await open({ ...asked, port });
      if (port !== asked.port) options.onStep?.({ type: 'port-taken', asked: asked.port, used: port });
      return opened;
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      const mayGoOn = code === 'EADDRINUSE' && port + 1 < asked.port + tries && port < 65_535;
      if (!mayGoOn) throw listenError(error as NodeJS.ErrnoException, asked);
    }
  }
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
