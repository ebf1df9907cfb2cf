/** All intervals and channels of one node: takes in what peers say, what was stamped and what was synced, and says what is
 *  to be done. Pure: it never waits, and time and chance are given to it.
 *
 *  The contract with the engine, which is the only one to call it:
 *
 *  1. *Open first.* `receive` gets a frame once the logs of all channels in it (`channelsOf`) are open, `stamping`,
 *     `touch`, `awaitEntry`, `fetch` and `listed` likewise. A `ChannelLog` holds what is synced and nothing else: the
 *     store applies runs after the sync.
 *  2. *One commit at a time.* When `hasWork`, or when publishes wait, the engine calls `cut`, stamps its own entries
 *     (`stamping` says under which round and with which parents; `stamped` hands each run over, which sends it on at
 *     once), and makes one commit of both, own runs first, with the notes of the cut. When it is synced and applied it
 *     calls `synced`. A failed commit ends this replica with the writer: a new one is made from the reopened store.
 *     Nothing may be stamped outside this, and nothing twice in a channel of one cut.
 *  3. *Take effects* with `takeEffects` after any of this, once a turn: one frame a peer carries whatever many intervals
 *     and channels have to say. `read` and `list` are answered by `loaded` and `listed` whenever they are done, for
 *     `list` with what is there when it is answered, not before.
 *  4. *Time.* `tick` is called when `nextDeadline` has come; being late is harmless. `now` never steps back.
 *     After a pause of the process `resumed` comes before.
 *  5. *Links.* `connected` and `disconnected` tell of peers. Frames of one link arrive in order or not at all, but nothing
 *     here is wrong if they do not.
 *  6. *Clock.* The engine shows the timestamps of the runs of a cut to its clock; they never matter here.
 *  7. *Ring.* `ringVersion` and the home sets of each interval are the engine's to set; frames of an older version are
 *     refused, of a newer one dropped with the effect `ringBehind`. */
import { assert } from '../base/assert.js';
import { type ChannelRef, type Dot, type NodeId, type WriterId, channelKey } from '../base/ids.js';
import { limits } from '../base/limits.js';
import { planted } from '../base/planted.js';
import type { RunSummary } from '../log/run.js';
import type { Channel } from './channel.js';
import type { Claim } from './claim.js';
import type { Cut } from './commit-queue.js';
import type { Learned } from './catch-up.js';
import type { ArrivedRun, ReplicaOptions } from './context.js';
import type { Effect } from './effects.js';
import { Interval } from './interval.js';
import type { Frame, IntervalId } from './messages.js';
import {
  type Parts,
  away,
  discharge,
  makeParts,
  receiveMessage,
  tellConflict,
  tellRefused,
} from './parts.js';
import type { Reconcile, Reconciled } from './reconcile-messages.js';
import type { Changing, HomeSet } from './quorum.js';
import { Replanning, type RingPlan } from './replanning.js';
import type { AwaitTerms, AwaitedRange, CommitPart, IntervalStart, Stamping } from './replica-terms.js';
import { stampingOf } from './stamping.js';
import type { Damaged } from './repair-pieces.js';
import { timing } from './timing.js';
import type { StoredSlice } from './transfer.js';

export type { ArrivedRun, ReplicaOptions, StoreFacts } from './context.js';

export type { AwaitTerms, AwaitedRange, CommitPart, IntervalStart, Stamping } from './replica-terms.js';
export type { PlannedInterval, RingPlan } from './replanning.js';

export class Replica {
  readonly #parts: Parts;
  readonly #replanning: Replanning;
  #underWay: { readonly token: number; readonly cut: Cut; readonly stamped: Channel[] } | undefined;
  /** Nothing is said any more: the store is not what it was, or not this node's alone. */
  #isOver = false;

  constructor(options: ReplicaOptions) {
    this.#parts = makeParts(options);
    this.#replanning = new Replanning(this.#parts);
  }

