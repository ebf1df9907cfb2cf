/** What the parts of a replica share. */
import { type ChannelRef, type NodeId, type StoreId, type WriterId, channelKey } from '../base/ids.js';
import { Agenda } from '../base/agenda.js';
import type { Random } from '../base/random.js';
import type { LostRange, Trim } from '../log/entry.js';
import { isFloorRun, trimmedCount } from '../log/floors.js';
import type { ChannelLog, SeqRange } from '../log/channel-log.js';
import type { RunSummary } from '../log/run.js';
import { verifyRun } from '../log/run-reader.js';
import { type Allowance, Budgets, allowanceOf } from './budgets.js';
import { Channel } from './channel.js';
import { type Claim, compareClaims, sameClaim } from './claim.js';
import { CommitQueue } from './commit-queue.js';
import type { AlarmCode } from './effects.js';
import type { Interval } from './interval.js';
import type { IntervalId, WithGivenUp, WithTrim } from './messages.js';
import { Outbox } from './outbox.js';
import { type HomeSet, meetsAppend } from './quorum.js';
import { limits } from '../base/limits.js';
import { timing } from './timing.js';

export interface ReplicaOptions {
  readonly self: NodeId;
  readonly storeId: StoreId;
  /** This start's writer. */
  readonly writer: WriterId;
  readonly random: Random;
  /** Of a channel that is open. */
  readonly logOf: (ref: ChannelRef) => ChannelLog;
  /** Where a channel lies in the present ring: what peers say of it elsewhere is not believed. */
  readonly intervalOf?: (ref: ChannelRef) => IntervalId;
  /** There is room on the disk only for what makes room. */
  readonly isDiskSpent?: () => boolean;
  /** Left out: what arrived while this home was away is not asked for. */
  readonly arrivals?: StoreFacts;
  /** What one peer is given for its questions, in bytes; left out: as where nothing is held. */
  readonly given?: Allowance;
  /** Of no use any more: when claims may start is for `cluster/acting.ts` to say. */
  readonly startedAt?: number;
}

/** The store, as far as homes ask each other what arrived there. */
export interface StoreFacts {
  /** The newest arrival, synced. */
  newest(): number;
  /** Commits that are durable, those of notes alone too: never fewer than before under one store id. */
  commits(): number;
  /** The newest value of each note of the store. */
  readonly notes: ReadonlyMap<string, Uint8Array>;
  /** 16 bytes as hex digits that follow from a text, and that nobody else can make. */
  seal(text: string): string;
  /** Earlier starts on this store, as many as are remembered. */
  readonly earlier: ReadonlySet<WriterId>;
}

/** A run as it came into the store. */
export interface ArrivedRun extends SeqRange {
  /** Of its first entry; the others follow. */
  readonly arrival: number;
  readonly ref: ChannelRef;
}

/** A read under way: what is made of it. */
export type Reading =
  | {
      readonly type: 'append';
      readonly channel: Channel;
      readonly peer: NodeId;
      readonly claim: Claim;
      readonly isCatchUp?: true;
    }
  | {
      readonly type: 'state';
      readonly channel: Channel;
      readonly peer: NodeId;
      readonly claim: Claim | undefined;
      /** What was held when the pull was answered. */
      readonly have: ReadonlyMap<WriterId, number>;
      /** No more of it is read than that: whoever asks does so again for the rest. */
      readonly isPage: boolean;
      /** Nobody waits for it but the home that lacks it. */
      readonly isCatchUp: boolean;
      readonly givenUp?: readonly LostRange[];
    };

