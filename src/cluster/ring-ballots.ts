/** One node's part in agreeing on the next ring, both sides of ring-agreement.ts with their time: as a voter it answers once
 *  its vote is persisted, as a proposer it carries one ring at a time through both rounds. */
import type { NodeId } from '../base/ids.js';
import {
  type AcceptedRing,
  type RingBallot,
  type RingVote,
  acceptRing,
  compareBallots,
  isDecided,
  nextBallot,
  promiseRing,
  ringToPropose,
} from './ring-agreement.js';
import { ringDigest } from './ring-codec.js';
import type { Ballot, BallotAnswer, BallotOutcome, RingMessage } from './ring-messages.js';
import { type Ring, type RingDigest, votersOf } from './ring.js';

export interface BallotHooks {
  send(to: NodeId, message: RingMessage): void;
  /** `unpersisted` says what. */
  persist(): void;
  /** The ring follows: this node is the first to know. */
  decided(ring: Ring): void;
  /** Another ballot is in the way, or too few answered. */
  outbid(): void;
  /** The node has a later ring than this one. */
  behind(peer: NodeId): void;
}

interface Proposal {
  readonly ballot: RingBallot;
  readonly wanted: Ring;
  readonly deadline: number;
  readonly promises: Map<NodeId, AcceptedRing | undefined>;
  readonly acceptedBy: Set<NodeId>;
  /** In the second round: what is to be accepted. */
  ring: Ring | undefined;
}

/** A round that not enough voters answered by then is given up. */
const roundMs = 1_000;

export class Ballots {
  readonly #self: NodeId;
  readonly #hooks: BallotHooks;
  #ring: Ring;
  #digest: RingDigest;
  #vote: RingVote | undefined;
  #voteNumber = 0;
  /** What is to be said once a vote is persisted. */
  #waiting: { readonly number: number; readonly say: () => void }[] = [];
  #proposal: Proposal | undefined;
  /** The highest round another node was promised. */
  #toldRound = 0;

  constructor(self: NodeId, ring: Ring, vote: RingVote | undefined, hooks: BallotHooks) {
    this.#self = self;
    this.#hooks = hooks;
    this.#ring = ring;
    this.#digest = ringDigest(ring);
    this.#vote = vote;
  }

  get isProposing(): boolean {
    return this.#proposal !== undefined;
  }

  /** What was accepted here to follow the ring in use, and may be decided without anybody knowing. */
  get accepted(): Ring | undefined {
    return this.#vote?.base === this.#digest ? this.#vote.accepted?.ring : undefined;
  }

  get deadline(): number {
    return this.#proposal?.deadline ?? Infinity;
  }

  /** Another ring is in use. */
  use(ring: Ring): void {
    this.#ring = ring;
    this.#digest = ringDigest(ring);
    this.#proposal = undefined;
    this.#toldRound = 0;
  }

  // Persisting.

  unpersisted(): { readonly number: number; readonly vote: RingVote } | undefined {
    return this.#vote && { number: this.#voteNumber, vote: this.#vote };
  }

  persisted(number: number): void {
    const done = this.#waiting.filter((each) => each.number <= number);
    this.#waiting = this.#waiting.filter((each) => each.number > number);
    for (const { say } of done) say();
  }

  get waits(): boolean {
    return this.#waiting.length > 0;
  }

