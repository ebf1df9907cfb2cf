/** A node among others: who is there, who holds what, who acts, and what is said between them. It outlives the
 *  incarnations of the node's log (core.ts): each is attached when it starts. */
import type { ChannelRef, NodeId } from '../../base/ids.js';
import { type Result, err } from '../../base/result.js';
import { Acting } from '../../cluster/acting.js';
import { holdersOf, intervalsOf } from '../../cluster/intervals.js';
import type { Role } from '../../cluster/member.js';
import type { PeerClocks } from '../../cluster/peer-clocks.js';
import type { RingVote } from '../../cluster/ring-agreement.js';
import { ringDigest } from '../../cluster/ring-codec.js';
import type { IntervalId } from '../../cluster/ring-position.js';
import type { Interval, RingTable } from '../../cluster/ring-table.js';
import { isNowhere, versionTold } from '../../cluster/ring.js';
import { isPresenceMessage } from '../../presence/messages.js';
import type { Frame } from '../../replication/messages.js';
import type { RingPlan } from '../../replication/replica.js';
import type { Addresses, ClusterStatus, JoinRefusal, VerifyOptions, VerifyReport } from '../api.js';
import type { Attached } from './attached.js';
import { clientAddresses } from './client-addresses.js';
import { clusterStatus } from './cluster-status.js';
import { EarlyFrames } from './early-frames.js';
import { AlarmClock } from './alarm-clock.js';
import { Gossip } from './gossip.js';
import { heldOf, isBehind } from './held-intervals.js';
import { handedOver } from './handing-over.js';
import { Letters } from './letters.js';
import { Looking } from './looking.js';
import { type Acting as ActingNode, type Neighbours, here, nowhere } from './neighbours.js';
import type { EngineOptions } from '../options.js';
import type { ProofPage, ProofRefusal, ProofRequest } from './proof.js';
import { type PeerMessage, isRingMessage } from './peer-messages.js';
import type { EnginePorts, PeerHandlers, Peers } from '../ports.js';
import type { PresenceHearer } from '../presence/neighbours.js';
import { Rings } from './rings.js';
import { TakingTurns } from './taking-turns.js';

export class Cluster implements Neighbours {
  readonly self: NodeId;
  readonly #role: Role;
  readonly #ports: EnginePorts;
  readonly #peers: Peers;
  readonly #seeds: readonly string[];
  readonly #letters: Letters;
  readonly #gossip: Gossip;
  readonly #acting: Acting;
  readonly rings: Rings;
  readonly #early = new EarlyFrames();
  readonly #turns: TakingTurns;
  readonly #looking: Looking;
  #table: RingTable;
  /** Intervals that are recovered here. */
  readonly #recovering = new Set<IntervalId>();
  /** As membership says. */
  readonly #routed = new Set<NodeId>();
  readonly #wanted = new Set<string>();
  #attached: Attached | undefined;
  /** Set before the first incarnation is attached. */
  presence: PresenceHearer | undefined;
  #isStarted = false;
  #isSettled = false;
  #isQuiet = false;
  readonly #alarm: AlarmClock;

