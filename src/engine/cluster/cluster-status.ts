/** The cluster as one node sees it, for administrators. */
import type { NodeId } from '../../base/ids.js';
import type { Role } from '../../cluster/member.js';
import type { MemberView } from '../../cluster/membership.js';
import { ringShares } from '../../cluster/ring-shares.js';
import type { RingTable } from '../../cluster/ring-table.js';
import type { Replica } from '../../replication/replica.js';
import type { ClusterStatus } from '../api.js';
import { heldOf } from './held-intervals.js';

export interface StatusParts {
  readonly self: NodeId;
  readonly role: Role;
  readonly table: RingTable;
  readonly isSettled: boolean;
  readonly isLooking: boolean;
  readonly members: readonly MemberView[];
  /** In thousandths. */
  readonly load: number;
  readonly wanted: number;
  readonly replica: Replica | undefined;
  compared(node: NodeId): { readonly agoMs: number; readonly equal: boolean } | undefined;
  isReachable(node: NodeId): boolean;
  isLinked(node: NodeId): boolean;
}

export function clusterStatus(parts: StatusParts): ClusterStatus {
  const { self, role, table, isSettled, isLooking, members, wanted, replica } = parts;
  const { ids, otherHomes, intervals } = heldOf(table, self);
  const count = (has: (id: string) => boolean): number => ids.filter(has).length;
  return {
    role,
    ringVersion: table.ring.version,
    settled: isSettled,
    looking: isLooking,
    load: parts.load / 1_000,
    members: members.map(({ node, state, profile }) => ({
      node,
      state,
      role: profile.role,
      address: profile.peerAddress,
      linked: parts.isLinked(node),
      reachable: parts.isReachable(node),
      settled: profile.settled,
      load: profile.load / 1_000,
    })),
    intervals: {
      all: intervals,
      held: ids.length,
      wanted,
      owned: count((id) => replica?.claimOf(id) !== undefined),
      recovering: count((id) => replica?.isRecovering(id) === true),
    },
    shares: ringShares(table),
    claims: claimsOf(ids, replica),
    waiting: replica?.waiting ?? 0,
    homes: otherHomes.map((node) => {
      const lacking = replica?.lacking(node);
      const compared = parts.compared(node);
      return { node, ...(lacking !== undefined && { lacking }), ...(compared && { compared }) };
    }),
  };
}

function claimsOf(held: readonly string[], replica: Replica | undefined): ClusterStatus['claims'] {
  const counts = new Map<NodeId, number>();
  let unowned = 0;
  for (const id of held) {
    const owner = replica?.ownerOf(id);
    if (owner === undefined) unowned++;
    else counts.set(owner, (counts.get(owner) ?? 0) + 1);
  }
  const owners = [...counts].map(([node, intervals]) => ({ node, intervals }));
  return { owners: owners.sort((a, b) => (a.node < b.node ? -1 : 1)), unowned };
}