export class Context {
  readonly outbox = new Outbox();
  readonly queue = new CommitQueue();
  readonly intervals = new Map<IntervalId, Interval>();
  readonly channels = new Map<string, Channel>();
  /** Peers a message can reach now, as far as is known. */
  readonly connected = new Set<NodeId>();
  /** Of the others, since when; from the first time it was asked on. */
  readonly #awaySince = new Map<NodeId, number>();
  readonly reads = new Map<number, Reading & { readonly ranges: readonly SeqRange[] }>();
  /** Where something is due at some time; whoever changes what `deadline` rests on says so. */
  readonly dueIntervals = new Agenda<Interval>((interval) => interval.deadline);
  readonly dueChannels = new Agenda<Channel>((channel) => channel.deadline);
  readonly #channelsIn = new Map<Interval, Set<Channel>>();
  readonly #alarms = new Map<string, number>();
  readonly #budgets: Budgets;
  ringVersion = 0;
  #lastId = 0;

  constructor(readonly options: ReplicaOptions) {
    this.#budgets = new Budgets(options.given ?? allowanceOf(() => 0));
  }

  get self(): NodeId {
    return this.options.self;
  }

  get writer(): WriterId {
    return this.options.writer;
  }

  /** How long a peer has been out of reach, as far as this start knows. */
  awayFor(peer: NodeId, now: number): number {
    if (this.connected.has(peer)) {
      this.#awaySince.delete(peer);
      return 0;
    }
    const since = this.#awaySince.get(peer) ?? now;
    this.#awaySince.set(peer, since);
    return now - since;
  }

  nextId(): number {
    return ++this.#lastId;
  }

  /** The channel, of an interval that this node is a home of; its log is open. */
  channel(interval: Interval, ref: ChannelRef): Channel {
    const key = channelKey(ref);
    let channel = this.channels.get(key);
    if (!channel) {
      channel = new Channel(ref, interval, this.options.logOf(ref));
      this.channels.set(key, channel);
      this.#enter(channel);
      this.lookForHoles(channel);
    }
    return channel;
  }

  /** Nothing can be placed above a hole that the log does not give up: what is in it is looked for at the other homes. */
  lookForHoles({ ref, log }: Channel): void {
    for (const { writer, fromSeq } of log.holes())
      this.outbox.add({ type: 'examine', ref, writer, seq: fromSeq });
  }

