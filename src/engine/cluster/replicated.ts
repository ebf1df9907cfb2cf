/** The ordering of a node of a cluster: claims, copies and commits are the replica's to decide (replication/replica.ts); here
 *  its decisions meet the channels, the committer and whoever listens. */
import { assert } from '../../base/assert.js';
import type { ChannelRef, Dot, NodeId, WriterId } from '../../base/ids.js';
import type { ChannelLog } from '../../log/channel-log.js';
import { planted } from '../../base/planted.js';
import { isFloorRun } from '../../log/floors.js';
import type { RunSummary } from '../../log/run.js';
import type { Effect } from '../../replication/effects.js';
import type { Frame } from '../../replication/messages.js';
import type { CommitPart, Replica, RingPlan } from '../../replication/replica.js';
import { type ActiveChannel, isAllCommitted } from '../active-channel.js';
import type { ChannelTable } from '../channel-table.js';
import type { Committer } from '../committer.js';
import { isReadAnew } from '../missing.js';
import type { Acting } from './neighbours.js';
import type { Companion, Fetched, Ordering, Stamped, Stamping } from '../ordering.js';
import { awaitRepeats, awaitedOf, untilCommitted } from './awaited.js';
import { ClocksAhead } from './clocks-ahead.js';
import { type Pending, pendingMerge } from '../pending.js';
import { StoreForgotError, StoreTwiceError } from '../store-doubt.js';
import { HeldLogs } from './held-logs.js';
import { Mending } from './mending.js';
import { type OuterEffect, ReplicaDriver } from './replica-driver.js';
import { type Writing, Writings } from './writings.js';
import type { ReplicatedOptions } from './replicated-options.js';
import { SharedChannel } from './shared-channel.js';

export class Replicated implements Ordering {
  readonly replica: Replica;
  /** Clients read what is held here through it. */
  readonly mending: Mending;
  readonly #options: ReplicatedOptions;
  readonly driver: ReplicaDriver;
  readonly #held: HeldLogs;
  #channels: ChannelTable | undefined;
  #committer: Committer | undefined;
  /** Channels in which publishes wait for a claim. */
  #waiting = new Set<ActiveChannel>();
  readonly #writings = new Writings();
  readonly #clocksAhead: ClocksAhead;
  /** Intervals that came to be owned here in this turn. */
  readonly #gained = new Set<string>();
  /** Since whoever goes by it was told: who owns what, or also what this home counts for. */
  #changed: 'routes' | 'recovered' | undefined;
  #isStopped = false;

