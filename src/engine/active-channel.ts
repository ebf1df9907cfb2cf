/** A channel in memory: its log, who listens, what waits to be written, and what is remembered about publishers. */
import { assert } from '../base/assert.js';
import { planted } from '../base/planted.js';
import { limits } from '../base/limits.js';
import type { ChannelRef, Dot, WriterId } from '../base/ids.js';
import { KeyTable } from '../log/idempotency.js';
import { PublisherTable } from '../log/publisher-sequence.js';
import { publishersIn } from '../log/publishers-in.js';
import type { ChannelLog } from '../log/channel-log.js';
import type { RunSummary } from '../log/run.js';
import type { ChannelRules } from '../channels/rules.js';
import type { NotificationInfo } from '../protocol/messages.js';
import { FanOut } from '../sessions/fan-out.js';
import type { Session } from '../sessions/session.js';
import { LiveHistory } from '../sessions/live-history.js';
import type { Pending } from './pending.js';
import type { SharedChannel } from './cluster/shared-channel.js';
import type { OpenFold } from './folds/open-fold.js';

export class ActiveChannel {
  /** Waiting for a commit, in order of receipt; an empty list is `nothing`, see `wait`. */
  pending: Pending[] = nothing;
  /** Some were taken out of `pending` for a commit and are not stamped yet: keys are being looked up. */
  isCut = false;
  /** On the committer's list of channels with pending work. */
  queued = false;
  /** On whose behalf it is in memory; nobody's: other nodes told what they hold of it. */
  usedBy: 'clients' | 'peers' | 'nobody' = 'clients';
  /** Used since `noteUse` looked; the clock is not read for every use. */
  isUsed = true;
  lastUsedMs: number;
  /** Our own writer's newest durable entry here. */
  seq = 0;
  checksum = 0;
  /** The newest one stamped, in the commit under way. */
  stampedSeq = 0;
  /** In a cluster, where this node holds the log. */
  shared: SharedChannel | undefined;
  /** The newest entry to be delivered before it is committed: at level `owner`, or written without a claim. */
  tip: Dot | undefined;
  /** Where it is of a kind that comes to something, and somebody asked for that. */
  fold: OpenFold<unknown> | undefined;
  /** Of a notification channel: what whoever is subscribed was told last. */
  told: NotificationInfo | undefined;
  /** Administrators and streams that wait for entries beyond what they have. */
  #waiters: Set<() => void> | undefined;
  #fanOut: FanOut<Session> | undefined;
  #log: ChannelLog | undefined;
  #keys: KeyTable | undefined;
  #publishers: PublisherTable | undefined;
  #signals: LiveHistory | undefined;

  constructor(
    readonly ref: ChannelRef,
    public rules: ChannelRules,
    nowMs: number,
  ) {
    this.lastUsedMs = nowMs;
  }

  get isLoaded(): boolean {
    return this.#log !== undefined;
  }

  get log(): ChannelLog {
    assert(this.#log, 'a channel is used once its log is loaded');
    return this.#log;
  }

  /** `writer` is ours: it may have written here before the channel last left memory. */
  loaded(log: ChannelLog, writer: WriterId): void {
    this.#log = log;
    const own = log.writer(writer);
    this.seq = own?.seq ?? 0;
    this.checksum = own?.lastChecksum ?? 0;
    this.stampedSeq = this.seq;
  }

  /** Another home's log of the same channel. What was to be delivered before it is committed may not be in it: that home says
   *  what is. */
  replaceLog(log: ChannelLog): void {
    this.#log = log;
    const { tip } = this;
    if (tip && log.have(tip.writer) < tip.seq) this.tip = undefined;
    this.settleTip();
  }

  /** What is committed is delivered as that. */
  settleTip(): void {
    const { tip, log } = this;
    if (tip && log.committedSeq(tip.writer) >= tip.seq) this.tip = undefined;
  }

  /** Keys of the window; where older entries exist their keys are not in memory and must be looked up. */
  get keys(): KeyTable {
    return (this.#keys ??= new KeyTable({ completeFrom: this.log.isEmpty ? 0 : this.log.lastTimestamp + 1 }));
  }

  /** Made with the first listener: most channels in memory never have one. */
  get fanOut(): FanOut<Session> {
    return (this.#fanOut ??= new FanOut());
  }

  /** Nothing was ever written, and nothing is on its way. */
  get isUnwritten(): boolean {
    return this.log.isEmpty && this.stampedSeq === 0 && this.pending.length === 0 && !this.isCut;
  }

  get hasListeners(): boolean {
    return this.#fanOut !== undefined && this.#fanOut.size > 0;
  }

  wait(item: Pending): void {
    // A first push would make room for many.
    if (this.pending.length === 0) this.pending = [item];
    else this.pending.push(item);
  }

  /** Takes the first `count` of those that wait. */
  take(count: number): Pending[] {
    const { pending } = this;
    if (count < pending.length) {
      this.pending = pending.slice(count);
      return pending.slice(0, count);
    }
    this.pending = nothing;
    return pending;
  }

  get keyCount(): number {
    return this.#keys?.size ?? 0;
  }

  forgetKeys(): void {
    this.#keys = undefined;
  }

  /** A run of another owner is stored. */
  tookIn(run: RunSummary, bytes: Uint8Array): void {
    // Keys that came this way are in the index, not in memory.
    if (!planted('keys-of-one-owner')) this.forgetKeys();
    // What a publisher sent to that owner before may still wait here, and must not go behind what it sent since.
    const marks = planted('numbers-of-one-owner') ? [] : publishersIn(bytes, run);
    for (const { scope, epoch, seq } of marks) this.publishers.add(scope, epoch, seq);
  }

  get publishers(): PublisherTable {
    return (this.#publishers ??= new PublisherTable());
  }

  get signals(): LiveHistory | undefined {
    return this.#signals;
  }

  /** What goes for it is another. */
  changeRules(rules: ChannelRules): void {
    if (rules.liveHistory !== this.rules.liveHistory) this.#signals = undefined;
    this.rules = rules;
  }

  keepSignals(): LiveHistory {
    return (this.#signals ??= new LiveHistory(this.rules.liveHistory));
  }

  addWaiter(wake: () => void): void {
    (this.#waiters ??= new Set()).add(wake);
  }

  removeWaiter(wake: () => void): void {
    this.#waiters?.delete(wake);
    if (this.#waiters?.size === 0) this.#waiters = undefined;
  }

  wakeWaiters(): void {
    const waiters = this.#waiters;
    this.#waiters = undefined;
    if (waiters) for (const wake of waiters) wake();
  }

  noteUse(nowMs: number): void {
    if (this.isUsed) this.lastUsedMs = nowMs;
    this.isUsed = false;
  }

  /** `unusedMs`: how long it may stay without being used. */
  isIdle(nowMs: number, unusedMs: number): boolean {
    const idleMs = this.#signals ? limits.liveHistoryIdleMs : unusedMs;
    return (
      this.isLoaded &&
      nowMs - this.lastUsedMs >= idleMs &&
      !this.hasListeners &&
      this.pending.length === 0 &&
      !this.queued &&
      this.#waiters === undefined
    );
  }
}

/** Whether all that is held is known to be committed. */
export function isAllCommitted({ log }: ActiveChannel): boolean {
  return log.heads().every(({ writer, seq }) => log.committedSeq(writer) >= seq);
}

/** Of all channels where nothing waits, and never written to: a list of its own each would add up. */
const nothing: Pending[] = [];
