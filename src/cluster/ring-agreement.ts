/** Which ring follows: single-decree Paxos (Lamport 2001) once for every version, so that two nodes that propose at the same
 *  time never make a fork. Voters are the members from before the change under way in the version that is followed, and a
 *  majority of them decides. A voter persists its vote before it answers. Pure: messages are carried by the caller.
 *
 *      proposer                                voter
 *      promise? (base, ballot)           ──▶   promiseRing: promised, with what it accepted; or outbid, stale, behind
 *      ringToPropose of a majority's answers
 *      accept? (base, ballot, ring)      ──▶   acceptRing: accepted; or as above
 *      isDecided: everybody is told the ring
 *
 *  Only a voter proposes (a node that wants to join asks one), and it gives itself the first promise, so that it never uses a
 *  ballot twice. One that was outbid asks again, after a random back-off as claims have it. */
import type { NodeId } from '../base/ids.js';
import { ringDigest } from './ring-codec.js';
import { type Ring, type RingDigest, isMajorityOf } from './ring.js';

/** Compared by round, then node: no two proposers have the same. */
export interface RingBallot {
  /** From 1. */
  readonly round: number;
  readonly node: NodeId;
}

export interface AcceptedRing {
  readonly ballot: RingBallot;
  readonly ring: Ring;
}

/** What a voter must never forget while `base` is its ring: persisted before the answer is sent. */
export interface RingVote {
  /** Of the ring the vote is about the successor of. */
  readonly base: RingDigest;
  readonly promised: RingBallot;
  readonly accepted?: AcceptedRing;
}

export interface BallotRequest {
  readonly base: { readonly version: number; readonly digest: RingDigest };
  readonly ballot: RingBallot;
}

/** outbid: with the ballot to go above. stale: the voter has a later ring, and tells it. behind: it must get the base first.
 *  unfit: the bases differ at one version (a fork: alarmed by ring-versions.ts), or the ring does not follow its base. */
export type VoteRefusal =
  | { readonly kind: 'outbid'; readonly promised: RingBallot }
  | { readonly kind: 'stale' }
  | { readonly kind: 'behind' }
  | { readonly kind: 'unfit' };

export type PromiseAnswer =
  | { readonly kind: 'promised'; readonly vote: RingVote; readonly accepted?: AcceptedRing }
  | VoteRefusal;
export type AcceptAnswer = { readonly kind: 'accepted'; readonly vote: RingVote } | VoteRefusal;

/** A ballot above this voter's own promise and above all it was told of. */
export function nextBallot(
  ring: Ring,
  vote: RingVote | undefined,
  node: NodeId,
  toldRounds: readonly number[],
): RingBallot {
  const own = currentVote(ring, vote)?.promised.round ?? 0;
  return { round: Math.max(own, ...toldRounds) + 1, node };
}

/** `vote` is the voter's last one, about whatever ring. */
export function promiseRing(ring: Ring, vote: RingVote | undefined, request: BallotRequest): PromiseAnswer {
  const current = currentVote(ring, vote);
  const refusal = refusalOf(ring, current, request);
  if (refusal) return refusal;
  const { base, ballot } = request;
  const accepted = current?.accepted;
  const kept = accepted ? { accepted } : {};
  return { kind: 'promised', vote: { base: base.digest, promised: ballot, ...kept }, ...kept };
}

export function acceptRing(
  ring: Ring,
  vote: RingVote | undefined,
  request: BallotRequest & { readonly ring: Ring },
): AcceptAnswer {
  const refusal = refusalOf(ring, currentVote(ring, vote), request);
  if (refusal) return refusal;
  if (!follows(request.ring, ring)) return { kind: 'unfit' };
  const { ballot } = request;
  const accepted = { ballot, ring: request.ring };
  return { kind: 'accepted', vote: { base: request.base.digest, promised: ballot, accepted } };
}

/** The ring a proposer must ask to accept: what a voter already accepted under the highest ballot, else what it wanted.
 *  `promises` are the answers to one ballot; `undefined` until a majority gave it. */
export function ringToPropose(
  base: Ring,
  wanted: Ring,
  promises: ReadonlyMap<NodeId, AcceptedRing | undefined>,
): Ring | undefined {
  if (!isMajorityOf(base, new Set(promises.keys()))) return undefined;
  let highest: AcceptedRing | undefined;
  for (const accepted of promises.values()) {
    if (accepted && (!highest || compareBallots(accepted.ballot, highest.ballot) > 0)) highest = accepted;
  }
  return highest?.ring ?? wanted;
}

/** Whether the ring accepted by these voters under one ballot is the one that follows. */
export function isDecided(base: Ring, acceptedBy: ReadonlySet<NodeId>): boolean {
  return isMajorityOf(base, acceptedBy);
}

export function compareBallots(a: RingBallot, b: RingBallot): number {
  if (a.round !== b.round) return a.round - b.round;
  if (a.node === b.node) return 0;
  return a.node < b.node ? -1 : 1;
}

/** A vote about the successor of an earlier ring has had its effect. */
function currentVote(ring: Ring, vote: RingVote | undefined): RingVote | undefined {
  return vote?.base === ringDigest(ring) ? vote : undefined;
}

function refusalOf(
  ring: Ring,
  vote: RingVote | undefined,
  { base, ballot }: BallotRequest,
): VoteRefusal | undefined {
  if (base.version < ring.version) return { kind: 'stale' };
  if (base.version > ring.version) return { kind: 'behind' };
  if (base.digest !== ringDigest(ring)) return { kind: 'unfit' };
  const isOutbid = vote && compareBallots(ballot, vote.promised) < 0;
  return isOutbid ? { kind: 'outbid', promised: vote.promised } : undefined;
}

function follows(next: Ring, base: Ring): boolean {
  return (
    next.cluster === base.cluster && next.version === base.version + 1 && next.lineage[0] === ringDigest(base)
  );
}