  constructor(options: ReplicatedOptions) {
    this.#options = options;
    const { store, ports, surroundings, failed } = options;
    this.#clocksAhead = new ClocksAhead(ports.observer);
    this.#held = new HeldLogs(store, surroundings, () => this.#table, failed);
    this.replica = options.makeReplica((ref) => this.#held.log(ref));
    this.driver = new ReplicaDriver(this.replica, store, ports, {
      heldInterval: (ref) => surroundings.heldInterval(ref),
      logs: this.#held,
      effect: (effect) => this.#do(effect),
      repairsChanged: (ref) => this.mending.changed(ref),
      done: () => this.#pumped(),
      ownerChanged: () => (this.#changed ??= 'routes'),
      ticked: () => this.#resumeWaiting(),
      failed,
    });
    const examine = this.driver.examine.bind(this.driver);
    const mayMend = this.replica.mayMend.bind(this.replica);
    const learn = (ref: ChannelRef): Promise<void> => this.#learnCommitted(ref);
    this.mending = new Mending({ store, timers: ports.timers, examine, learn, mayMend, failed });
  }

  attach(channels: ChannelTable, committer: Committer): void {
    this.#channels = channels;
    this.#committer = committer;
    this.driver.pumpSoon();
  }

  get writer(): WriterId {
    return this.#options.writer;
  }

  get hasWork(): boolean {
    return this.replica.hasWork || !this.#writings.isEmpty;
  }

  /** Makes notes durable with the next commit. */
  write(writing: Writing): void {
    this.#writings.add(writing);
    this.driver.pumpSoon();
  }

  /** Goes by another version of the ring: channels lie in other intervals, or are held here no more, or only now. */
  changeRing(plan: RingPlan): void {
    this.replica.changeRing(plan, this.#now());
    this.driver.ringChanged();
    for (const channel of this.#table) if (channel.isLoaded) this.#place(channel, plan);
    this.#held.place();
    this.#resumeWaiting();
    this.driver.pumpSoon();
  }

  #place(channel: ActiveChannel, plan: RingPlan): void {
    const { shared, ref } = channel;
    const interval = plan.intervalOf(ref);
    if (interval === undefined) {
      this.leave(channel);
      this.#committerNow.resume(channel);
    } else if (shared) shared.interval = interval;
    else if (!this.#options.surroundings.isMirrored(ref)) this.#share(channel, interval);
  }

  /** The channel's log is read elsewhere from now on. */
  leave(channel: ActiveChannel): void {
    channel.shared?.giveUp();
    channel.shared = undefined;
  }

  /** A log that others are served from already, for readers here too. */
  takeOver(channel: ActiveChannel, log: ChannelLog): void {
    this.#held.handOver(channel.ref);
    channel.loaded(log, this.writer);
    this.loaded(channel);
    this.#committerNow.resume(channel);
  }

  /** The log as it is held for the others; `takeOver` or a change of the ring ends that. */
  async openApart(ref: ChannelRef): Promise<ChannelLog> {
    return await this.#held.openApart(ref);
  }

  /** Readers leave the log of an interval that is held for the others still. */
  async holdApart(ref: ChannelRef): Promise<void> {
    if (this.#options.surroundings.heldInterval(ref) !== undefined) await this.#held.openApart(ref);
  }

  /** Brings entries into a log that is held, if they can be had. */
  async fetchHeld(ref: ChannelRef, dots: readonly Dot[]): Promise<Fetched> {
    const interval = this.#options.surroundings.heldInterval(ref);
    if (interval === undefined) return { type: 'unknown' };
    this.replica.touch(interval, ref, this.#now());
    return await this.driver.fetch(ref, dots);
  }

  /** Everything that waits for a commit is durable. */
  written = (): Promise<void> => this.#committerNow.drained();

  // What the node asks.

  acting(ref: ChannelRef): Acting {
    return this.#options.surroundings.acting(ref);
  }

  isHome(ref: ChannelRef): boolean {
    return this.#options.surroundings.isHome(ref);
  }

  loaded(channel: ActiveChannel): void {
    const { surroundings } = this.#options;
    const interval = surroundings.heldInterval(channel.ref);
    if (interval !== undefined && !surroundings.isMirrored(channel.ref)) this.#share(channel, interval);
  }

  #share(channel: ActiveChannel, interval: string): void {
    channel.shared = new SharedChannel(interval);
    if (channel.usedBy === 'clients') this.used(channel);
  }

  used(channel: ActiveChannel): void {
    if (!channel.shared) return;
    this.replica.touch(channel.shared.interval, channel.ref, this.#now());
    // The owner tells what is committed of it, and merges what is not.
    if (!isAllCommitted(channel)) this.replica.exchange(channel.ref, this.#now());
    this.driver.pumpSoon();
  }

  /** The same of a channel that nobody may use. */
  async #learnCommitted(ref: ChannelRef): Promise<void> {
    await this.driver.open([ref]);
    const interval = this.#options.surroundings.heldInterval(ref);
    if (this.#isStopped || interval === undefined) return;
    this.replica.touch(interval, ref, this.#now());
    this.replica.exchange(ref, this.#now());
    this.driver.pumpSoon();
  }

  known(channel: ActiveChannel): Promise<void> | undefined {
    if (!channel.shared || isAllCommitted(channel)) return undefined;
    return untilCommitted(channel, this.#options.ports.timers);
  }

  release({ shared, ref }: ActiveChannel): boolean {
    if (!shared) return true;
    if (shared.isAwaiting || this.#options.surroundings.isFollowed(ref)) return false;
    return this.replica.releaseChannel(ref);
  }

  async fetch(ref: ChannelRef, dots: readonly Dot[]): Promise<Fetched> {
    if (this.#held.find(ref)) return await this.driver.fetch(ref, dots);
    return await this.#options.surroundings.fetch(ref, dots);
  }

  // Commits.

  cut(): CommitPart {
    this.driver.awake();
    const part = this.replica.cut();
    return { ...part, notes: this.#writings.cut(part.notes) };
  }

  stamping({ ref, shared }: ActiveChannel): Stamping {
    // Its readers are about to come here: see rehoming.ts.
    if (!shared) return { as: this.isHome(ref) ? 'wait' : 'elsewhere' };
    this.driver.giving.needed();
    const stamping = this.replica.stamping(ref, this.#now());
    if (stamping.as !== 'degraded') return stamping;
    return this.acting(ref).at === 'here' ? stamping : { as: 'elsewhere' };
  }

  elsewhere({ ref }: ActiveChannel, items: readonly Pending[]): void {
    for (const item of items) {
      if (item.kind === 'trim') item.settled(false);
      else if (item.kind === 'publish') this.#options.surroundings.giveBack(item, ref);
    }
  }

  trimLimit({ ref, shared }: ActiveChannel, isForced: boolean): number {
    return shared ? this.replica.trimLimit(ref, isForced ? 0 : this.#options.trimGraceMs, this.#now()) : 0;
  }

  waits(channel: ActiveChannel): void {
    this.#waiting.add(channel);
  }

  built(stamped: readonly Stamped[], bytes: Uint8Array): void {
    for (const { channel, run, items } of stamped) {
      const { shared } = channel;
      if (!run || !shared) continue;
      // The buffer is used again, and these bytes are sent and delivered later.
      const own = bytes.slice(run.offset, run.offset + run.headerBytes + run.recordBytes);
      const moved = { ...run, offset: 0 };
      this.replica.stamped(channel.ref, moved, own, awaitedOf(items), this.#now());
      if (channel.hasListeners && run.round > 0) shared.kept.add(moved, own);
    }
    // To the other homes while the own disk syncs.
    this.driver.pump();
  }

  synced(stamped: readonly Stamped[], bytes: Uint8Array, companion: Companion | undefined): void {
    assert(companion, 'every commit has its part of the replica');
    for (const foreign of companion.runs) this.#takenIn(foreign.run, foreign.bytes);
    for (const one of stamped) this.#stamped(one, bytes);
    this.replica.synced(companion.token, this.#now());
    for (const { channel, items } of stamped) awaitRepeats(this.replica, channel, items, this.#now());
    this.#held.betweenCommits();
    this.driver.pump();
    this.#writings.synced();
  }

  /** A run of another node is stored. */
  #takenIn(run: RunSummary, bytes: Uint8Array): void {
    const { clock, physicalMs, surroundings } = this.#options;
    const nowMs = physicalMs();
    this.driver.giving.took(run.lastTimestamp, nowMs);
    if (clock.receive(run.lastTimestamp, nowMs) === 'ahead') this.#clocksAhead.found(run, nowMs);
    const channel = this.#held.find(run.ref);
    if (!channel) return;
    if (!isFloorRun(run)) {
      channel.tookIn(run, bytes);
      if (channel.hasListeners) channel.shared?.kept.add(run, bytes);
    }
    surroundings.synced(run.ref, run, bytes);
  }

  #stamped({ channel, run, items }: Stamped, bytes: Uint8Array): void {
    const { shared, ref } = channel;
    assert(shared, 'what is stamped here is held here');
    for (const item of items) {
      if (item.kind === 'trim') item.settled(true);
      else if (item.kind === 'publish' && !item.duplicate) shared.awaits(item);
    }
    if (!run) return;
    this.#options.surroundings.synced(ref, run, bytes);
    if (run.round > 0 && channel.rules.ack !== 'owner' && !planted('delivered-at-sync')) return;
    channel.tip = { writer: run.writer, seq: run.firstSeq + run.count - 1 };
    this.#options.delivery.provisional(channel);
    this.#options.surroundings.tip(ref, channel.tip);
  }

  // What comes from peers.

  received(peer: NodeId, frame: Frame): void {
    this.driver.receive(peer, frame);
  }

  linked(peer: NodeId): void {
    this.replica.connected(peer, this.#now());
    this.driver.pumpSoon();
  }

  unlinked(peer: NodeId): void {
    this.replica.disconnected(peer, this.#now());
    this.driver.forget(peer);
    this.driver.pumpSoon();
  }

  want(interval: string, wanted: boolean): void {
    this.replica.want(interval, wanted, this.#now());
    this.driver.pumpSoon();
    this.#resumeWaiting();
  }

  stop(): void {
    this.#isStopped = true;
    this.mending.stop();
    this.driver.stop();
    for (const channel of this.#waiting) this.#committer?.refusePending(channel);
    for (const channel of this.#table) channel.shared?.giveUp();
  }

  // What the replica wants done.

  #do(effect: OuterEffect): void {
    const { surroundings, ports } = this.#options;
    switch (effect.type) {
      case 'send':
        return surroundings.sendFrame(effect.to, effect.frame);
      case 'committed':
        return this.#committed(effect);
      case 'outcome': {
        const { ref, writer, firstSeq, lastSeq, outcome } = effect;
        const channel = this.#held.find(ref);
        return channel?.shared?.settle(writer, firstSeq, lastSeq, outcome, channel.log);
      }
      case 'ready':
        return this.#resume(effect.ref);
      case 'merge':
        return this.#submit(effect.ref, pendingMerge);
      case 'giveUp':
        return this.#submit(effect.ref, { kind: 'gap', lost: effect.lost });
      case 'overtaken': {
        const channel = this.#held.find(effect.ref);
        channel?.settleTip();
        return channel && this.#options.delivery.committed(channel, effect.from, undefined);
      }
      case 'claimGained':
        this.#changed ??= 'routes';
        return void this.#gained.add(effect.interval);
      case 'claimLost':
        this.#changed ??= 'routes';
        return this.#resumeWaiting();
      case 'recovered':
        this.#changed = 'recovered';
        return surroundings.recovering(effect.interval, false);
      case 'gathered':
        return surroundings.gathered(effect.interval);
      case 'ringBehind':
        return surroundings.ringBehind(effect.version, effect.peer);
      case 'storeForgot':
        return this.#options.failed(new StoreForgotError());
      case 'storeTwice':
        return this.#options.failed(new StoreTwiceError());
      case 'alarm':
        return ports.observer.observe({ type: 'alarm', code: effect.code, message: effect.message });
    }
  }

  #committed({ ref, dot, from, to }: Extract<Effect, { type: 'committed' }>): void {
    const channel = this.#held.find(ref);
    if (!channel?.shared) return;
    const { shared, log } = channel;
    channel.settleTip();
    const spans = log.spans(from, to);
    const pieces = shared.kept.take(spans);
    // Of what is deleted, or redacted, readers are told by the log.
    this.#options.delivery.committed(channel, from, isReadAnew(log, spans) ? undefined : pieces);
    this.#options.surroundings.committed(ref, dot);
  }

  /** Whoever waits for entries above an unacknowledged tail waits for this: the tail is merged in channels that are in use.
   *  Intervals come by hundreds, and channels are gone through once for all of them. */
  #touchGained(): void {
    if (this.#gained.size === 0) return;
    for (const { shared, ref, usedBy } of this.#table) {
      if (shared && this.#gained.has(shared.interval) && usedBy !== 'nobody')
        this.replica.touch(shared.interval, ref, this.#now());
    }
    this.#gained.clear();
    this.#resumeWaiting();
    this.driver.pumpSoon();
  }

  #submit(ref: ChannelRef, item: Pending): void {
    const channel = this.#held.find(ref);
    if (!channel) return;
    this.#committerNow.admit(item);
    this.#committerNow.submit(channel, item);
  }

  #resume(ref: ChannelRef): void {
    const channel = this.#held.find(ref);
    if (!channel) return;
    this.#waiting.delete(channel);
    this.#committerNow.resume(channel);
  }

  #resumeWaiting(): void {
    const waiting = this.#waiting;
    this.#waiting = new Set();
    for (const channel of waiting) this.#committerNow.resume(channel);
  }

  #pumped(): void {
    if (this.#isStopped) return;
    const { surroundings } = this.#options;
    this.#touchGained();
    const changed = this.#changed;
    this.#changed = undefined;
    if (changed) surroundings.rerouted();
    if (changed === 'recovered') this.driver.comparedHere?.recovered();
    surroundings.flush();
    if (this.hasWork) this.#committer?.start();
    this.#options.flush();
  }

  get #table(): ChannelTable {
    assert(this.#channels, 'channels are attached first');
    return this.#channels;
  }

  get #committerNow(): Committer {
    assert(this.#committer, 'the committer is attached first');
    return this.#committer;
  }

  #now(): number {
    return this.#options.ports.clock.monotonicMs();
  }
}
