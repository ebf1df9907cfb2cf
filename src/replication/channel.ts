/** What a node knows of one channel beside its log: whether it may stamp under its claim, what each other home has, and
 *  which publishes wait for an outcome. */
import { type ChannelRef, type Dot, type NodeId, type WriterId, channelKey } from '../base/ids.js';
import { planted } from '../base/planted.js';
import type { ChannelLog } from '../log/channel-log.js';
import { limits } from '../base/limits.js';
import type { LostRange, Vector } from '../log/entry.js';
import type { Claim } from './claim.js';
import type { Interval } from './interval.js';
import type { WithGivenUp, WithTrim } from './messages.js';
import { timing } from './timing.js';
import type { Repair } from './repair.js';

/** What another home has of a channel. */
export class Link {
  /** As it said; `undefined` before it said anything. */
  have: Map<WriterId, number> | undefined;
  /** With what was sent since, should it arrive; `undefined` when it must be asked. */
  sent: Map<WriterId, number> | undefined;
  /** The claim that its acks are for, and how far they go. */
  acked = 0;
  /** A read of what it lacks is under way. */
  reading = false;
  /** The read under way for the newest of its questions that goes on until all it lacks is read. */
  answering: number | undefined;
  /** It sent some of what it has and is lacking here, and is asked for more once that is stored. */
  hasMore = false;
  /** What was sent is not acked: asked again then. */
  resendAt: number | undefined;
  /** It was asked what it has; not again before. */
  askedUntil = 0;
  /** It has so long to answer; longer each time it does not. */
  askMs: number = timing.hedgeMs;
  toldCommitted: Dot | undefined;
  /** What it had when it last refused; `undefined` once it took something, or said what it has. */
  refusedWith: Vector | undefined;
  /** Answers in a row that had nothing of what it says it has. */
  emptyAnswers = 0;

  /** It said what it has, and that what was sent did not follow it. */
  says(have: Vector): void {
    this.askMs = timing.hedgeMs;
    this.have = new Map(have);
    this.sent = new Map(have);
  }

  /** It said what it has; what was sent meanwhile may be on its way. */
  has(have: Vector): void {
    this.refusedWith = undefined;
    this.have = new Map(have);
    if (this.sent) raise(this.sent, have);
    else this.sent = new Map(have);
  }

  /** What it was asked may be lost. */
  mayBeAsked(): void {
    this.askedUntil = 0;
    this.askMs = timing.hedgeMs;
  }

  forget(): void {
    this.have = undefined;
    this.hasMore = false;
    this.sent = undefined;
    this.resendAt = undefined;
    this.mayBeAsked();
    this.toldCommitted = undefined;
    this.refusedWith = undefined;
    this.acked = 0;
  }
}

/** Homes are being asked for all they hold, under a claim that was just gained. */
export interface Opening {
  readonly claim: Claim;
  /** Something waits to be stamped. */
  isUrgent: boolean;
  /** What those that answered hold; answered for good once all of it is here. */
  readonly answers: Map<NodeId, Vector>;
  readonly answered: Set<NodeId>;
  /** When it began, or became urgent. */
  since: number;
  askAt: number;
  /** Until homes that have not answered are asked once more; longer each time. */
  waitMs: number;
}

/** Entries that somebody waits for: stamped here, or repeats of what is there already. */
export interface Awaited {
  readonly writer: WriterId;
  firstSeq: number;
  readonly lastSeq: number;
  readonly level: 'owner' | 'quorum';
  /** A lower level will do when the one asked for cannot be had. */
  readonly degrade: boolean;
  deadline: number;
  /** Its commit is over: before that nobody listens for an outcome, though the log may hold it and others have it already. */
  isWritten: boolean;
}

/** A reader has entries that are lacking here: the other homes are asked which of them have any. */
export interface Fetch {
  readonly id: number;
  /** Random, so that an answer belongs to this question. */
  readonly session: number;
  /** For each writer the newest entry looked for. */
  readonly wanted: Vector;
  readonly answers: Map<NodeId, { readonly have: Vector; readonly recovering: boolean }>;
  askAt: number;
  readonly deadline: number;
}

/** When a home looks again at what is not committed. */
export interface Offer {
  at: number;
  waitMs: number;
  /** What was committed when it looked last. */
  committed: Dot | undefined;
}

