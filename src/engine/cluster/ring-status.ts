/** The ring as administrators see it. */
import type { NodeId } from '../../base/ids.js';
import type { RingSteps } from '../../cluster/ring-steps.js';
import type { RingTable } from '../../cluster/ring-table.js';
import type { ChangeKind, ChangePhase, Replicas, RingMemberState } from '../../cluster/ring.js';
import { ringDigest } from '../../cluster/ring-codec.js';

export interface RingStatus {
  readonly cluster: string;
  readonly version: number;
  readonly digest: string;
  readonly replicas: Replicas;
  readonly members: readonly { readonly node: NodeId; readonly state: RingMemberState }[];
  readonly change?: ChangeStatus;
}

export interface ChangeStatus {
  readonly kind: ChangeKind;
  readonly phase: ChangePhase;
  readonly replicas: Replicas;
  /** The version it began with. */
  readonly since: number;
  /** That change, and those of them in which too few homes are ready for the next step. */
  readonly intervals: number;
  readonly short: number;
  /** As they reported for this version: intervals to be held there, and those that are not whole. */
  readonly nodes: readonly { readonly node: NodeId; readonly intervals: number; readonly left: number }[];
  readonly waitingFor: readonly NodeId[];
}

export function ringStatus({ ring }: RingTable, steps: RingSteps): RingStatus {
  const { cluster, version, replicas, members, change } = ring;
  const status = { cluster, version, digest: ringDigest(ring), replicas, members };
  const progress = steps.progress();
  if (!change || !progress) return status;
  const { kind, phase, since } = change;
  const nodes = members.flatMap(({ node }) => {
    const report = steps.progressOf(node);
    return report ? [{ node, intervals: report.intervals, left: report.left }] : [];
  });
  const { intervals, short, waitingFor } = progress;
  return {
    ...status,
    change: { kind, phase, replicas: change.replicas, since, intervals, short, nodes, waitingFor },
  };
}
