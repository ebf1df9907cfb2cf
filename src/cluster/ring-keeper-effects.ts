/** What the node is to do for its keeper of the ring (ring-keeper.ts). */
import type { NodeId } from '../base/ids.js';
import type { ChangeOutcome } from './ring-intent.js';
import type { RingMessage } from './ring-messages.js';
import type { Ring } from './ring.js';

export type KeeperEffect =
  | { readonly type: 'send'; readonly to: NodeId; readonly message: RingMessage }
  /** `unpersisted` is to be durable, then `persisted` to be called. */
  | { readonly type: 'persist' }
  /** To be persisted, then used. Replaces one that was to be. */
  | { readonly type: 'adopt'; readonly ring: Ring }
  /** Another cluster's ring names this node, which is alone: where it holds nothing it should join. */
  | { readonly type: 'named' }
  | { readonly type: 'answer'; readonly id: number; readonly outcome: ChangeOutcome }
  | { readonly type: 'alarm'; readonly code: 'RING_FORK'; readonly message: string };