  get ringVersion(): number {
    return this.#parts.context.ringVersion;
  }

  set ringVersion(version: number) {
    this.#parts.context.ringVersion = version;
  }

  // Intervals.

  /** This node is a home of the interval. */
  addInterval(
    id: IntervalId,
    sets: readonly HomeSet[],
    start: IntervalStart,
    now: number,
    changing?: Changing,
  ): void {
    assert(!this.#parts.context.intervals.has(id), 'an interval is added once');
    const note = typeof start === 'string' || planted('forgotten-promise') ? undefined : start;
    const interval = new Interval(id, this.#parts.context.self, sets, note, changing);
    this.#parts.context.intervals.set(id, interval);
    // Written down at once: without a note the home would be taken for one that lost its store.
    if (start === 'new') this.#parts.context.queue.duty({ type: 'note', interval, note: interval.note });
    const isLost =
      (start === 'recovering' && !planted('empty-is-new')) || (note?.recovering && !note.incoming);
    const kind = isLost ? 'lost' : note?.incoming ? 'incoming' : interval.isChecked ? 'checking' : undefined;
    if (kind) this.#parts.recovering.begin(interval, kind, now);
  }

  /** The ring says so now. */
  planInterval(id: IntervalId, sets: readonly HomeSet[]): void {
    this.#parts.context.intervals.get(id)?.plan(sets);
  }

  /** What must be durable before a new version of the ring is used: to be part of a commit, asked for when it is cut. */
  ringNotes(plan: RingPlan): ReadonlyMap<string, Uint8Array> {
    return this.#replanning.notes(plan);
  }

  /** Those notes are synced: from now on everything is done under that version. Not while a commit is under way. */
  changeRing(plan: RingPlan, now: number): void {
    assert(!this.#underWay, 'the ring changes between two commits');
    this.#parts.catchUp.ringEnds();
    const isNew = this.#replanning.newPairs(plan);
    this.ringVersion = plan.version;
    this.#replanning.apply(plan, now);
    this.#parts.catchUp.ringBegins(isNew, now);
  }

  /** Whether this home has not yet made sure that it holds all that was committed before the change under way. */
  gathers(id: IntervalId): boolean {
    return this.#parts.context.intervals.get(id)?.gathering !== undefined;
  }

  /** This node should own the interval, as far as liveness is known, or should no longer try. */
  want(id: IntervalId, wanted: boolean, now: number): void {
    const interval = this.#parts.context.intervals.get(id);
    if (interval) this.#parts.claims.want(interval, wanted, now);
  }

  claimOf(id: IntervalId): Claim | undefined {
    return this.#parts.context.intervals.get(id)?.held?.claim;
  }

  promiseOf(id: IntervalId): Claim | undefined {
    return this.#parts.context.intervals.get(id)?.promise;
  }

  isRecovering(id: IntervalId): boolean {
    return this.#parts.context.intervals.get(id)?.recovery !== undefined;
  }

  /** The node whose claim this home promised, itself included; after a restart unknown until it is heard. A hint where to
   *  send: only that node knows whether it still owns. */
  ownerOf(id: IntervalId): NodeId | undefined {
    return this.#parts.context.intervals.get(id)?.owner;
  }

  // How far it is.

  /** Channels of which this home lacks what arrived at the peer; `undefined` while that is not known. */
  lacking(peer: NodeId): number | undefined {
    return this.#parts.catchUp.leftOf(peer);
  }

  /** Entries stamped here that wait until a majority has them. */
  get waiting(): number {
    return this.#parts.outcomes.waiting;
  }

  // Peers.

  connected(peer: NodeId, now: number): void {
    this.#parts.context.connected.add(peer);
    this.#parts.transfer.drop(peer);
    // First, so that whoever is there learns at once what was said before.
    this.#parts.catchUp.connected(peer, now);
    this.#parts.context.awayFor(peer, now);
    for (const interval of this.#parts.context.intervals.values()) {
      if (!interval.others.includes(peer)) continue;
      this.#parts.claims.connected(interval, peer);
      this.#parts.recovering.connected(interval, peer, now);
      for (const channel of this.#parts.context.channelsIn(interval))
        this.#parts.repairing.connected(channel, peer);
      this.#parts.transfer.connected(interval, peer, now);
    }
  }

  disconnected(peer: NodeId, now: number): void {
    away(this.#parts, peer, now);
  }

  receive(from: NodeId, frame: Frame, now: number): void {
    const { stores, catchUp } = this.#parts;
    const store = stores.take(from, frame.storeId);
    if (store === 'void') {
      for (const message of frame.messages)
        if (message.type === 'arrived') catchUp.onVoid(from, message, now);
      return;
    }
    if (frame.ringVersion > this.ringVersion) {
      this.#parts.context.outbox.add({ type: 'ringBehind', version: frame.ringVersion, peer: from });
      return;
    }
    if (frame.ringVersion < this.ringVersion && !planted('stale-ring-taken')) {
      if (frame.messages.some(({ type }) => type !== 'staleRing')) {
        this.#parts.context.outbox.to(from).other({ type: 'staleRing' });
      }
      return;
    }
    if (store === 'renewed') catchUp.forgetStore(from, now);
    for (const message of frame.messages) receiveMessage(this.#parts, from, message, now);
  }

  // Commits.

  get hasWork(): boolean {
    return !this.#parts.context.queue.isEmpty;
  }

  /** What is to be part of the next commit. */
  cut(bytesMax: number = limits.commitBytesMax): CommitPart {
    assert(!this.#underWay, 'one commit is under way at a time');
    const cut = this.#parts.context.queue.cut(bytesMax);
    const token = this.#parts.context.nextId();
    this.#underWay = { token, cut, stamped: [] };
    const repairs = cut.repairs.flatMap(({ channel, parts }) => parts.map((part) => ({ channel, ...part })));
    return { token, runs: cut.runs, repairs, notes: cut.notes };
  }

  /** How the next entry of a channel is stamped, asked between `cut` and its commit or before. */
  stamping(ref: ChannelRef, now: number): Stamping {
    return stampingOf(this.#parts, this.#touched(ref), now);
  }

  /** A run was stamped for the commit of the last cut. `bytes` are kept until they are sent. */
  stamped(
    ref: ChannelRef,
    run: RunSummary,
    bytes: Uint8Array,
    awaited: readonly AwaitedRange[],
    now: number,
  ): void {
    const channel = this.#parts.context.channels.get(channelKey(ref));
    assert(channel && this.#underWay, 'what is stamped belongs to a cut and a channel that was touched');
    this.#underWay.stamped.push(channel);
    channel.stampedSeq = run.firstSeq + run.count - 1;
    const deadline = now + timing.publishMs;
    const { writer } = this.#parts.context;
    for (const range of awaited) channel.awaited.push({ ...range, writer, deadline, isWritten: false });
    if (run.round > 0 && this.#parts.context.owns(channel))
      this.#parts.transfer.direct(channel, run, bytes, now);
    this.#parts.context.dueChannels.changed(channel);
  }

  /** The commit is durable and applied to the logs. */
  synced(token: number, now: number): void {
    const underWay = this.#underWay;
    assert(underWay?.token === token, 'what is synced is the commit under way');
    this.#underWay = undefined;
    const { cut, stamped } = underWay;
    for (const refused of cut.refused) tellRefused(this.#parts, refused);
    for (const conflict of cut.conflicts) tellConflict(this.#parts, conflict);
    for (const duty of cut.duties) discharge(this.#parts, duty, now);
    const { context, owning, recovering, outcomes, fetching, catchUp, offering, repairing } = this.#parts;
    for (const { channel, lost } of cut.runs) {
      channel.grownAt = now;
      if (lost) context.lookForHoles(channel);
    }
    for (const { channel, repair } of cut.repairs) repairing.stored(channel, repair, now);
    const grown = [...cut.runs, ...cut.repairs].map(({ channel }) => channel);
    for (const channel of new Set([...grown, ...stamped])) {
      owning.trimmed(channel);
      repairing.settle(channel, now);
      owning.grown(channel, now);
      recovering.grown(channel, now);
      fetching.settle(channel);
      catchUp.grown(channel, now);
      outcomes.written(channel, now);
      offering.grown(channel, now);
    }
    // What was written without a claim is offered to the others, whoever of them owns the channel.
    for (const { ref, interval } of stamped) if (!interval.held) this.exchange(ref, now);
  }

  // Channels.

  /** The channel is in use, and its log open: an owner hears from the homes before it stamps there. */
  touch(id: IntervalId, ref: ChannelRef, now: number): void {
    const interval = this.#parts.context.intervals.get(id);
    if (interval) this.#parts.owning.open(this.#parts.context.channel(interval, ref), now);
  }

  /** An entry exists already, of whatever writer, and somebody repeats it who must know what became of it: one `outcome` of
   *  that dot, at once where there is one. */
  awaitEntry(ref: ChannelRef, { writer, seq }: Dot, { level, degrade }: AwaitTerms, now: number): void {
    const channel = this.#touched(ref);
    const deadline = now + timing.publishMs;
    channel.awaited.push({ writer, firstSeq: seq, lastSeq: seq, level, degrade, deadline, isWritten: true });
    this.#parts.context.dueChannels.changed(channel);
    this.#parts.outcomes.settle(channel, now);
  }

  /** A reader has entries that are lacking here: gets them from whichever home has them. The answer is one effect `fetched`
   *  with the id returned. */
  fetch(ref: ChannelRef, dots: readonly Dot[], now: number): number {
    return this.#parts.fetching.begin(this.#touched(ref), dots, now);
  }

  /** Takes runs of a channel from a node that is no home of it, and tells what is held once they are synced: one effect
   *  `adopted` with the id returned, unless the ring changes meanwhile. */
  adopt(ref: ChannelRef, from: NodeId, runs: readonly Uint8Array[]): number {
    const { context } = this.#parts;
    const channel = this.#touched(ref);
    context.take(channel, from, runs);
    const id = context.nextId();
    context.queue.duty({ type: 'adopt', channel, id });
    return id;
  }

  /** Position of a channel up to which retention may remove something here; 0 where this node does not own. */
  trimLimit(ref: ChannelRef, graceMs: number, now: number): number {
    const channel = this.#parts.context.channels.get(channelKey(ref));
    return channel ? this.#parts.owning.trimLimit(channel, graceMs, now) : 0;
  }

  /** Something stored here cannot be read: it is looked for at the other homes. */
  damaged(id: IntervalId, damaged: Damaged, now: number): void {
    const { context, repairing, recovering } = this.#parts;
    const interval = context.intervals.get(id);
    if (!interval) return;
    repairing.begin(context.channel(interval, damaged.ref), damaged, now);
    recovering.mended(interval);
  }

  /** Whether another home may still give an entry that cannot be read here. */
  mayMend(ref: ChannelRef, writer: WriterId, seq: number): boolean {
    const channel = this.#parts.context.channels.get(channelKey(ref));
    return channel === undefined || this.#parts.repairing.mayMend(channel, writer, seq);
  }

  #touched(ref: ChannelRef): Channel {
    const channel = this.#parts.context.channels.get(channelKey(ref));
    assert(channel, 'a channel is touched before anything is asked of it');
    return channel;
  }

  /** The channel leaves memory; false while something is under way in it. */
  releaseChannel(ref: ChannelRef): boolean {
    const channel = this.#parts.context.channels.get(channelKey(ref));
    if (!channel) return true;
    if (!channel.isIdle || this.#underWay) return false;
    this.#parts.context.release(channel);
    return true;
  }

  /** Compares a channel with the other homes: each sends what the other lacks. */
  exchange(ref: ChannelRef, now: number): void {
    const { context, transfer, offering } = this.#parts;
    const channel = context.channels.get(channelKey(ref));
    if (!channel) return;
    for (const home of channel.interval.others) transfer.ask(channel, home, now);
    offering.grown(channel, now);
  }

  /** Compares a channel with one other home, where both hold it. */
  compare(ref: ChannelRef, peer: NodeId, now: number): void {
    const { context, transfer } = this.#parts;
    const id = context.options.intervalOf?.(ref) ?? context.channels.get(channelKey(ref))?.interval.id;
    const interval = context.intervals.get(id ?? '');
    if (!interval?.others.includes(peer)) return;
    // An owner sends what another home lacks once it may stamp there.
    if (interval.held) this.touch(interval.id, ref, now);
    transfer.ask(context.channel(interval, ref), peer, now);
  }

  /** With the next frame. */
  say(peer: NodeId, message: Reconcile | Reconciled): void {
    this.#parts.context.outbox.to(peer).other(message);
  }

  loaded(id: number, slices: readonly StoredSlice[] | undefined, isDamaged: boolean, now: number): void {
    if (slices && this.#parts.repairing.loaded(id, slices, isDamaged)) return;
    this.#parts.transfer.loaded(id, slices, isDamaged, now);
  }

  listed(id: number, refs: readonly ChannelRef[]): void {
    this.#parts.recovering.listed(id, refs);
  }

  /** Runs that arrived after the number of the effect, and through which arrival they are all. */
  arrived(id: number, runs: readonly ArrivedRun[], through: number): void {
    this.#parts.arrivals.arrived(id, runs, through);
  }

  /** What a comparison with a peer came to, for the effect of that id; `undefined` when it came to nothing. */
  reconciled(id: number, learned: Learned | undefined, now: number): void {
    this.#parts.catchUp.reconciled(id, learned, now);
  }

  /** The logs of those channels are open. */
  opened(id: number, refs: readonly ChannelRef[], now: number): void {
    this.#parts.catchUp.opened(id, refs, now);
  }

  // Time and effects.

  /** This node stood still until now: to be called before anything else that follows. What came in meanwhile is heard
   *  before anything is given up, and no claim is stamped under before homes said that it stands. */
  resumed(stalledMs: number, now: number): void {
    if (stalledMs < timing.stallMs || planted('pause-unheeded')) return;
    const { context, claims, outcomes } = this.#parts;
    for (const interval of context.intervals.values()) claims.resumed(interval, now);
    outcomes.resumed(now);
  }

  nextDeadline(): number {
    const { context, asks, catchUp } = this.#parts;
    return Math.min(context.dueIntervals.next(), context.dueChannels.next(), asks.deadline, catchUp.deadline);
  }

  tick(now: number): void {
    const { context, claims, recovering, owning, transfer, outcomes, fetching, offering, repairing } =
      this.#parts;
    for (const interval of context.dueIntervals.take(now)) {
      claims.tick(interval, now);
      recovering.tick(interval, now);
    }
    for (const channel of context.dueChannels.take(now)) {
      channel.isHurried = false;
      owning.tick(channel, now);
      transfer.resend(channel, now);
      outcomes.settle(channel, now);
      fetching.tick(channel, now);
      offering.tick(channel, now);
      if (channel.repairs.length === 0) continue;
      repairing.tick(channel, now);
      recovering.mended(channel.interval);
    }
    for (const part of [this.#parts.asks, this.#parts.catchUp]) part.tick(now);
  }

  takeEffects(): readonly Effect[] {
    const effects = this.#parts.context.outbox.take(this.#parts.context.options.storeId, this.ringVersion);
    this.#isOver ||= effects.some(({ type }) => type === 'storeForgot' || type === 'storeTwice');
    return this.#isOver ? effects.filter(({ type }) => type !== 'send') : effects;
  }
}
