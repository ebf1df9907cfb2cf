/** One node's part in keeping the ring: which ring it uses, what it proposes and votes for, and when a change goes on. Pure:
 *  it is told what came and what is persisted, and says what is to be done. docs/decisions/0008 has the reasons.
 *
 *  A ring is used in three steps: decided or told (`adopt`), persisted by the node together with what its intervals need, and
 *  in use (`use`). Until then the one before holds. */
import type { NodeId } from '../base/ids.js';
import { err, ok } from '../base/result.js';
import { Ballots } from './ring-ballots.js';
import { ringDigest } from './ring-codec.js';
import { Expelling } from './ring-expelling.js';
import {
  type ChangeOutcome,
  type ChangeRefusal,
  type RingIntent,
  nextStep,
  ringWanted,
} from './ring-intent.js';
import { Joining } from './ring-joining.js';
import type { KeeperEffect, KeeperOptions } from './ring-keeper-effects.js';
import type { RingMessage } from './ring-messages.js';
import { type NodeProgress, RingSteps } from './ring-steps.js';
import type { RingTable } from './ring-table.js';
import { compareRings, forkText } from './ring-versions.js';
import { type Wish, Wishes } from './ring-wishes.js';
import { type Found, Yielding } from './ring-yielding.js';
import { type Ring, isNowhere, memberStateOf, votersOf } from './ring.js';

const backOffMs = { min: 50, max: 250 };
/** A ring that was accepted and never told is brought to an end by whoever knows of it. */
const strandedMs = 2_000;

/** Intervals under change that are this node's to hold, and those of them that are not whole. */
export type Left = Pick<NodeProgress, 'intervals' | 'left'>;

export class RingKeeper {
  readonly #options: KeeperOptions;
  readonly #ballots: Ballots;
  readonly #steps: RingSteps;
  readonly #joining: Joining;
  readonly #yielding: Yielding;
  readonly #linked = new Set<NodeId>();
  readonly #expelling: Expelling;
  #table: RingTable;
  #adopting: Ring | undefined;
  readonly #wishes = new Wishes();
  #own: NodeProgress;
  #retryAt = -Infinity;
  #strandedAt = Infinity;
  #alarmed = '';
  #effects: KeeperEffect[] = [];
  #now: number;