  #persist(vote: RingVote, say: () => void): void {
    this.#vote = vote;
    this.#waiting.push({ number: ++this.#voteNumber, say });
    this.#hooks.persist();
  }

  // The voter.

  asked(from: NodeId, { base, ballot, ring }: Ballot): void {
    const request = { base, ballot };
    const answer = ring
      ? acceptRing(this.#ring, this.#vote, { ...request, ring })
      : promiseRing(this.#ring, this.#vote, request);
    const tell = (outcome: BallotOutcome): void =>
      this.#hooks.send(from, { type: 'ballotAnswer', base: base.digest, ballot, outcome });
    switch (answer.kind) {
      case 'promised': {
        const { accepted } = answer;
        return this.#persist(answer.vote, () =>
          tell({ kind: 'promised', ...(accepted ? { accepted } : {}) }),
        );
      }
      case 'accepted':
        return this.#persist(answer.vote, () => tell({ kind: 'accepted' }));
      case 'stale':
        this.#hooks.send(from, { type: 'ring', ring: this.#ring });
        return tell(answer);
      case 'behind':
        this.#hooks.behind(from);
        return tell(answer);
      default:
        return tell(answer);
    }
  }

  // The proposer.

  /** Asks the voters that `wanted` follows; one at a time. */
  propose(wanted: Ring, now: number): void {
    const ballot = nextBallot(this.#ring, this.#vote, this.#self, [this.#toldRound]);
    const own = promiseRing(this.#ring, this.#vote, { base: this.#base, ballot });
    if (own.kind !== 'promised') return this.#hooks.outbid();
    const promises = new Map<NodeId, AcceptedRing | undefined>();
    const deadline = now + roundMs;
    const proposal: Proposal = {
      ballot,
      wanted,
      deadline,
      promises,
      acceptedBy: new Set(),
      ring: undefined,
    };
    this.#proposal = proposal;
    this.#persist(own.vote, () => {
      if (this.#proposal !== proposal) return;
      this.#send(proposal);
      this.#promised(proposal, this.#self, own.accepted);
    });
  }

  answered(from: NodeId, { base, ballot, outcome }: BallotAnswer): void {
    const proposal = this.#proposal;
    if (!proposal || base !== this.#digest || compareBallots(ballot, proposal.ballot) !== 0) return;
    switch (outcome.kind) {
      case 'promised':
        return this.#promised(proposal, from, outcome.accepted);
      case 'accepted':
        return this.#accepted(proposal, from);
      case 'outbid':
        this.#toldRound = Math.max(this.#toldRound, outcome.promised.round);
        return this.#end();
      case 'behind':
        // It gets the ring, and is asked again with the next ballot.
        return this.#hooks.send(from, { type: 'ring', ring: this.#ring });
      case 'stale':
      case 'unfit':
        return this.#end();
    }
  }

  /** What was sent on an earlier link may be lost. */
  linked(peer: NodeId): void {
    if (this.#proposal && votersOf(this.#ring).includes(peer)) this.#sendTo(peer, this.#proposal);
  }

  tick(now: number): void {
    if (this.#proposal && now >= this.#proposal.deadline) this.#end();
  }

  get #base() {
    return { version: this.#ring.version, digest: this.#digest };
  }

  #promised(proposal: Proposal, from: NodeId, accepted: AcceptedRing | undefined): void {
    if (proposal.ring) return;
    proposal.promises.set(from, accepted);
    const ring = ringToPropose(this.#ring, proposal.wanted, proposal.promises);
    if (!ring) return;
    proposal.ring = ring;
    const own = acceptRing(this.#ring, this.#vote, { base: this.#base, ballot: proposal.ballot, ring });
    if (own.kind !== 'accepted') return this.#end();
    this.#persist(own.vote, () => {
      if (this.#proposal !== proposal) return;
      this.#send(proposal);
      this.#accepted(proposal, this.#self);
    });
  }

  #accepted(proposal: Proposal, from: NodeId): void {
    if (!proposal.ring) return;
    proposal.acceptedBy.add(from);
    if (!isDecided(this.#ring, proposal.acceptedBy)) return;
    this.#proposal = undefined;
    this.#hooks.decided(proposal.ring);
  }

  #send(proposal: Proposal): void {
    for (const voter of votersOf(this.#ring)) if (voter !== this.#self) this.#sendTo(voter, proposal);
  }

  #sendTo(voter: NodeId, { ballot, ring }: Proposal): void {
    this.#hooks.send(voter, { type: 'ballot', base: this.#base, ballot, ...(ring ? { ring } : {}) });
  }

  #end(): void {
    this.#proposal = undefined;
    this.#hooks.outbid();
  }
}
