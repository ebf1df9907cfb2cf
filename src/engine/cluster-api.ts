/** Operations on the ring, as shells ask for them. */
import { type Result, err } from '../base/result.js';
import type { ClusterApi, JoinRefusal } from './api.js';
import type { Cluster } from './cluster.js';
import type { Core } from './core.js';

export function clusterApi(cluster: Cluster, core: () => Core | undefined): ClusterApi {
  return {
    ring: () => cluster.rings.status(),
    change: (intent) => cluster.rings.change(intent),
    join: (address) => join(cluster, core(), address),
  };
}

async function join(
  cluster: Cluster,
  core: Core | undefined,
  address: string,
): Promise<Result<number, JoinRefusal>> {
  if (cluster.table.ring.members.length > 1) return err('not-alone');
  if (!core) return err('no-voter');
  // From now on nothing is taken in; what was is looked at.
  const release = cluster.takeNothingIn();
  try {
    await core.committer.drained();
    if ((await core.store.hubs()).length > 0) return err('has-entries');
    cluster.meet(address);
    return await cluster.rings.join();
  } finally {
    release();
  }
}