export class Channel {
  readonly key: string;
  /** The claim under which entries may be stamped here. */
  opened: Claim | undefined;
  opening: Opening | undefined;
  readonly links = new Map<NodeId, Link>();
  /** What was given up in the log of somebody who sent something that may stand on it: the last word of one of them. */
  toldGivenUp: readonly LostRange[] = [];
  /** Of writers the newest entry that something stands on which a home sent and that could not be taken. */
  named: Map<WriterId, number> | undefined;
  /** Committed as others said, and not held yet. */
  readonly told: { readonly dot: Dot; readonly from: NodeId }[] = [];
  awaited: Awaited[] = [];
  fetches: Fetch[] = [];
  /** Entries that cannot be read and are looked for elsewhere. */
  readonly repairs: Repair[] = [];
  mergeAt: number | undefined;
  /** Entries that the floors cover which wait for a commit; 0 when none do. */
  floorsDue = 0;
  /** End of the order as the engine was told: floors that were taken over move it on without a commit. */
  toldPosition: number;
  /** The newest entry of this start's writer, synced or not. */
  stampedSeq = 0;
  /** Something is held here that may not be committed. */
  offer: Offer | undefined;
  /** Something is to be stamped once the claim was checked. */
  waitsForCheck = false;
  /** Something changed that outcomes rest on: to be looked at without delay. */
  isHurried = false;
  /** Peers that named entries of it which are lacking here. */
  wanted = 0;
  /** What of it waits for a commit. */
  queued = 0;
  /** When entries of others were last stored. */
  grownAt = -Infinity;

  constructor(
    readonly ref: ChannelRef,
    /** A change of the ring may give it another. */
    public interval: Interval,
    readonly log: ChannelLog,
  ) {
    this.key = channelKey(ref);
    this.toldPosition = log.endPosition;
  }

  link(peer: NodeId): Link {
    let link = this.links.get(peer);
    if (!link) this.links.set(peer, (link = new Link()));
    return link;
  }

  have(): Map<WriterId, number> {
    return new Map(this.log.writers().map(({ writer, seq }) => [writer, seq]));
  }

  /** What of it can be sent as far as is known: what cannot be read, and what stands behind it, is left out. */
  readable(): Map<WriterId, number> {
    const have = this.have();
    const lower = (writer: WriterId, seq: number): void => {
      have.set(writer, Math.min(have.get(writer) ?? 0, seq - 1));
    };
    for (const { writer, fromSeq } of this.log.holes()) lower(writer, fromSeq);
    for (const { kind, damaged, firstSeq } of this.repairs)
      if (kind === 'mend') lower(damaged.writer, firstSeq);
    for (const [writer, seq] of have) if (seq === 0) have.delete(writer);
    return have;
  }

  /** When something is due here; Infinity when nothing is. */
  get deadline(): number {
    if (this.isHurried) return -Infinity;
    let next = Math.min(this.opening?.askAt ?? Infinity, this.mergeAt ?? Infinity);
    next = Math.min(next, this.offer?.at ?? Infinity);
    for (const { isWritten, deadline } of this.awaited) if (isWritten) next = Math.min(next, deadline);
    for (const { askAt, deadline } of this.fetches) next = Math.min(next, askAt, deadline);
    for (const { isQueued, askAt } of this.repairs) if (!isQueued) next = Math.min(next, askAt);
    for (const { resendAt } of this.links.values()) next = Math.min(next, resendAt ?? Infinity);
    return next;
  }

  get isIdle(): boolean {
    return (
      this.awaited.length === 0 &&
      this.fetches.length === 0 &&
      this.repairs.length === 0 &&
      !this.log.hasUnplacedHole &&
      !this.opening &&
      !this.waitsForCheck &&
      this.mergeAt === undefined &&
      this.wanted === 0 &&
      this.queued === 0 &&
      this.floorsDue === 0 &&
      [...this.links.values()].every(({ reading, resendAt }) => !reading && resendAt === undefined)
    );
  }

  holds(vector: Vector): boolean {
    for (const [writer, seq] of vector) if (this.log.have(writer) < seq) return false;
    return true;
  }
}

/** The newest trim in force, as messages carry it. */
export function trimOf({ log }: Channel): WithTrim {
  return log.trim && !planted('floors-untold') ? { trim: log.trim } : {};
}

/** What the log gave up of entries that a home with `have` lacks, as messages carry it. */
export function givenUpFor({ log }: Channel, have: Vector | undefined): WithGivenUp {
  const givenUp = log.givenUp().filter(({ writer, toSeq }) => toSeq > (have?.get(writer) ?? 0));
  return givenUp.length === 0 ? {} : { givenUp: givenUp.slice(0, limits.givenUpToldMax) };
}

/** Whether `inner` has nothing that `outer` lacks. */
export function isWithin(inner: Vector, outer: Vector): boolean {
  for (const [writer, seq] of inner) if ((outer.get(writer) ?? 0) < seq) return false;
  return true;
}

/** `vector` has all of `by` from now on. */
export function raise(vector: Map<WriterId, number>, by: Vector): void {
  for (const [writer, seq] of by) vector.set(writer, Math.max(seq, vector.get(writer) ?? 0));
}
