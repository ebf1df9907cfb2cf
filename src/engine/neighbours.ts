/** Other nodes, as the parts of the engine see them: who acts for a channel, and a way to tell it something. */
import type { ChannelRef, NodeId } from '../base/ids.js';
import type { PeerMessage } from './peer-messages.js';

/** Who stamps in a channel, as far as is known here. */
export type Acting =
  | { readonly at: 'here' }
  | { readonly at: 'peer'; readonly peer: NodeId }
  | { readonly at: 'nowhere' };

export interface Neighbours {
  readonly self: NodeId;
  /** Whether this node holds the channel's log. */
  isHome(ref: ChannelRef): boolean;
  /** The node that owns the channel or is about to; `nowhere` when no home can be reached. */
  acting(ref: ChannelRef): Acting;
  /** Other homes that can be reached, the one that acts first. */
  reachableHomes(ref: ChannelRef): readonly NodeId[];
  isLinked(peer: NodeId): boolean;
  /** Goes out with everything else for that peer at the end of this turn; dropped when there is no link. */
  tell(peer: NodeId, message: PeerMessage): void;
}
