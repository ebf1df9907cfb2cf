/** A node among others: who is there, who holds what, who acts, and what is said between them. It outlives the
 *  incarnations of the node's log (core.ts): each is attached when it starts. */
import type { ChannelRef, Dot, NodeId } from '../base/ids.js';
import { Acting } from '../cluster/acting.js';
import { holdersOf, intervalsOf } from '../cluster/intervals.js';
import { type IntervalId, channelPosition } from '../cluster/ring-position.js';
import { type Interval, RingTable } from '../cluster/ring-table.js';
import type { Ring } from '../cluster/ring.js';
import type { RunSummary } from '../log/run.js';
import type { Frame } from '../replication/messages.js';
import type { Replica } from '../replication/replica.js';
import type { ClusterStatus } from './api.js';
import { Gossip } from './gossip.js';
import { Letters } from './letters.js';
import type { Acting as ActingNode, Neighbours } from './neighbours.js';
import type { EngineOptions } from './options.js';
import type { Fetched } from './ordering.js';
import type { PeerMessage } from './peer-messages.js';
import type { PendingPublish } from './pending.js';
import type { EnginePorts, PeerHandlers, Peers } from './ports.js';
import type { Surroundings } from './replicated.js';

/** What of an incarnation hears from other nodes. */
export interface Attached {
  frame(peer: NodeId, frame: Frame): void;
  received(peer: NodeId, message: Exclude<PeerMessage, { type: 'replication' }>): void;
  linked(peer: NodeId): void;
  unlinked(peer: NodeId): void;
  want(interval: string, wanted: boolean): void;
  /** Who acts, or can be reached, has changed. */
  rerouted(): void;
  giveBack(pending: PendingPublish, ref: ChannelRef): void;
  synced(ref: ChannelRef, run: RunSummary, bytes: Uint8Array): void;
  committed(ref: ChannelRef, dot: Dot): void;
  tip(ref: ChannelRef, dot: Dot): void;
  isFollowed(ref: ChannelRef): boolean;
  fetch(ref: ChannelRef, dots: readonly Dot[]): Promise<Fetched>;
  readonly replica: Replica;
}

const here: ActingNode = { at: 'here' };
const nowhere: ActingNode = { at: 'nowhere' };

export class Cluster implements Neighbours, Surroundings {
  readonly self: NodeId;
  readonly table: RingTable;
  readonly #ports: EnginePorts;
  readonly #peers: Peers;
  readonly #seeds: readonly string[];
  readonly #letters: Letters;
  readonly #gossip: Gossip;
  readonly #acting: Acting;
  /** As membership says. */
  readonly #routed = new Set<NodeId>();
  readonly #wanted = new Set<string>();
  #attached: Attached | undefined;
  #isStarted = false;
  #isSettled = false;
  #timerAt = Infinity;
  #cancelTimer: (() => void) | undefined;
  #left: (() => void) | undefined;

