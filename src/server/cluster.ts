/** The cluster as configured: what the peer port listens on and proves with, which ring a new store begins with, and how
 *  others are found. */
import { readFileSync } from 'node:fs';
import { toHex } from '../base/bytes.js';
import type { NodeId } from '../base/ids.js';
import { isLoopback } from '../base/loopback.js';
import { lan } from '../cluster/parameters.js';
import { type ClusterId, type Replicas, foundRing, nowhereRing } from '../cluster/ring.js';
import type { ClusterOptions } from '../engine/options.js';
import type { Observer } from '../engine/ports.js';
import { formatAddress, parseAddress } from '../peer/addresses.js';
import { type ClusterKey, derive, parseClusterKey } from '../peer/cluster-key.js';
import { type JoinPlan, parseJoin } from '../peer/discovery/join.js';
import { PeerPort } from '../peer/peer-port.js';
import type { Security } from '../peer/security.js';
import { isAnywhere, ownAddress } from './client-addresses.js';
import { ConfigError } from './config-error.js';
import type { Config } from './config-schema.js';
import type { GivenCertificates } from './peer-certificates.js';
import { type ListenAddress, formatListen, parseListen } from './listen-address.js';
import { systemClock, systemRandom, systemTimers } from './system-ports.js';

export interface ClusterPlan {
  readonly peers: PeerPort;
  readonly options: ClusterOptions;
  readonly join: JoinPlan;
  /** What discovery proves with; without a cluster key nothing is proved. */
  readonly secret: Buffer | undefined;
  /** Where others find this node on the interface with that address, or, without one, as its machine is now. */
  addressAt(at?: string): string;
}

const defaultPort = 7946;
/** How far from the default port a free one is looked for. */
const portsTriedMax = 100;

export interface ClusterParts {
  readonly node: NodeId;
  readonly given?: GivenCertificates | undefined;
  /** Where clients find it, as far as that is known yet. */
  readonly clientAddresses: readonly string[];
  /** The key itself, as the environment holds it. */
  readonly secret: string | undefined;
  readonly observer: Observer;
}

export async function openCluster(
  config: Config,
  { node, given, clientAddresses, secret, observer }: ClusterParts,
): Promise<ClusterPlan> {
  const key = clusterKeyOf(config, secret);
  const join = parseJoin(config.join);
  if (!join.ok) throw new ConfigError(join.error);
  const isDefaultPort = config.peer.listen === 'auto';
  const listen = isDefaultPort
    ? { host: key ? '0.0.0.0' : '127.0.0.1', port: defaultPort }
    : parseListen(config.peer.listen, 'peer.listen');
  refuseOpenNetwork(listen, key);
  const peers = await open({
    cluster: config.cluster.name,
    node,
    security: await securityOf(key, config.cluster.name, node, given),
    listen,
    portsTried: isDefaultPort ? portsTriedMax : listen.port === 0 ? 10 : 1,
    advertise: (port) => advertised(config.advertise, listen, port),
    clock: systemClock,
    timers: systemTimers,
    random: systemRandom,
    observer,
  });
  given?.files.onRenewed((certificates) => peers.renew(certificates));
  const options: ClusterOptions = {
    ring:
      config.role === 'edge'
        ? nowhereRing()
        : foundRing(toHex(systemRandom.bytes(16)) as ClusterId, node, replicasOf(config)),
    isFounding: true,
    profile: { peerAddress: peers.own.address, clientAddresses, role: config.role, load: 0 },
    membership: lan,
    ...(config.cluster.expelAfterMs > 0 && { expelAfterMs: config.cluster.expelAfterMs }),
    catchUpShare: config.cluster.catchUpShare / 100,
    seeds: join.value.addresses,
    joinsOthers: config.role === 'core' && !config.join.includes('none'),
  };
  const { advertise } = config;
  return {
    peers,
    options,
    join: join.value,
    secret: key && derive(key, 'discovery', 32),
    addressAt: (at) => advertised(advertise, at === undefined ? listen : onInterface(listen, at), peers.port),
  };
}

async function open(options: Parameters<typeof PeerPort.open>[0]): Promise<PeerPort> {
  try {
    return await PeerPort.open(options);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const address = formatListen(options.listen);
    if (code === 'EADDRINUSE')
      throw new ConfigError(
        `Another program uses port ${options.listen.port} for TCP or UDP. Stop it, or choose another with --peer-listen ${formatListen({ ...options.listen, port: options.listen.port + 1 })}.`,
      );
    if (code === 'EACCES')
      throw new ConfigError(
        `This user may not listen on ${address}. Choose a port above 1023 with --peer-listen.`,
      );
    if (code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND')
      throw new ConfigError(
        `${options.listen.host} is not an address of this machine. Choose another with --peer-listen.`,
      );
    throw error;
  }
}

function clusterKeyOf(config: Config, secret: string | undefined): ClusterKey | undefined {
  const { keyFile } = config.cluster;
  const text = keyFile === '' ? secret : readKey(keyFile);
  if (text === undefined || text.trim() === '') return undefined;
  const key = parseClusterKey(text);
  if (key.ok) return key.value;
  throw new ConfigError(`${keyFile === '' ? 'RINGLOG_CLUSTER_KEY' : keyFile}: ${key.error}`);
}

function readKey(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new ConfigError(`The cluster key cannot be read: ${(error as Error).message}.`);
  }
}

/** Loading what makes certificates takes a while, and most nodes of one machine need none. */
async function securityOf(
  key: ClusterKey | undefined,
  cluster: string,
  node: NodeId,
  given: GivenCertificates | undefined,
): Promise<Security> {
  if (!key && given)
    throw new ConfigError(
      'Certificates prove connections; packets are sealed with a cluster key, so give one too: make it with `ringlog key new`, and name it with --cluster-key-file.',
    );
  if (!key) return { kind: 'plain' };
  const { sealedBy } = await import('../peer/security.js');
  if (given) return sealedBy(key, given.files.content, true);
  const { makeCertificates } = await import('../peer/certificates.js');
  return sealedBy(key, await makeCertificates(key, cluster, node));
}

function refuseOpenNetwork(listen: ListenAddress, key: ClusterKey | undefined): void {
  if (key || isLoopback(listen.host)) return;
  throw new ConfigError(
    `Without a cluster key a node talks to nodes of its own machine only, and ${formatListen(listen)} is open to others. ` +
      'Make a key with `ringlog key new`, give the same to all nodes with --cluster-key-file, or listen on 127.0.0.1.',
  );
}

/** Who listens at one address is found there alone. */
function onInterface(listen: ListenAddress, at: string): ListenAddress {
  return isAnywhere(listen.host) ? { ...listen, host: at } : listen;
}

function advertised(advertise: string, listen: ListenAddress, port: number): string {
  const host = isAnywhere(listen.host) ? ownAddress() : listen.host;
  if (advertise === 'auto') return formatAddress({ host, port });
  const address = parseAddress(advertise) ?? parseAddress(`${advertise}:${port}`);
  if (address) return formatAddress(address);
  throw new ConfigError(
    `advertise is "${advertise}"; write it as host or host:port, such as 10.0.0.5 or node-1.example:7946.`,
  );
}

function replicasOf(config: Config): Replicas {
  const { replicas } = config.cluster;
  return replicas === 'all' ? 'all' : (Number(replicas) as Replicas);
}
