/** The cluster as one node sees it, for administrators. */
import type { NodeId } from '../../base/ids.js';
import { intervalsOf } from '../../cluster/intervals.js';
import type { MemberView } from '../../cluster/membership.js';
import type { RingTable } from '../../cluster/ring-table.js';
import type { Replica } from '../../replication/replica.js';
import type { ClusterStatus } from '../api.js';

export interface StatusParts {
  readonly self: NodeId;
  readonly table: RingTable;
  readonly isSettled: boolean;
  readonly isLooking: boolean;
  readonly members: readonly MemberView[];
  readonly wanted: number;
  readonly replica: Replica | undefined;
  isReachable(node: NodeId): boolean;
  isLinked(node: NodeId): boolean;
}

export function clusterStatus(parts: StatusParts): ClusterStatus {
  const { self, table, isSettled, isLooking, members, wanted, replica } = parts;
  const held = intervalsOf(table, self);
  const count = (has: (id: string) => boolean): number => held.filter(({ id }) => has(id)).length;
  return {
    ringVersion: table.ring.version,
    settled: isSettled,
    looking: isLooking,
    members: members.map(({ node, state, profile }) => ({
      node,
      state,
      address: profile.peerAddress,
      linked: parts.isLinked(node),
      reachable: parts.isReachable(node),
      settled: profile.settled,
    })),
    intervals: {
      all: [...table.indexes()].length,
      held: held.length,
      wanted,
      owned: count((id) => replica?.claimOf(id) !== undefined),
      recovering: count((id) => replica?.isRecovering(id) === true),
    },
  };
}
