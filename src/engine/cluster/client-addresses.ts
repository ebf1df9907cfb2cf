/** Where clients find the other nodes that can be reached now. */
import type { NodeId } from '../../base/ids.js';
import { limits } from '../../base/limits.js';
import type { MemberView } from '../../cluster/membership.js';
import type { Ring } from '../../cluster/ring.js';

/** Those behind `self` in the order of ids first, so that clients of different nodes are sent to different ones where there
 *  are more than can be told. */
export function clientAddresses(self: NodeId, ring: Ring, members: readonly MemberView[]): readonly string[] {
  // Whoever goes by another ring has other channels: it may be about to join, or be of another cluster.
  const active = new Set(ring.members.flatMap(({ node, state }) => (state === 'active' ? [node] : [])));
  const there = members
    .filter(({ state, reachable }) => reachable && (state === 'alive' || state === 'suspect'))
    .filter(({ node, profile }) => active.has(node) || isEdge(profile))
    .sort((a, b) => (a.node < b.node ? -1 : 1));
  const behind = there.filter(({ node }) => node > self);
  const before = there.filter(({ node }) => node < self);
  const addresses = [...behind, ...before].flatMap(({ profile }) => profile.clientAddresses);
  return [...new Set(addresses)].slice(0, limits.nodesToldMax);
}

/** It holds nothing and is no member; once it goes by a ring it serves all there is. */
function isEdge({ role, ringVersion }: MemberView['profile']): boolean {
  return role === 'edge' && ringVersion > 0;
}
