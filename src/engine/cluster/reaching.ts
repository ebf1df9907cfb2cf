/** Whether this node hears of what others decide. */
import type { ChannelRef, NodeId } from '../../base/ids.js';
import { appendNeeds, areMet, holdersOf } from '../../cluster/intervals.js';
import type { Cluster } from './cluster.js';

/** Without `ref`: all members of the ring are reached, and so whoever decides anything; else so many homes of the channel that
 *  nothing is decided there without them. A node alone decides by itself. */
export function reaches(cluster: Cluster | undefined, ref?: ChannelRef): boolean {
  if (!cluster) return true;
  const isReached = (node: NodeId): boolean => node === cluster.self || cluster.isReachable(node);
  if (!ref) return cluster.table.ring.members.every(({ node }) => isReached(node));
  const interval = cluster.intervalOf(ref);
  return areMet(appendNeeds(interval), new Set(holdersOf(interval).filter(isReached)));
}
