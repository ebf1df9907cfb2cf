/** What a node knows of one interval: who its homes are, what it promised, and how far its own claim has come. */
import type { NodeId } from '../base/ids.js';
import type { Vector } from '../log/entry.js';
import { type Claim, type IntervalNote, sameClaim } from './claim.js';
import type { IntervalId } from './messages.js';
import { type HomeSet, homesOf } from './quorum.js';

/** A claim under way. First the homes are asked, which changes nothing; then it is promised here; then they are told. So a
 *  node cut off never counts rounds up alone, and its return fences nobody. */
export interface Attempt {
  readonly claim: Claim;
  stage: 'ask' | 'own' | 'claim';
  /** Homes that said yes in this stage. */
  homes: Set<NodeId>;
  readonly deadline: number;
}

/** A claim that enough homes granted. */
export interface HeldClaim {
  readonly claim: Claim;
}

/** After a pause: homes are asked whether the claim that is held here still stands. */
export interface ClaimCheck {
  /** Homes that promised nothing higher. */
  readonly homes: Set<NodeId>;
  /** Not waited for any longer. */
  readonly until: number;
}

/** What another home gave back: counted once its answer is whole and everything it names is held and synced here. */
export interface GivenBack {
  /** It recovers itself, and gives nothing. */
  readonly recovering: boolean;
  parts: number;
  readonly seen: Set<number>;
  /** Channels of which not all is here, by channel key. */
  readonly waiting: Map<string, Vector>;
}

export interface RecoveryState {
  readonly session: number;
  readonly answers: Map<NodeId, GivenBack>;
  retryAt: number;
  /** Enough was given back: ends with the commit that says so. */
  ending: boolean;
}

export class Interval {
  readonly id: IntervalId;
  readonly self: NodeId;
  sets: readonly HomeSet[];
  homes: readonly NodeId[];
  others: readonly NodeId[];
  /** The highest claim granted or adopted; its note may still wait for a commit. */
  promise: Claim | undefined;
  /** What of it is synced. */
  durable: Claim | undefined;
  recovery: RecoveryState | undefined;
  /** This node should own the interval. */
  wanted = false;
  /** The highest round heard of. */
  seenRound = 0;
  attempt: Attempt | undefined;
  held: HeldClaim | undefined;
  check: ClaimCheck | undefined;
  /** Who was heard to use a claim that was the highest known then. */
  claimant: { readonly claim: Claim; readonly node: NodeId } | undefined;
  retryAt = 0;

  constructor(id: IntervalId, self: NodeId, sets: readonly HomeSet[], note: IntervalNote | undefined) {
    this.id = id;
    this.self = self;
    this.sets = sets;
    this.homes = homesOf(sets);
    this.others = this.homes.filter((home) => home !== self);
    this.promise = note?.promise;
    this.durable = note?.promise;
    this.seenRound = note?.promise?.round ?? 0;
  }

  /** When something is due for the claim or the recovery; Infinity when nothing is. */
  get deadline(): number {
    const { attempt, recovery, check } = this;
    if (check) return check.until;
    const recover = recovery && !recovery.ending ? recovery.retryAt : Infinity;
    if (attempt) return Math.min(attempt.deadline, recover);
    const isDue = this.wanted && !this.held && !recovery;
    return isDue ? this.retryAt : recover;
  }

  /** The node whose claim is promised here, if that was heard of since the start. */
  get owner(): NodeId | undefined {
    if (this.held) return this.self;
    return this.claimant && sameClaim(this.claimant.claim, this.promise) ? this.claimant.node : undefined;
  }

  heardFrom(node: NodeId, claim: Claim): void {
    if (!this.claimant || !sameClaim(this.claimant.claim, claim)) this.claimant = { claim, node };
  }

  plan(sets: readonly HomeSet[]): void {
    this.sets = sets;
    this.homes = homesOf(sets);
    this.others = this.homes.filter((home) => home !== this.self);
  }

  get note(): IntervalNote {
    return { promise: this.promise, recovering: this.recovery !== undefined && !this.recovery.ending };
  }
}
