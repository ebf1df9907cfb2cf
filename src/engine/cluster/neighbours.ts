/** Other nodes, as the parts of the engine see them: who acts for a channel, and a way to tell it something. */
import type { ChannelRef, NodeId } from '../../base/ids.js';
import type { Signal } from '../../protocol/messages.js';
import type { ForwardedPublish, PeerMessage } from './peer-messages.js';
import type { PendingPublish, PublishOrigin } from '../pending.js';

/** Who stamps in a channel, as far as is known here. */
export type Acting =
  | { readonly at: 'here' }
  | { readonly at: 'peer'; readonly peer: NodeId }
  | { readonly at: 'nowhere' };

export const here: Acting = { at: 'here' };
export const nowhere: Acting = { at: 'nowhere' };

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

/** The way to nodes that order other channels. */
export interface Away {
  /** Whether earlier publishes of the channel are under way: what comes now goes behind them. */
  holds(ref: ChannelRef): boolean;
  forward(pending: PendingPublish, ref: ChannelRef): void;
  signal(ref: ChannelRef, signal: Signal): void;
}

/** Takes publishes that other nodes let in. */
export interface Taker {
  forwarded(item: ForwardedPublish, origin: PublishOrigin): void;
  /** One that was to go elsewhere, and this node orders the channel by now. */
  here(pending: PendingPublish, ref: ChannelRef): void;
}
