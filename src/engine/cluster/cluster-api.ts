/** Operations on the ring, as shells ask for them. */
import type { ClusterApi } from '../api.js';
import type { Cluster } from './cluster.js';

export function clusterApi(cluster: Cluster): ClusterApi {
  return {
    ring: () => cluster.rings.status(),
    change: (intent) => cluster.rings.change(intent),
    learn: (addresses) => cluster.learn(addresses),
    announce: (addresses) => cluster.announce(addresses),
    join: (address) => cluster.join(address),
    verify: (options = {}) => cluster.verify(options),
    prove: (request) => cluster.prove(request),
  };
}