  constructor(
    ports: EnginePorts,
    peers: Peers,
    { table, vote }: { readonly table: RingTable; readonly vote: RingVote | undefined },
    { nodeId, cluster }: EngineOptions,
    clocks: PeerClocks,
  ) {
    const { profile, membership, seeds, expelAfterMs, joinsOthers } = cluster!;
    this.self = nodeId;
    this.#role = profile.role;
    this.#ports = ports;
    this.#peers = peers;
    this.#seeds = seeds;
    this.#table = table;
    this.#letters = new Letters(peers, ports.timers, ports.observer);
    const own = { ...profile, ringVersion: versionTold(table.ring), settled: false };
    const gossip = { node: nodeId, profile: own, parameters: membership, clocks };
    this.#gossip = new Gossip(ports, peers, gossip, {
      reachable: (node, isReachable) => this.#route(node, isReachable),
      changed: (node) => this.#changed(node),
      verdict: (verdict) => this.presence?.verdict(verdict),
      conflict: () => this.#turns.conflict(),
    });
    this.#looking = new Looking(ports, {
      isMeant: this.#isEdge || (joinsOthers === true && table.ring.members.length === 1),
      isPatient: this.#isEdge,
      isAlone: () => (this.#isEdge ? isNowhere(this.#table.ring) : this.#table.ring.members.length === 1),
      isAnybodyThere: () => this.#present().some(({ profile: { role } }) => role === 'core'),
      meet: (address) => this.#gossip.meet(address),
      meeting: (isUnderWay) => this.rings.meeting(isUnderWay),
      holdsNothing: async () => (await this.#attached?.holdsNothing()) !== false,
      held: () => this.rings.hold(),
    });
    this.#turns = new TakingTurns(ports, () => this.#keepLinks());
    const lacks = () => isBehind(this.#attached?.replica, heldOf(this.#table, nodeId), this.#letters.linked);
    this.#acting = new Acting({ table, self: nodeId, now: this.#now(), lacks });
    this.#alarm = new AlarmClock(ports, (now) => {
      this.#acting.tick(now);
      this.#reconsider();
    });
    const keeper = { self: nodeId, role: profile.role, table, vote, expelAfterMs, joinsOthers };
    this.rings = new Rings(ports, keeper, {
      tell: (peer, message) => this.tell(peer, message),
      use: (next, plan) => this.#use(next, plan),
      named: () => void this.join(),
    });
  }

  /** The present incarnation. */
  get attached(): Attached | undefined {
    return this.#attached;
  }

  get table(): RingTable {
    return this.#table;
  }

  /** The node's log is there, under this ring: from now on other nodes are heard. */
  attach(attached: Attached, table: RingTable): void {
    this.#attached = attached;
    // A ring may have become durable without this node knowing that it was.
    if (ringDigest(table.ring) !== ringDigest(this.#table.ring))
      this.#plan(table, intervalsOf(table, this.self));
    this.rings.attach(attached, this.#table);
    for (const peer of this.#letters.linked) attached.linked(peer);
    for (const interval of this.#wanted) attached.want(interval, true);
    if (this.#isStarted) return this.#reconsider();
    this.#isStarted = true;
    this.#peers.start(this.#handlers());
    this.#gossip.start(this.#seeds);
    this.#looking.tell();
    this.#looking.ask(this.#seeds);
    this.#looking.look();
    this.#reconsider();
  }

  /** Others are looked for, and nobody is served meanwhile. */
  get isLooking(): boolean {
    return !this.#looking.isOver;
  }

  detach(): void {
    this.#attached = undefined;
    this.rings.detach();
  }

  /** Gives up a ring of one for that of the nodes at an address, or of those that are known. */
  async join(address?: string): Promise<Result<number, JoinRefusal>> {
    if (this.#table.ring.members.length > 1) return err('not-alone');
    if (!this.#attached || this.#isQuiet) return err('no-voter');
    // From now on nothing is taken in; what was is looked at.
    this.#isQuiet = true;
    try {
      if (!(await this.#looking.holdsNothing())) return err('has-entries');
      if (address === undefined) return await this.rings.join();
      const at = await this.#gossip.meet(address);
      return at === undefined ? err('no-voter') : await this.rings.join(at);
    } finally {
      this.#isQuiet = false;
      this.#reconsider();
    }
  }

  /** More addresses to try: discovery found them. */
  learn(addresses: readonly string[]): void {
    if (!this.#isStarted) return;
    this.#gossip.learn(addresses);
    this.#looking.ask(addresses);
  }

  verify = async (options: VerifyOptions): Promise<VerifyReport | undefined> =>
    await this.#attached?.verify(options);

  async prove(request: ProofRequest): Promise<Result<ProofPage, ProofRefusal>> {
    return (await this.#attached?.prove(request)) ?? err('not-serving');
  }

  announce(addresses: Addresses): void {
    this.#gossip.say(addresses);
  }

  clientAddresses(): readonly string[] {
    return clientAddresses(this.self, this.#table.ring, this.#gossip.members());
  }

  /** Others own what this node did before it goes, and are told that it does: they go on at once. */
  async leave(): Promise<void> {
    if (!this.#isStarted) return;
    this.#acting.retire(this.#now());
    this.#reconsider();
    await handedOver(this.#ports, this.#acting, this.#table, this.#attached?.replica);
    await this.#gossip.leave();
  }

  stop(): void {
    this.#alarm.stop();
    this.#gossip.stop();
    this.rings.stop();
    this.#attached = undefined;
    if (this.#isStarted) this.#peers.stop();
  }

  status(): ClusterStatus {
    return clusterStatus({
      self: this.self,
      role: this.#role,
      table: this.#table,
      isSettled: this.#isSettled,
      isLooking: this.isLooking,
      members: this.#gossip.members(),
      load: this.#gossip.load,
      wanted: this.#wanted.size,
      replica: this.#attached?.replica,
      compared: (node) => this.#attached?.compared(node),
      isReachable: (node) => this.isReachable(node),
      isLinked: (node) => this.isLinked(node),
    });
  }

  get #isEdge(): boolean {
    return this.#role === 'edge';
  }

  // Who holds what, and who acts.

  intervalOf(ref: ChannelRef): Interval {
    return this.#table.intervalOfChannel(ref);
  }

  heldInterval(ref: ChannelRef): string | undefined {
    const interval = this.intervalOf(ref);
    return holdersOf(interval).includes(this.self) ? interval.id : undefined;
  }

  get boot(): string {
    return this.#gossip.boot;
  }

  bootOf(node: NodeId): string | undefined {
    return this.#present().find((member) => member.node === node)?.boot;
  }

  /** One that a change brings in holds, and serves nobody before it is over. */
  isHome(ref: ChannelRef): boolean {
    return this.intervalOf(ref).homes.includes(this.self);
  }

  acting(ref: ChannelRef): ActingNode {
    if (this.#isQuiet) return nowhere;
    const { id } = this.intervalOf(ref);
    // Whoever holds the claim knows better than who should have it.
    const owner = this.#attached?.replica.ownerOf(id);
    const node =
      owner === this.self || (owner && this.isReachable(owner)) ? owner : this.#acting.actingFor(id);
    if (node === this.self) return this.isHome(ref) ? here : nowhere;
    return node === undefined ? nowhere : { at: 'peer', peer: node };
  }

  reachableHomes(ref: ChannelRef): readonly NodeId[] {
    const interval = this.intervalOf(ref);
    const homes = interval.homes.filter((home) => home !== this.self && this.isReachable(home));
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

  flush(): void {
    this.#letters.flush();
  }

  // What the incarnation tells.

  /** One of hundreds: whoever says so tells once that ways may have changed. */
  recovering(interval: string, isRecovering: boolean): void {
    this.#recover(interval as IntervalId, isRecovering);
    this.#act();
  }

  gathered(interval: string): void {
    this.rings.gathered(interval);
  }

  ringBehind(_version: number, peer: NodeId): void {
    this.rings.behind(peer);
  }

  #recover(interval: IntervalId, isRecovering: boolean): void {
    if (isRecovering) this.#recovering.add(interval);
    else this.#recovering.delete(interval);
    this.#acting.recovering(interval, isRecovering, this.#now());
  }

  // Versions of the ring.

  /** Another version is durable: everything goes by it from now on. */
  #use(table: RingTable, plan: RingPlan): void {
    // What was sent before was said under the last one.
    this.#table = table;
    this.#attached?.changeRing(plan);
    this.#plan(table, plan.intervals);
    this.#reconsider();
    for (const { peer, frame } of this.#early.take(table.ring.version)) this.#attached?.frame(peer, frame);
  }

  /** A node that recovers is never taken for one that has everything, not even in between. */
  #plan(table: RingTable, held: readonly { readonly id: string }[]): void {
    this.#table = table;
    const isRecovering = (id: string): boolean => this.#attached?.replica.isRecovering(id) === true;
    for (const { id } of held) if (isRecovering(id)) this.#recover(id as IntervalId, true);
    this.#acting.plan(table, this.#now());
    for (const id of this.#recovering) if (!isRecovering(id)) this.#recover(id, false);
    this.#gossip.say({ ringVersion: versionTold(table.ring) });
    this.presence?.homesChanged();
  }

  #handlers(): PeerHandlers {
    return {
      linked: (peer) => this.#linked(peer),
      unlinked: (peer) => this.#unlinked(peer),
      received: (peer, bytes) => this.#received(peer, bytes),
      packet: (address, packet) => this.#gossip.packet(address, packet),
      asked: (question) => this.#gossip.asked(question),
      pulse: (node, ageMs) => this.#gossip.pulse(node, ageMs),
    };
  }

  #received(peer: NodeId, bytes: Uint8Array): void {
    for (const message of this.#letters.read(peer, bytes)) {
      if (message.type === 'replication') this.#frame(peer, message.frame);
      else if (isRingMessage(message)) this.rings.received(peer, message);
      else if (isPresenceMessage(message)) this.presence?.received(peer, message);
      else this.#attached?.received(peer, message);
    }
  }

  /** What is said under a version that is not in use here waits for it. */
  #frame(peer: NodeId, frame: Frame): void {
    const { version } = this.#table.ring;
    if (frame.ringVersion <= version && !this.#early.has(peer)) return this.#attached?.frame(peer, frame);
    this.#early.add(peer, frame);
    this.rings.behind(peer);
  }

  #linked(peer: NodeId): void {
    this.#early.forget(peer);
    this.#letters.begin(peer);
    this.#gossip.linked(peer);
    this.#attached?.linked(peer);
    this.rings.linked(peer);
    this.#looking.tell();
    this.presence?.linked(peer);
    this.#reach(peer);
  }

  #unlinked(peer: NodeId): void {
    this.#letters.end(peer);
    this.#gossip.unlinked(peer);
    this.#attached?.unlinked(peer);
    this.#early.forget(peer);
    this.rings.unlinked(peer);
    this.presence?.unlinked(peer);
    this.#reach(peer);
  }

  #route(node: NodeId, isReachable: boolean): void {
    if (isReachable) this.#routed.add(node);
    else this.#routed.delete(node);
    this.presence?.routed(node, isReachable);
    this.#reach(node);
  }

  #reach(node: NodeId): void {
    this.#acting.reachable(node, this.isReachable(node), this.#now());
    this.#reconsider();
  }

  /** Links are kept with everybody who is there. */
  #changed(node: NodeId): void {
    const member = this.#keepLinks().find((each) => each.node === node);
    this.#acting.settled(node, member?.profile.settled === true);
    const isRouted = member?.reachable === true;
    if (isRouted !== this.#routed.has(node)) return this.#route(node, isRouted);
    this.#reconsider();
  }

  #present() {
    return this.#gossip.members().filter(({ state }) => state === 'alive' || state === 'suspect');
  }

  #keepLinks() {
    const present = this.#present();
    const links = this.#turns.isSilent ? [] : present;
    this.#peers.keepLinks(new Map(links.map(({ node, profile }) => [node, profile.peerAddress])));
    return present;
  }

  /** Takes what changed in who acts to the replica, and tells what this node says of itself. */
  #reconsider(): void {
    this.#act();
    this.#attached?.rerouted();
  }

  #act(): void {
    if (this.#acting.isSettled !== this.#isSettled) {
      this.#isSettled = this.#acting.isSettled;
      this.#gossip.say({ settled: this.#isSettled });
    }
    for (const { interval, wanted } of this.#acting.takeChanges()) {
      if (wanted) this.#wanted.add(interval);
      else this.#wanted.delete(interval);
      this.#attached?.want(interval, wanted);
    }
    this.#alarm.set(this.#acting.nextDeadline());
  }

  #now(): number {
    return this.#ports.clock.monotonicMs();
  }
}
