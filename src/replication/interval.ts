/** What a node knows of one interval: who its homes are, what it promised, and how far its own claim has come. */
import type { NodeId } from '../base/ids.js';
import type { Vector } from '../log/entry.js';
import { type Claim, type IntervalNote, sameClaim } from './claim.js';
import type { IntervalId } from './messages.js';
import { type Changing, type HomeSet, homesOf } from './quorum.js';

/** A claim under way. First the homes are asked, which changes nothing; then it is promised here; then they are told. So a
 *  node cut off never counts rounds up alone, and its return fences nobody. */
export interface Attempt {
  readonly claim: Claim;
  stage: 'ask' | 'own' | 'claim';
  /** Homes that said yes in this stage. */
  homes: Set<NodeId>;
  /** When homes that have not answered are asked again, or it is given up. */
  deadline: number;
  readonly until: number;
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
  /** It recovers itself, and gives nothing unless it comes in. */
  readonly recovering: boolean;
  readonly incoming: boolean;
  parts: number;
  readonly seen: Set<number>;
  /** Channels of which not all is here, by channel key. */
  readonly waiting: Map<string, Vector>;
}

/** Why a home asks the others for all they hold. lost: its store may have forgotten what it acked and promised. incoming: a
 *  change of the ring brings it in, and it never counted. checking: it counts, and makes sure that it lacks nothing that was
 *  committed before the change. */
export type GatherKind = 'lost' | 'incoming' | 'checking';

export interface Gathering {
  readonly kind: GatherKind;
  readonly session: number;
  readonly answers: Map<NodeId, GivenBack>;
  retryAt: number;
  /** Between the last question and the next one. */
  pauseMs: number;
  /** Of a lost store: holes in what is left of it are known. */
  surveyed: boolean;
  /** Questions since something came that was asked for. */
  tries: number;
  /** Enough was given back: ends with the commit that says so. */
  ending: boolean;
}

export class Interval {
  readonly id: IntervalId;
  readonly self: NodeId;
  sets: readonly HomeSet[] = [];
  /** While the ring changes its homes. */
  changing: Changing | undefined;
  /** Those that count. */
  homes: readonly NodeId[] = [];
  /** All other nodes that get its entries, whether they count or not. */
  others: readonly NodeId[] = [];
  /** The highest claim granted or adopted; its note may still wait for a commit. */
  promise: Claim | undefined;
  /** What of it is synced. */
  durable: Claim | undefined;
  gathering: Gathering | undefined;
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
  /** It came to be wanted, or a change of the ring ended the claim: until then publishes wait for the next one. */
  claimBy: number | undefined;

  constructor(
    id: IntervalId,
    self: NodeId,
    sets: readonly HomeSet[],
    note: IntervalNote | undefined,
    changing?: Changing,
  ) {
    this.id = id;
    this.self = self;
    this.plan(sets, changing);
    this.promise = note?.promise;
    this.durable = note?.promise;
    this.seenRound = note?.promise?.round ?? 0;
  }

  /** When something is due for the claim or the recovery; Infinity when nothing is. */
  get deadline(): number {
    const { attempt, gathering, check, claimBy = Infinity } = this;
    if (check) return Math.min(check.until, claimBy);
    const gather = gathering && !gathering.ending ? gathering.retryAt : Infinity;
    if (attempt) return Math.min(attempt.deadline, gather, claimBy);
    const isDue = this.wanted && !this.held && !this.recovery;
    return Math.min(isDue ? this.retryAt : Infinity, gather, claimBy);
  }

  /** Both sets of homes decide, and this is one of those after the change: it must have what was committed before. */
  get isChecked(): boolean {
    return this.changing?.phase === 'joint' && this.sets.at(-1)?.homes.includes(this.self) === true;
  }

  /** While it goes on this home neither acks nor grants. */
  get recovery(): Gathering | undefined {
    return this.gathering?.kind === 'checking' ? undefined : this.gathering;
  }

  /** It has forgotten nothing: a change of the ring brings it in, and it does not count yet. */
  get isIncoming(): boolean {
    return this.recovery?.kind === 'incoming';
  }

  /** The node whose claim is promised here, if that was heard of since the start. */
  get owner(): NodeId | undefined {
    if (this.held) return this.self;
    return this.claimant && sameClaim(this.claimant.claim, this.promise) ? this.claimant.node : undefined;
  }

  heardFrom(node: NodeId, claim: Claim): void {
    if (!this.claimant || !sameClaim(this.claimant.claim, claim)) this.claimant = { claim, node };
  }

  plan(sets: readonly HomeSet[], changing?: Changing): void {
    this.sets = sets;
    this.changing = changing;
    this.homes = homesOf(sets);
    const holders = new Set([...this.homes, ...(changing?.incoming ?? [])]);
    this.others = [...holders].filter((home) => home !== this.self);
  }

  get note(): IntervalNote {
    const { promise, recovery } = this;
    const recovering = recovery !== undefined && !recovery.ending;
    return { promise, recovering, ...(recovering && recovery.kind === 'incoming' ? { incoming: true } : {}) };
  }
}
