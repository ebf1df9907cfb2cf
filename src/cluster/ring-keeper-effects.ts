/** What the node is to do for its keeper of the ring (ring-keeper.ts). */
import type { NodeId } from '../base/ids.js';
import type { Random } from '../base/random.js';
import type { Role } from './member.js';
import type { RingVote } from './ring-agreement.js';
import type { ChangeOutcome } from './ring-intent.js';
import type { RingMessage } from './ring-messages.js';
import type { RingTable } from './ring-table.js';
import type { Ring } from './ring.js';

export interface KeeperOptions {
  readonly self: NodeId;
  readonly role: Role;
  readonly table: RingTable;
  readonly vote: RingVote | undefined;
  readonly random: Random;
  readonly now: number;
  readonly expelAfterMs?: number | undefined;
  /** Whether a ring of one is given up for another that is found. */
  readonly joinsOthers?: boolean | undefined;
}

export type KeeperEffect =
  | { readonly type: 'send'; readonly to: NodeId; readonly message: RingMessage }
  /** `unpersisted` is to be durable, then `persisted` to be called. */
  | { readonly type: 'persist' }
  /** To be persisted, then used. Replaces one that was to be. */
  | { readonly type: 'adopt'; readonly ring: Ring }
  /** Another cluster's ring names this node, which is alone, or is one to give up its own for: where it holds nothing it
   *  should join. */
  | { readonly type: 'named' }
  | { readonly type: 'answer'; readonly id: number; readonly outcome: ChangeOutcome }
  | { readonly type: 'alarm'; readonly code: 'RING_FORK' | 'TWO_RINGS'; readonly message: string };
