/** What nodes say to each other about the ring. All of it may be lost, repeated and late: a version and digests say what it
 *  is about. The wire form: engine/peer-wire-ring.ts, proto/peer.proto. */
import type { RingIntent } from './ring-intent.js';
import type { AcceptedRing, BallotRequest, RingBallot } from './ring-agreement.js';
import type { Ring, RingDigest } from './ring.js';

/** This ring holds, as far as its sender knows. */
export interface RingTold {
  readonly type: 'ring';
  readonly ring: Ring;
  /** Its one node holds entries. */
  readonly held?: boolean;
}

/** Tell me yours. */
export interface RingAsked {
  readonly type: 'askRing';
}

/** Promise, or with `ring` accept, what is to follow the base. */
export interface Ballot extends BallotRequest {
  readonly type: 'ballot';
  readonly ring?: Ring;
}

export type BallotOutcome =
  | { readonly kind: 'promised'; readonly accepted?: AcceptedRing }
  | { readonly kind: 'accepted' }
  | { readonly kind: 'outbid'; readonly promised: RingBallot }
  | { readonly kind: 'stale' }
  | { readonly kind: 'behind' }
  | { readonly kind: 'unfit' };

export interface BallotAnswer {
  readonly type: 'ballotAnswer';
  readonly base: RingDigest;
  readonly ballot: RingBallot;
  readonly outcome: BallotOutcome;
}

/** How far its sender is under its ring: intervals under change that it is to hold, and those of them of which it may still
 *  lack something. Said on every new link too: who has another ring tells it. */
export interface RingReport {
  readonly type: 'ringReport';
  readonly version: number;
  readonly digest: RingDigest;
  readonly intervals: number;
  readonly left: number;
}

/** Propose this: asked of a voter. */
export interface ChangeAsked {
  readonly type: 'askChange';
  /** Of the asking node. */
  readonly id: number;
  readonly intent: RingIntent;
}

export interface ChangeAnswered {
  readonly type: 'changeAnswer';
  readonly id: number;
  /** The version it began with, or why it did not: a code of `ChangeRefusal`. */
  readonly outcome: { readonly version: number } | { readonly refusal: string };
}

export type RingMessage =
  | RingTold
  | RingAsked
  | Ballot
  | BallotAnswer
  | RingReport
  | ChangeAsked
  | ChangeAnswered;
