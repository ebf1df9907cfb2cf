/** A node among others: who is there, who holds what, who acts, and what is said between them. It outlives the
 *  incarnations of the node's log (core.ts): each is attached when it starts. */
import type { ChannelRef, Dot, NodeId } from '../base/ids.js';
import { Acting } from '../cluster/acting.js';
import { holdersOf, intervalsOf } from '../cluster/intervals.js';
import { channelPosition } from '../cluster/ring-position.js';
import { type Interval, RingTable } from '../cluster/ring-table.js';
import type { Ring } from '../cluster/ring.js';
import type { RunSummary } from '../log/run.js';
import type { Frame } from '../replication/messages.js';
import { Gossip } from './gossip.js';
import { Letters } from './letters.js';
import type { Acting as ActingNode, Neighbours } from './neighbours.js';
import type { EngineOptions } from './options.js';
import type { PeerMessage } from './peer-messages.js';
import type { PendingPublish } from './pending.js';
import type { EnginePorts, Peers } from './ports.js';
import type { Replicated, Surroundings } from './replicated.js';

/** What of an incarnation hears from other nodes. */
export interface Attached {
  readonly replicated: Replicated;
  received(peer: NodeId, message: Exclude<PeerMessage, { type: 'replication' }>): void;
  unlinked(peer: NodeId): void;
  /** Who acts, or can be reached, has changed. */
  rerouted(): void;
  giveBack(pending: PendingPublish, ref: ChannelRef): void;
  synced(ref: ChannelRef, run: RunSummary, bytes: Uint8Array): void;
  committed(ref: ChannelRef, dot: Dot): void;
  tip(ref: ChannelRef, dot: Dot): void;
}

export class Cluster implements Neighbours, Surroundings {
  readonly self: NodeId;
  readonly #ports: EnginePorts;
  readonly #peers: Peers;
  readonly #seeds: readonly string[];
  readonly #letters: Letters;
  readonly #gossip: Gossip;
  readonly #acting: Acting;
  /** As membership says. */
  readonly #routed = new Set<NodeId>();
  #table: RingTable;
  #attached: Attached | undefined;
  #timerAt = Infinity;
  #cancelTimer: (() => void) | undefined;
  #left: (() => void) | undefined;

  constructor(ports: EnginePorts, peers: Peers, ring: Ring, options: EngineOptions) {
    const { nodeId, cluster } = options;
    this.self = nodeId;
    this.#ports = ports;
    this.#peers = peers;
    this.#seeds = cluster!.seeds;
    this.#table = new RingTable(ring);
    this.#letters = new Letters(peers, ports.timers, ports.observer);
    const profile = { ...cluster!.profile, ringVersion: ring.version };
    this.#gossip = new Gossip(
      ports,
      peers,
      { node: nodeId, profile, parameters: cluster!.membership },
      {
        reachable: (node, isReachable) => this.#route(node, isReachable),
        changed: (node) => this.#changed(node),
        left: () => this.#left?.(),
      },
    );
    this.#acting = new Acting({
      table: this.#table,
      self: nodeId,
      now: this.#now(),
      settleMs: cluster!.settleMs,
    });
  }
}
