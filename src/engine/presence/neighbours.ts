/** Other nodes, as presence sees them. */
import type { ChannelRef, NodeId } from '../../base/ids.js';
import type { LivenessVerdict } from '../../cluster/effects.js';
import { holdersOf } from '../../cluster/intervals.js';
import type { Interval } from '../../cluster/ring-table.js';
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
  /** The process that membership knows by that name, while it is not held dead or gone. */
  bootOf(peer: NodeId): string | undefined;
  /** Goes out with everything else for that peer at the end of this turn; dropped when there is no link. */
  tell(peer: NodeId, message: PresenceMessage): void;
}

/** What of a node hears about others for presence. */
export interface PresenceHearer {
  received(peer: NodeId, message: PresenceMessage): void;
  linked(peer: NodeId): void;
  unlinked(peer: NodeId): void;
  verdict(verdict: LivenessVerdict): void;
  /** By gossip it can be reached again, or not any more. */
  routed(node: NodeId, isReachable: boolean): void;
  /** Who holds what has changed. */
  homesChanged(): void;
}

/** A node among others (engine/cluster/cluster.ts). */
export interface Among extends Omit<PresenceNeighbours, 'holders'> {
  intervalOf(ref: ChannelRef): Interval;
  /** Told of what happens among them. */
  presence: PresenceHearer | undefined;
}

export function neighboursOf(among: Among): PresenceNeighbours {
  return {
    self: among.self,
    boot: among.boot,
    holders: (ref) => holdersOf(among.intervalOf(ref)),
    isHome: (ref) => among.isHome(ref),
    reachableHomes: (ref) => among.reachableHomes(ref),
    isLinked: (peer) => among.isLinked(peer),
    bootOf: (peer) => among.bootOf(peer),
    tell: (peer, message) => among.tell(peer, message),
  };
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
    bootOf: () => undefined,
    tell: () => undefined,
  };
}
