/** Other nodes, as presence sees them. */
import type { ChannelRef, NodeId } from '../../base/ids.js';
import type { LivenessVerdict } from '../../cluster/effects.js';
import type { PresenceMessage } from '../../presence/messages.js';

export interface PresenceNeighbours {
  readonly self: NodeId;
  /** Of this process: 16 hex digits. */
  readonly boot: string;
  /** The nodes that hold the channel, or are about to. */
  holders(ref: ChannelRef): readonly NodeId[];
  isHome(ref: ChannelRef): boolean;
  /** Other homes that can be reached, the one that acts first. */
  reachableHomes(ref: ChannelRef): readonly NodeId[];
  isLinked(peer: NodeId): boolean;
  /** Goes out with everything else for that peer at the end of this turn; dropped when there is no link. */
  tell(peer: NodeId, message: PresenceMessage): void;
}

/** What of a node hears about others for presence. */
export interface PresenceHearer {
  received(peer: NodeId, message: PresenceMessage): void;
  linked(peer: NodeId): void;
  unlinked(peer: NodeId): void;
  verdict(verdict: LivenessVerdict): void;
  /** Who holds what, or who can be reached, has changed. */
  homesChanged(): void;
}

/** Of a node without others. */
export function nobody(here: NodeId): PresenceNeighbours {
  return {
    self: here,
    boot: '0'.repeat(16),
    holders: () => [here],
    isHome: () => true,
    reachableHomes: () => [],
    isLinked: () => false,
    tell: () => undefined,
  };
}
