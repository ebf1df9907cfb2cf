/** What of one incarnation of a node's log other nodes reach, and what it sends them: frames of replication, publishes on
 *  their way to whoever orders them, channels followed for sessions elsewhere. */
import type { ChannelRef, Dot, NodeId } from '../../base/ids.js';
import { limits } from '../../base/limits.js';
import { holdsAll } from '../../cluster/intervals.js';
import type { Result } from '../../base/result.js';
import type { ChannelLog } from '../../log/channel-log.js';
import type { RunSummary } from '../../log/run.js';
import type { Signal } from '../../protocol/messages.js';
import type { Frame } from '../../replication/messages.js';
import type { Replica, RingPlan } from '../../replication/replica.js';
import type { ActiveChannel } from '../active-channel.js';
import type { ChannelTable } from '../channel-table.js';
import type { Attached } from './attached.js';
import type { Cluster } from './cluster.js';
import type { Delivery } from '../delivery.js';
import { Followers } from './followers.js';
import { RemoteLogs } from './following.js';
import { Forwarding } from './forwarding.js';
import { heldChannels } from '../held-channels.js';
import type { Away, Taker } from './neighbours.js';
import type { ChannelMessage, Orphan } from './peer-messages.js';
import type { PendingPublish } from '../pending.js';
import { Listening } from './listening.js';
import { Listing } from './listing.js';
import type { VerifyOptions, VerifyReport } from '../api.js';
import type { Fetched } from '../ordering.js';
import type { EnginePorts, LogStore } from '../ports.js';
import { Orphans } from './orphans.js';
import type { ProofPage, ProofRefusal, ProofRequest } from './proof.js';
import { Proving } from './proving.js';
import { Rehoming } from './rehoming.js';
import { replaceLog } from './replacing.js';
import type { Replicated } from './replicated.js';
import type { Writing } from './writings.js';
import { RoutedLogs } from './routed-logs.js';
import { Scrub } from './scrub.js';

export interface ClusterSideParts {
  readonly ports: EnginePorts;
  readonly cluster: Cluster;
  readonly store: LogStore;
  readonly replicated: Replicated;
  readonly delivery: Delivery;
  /** Something may be due to sessions. */
  flush(): void;
  failed(error: unknown): void;
}

export class ClusterSide implements Attached, Away {
  readonly logs: RoutedLogs;
  readonly #parts: ClusterSideParts;
  readonly #forwarding: Forwarding;
  readonly #remote: RemoteLogs;
  readonly #followers: Followers;
  readonly #listening: Listening;
  readonly #scrub: Scrub;
  readonly #orphans: Orphans;
  /** Peers whose entries are being taken in. */
  readonly #adopting = new Set<NodeId>();
  readonly #proving: Proving;
  /** Names of channels, wherever they are. */
  readonly listing: Listing;
  #taker: Taker | undefined;
  #rehoming: Rehoming | undefined;
  #channels: ChannelTable | undefined;

