/** What somebody wants of the ring, whatever it is by the time it is proposed. */
import { unreachable } from '../base/assert.js';
import type { NodeId } from '../base/ids.js';
import type { Result } from '../base/result.js';
import {
  type Newcomer,
  type RingRefusal,
  abandonChange,
  changeReplicas,
  drainNodes,
  expelNode,
  finishChange,
  joinNodes,
  leaveOut,
  openJoint,
  removeNode,
  replaceNode,
} from './ring-change.js';
import type { RingTable } from './ring-table.js';
import type { Replicas, Ring } from './ring.js';

export type RingIntent =
  | { readonly kind: 'join'; readonly nodes: readonly Newcomer[] }
  | { readonly kind: 'drain'; readonly nodes: readonly NodeId[] }
  | { readonly kind: 'remove' | 'expel' | 'leave-out'; readonly node: NodeId }
  | { readonly kind: 'replace'; readonly node: NodeId; readonly by: Newcomer }
  | { readonly kind: 'replicas'; readonly replicas: Replicas }
  | { readonly kind: 'abandon' };

/** no-voter: no member that decides could be reached, or the asked one decides nothing. overloaded: too much is asked at
 *  once. undecided: no majority answered in time; it may come about. Others: see `RingRefusal`. */
export type ChangeRefusal = RingRefusal | 'no-voter' | 'overloaded' | 'undecided';

/** The version with which it began. */
export type ChangeOutcome = Result<number, ChangeRefusal>;

/** The ring that an intent makes of this one. */
export function ringWanted(ring: Ring, intent: RingIntent): Result<Ring, RingRefusal> {
  switch (intent.kind) {
    case 'join':
      return joinNodes(ring, intent.nodes);
    case 'drain':
      return drainNodes(ring, intent.nodes);
    case 'remove':
      return removeNode(ring, intent.node);
    case 'expel':
      return expelNode(ring, intent.node);
    case 'leave-out':
      return leaveOut(ring, intent.node);
    case 'replace':
      return replaceNode(ring, intent.node, intent.by);
    case 'replicas':
      return changeReplicas(ring, intent.replicas);
    case 'abandon':
      return abandonChange(ring);
    default:
      return unreachable(intent);
  }
}

/** The next step of the change under way. */
export function nextStep(table: RingTable, ready: ReadonlySet<NodeId>): Result<Ring, RingRefusal> {
  return table.ring.change?.phase === 'filling' ? openJoint(table, ready) : finishChange(table, ready);
}
