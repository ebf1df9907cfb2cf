/** What a process that serves clients for a node is told, and says. */
import { isAnywhere } from './client-addresses.js';
import type { Config } from './config-schema.js';
import { formatListen, parseListen } from './listen-address.js';
import { ownFiles } from './tls.js';
import type { TallyAnswer, TallyAsked } from './worker-tallies.js';

/** Once, as the first message. */
export interface WorkerStart {
  /** Its own: an edge node that is found by nobody but its node, and finds nobody else. */
  readonly config: Config;
  /** As the environment of the node holds it. */
  readonly clusterKey?: string;
  readonly adminToken: string;
  /** Host that clients use. */
  readonly facing: string;
  /** Where the node answers administrators. */
  readonly administration: string;
}

/** To a worker, later: along with the number of a connection comes the connection. Each `beat` is answered. */
export type ToWorker = 'beat' | 'stop' | { readonly connection: number } | TallyAnswer;
/** ready: connections may come. taken: this one is the worker's now; nothing of it was read before that was said. */
export type FromWorker = 'beat' | 'ready' | { readonly taken: number } | TallyAsked;

/** `peerPort`: where the node listens for other nodes. */
export function workerStart(
  config: Config,
  peerPort: number,
  rest: Omit<WorkerStart, 'config'>,
): WorkerStart {
  const isDefault = config.peer.listen === 'auto';
  const host = isDefault ? '127.0.0.1' : parseListen(config.peer.listen, 'peer.listen').host;
  const near = isAnywhere(host) ? '127.0.0.1' : host;
  const { advertise } = config;
  return {
    ...rest,
    config: {
      ...config,
      role: 'edge',
      workers: 0,
      ...(config.tls === 'auto' && { tls: 'files', ...ownFiles(config.data) }),
      join: [formatListen({ host: near, port: peerPort })],
      peer: { ...config.peer, listen: isDefault ? 'auto' : formatListen({ host, port: 0 }) },
      // A port that was named is the node's.
      advertise: advertise === 'auto' ? advertise : advertise.replace(/:\d+$/, ''),
      http: { ...config.http, connectionsMax: Math.ceil(config.http.connectionsMax / config.workers) },
    },
  };
}