  constructor(parts: ClusterSideParts) {
    const { ports, cluster, store } = parts;
    const { timers, clock } = ports;
    this.#parts = parts;
    this.#forwarding = new Forwarding(
      { neighbours: cluster, timers, clock },
      {
        publish: (item, origin) => this.#taker?.forwarded(item, origin),
        publishHere: (pending, ref) => this.#taker?.here(pending, ref),
        flush: () => parts.flush(),
      },
    );
    this.#remote = this.#makeRemote();
    this.#listening = new Listening(this.#remote, (ref) => cluster.isHome(ref));
    this.#followers = this.#makeFollowers();
    this.#scrub = this.#makeScrub();
    this.#orphans = this.#makeOrphans();
    this.#proving = new Proving({
      clock,
      timers,
      self: cluster.self,
      ring: () => cluster.table,
      isLinked: (peer) => cluster.isLinked(peer),
      tell: (peer, message) => cluster.tell(peer, message),
      verify: (options) => this.#scrub.verify(options),
      failed: (error) => parts.failed(error),
    });
    this.listing = this.#makeListing();
    this.logs = new RoutedLogs(store, parts.replicated.mending, this.#remote, (ref) => cluster.isHome(ref));
  }

  attach(channels: ChannelTable): void {
    this.#channels = channels;
    const parts = this.#parts;
    const { ports, cluster, store, replicated, delivery } = parts;
    this.#rehoming = new Rehoming({
      channels,
      store,
      remote: this.#remote,
      logs: this.logs,
      replicated,
      delivery,
      timers: ports.timers,
      isHome: (ref) => cluster.isHome(ref),
      flush: () => parts.flush(),
      failed: (error) => parts.failed(error),
    });
  }

  /** From now on publishes of other nodes are taken. */
  serve(taker: Taker): void {
    this.#taker = taker;
    this.#orphans.look();
  }

  get counters() {
    return { ...this.#forwarding.counters, ...this.#scrub.counters };
  }

  /** What was taken to other nodes is answered, or will not be soon. */
  async answered(): Promise<void> {
    const { timers, clock } = this.#parts.ports;
    const end = clock.monotonicMs() + limits.lastAnswersMs;
    while (!this.#forwarding.isIdle && clock.monotonicMs() < end)
      await new Promise<void>((resolve) => timers.after(limits.handOverLookMs, resolve));
  }

  stop(): void {
    this.#forwarding.stop();
    this.#rehoming?.stop();
    this.#remote.stop();
    this.#followers.stop();
    this.#proving.stop();
    this.listing.stop();
    this.#scrub.stop();
    this.#orphans.stop();
  }

  // To other nodes.

  holds(ref: ChannelRef): boolean {
    return this.#forwarding.holds(ref);
  }

  forward(pending: PendingPublish, ref: ChannelRef): void {
    this.#forwarding.forward(pending, ref, pending.level, pending.degrade);
  }

  giveBack(pending: PendingPublish, ref: ChannelRef): void {
    this.#forwarding.giveBack(pending, ref, pending.level, pending.degrade);
  }

  signal(ref: ChannelRef, signal: Signal): void {
    this.#followers.signal(ref, signal);
  }

  synced(ref: ChannelRef, run: RunSummary, bytes: Uint8Array): void {
    this.#followers.synced(ref, run, bytes);
  }

  committed(ref: ChannelRef, dot: Dot): void {
    this.#followers.committed(ref, dot);
  }

  tip(ref: ChannelRef, dot: Dot): void {
    this.#followers.tip(ref, dot);
  }

  isFollowed(ref: ChannelRef): boolean {
    return this.#followers.has(ref);
  }

  fetch(ref: ChannelRef, dots: readonly Dot[]): Promise<Fetched> {
    return this.#remote.fetch(ref, dots);
  }

  /** Somebody here listens to a channel whose log is here: its signals come from the owner. */
  listen(ref: ChannelRef): void {
    this.#listening.listen(ref);
  }

  unlisten(ref: ChannelRef): void {
    this.#listening.unlisten(ref);
  }

  // From other nodes.

  frame(peer: NodeId, frame: Frame): void {
    this.#parts.replicated.received(peer, frame);
  }

  received(peer: NodeId, message: ChannelMessage): void {
    switch (message.type) {
      case 'publish':
      case 'published':
        return this.#forwarding.received(peer, message);
      case 'follow':
      case 'unfollow':
      case 'took':
      case 'read':
      case 'since':
      case 'cover':
        return this.#followers.received(peer, message);
      case 'orphan':
        void this.#adopt(peer, message);
        return;
      case 'adopted':
        return this.#orphans.received(peer, message);
      case 'verify':
      case 'verified':
        return this.#proving.received(peer, message);
      case 'listAsked':
      case 'listed':
        return this.listing.received(peer, message);
      default:
        return this.#remote.received(peer, message);
    }
  }

  linked(peer: NodeId): void {
    this.#parts.replicated.linked(peer);
    this.#scrub.linked(peer);
  }

  unlinked(peer: NodeId): void {
    this.#parts.replicated.unlinked(peer);
    this.#forwarding.unlinked(peer);
    this.#remote.unlinked(peer);
    this.#followers.unlinked(peer);
    this.#scrub.unlinked(peer);
    this.#orphans.unlinked(peer);
    this.#proving.unlinked(peer);
    this.listing.unlinked(peer);
  }

  want(interval: string, wanted: boolean): void {
    this.#parts.replicated.want(interval, wanted);
  }

  write(writing: Writing): void {
    this.#parts.replicated.write(writing);
  }

  changeRing(plan: RingPlan): void {
    this.#parts.replicated.changeRing(plan);
    this.#listening.ringChanged();
    this.#rehoming?.ringChanged();
    this.#scrub.ringChanged();
    this.#orphans.look();
  }

  isMirrored(ref: ChannelRef): boolean {
    return this.logs.placeOf(ref) === 'remote';
  }

  async holdsNothing(): Promise<boolean> {
    await this.#parts.replicated.written();
    return (await this.#parts.store.hubs()).length === 0;
  }

  rerouted(): void {
    this.#forwarding.wake();
    this.#remote.homesChanged();
    this.#followers.allChanged();
  }

  verify(options: VerifyOptions): Promise<VerifyReport> {
    return this.#scrub.verify(options);
  }

  mend(scrubPart: number): Promise<void> {
    return this.#parts.replicated.mending.mend(scrubPart);
  }

  compared(node: NodeId): { readonly agoMs: number; readonly equal: boolean } | undefined {
    return this.#scrub.compared(node);
  }

  prove(request: ProofRequest): Promise<Result<ProofPage, ProofRefusal>> {
    return this.#proving.page(request);
  }

  get replica(): Replica {
    return this.#parts.replicated.replica;
  }

  // What other homes hold.

  #makeScrub(): Scrub {
    const { ports, cluster, store, replicated } = this.#parts;
    const { driver } = replicated;
    const scrub = new Scrub({
      ports,
      store,
      self: cluster.self,
      ring: () => cluster.table,
      isLinked: (peer) => cluster.isLinked(peer),
      say: (peer, message) => driver.say(peer, message),
      compare: (refs, peer) => driver.compare(refs, peer),
      damaged: (ref) => replicated.mending.damaged(ref),
      failed: (error) => this.#parts.failed(error),
    });
    driver.comparedHere = scrub;
    return scrub;
  }

  #makeListing(): Listing {
    const { ports, cluster, store, replicated } = this.#parts;
    return new Listing({
      clock: ports.clock,
      timers: ports.timers,
      self: cluster.self,
      ring: () => cluster.table,
      isLinked: (peer) => cluster.isLinked(peer),
      tell: (peer, message) => cluster.tell(peer, message),
      held: (hub, page) => heldChannels({ store, ordering: replicated }, hub, page),
      isRecovering: (interval) => this.replica.isRecovering(interval),
      failed: (error) => this.#parts.failed(error),
    });
  }

  // What lies where no home is any more.

  #makeOrphans(): Orphans {
    const { ports, cluster, store } = this.#parts;
    return new Orphans({
      ports,
      store,
      holdsAll: () => holdsAll(cluster.table, cluster.self),
      isHeld: (ref) => cluster.heldInterval(ref) !== undefined,
      homesOf: (ref) => cluster.reachableHomes(ref),
      tell: (peer, message) => cluster.tell(peer, message),
      failed: (error) => this.#parts.failed(error),
    });
  }

  /** One at a time of each peer. */
  async #adopt(peer: NodeId, { id, ref, runs }: Orphan): Promise<void> {
    const { cluster, replicated } = this.#parts;
    const takes = cluster.isHome(ref) && !this.#adopting.has(peer);
    if (!takes) return cluster.tell(peer, { type: 'adopted', id });
    this.#adopting.add(peer);
    try {
      const have = await replicated.driver.adopt(ref, peer, runs);
      cluster.tell(peer, { type: 'adopted', id, ...(have ? { have } : {}) });
    } catch (error) {
      this.#parts.failed(error);
    }
    this.#adopting.delete(peer);
  }

  // Channels followed elsewhere.

  #makeRemote(): RemoteLogs {
    const { ports, cluster, delivery } = this.#parts;
    const { clock, timers } = ports;
    return new RemoteLogs(
      { neighbours: cluster, clock, timers },
      {
        committed: (ref, log, position, pieces) => {
          const channel = this.#mirrored(ref, log);
          if (!channel) return;
          channel.settleTip();
          delivery.committed(channel, position, pieces);
        },
        tip: (ref, log, dot) => {
          const channel = this.#mirrored(ref, log);
          if (!channel) return;
          channel.tip = dot;
          delivery.provisional(channel);
        },
        signals: (ref, signals) => this.#heard(ref, signals),
        keptSignals: (ref, signals) => {
          // The channel is still being loaded.
          const channel = this.#channels?.find(ref.hub, ref.channel);
          if (channel && channel.rules.liveHistory > 0)
            for (const signal of signals) channel.keepSignals().add(signal);
        },
        replaced: (ref, old, log, { lost }) => {
          const channel = this.#mirrored(ref, old);
          if (channel) replaceLog(channel, old, log, lost, delivery);
        },
        flush: () => this.#parts.flush(),
      },
    );
  }

  /** From the owner, or from the home that is followed. */
  #heard(ref: ChannelRef, signals: readonly Signal[]): void {
    const channel = this.#channels?.find(ref.hub, ref.channel);
    if (channel) for (const signal of signals) this.#parts.delivery.signal(channel, signal);
    this.#followers.relay(ref, signals);
  }

  // Channels of this node followed by others.

  #makeFollowers(): Followers {
    const { ports, cluster, store, replicated } = this.#parts;
    return new Followers(cluster, ports.timers, {
      open: async (ref) => {
        const channel = this.#table.use(ref);
        await this.#table.ready(channel);
        this.listen(ref);
        return channel.log;
      },
      release: (ref) => this.unlisten(ref),
      fetch: (ref, dots) => replicated.fetch(ref, dots),
      read: (ref, ranges, bytesMax) => replicated.mending.read(ref, ranges, bytesMax),
      seqsSince: (ref, timestamp) => store.seqsSince(ref, timestamp),
      // Brings the channel in: its owner merges what is not committed.
      keptSignals: (ref) => this.#table.use(ref).signals?.signals ?? [],
      tip: (ref) => this.#find(ref)?.tip,
    });
  }

  /** The channel if that is the log its readers have: one followed goes on for a while after it is kept here. */
  #mirrored(ref: ChannelRef, log: ChannelLog): ActiveChannel | undefined {
    const channel = this.#find(ref);
    return channel?.log === log ? channel : undefined;
  }

  #find({ hub, channel }: ChannelRef): ActiveChannel | undefined {
    const active = this.#channels?.find(hub, channel);
    return active?.isLoaded === true ? active : undefined;
  }

  get #table(): ChannelTable {
    return this.#channels!;
  }
}