  constructor(ports: EnginePorts, peers: Peers, ring: Ring, { nodeId, cluster }: EngineOptions) {
    const { profile, membership, seeds } = cluster!;
    this.self = nodeId;
    this.#ports = ports;
    this.#peers = peers;
    this.#seeds = seeds;
    this.table = new RingTable(ring);
    this.#letters = new Letters(peers, ports.timers, ports.observer);
    const own = { ...profile, ringVersion: ring.version, settled: false };
    const gossip = { node: nodeId, profile: own, parameters: membership };
    this.#gossip = new Gossip(ports, peers, gossip, {
      reachable: (node, isReachable) => this.#route(node, isReachable),
      changed: (node) => this.#changed(node),
      left: () => this.#left?.(),
    });
    this.#acting = new Acting({ table: this.table, self: nodeId, now: this.#now() });
  }

  /** The node's log is there: from now on other nodes are heard. */
  attach(attached: Attached): void {
    this.#attached = attached;
    for (const peer of this.#letters.linked) attached.linked(peer);
    for (const interval of this.#wanted) attached.want(interval, true);
    if (this.#isStarted) return this.#reconsider();
    this.#isStarted = true;
    this.#peers.start(this.#handlers());
    this.#gossip.start(this.#seeds);
    this.#reconsider();
  }

  detach(): void {
    this.#attached = undefined;
  }

  /** Others are told, so that they go on without this node at once. */
  leave(): Promise<void> {
    if (!this.#isStarted) return Promise.resolve();
    return new Promise((resolve) => {
      this.#left = resolve;
      this.#gossip.leave();
    });
  }

  stop(): void {
    this.#cancelTimer?.();
    this.#gossip.stop();
    this.#attached = undefined;
    if (this.#isStarted) this.#peers.stop();
  }

  status(): ClusterStatus {
    const held = intervalsOf(this.table, this.self);
    const replica = this.#attached?.replica;
    const count = (has: (id: string) => boolean): number => held.filter(({ id }) => has(id)).length;
    return {
      ringVersion: this.table.ring.version,
      settled: this.#isSettled,
      members: this.#gossip.members().map(({ node, state, profile }) => {
        return { node, state, reachable: this.isReachable(node), settled: profile.settled };
      }),
      intervals: {
        held: held.length,
        wanted: this.#wanted.size,
        owned: count((id) => replica?.claimOf(id) !== undefined),
        recovering: count((id) => replica?.isRecovering(id) === true),
      },
    };
  }

  // Who holds what, and who acts.

  intervalOf(ref: ChannelRef): Interval {
    return this.table.intervalOf(channelPosition(ref));
  }

  heldInterval(ref: ChannelRef): string | undefined {
    const interval = this.intervalOf(ref);
    return holdersOf(interval).includes(this.self) ? interval.id : undefined;
  }

  isHome(ref: ChannelRef): boolean {
    return this.heldInterval(ref) !== undefined;
  }

  acting(ref: ChannelRef): ActingNode {
    const { id } = this.intervalOf(ref);
    // Whoever holds the claim knows better than who should have it.
    const owner = this.#attached?.replica.ownerOf(id);
    const node =
      owner === this.self || (owner && this.isReachable(owner)) ? owner : this.#acting.actingFor(id);
    if (node === this.self) return here;
    return node === undefined ? nowhere : { at: 'peer', peer: node };
  }

  reachableHomes(ref: ChannelRef): readonly NodeId[] {
    const interval = this.intervalOf(ref);
    const homes = holdersOf(interval).filter((home) => home !== this.self && this.isReachable(home));
    const acting = this.#acting.actingFor(interval.id);
    return acting && homes.includes(acting) ? [acting, ...homes.filter((home) => home !== acting)] : homes;
  }

  /** By gossip and by a link: one of them alone does not carry what is to be sent. */
  isReachable(node: NodeId): boolean {
    return this.#routed.has(node) && this.#letters.linked.has(node);
  }

  isLinked(peer: NodeId): boolean {
    return this.#letters.linked.has(peer);
  }

  tell(peer: NodeId, message: PeerMessage): void {
    this.#letters.add(peer, message);
  }

  sendFrame(to: NodeId, frame: Frame): void {
    this.#letters.add(to, { type: 'replication', frame });
  }

  rerouted(): void {
    this.#attached?.rerouted();
  }

  flush(): void {
    this.#letters.flush();
  }

  // What the incarnation tells.

  recovering(interval: string, isRecovering: boolean): void {
    this.#acting.recovering(interval as IntervalId, isRecovering, this.#now());
    this.#reconsider();
  }

  ringBehind(version: number, peer: NodeId): void {
    const message = `Node ${peer} has version ${version} of the ring, this node ${this.table.ring.version}.`;
    this.#ports.observer.observe({ type: 'alarm', code: 'RING_BEHIND', message });
  }

  giveBack(pending: PendingPublish, ref: ChannelRef): void {
    this.#attached?.giveBack(pending, ref);
  }

  synced(ref: ChannelRef, run: RunSummary, bytes: Uint8Array): void {
    this.#attached?.synced(ref, run, bytes);
  }

  committed(ref: ChannelRef, dot: Dot): void {
    this.#attached?.committed(ref, dot);
  }

  tip(ref: ChannelRef, dot: Dot): void {
    this.#attached?.tip(ref, dot);
  }

  isFollowed(ref: ChannelRef): boolean {
    return this.#attached?.isFollowed(ref) === true;
  }

  async fetch(ref: ChannelRef, dots: readonly Dot[]): Promise<Fetched> {
    return (await this.#attached?.fetch(ref, dots)) ?? { type: 'unknown' };
  }

  // What other nodes tell.

  #handlers(): PeerHandlers {
    return {
      linked: (peer) => this.#linked(peer),
      unlinked: (peer) => this.#unlinked(peer),
      received: (peer, bytes) => this.#received(peer, bytes),
      packet: (address, packet) => this.#gossip.packet(address, packet),
      asked: (question) => this.#gossip.asked(question),
    };
  }

  #received(peer: NodeId, bytes: Uint8Array): void {
    for (const message of this.#letters.read(peer, bytes)) {
      if (message.type === 'replication') this.#attached?.frame(peer, message.frame);
      else this.#attached?.received(peer, message);
    }
  }

  #linked(peer: NodeId): void {
    this.#letters.begin(peer);
    this.#gossip.linked(peer);
    this.#attached?.linked(peer);
    this.#reach(peer);
  }

  #unlinked(peer: NodeId): void {
    this.#letters.end(peer);
    this.#gossip.unlinked(peer);
    this.#attached?.unlinked(peer);
    this.#reach(peer);
  }

  #route(node: NodeId, isReachable: boolean): void {
    if (isReachable) this.#routed.add(node);
    else this.#routed.delete(node);
    this.#reach(node);
  }

  #reach(node: NodeId): void {
    this.#acting.reachable(node, this.isReachable(node), this.#now());
    this.#reconsider();
  }

  /** Links are kept with everybody who is there. */
  #changed(node: NodeId): void {
    const present = this.#gossip.members().filter(({ state }) => state === 'alive' || state === 'suspect');
    this.#peers.keepLinks(new Map(present.map((member) => [member.node, member.profile.peerAddress])));
    const member = present.find((each) => each.node === node);
    this.#acting.settled(node, member?.profile.settled === true);
    const isRouted = member?.reachable === true;
    if (isRouted !== this.#routed.has(node)) return this.#route(node, isRouted);
    this.#reconsider();
  }

  /** Takes what changed in who acts to the replica, and tells what this node says of itself. */
  #reconsider(): void {
    if (this.#acting.isSettled !== this.#isSettled) {
      this.#isSettled = this.#acting.isSettled;
      this.#gossip.say({ settled: this.#isSettled });
    }
    for (const { interval, wanted } of this.#acting.takeChanges()) {
      if (wanted) this.#wanted.add(interval);
      else this.#wanted.delete(interval);
      this.#attached?.want(interval, wanted);
    }
    this.#attached?.rerouted();
    this.#schedule();
  }

  #schedule(): void {
    const next = this.#acting.nextDeadline();
    if (next >= this.#timerAt) return;
    this.#cancelTimer?.();
    this.#timerAt = next;
    this.#cancelTimer = this.#ports.timers.after(Math.max(0, next - this.#now()), () => {
      this.#timerAt = Infinity;
      this.#acting.tick(this.#now());
      this.#reconsider();
    });
  }

  #now(): number {
    return this.#ports.clock.monotonicMs();
  }
}