  #enter(channel: Channel): void {
    const channels = this.#channelsIn.get(channel.interval);
    if (channels) channels.add(channel);
    else this.#channelsIn.set(channel.interval, new Set([channel]));
  }

  /** This node is no home of the interval any more. */
  forget(interval: Interval): void {
    this.intervals.delete(interval.id);
    this.dueIntervals.delete(interval);
    this.#channelsIn.delete(interval);
  }

  /** The channel lies in another interval of the ring by now. */
  move(channel: Channel, interval: Interval): void {
    this.#channelsIn.get(channel.interval)?.delete(channel);
    channel.interval = interval;
    this.#enter(channel);
  }

  channelsIn(interval: Interval): Iterable<Channel> {
    return this.#channelsIn.get(interval) ?? [];
  }

  release(channel: Channel): void {
    this.channels.delete(channel.key);
    this.#channelsIn.get(channel.interval)?.delete(channel);
    this.dueChannels.delete(channel);
  }

  /** Whether this node may stamp and count acks in a channel under its claim. */
  owns({ interval, opened }: Channel): boolean {
    return interval.held !== undefined && opened === interval.held.claim;
  }

  /** Whether enough homes for an entry to be committed are connected. */
  reaches(sets: readonly HomeSet[]): boolean {
    return meetsAppend(sets, (home) => home === this.self || this.connected.has(home));
  }

  /** Promises a higher claim than before. It is durable with the next commit, behind everything received until now. */
  promise(interval: Interval, claim: Claim, now: number): void {
    interval.promise = claim;
    interval.seenRound = Math.max(interval.seenRound, claim.round);
    this.queue.duty({ type: 'note', interval, note: interval.note });
    if (claim.writer !== this.writer) this.heard(interval, claim, now);
  }

  /** A higher claim is known of: one's own ends. */
  heard(interval: Interval, claim: Claim, now: number): void {
    interval.seenRound = Math.max(interval.seenRound, claim.round);
    const { attempt, held } = interval;
    const isHigher = (own: Claim | undefined): boolean => own !== undefined && compareClaims(claim, own) > 0;
    if (isHigher(attempt?.claim) || isHigher(held?.claim)) {
      this.end(interval);
      this.backOff(interval, now);
    }
  }

  backOff(interval: Interval, now: number): void {
    interval.attempt = undefined;
    interval.retryAt = now + backOffMs(this.options.random);
    this.dueIntervals.changed(interval);
  }

  end(interval: Interval): void {
    interval.attempt = undefined;
    this.dueIntervals.changed(interval);
    this.endCheck(interval);
    if (!interval.held) return;
    this.hurry(interval);
    this.outbox.add({ type: 'claimLost', interval: interval.id, claim: interval.held.claim });
    interval.held = undefined;
    for (const channel of this.channelsIn(interval)) this.#offerOwn(channel);
  }

  /** What was stamped here and is not committed is for the next owner to place. */
  #offerOwn(channel: Channel): void {
    const { log, stampedSeq } = channel;
    if (stampedSeq <= log.committedSeq(this.writer)) return;
    channel.offer = { at: -Infinity, waitMs: timing.offerMinMs, committed: log.committed };
    this.dueChannels.changed(channel);
  }

  /** Publishes that a lower level will do for wait no longer. */
  hurry(interval: Interval): void {
    interval.claimBy = undefined;
    for (const channel of this.channelsIn(interval)) {
      if (channel.awaited.length === 0) continue;
      channel.isHurried = true;
      this.dueChannels.changed(channel);
    }
  }

  /** What waits to be stamped goes on: under the claim, or without it. */
  endCheck(interval: Interval): void {
    if (!interval.check) return;
    interval.check = undefined;
    this.dueIntervals.changed(interval);
    for (const channel of this.channelsIn(interval)) {
      if (!channel.waitsForCheck) continue;
      channel.waitsForCheck = false;
      this.outbox.add({ type: 'ready', ref: channel.ref });
    }
  }

  /** Runs came, by whatever way: those that are whole wait for the next commit. Where the disk has no room for them they are
   *  as lost on the way, so that what makes room still has some. */
  take(channel: Channel, from: NodeId, runs: readonly Uint8Array[]): readonly RunSummary[] {
    const taken: RunSummary[] = [];
    for (const bytes of runs) {
      const verified = verifyRun(bytes, 0, bytes.length);
      if (!verified.ok || channelKey(verified.value.ref) !== channel.key || isFloorRun(verified.value)) {
        this.alarm(
          'DAMAGED_RUN',
          `A run for ${channel.key} is ${verified.ok ? 'not of its log' : verified.error}.`,
          from,
        );
      } else if (!this.queue.hasRoom(bytes.length)) {
        this.alarm('INTAKE_FULL', `${channel.key}: more is received than the disk takes.`, from);
      } else if (this.options.isDiskSpent?.() !== true || makesRoom(verified.value, bytes.length)) {
        this.queue.run({ type: 'run', channel, from, bytes, run: verified.value });
        taken.push(verified.value);
      }
    }
    return taken;
  }

  /** A home says that this was trimmed: it goes before the entries of the same message. Who owns is believed, and where
   *  nobody is known to, any home. Only what this home is behind of is taken over, see `judgeFloors`. */
  takeFloors(channel: Channel, from: NodeId, trim: Trim | undefined): void {
    if (trim && this.believes(channel, from)) this.raise(channel, trim, from);
  }

  /** What a home that sends entries has not any more, trimmed or given up: they may stand on it. Believed as far as floors
   *  are. */
  takeGone(channel: Channel, from: NodeId, { trim, givenUp = [] }: WithTrim & WithGivenUp): void {
    this.takeFloors(channel, from, trim);
    if (this.believes(channel, from)) channel.toldGivenUp = givenUp;
  }

  /** About floors: who owns, and any home while nobody else is known to. */
  believes({ interval: { owner, others } }: Channel, from: NodeId): boolean {
    return others.includes(from) && (owner === undefined || owner === from || owner === this.self);
  }

  /** Floors are to be written down, unless as much waits already. */
  raise(channel: Channel, trim: Trim, from?: NodeId): void {
    const count = trimmedCount(trim.floors);
    if (count <= channel.floorsDue || channel.log.judgeFloors(trim) === 'known') return;
    channel.floorsDue = count;
    this.queue.floors({ type: 'floors', channel, trim, ...(from === undefined ? {} : { from }) });
  }

  // What peers may say.

  /** The interval, where the peer is a home of it: nobody else claims, appends, grants or acks there. */
  intervalFor(from: NodeId, id: IntervalId): Interval | undefined {
    const interval = this.intervals.get(id);
    if (!interval || interval.others.includes(from)) return interval;
    this.alarm('NOT_A_HOME', `${id}: said by who is no home of it.`, from);
    return undefined;
  }

  /** The channel, where it lies in the interval. */
  channelFor(from: NodeId, interval: Interval, ref: ChannelRef): Channel | undefined {
    const { intervalOf } = this.options;
    const known = intervalOf?.(ref) ?? this.channels.get(channelKey(ref))?.interval.id ?? interval.id;
    if (known === interval.id) return this.channel(interval, ref);
    this.alarm('WRONG_INTERVAL', `${channelKey(ref)} lies in ${known}, not in ${interval.id}.`, from);
    return undefined;
  }

  /** Whether a claim may be as high as is said. A lie at the end of the numbers would leave none above it. What is only
   *  heard of is believed less far, so that the claim which answers it is still believed. */
  mayBe(interval: Interval, claim: Claim, from: NodeId, share = 1): boolean {
    const most = (interval.promise?.round ?? 0) + limits.claimRoundJumpMax * share;
    if (claim.round <= most) return true;
    this.alarm('CLAIM_JUMP', `${interval.id}: a claim of round ${claim.round} is not believed.`, from);
    return false;
  }

  /** Whether a peer may use a claim: it may be as high, and nobody else was heard to use it. */
  mayUse(interval: Interval, claim: Claim, from: NodeId): boolean {
    if (!this.mayBe(interval, claim, from)) return false;
    const { claimant } = interval;
    const isOurs = claim.writer === this.writer;
    if (!isOurs && (!claimant || claimant.node === from || !sameClaim(claimant.claim, claim))) return true;
    this.alarm(
      'CLAIM_CONFLICT',
      `${interval.id}: another node uses the claim of round ${claim.round}.`,
      from,
    );
    return false;
  }

  /** Whether a peer may be given what it asks for, which takes so many bytes. Else the question is as lost on the way: it is
   *  asked again where it is meant. */
  mayGive(peer: NodeId, bytes: number, now: number): boolean {
    if (this.#budgets.take(peer, bytes, now)) return true;
    this.alarm('ASKED_TOO_OFTEN', 'It asks again and again for what is held here.', peer);
    return false;
  }

  /** Of alarms of one kind about one peer fewer and fewer are told: the first, the second, the fourth and so on. */
  alarm(code: AlarmCode, message: string, peer: NodeId): void {
    const key = `${code}/${peer}`;
    const count = (this.#alarms.get(key) ?? 0) + 1;
    this.#alarms.set(key, count);
    if ((count & (count - 1)) !== 0) return;
    this.outbox.add({ type: 'alarm', code, message, peer });
  }
}

function backOffMs(random: Random): number {
  return timing.backOffMinMs + random.next() * (timing.backOffMaxMs - timing.backOffMinMs);
}

/** Trims are such runs; merges and what else the log goes by stand before them. */
function makesRoom({ marked }: RunSummary, bytes: number): boolean {
  return marked.length > 0 && bytes <= limits.spentRunBytesMax;
}
