/** What examples with real nodes wait for. */
import { setTimeout as pause } from 'node:timers/promises';
import type { ProcessCluster } from '../../simulations/processes/cluster.js';

const limitMs = 90_000;

/** False where it did not come in time. */
export async function becomes(look: () => boolean | Promise<boolean>): Promise<boolean> {
  const end = performance.now() + limitMs;
  while (!(await look())) {
    if (performance.now() > end) return false;
    await pause(100);
  }
  return true;
}

/** Names of nodes by their ids. */
export async function nodeNames(cluster: ProcessCluster): Promise<ReadonlyMap<string, string>> {
  const views = cluster.nodes.map(async (node) => [(await node.status()).nodeId, node.name] as const);
  return new Map(await Promise.all(views));
}