  constructor(options: KeeperOptions) {
    const { self, table, vote, now, expelAfterMs, role } = options;
    this.#options = options;
    this.#table = table;
    this.#now = now;
    this.#own = { version: table.ring.version, digest: ringDigest(table.ring), intervals: 0, left: 0 };
    this.#expelling = new Expelling(expelAfterMs, now);
    this.#ballots = new Ballots(self, table.ring, vote, {
      send: (to, message) => this.#send(to, message),
      persist: () => this.#effects.push({ type: 'persist' }),
      decided: (ring) => this.#decided(ring),
      outbid: () => this.#backOff(),
      behind: (peer) => this.#send(peer, { type: 'askRing' }),
    });
    this.#steps = new RingSteps(self, table, now);
    if (this.#ballots.accepted) this.#strandedAt = now + strandedMs;
    this.#yielding = new Yielding(self, options.joinsOthers === true);
    this.#joining = new Joining(self, role, options.joinsOthers === true, (to, message) =>
      this.#send(to, message),
    );
    for (const { node } of table.ring.members) if (node !== self) this.#expelling.missed(node, now);
  }

  get ring(): Ring {
    return this.#table.ring;
  }

  get steps(): RingSteps {
    return this.#steps;
  }

  takeEffects(): readonly KeeperEffect[] {
    const effects = this.#effects;
    this.#effects = [];
    return effects;
  }

  // What is wanted.

  /** Asks for a change; the answer is the effect with this id. */
  wish(intent: RingIntent, id: number, now: number): void {
    this.#now = now;
    this.#wish(intent, { peer: undefined, id });
    this.#pump();
  }

  /** A node alone asks to be taken into the ring that this node is in; without one it learns the ring that names it. */
  join(id: number, now: number, at: NodeId | undefined): void {
    this.#now = now;
    // Somebody may have been taken in since it was decided to join.
    if (this.#isBusy || this.ring.members.length > 1) return this.#answerHere(id, err('change-under-way'));
    this.#joining.begin(id, now, at);
    for (const peer of this.#linked) this.#send(peer, { type: 'askRing' });
    this.#pump();
  }

  /** Who is there is still being asked: whoever gives up its ring takes nobody in, and waits before it asks to be taken in. */
  meeting(isUnderWay: boolean, now: number): void {
    this.#now = now;
    this.#yielding.meeting(isUnderWay);
    this.#joining.meeting(isUnderWay, now);
    this.#pump();
  }

  /** This node holds entries: a ring of one is not given up any more. */
  hold(now: number): void {
    this.#now = now;
    this.#yielding.hold();
    for (const peer of this.#linked) this.#send(peer, { type: 'ring', ring: this.#adopting ?? this.ring });
    this.#pump();
  }

  // What is persisted and in use.

  unpersisted() {
    return this.#ballots.unpersisted();
  }

  persisted(number: number, now: number): void {
    this.#now = now;
    this.#ballots.persisted(number);
    this.#pump();
  }

  /** What was to be persisted when the store failed. */
  resume(): void {
    if (this.#ballots.waits) this.#effects.push({ type: 'persist' });
    if (this.#adopting) this.#effects.push({ type: 'adopt', ring: this.#adopting });
  }

  /** The node goes by this ring now. `intervals` under change are its to hold, of which `left` are not whole. */
  use(table: RingTable, { intervals, left }: Left, now: number): void {
    this.#now = now;
    const { ring } = table;
    this.#table = table;
    const { cluster, version } = this.#adopting ?? ring;
    if (cluster === ring.cluster && version <= ring.version) this.#adopting = undefined;
    this.#ballots.use(ring);
    this.#steps.use(table, now);
    this.#strandedAt = Infinity;
    this.#retryAt = now;
    for (const { node } of ring.members) {
      const isHere = node === this.#options.self || this.#linked.has(node);
      if (!isHere) this.#expelling.missed(node, now);
    }
    const joined = this.#joining.joined(ring);
    if (joined !== undefined) this.#answerHere(joined, ok(ring.version));
    this.progressed({ intervals, left }, now);
    for (const peer of this.#linked) this.#report(peer);
    this.#pump();
  }

  progressed({ intervals, left }: Left, now: number): void {
    this.#now = now;
    const before = this.#own;
    this.#own = { version: this.ring.version, digest: ringDigest(this.ring), intervals, left };
    this.#steps.reported(this.#options.self, this.#own);
    if (left === 0 && before.version === this.ring.version && before.left > 0)
      for (const peer of this.#linked) this.#report(peer);
    this.#pump();
  }

  // Other nodes.

  linked(peer: NodeId, now: number): void {
    this.#now = now;
    this.#linked.add(peer);
    this.#expelling.reached(peer);
    this.#report(peer);
    if (this.#joining.isActive || this.#isEdge) this.#send(peer, { type: 'askRing' });
    this.#ballots.linked(peer);
    this.#pump();
  }

  unlinked(peer: NodeId, now: number): void {
    this.#now = now;
    this.#linked.delete(peer);
    this.#yielding.forget(peer);
    this.#expelling.missed(peer, now);
    this.#pump();
  }

  /** Another node has a later ring. */
  behind(peer: NodeId): void {
    this.#send(peer, { type: 'askRing' });
  }

  received(from: NodeId, message: RingMessage, now: number): void {
    this.#now = now;
    switch (message.type) {
      case 'ring':
        this.#told(from, message.ring, message.held === true);
        break;
      case 'askRing':
        this.#send(from, { type: 'ring', ring: this.#adopting ?? this.ring });
        break;
      case 'ballot':
        this.#ballots.asked(from, message);
        if (this.#ballots.accepted && this.#strandedAt === Infinity) this.#strandedAt = now + strandedMs;
        break;
      case 'ballotAnswer':
        this.#ballots.answered(from, message);
        break;
      case 'ringReport':
        this.#reported(from, message);
        break;
      case 'askChange':
        this.#wish(message.intent, { peer: from, id: message.id });
        break;
      case 'changeAnswer':
        this.#answered(from, message.id, message.outcome);
    }
    this.#pump();
  }

  // Time.

  nextDeadline(): number {
    const ballots = this.#ballots;
    const isBusy = this.#adopting !== undefined || ballots.isProposing;
    const step = isBusy ? Infinity : this.#steps.stepAt(this.#linked, this.#now);
    const stranded = isBusy ? Infinity : this.#strandedFrom();
    const retry = this.#wishes.first && !isBusy ? this.#retryAt : Infinity;
    const proposed = Math.max(Math.min(step, stranded), this.#retryAt);
    return Math.min(
      proposed,
      retry,
      this.#wishes.deadline,
      ballots.deadline,
      this.#joining.deadline,
      this.#yielding.deadline,
      this.#expelling.deadline,
    );
  }

  tick(now: number): void {
    this.#now = now;
    this.#ballots.tick(now);
    if (this.#expelling.isDue(now)) this.#expel();
    this.#pump();
  }

  // Deciding.

  #pump(): void {
    for (const wish of this.#wishes.late(this.#now))
      this.#settle(wish, err(wish.proposed.size > 0 ? 'undecided' : 'no-voter'));
    const failed = this.#joining.tick(this.#linked, this.#now);
    if (failed) this.#answerHere(failed.id, err(failed.refusal));
    this.#yield();
    this.#leaveOut();
    if (this.#adopting || this.#ballots.isProposing) return;
    for (let wish = this.#wishes.first; wish && this.#now >= this.#retryAt; wish = this.#wishes.first)
      if (this.#begin(wish)) return;
    if (this.#now < this.#retryAt) return;
    if (this.#now >= this.#steps.stepAt(this.#linked, this.#now)) {
      const next = nextStep(this.#table, this.#steps.ready());
      if (next.ok) return this.#ballots.propose(next.value, this.#now);
    }
    const { accepted } = this.#ballots;
    if (accepted && this.#now >= this.#strandedFrom()) this.#ballots.propose(accepted, this.#now);
  }

  /** Not while something is being decided: whoever was taken in meanwhile would be left behind. */
  #yield(): void {
    this.#effects.push(...this.#yielding.alarms(this.ring, this.#now));
    if (this.#yielding.isDue(this.ring, this.#now) && !this.#isBusy) this.#effects.push({ type: 'named' });
  }

  /** Whoever was to come in and went into another ring does not come: nothing here waits for it. */
  #leaveOut(): void {
    if (!this.#isVoter) return;
    for (const node of this.#yielding.elsewhere(this.ring))
      if (!this.#wishes.has('leave-out', node))
        this.#wish({ kind: 'leave-out', node }, { peer: undefined, id: 0 });
  }

  /** Proposes what is wished for; false when it was answered instead. */
  #begin(wish: Wish): boolean {
    const { ring } = this;
    const came = wish.cameAbout(ring);
    const wanted = came === undefined ? ringWanted(ring, wish.intent) : undefined;
    if (came !== undefined) this.#settle(wish, ok(came));
    else if (!this.#isVoter) this.#settle(wish, err('no-voter'));
    else if (wanted && !wanted.ok) this.#settle(wish, err(wanted.error));
    else if (wanted) {
      wish.proposed.set(ringDigest(wanted.value), wanted.value.version);
      this.#ballots.propose(wanted.value, this.#now);
      return true;
    }
    return false;
  }

  #decided(ring: Ring): void {
    for (const peer of this.#linked) this.#send(peer, { type: 'ring', ring });
    this.#adopt(ring);
  }

  #backOff(): void {
    const { min, max } = backOffMs;
    this.#retryAt = this.#now + min + this.#options.random.next() * (max - min);
  }

  #adopt(ring: Ring): void {
    this.#adopting = ring;
    this.#effects.push({ type: 'adopt', ring });
  }

  #told(from: NodeId, ring: Ring, held: boolean): void {
    const ours = this.#adopting ?? this.ring;
    const compared = compareRings(ours, ring);
    switch (compared.kind) {
      case 'same':
        return;
      case 'newer':
        return this.#adopt(ring);
      case 'older':
        return this.#send(from, { type: 'ring', ring: ours });
      case 'foreign':
        return this.#toldForeign(ours, from, { ring, held });
      case 'fork': {
        const message = forkText(compared.fork);
        if (this.#alarmed !== message) this.#effects.push({ type: 'alarm', code: 'RING_FORK', message });
        this.#alarmed = message;
      }
    }
  }

  #toldForeign(ours: Ring, from: NodeId, found: Found): void {
    const { ring } = found;
    if (this.#isEdge) {
      if (this.#isToFollow(ours, from, ring)) this.#adopt(ring);
      return;
    }
    this.#yielding.told(from, found, this.#now);
    if (this.#joining.told(from, ours, found)) return this.#adopt(ring);
    const isNamed = memberStateOf(ring, this.#options.self) !== undefined && ours.members.length === 1;
    if (isNamed && !this.#joining.isActive) this.#effects.push({ type: 'named' });
  }

  /** An edge node goes by whatever ring there is: the one it goes by is left once none of its other members is there, or for one
   *  of several. */
  #isToFollow(ours: Ring, from: NodeId, ring: Ring): boolean {
    if (isNowhere(ring) || memberStateOf(ring, from) === undefined) return false;
    const isOthersThere = ours.members.some(({ node }) => node !== from && this.#linked.has(node));
    return !isOthersThere || (ours.members.length === 1 && ring.members.length > 1);
  }

  get #isEdge(): boolean {
    return this.#options.role === 'edge';
  }

  #reported(from: NodeId, report: Extract<RingMessage, { type: 'ringReport' }>): void {
    const ours = this.#adopting ?? this.ring;
    this.#steps.reported(from, report);
    if (report.digest === ringDigest(ours)) return this.#yielding.forget(from);
    const isAhead = report.version > ours.version || this.#isEdge;
    // One that is to come in may be in another ring by now, of whatever version: nobody else says so.
    if (isAhead || memberStateOf(ours, from) === 'joining') this.#send(from, { type: 'askRing' });
    if (!isAhead) this.#send(from, { type: 'ring', ring: ours });
  }

  #report(peer: NodeId): void {
    this.#send(peer, { type: 'ringReport', ...this.#own });
  }

  #wish(intent: RingIntent, origin: Wish['origin']): void {
    const mayYield = intent.kind === 'join' && this.#yielding.mayYield(this.ring);
    if (this.#joining.isActive || mayYield) return this.#tell(origin, err('change-under-way'));
    if (this.#isVoter && this.#wishes.add(intent, origin, this.#now)) return;
    const voter = votersOf(this.ring).find((node) => this.#linked.has(node));
    if (this.#isVoter) this.#tell(origin, err('overloaded'));
    else if (origin.peer !== undefined || !voter) this.#tell(origin, err('no-voter'));
    else this.#send(voter, { type: 'askChange', id: origin.id, intent });
  }

  #answered(
    from: NodeId,
    id: number,
    outcome: { readonly version: number } | { readonly refusal: string },
  ): void {
    if (this.#joining.answered(id, outcome)) return this.#send(from, { type: 'askRing' });
    if (this.#joining.isActive) return;
    this.#answerHere(id, 'version' in outcome ? ok(outcome.version) : err(outcome.refusal as ChangeRefusal));
  }

  #settle(wish: Wish, outcome: ChangeOutcome): void {
    this.#wishes.remove(wish);
    this.#tell(wish.origin, outcome);
  }

  #tell({ peer, id }: Wish['origin'], outcome: ChangeOutcome): void {
    if (peer === undefined) return this.#answerHere(id, outcome);
    const told = outcome.ok ? { version: outcome.value } : { refusal: outcome.error };
    this.#send(peer, { type: 'changeAnswer', id, outcome: told });
  }

  #answerHere(id: number, outcome: ChangeOutcome): void {
    this.#effects.push({ type: 'answer', id, outcome });
  }

  #expel(): void {
    if (this.#steps.turn(this.#linked) !== 0 || this.#wishes.first) return;
    const node = this.#expelling.nodeToExpel(this.ring, this.#now);
    if (node !== undefined) this.#wish({ kind: 'expel', node }, { peer: undefined, id: 0 });
  }

  get #isBusy(): boolean {
    const { isProposing, accepted } = this.#ballots;
    return !!(this.#adopting ?? accepted ?? this.#wishes.first) || isProposing || this.#joining.isActive;
  }

  get #isVoter(): boolean {
    return votersOf(this.ring).includes(this.#options.self);
  }

  #strandedFrom(): number {
    const turn = this.#steps.turn(this.#linked);
    return turn === undefined || !this.#ballots.accepted ? Infinity : this.#strandedAt + turn * backOffMs.max;
  }

  #send(to: NodeId, message: RingMessage): void {
    if (isNowhere(this.ring) && (message.type === 'ring' || message.type === 'ringReport')) return;
    const marked = this.#yielding.marked(message);
    if (this.#linked.has(to)) this.#effects.push({ type: 'send', to, message: marked });
  }
}
