/** Claims of intervals, both sides: what a home promises, and how a node comes to own an interval. A phase one of Paxos
 *  (Lamport, "Paxos Made Simple", 2001) whose proposal numbers are claims, with a question before it. */
import type { NodeId } from '../base/ids.js';
import { planted } from '../base/planted.js';
import { type Claim, compareClaims, sameClaim } from './claim.js';
import type { Context } from './context.js';
import type { Attempt, Interval } from './interval.js';
import type { Asked, IntervalClaim } from './messages.js';
import { meetsClaim } from './quorum.js';
import { timing } from './timing.js';

export class Claims {
  readonly #context: Context;

  constructor(context: Context) {
    this.#context = context;
  }

  // The home side.

  onAsk(from: NodeId, { interval: id, claim }: IntervalClaim): void {
    const interval = this.#context.intervalFor(from, id);
    if (!interval || interval.recovery || !this.#context.mayBe(interval, claim, from)) return;
    const { promise } = interval;
    const isBelow = compareClaims(claim, promise) < 0;
    this.#context.outbox.to(from).answer({ interval: id, claim, ...(isBelow && promise ? { promise } : {}) });
  }

  onClaim(from: NodeId, { interval: id, claim }: IntervalClaim, now: number): void {
    const interval = this.#context.intervalFor(from, id);
    if (!interval || (interval.recovery && !planted('recovering-acks'))) return;
    if (!this.#context.mayUse(interval, claim, from)) return;
    const order = compareClaims(claim, interval.promise);
    if (order < 0) return this.#context.outbox.to(from).fence(id, interval.promise);
    if (order > 0) this.#context.promise(interval, claim, now);
    interval.heardFrom(from, claim);
    this.#context.queue.duty({ type: 'grant', interval, to: from, claim });
  }

  /** After the promise is synced. A higher one may have come since: then that is the answer. */
  grant(interval: Interval, to: NodeId, claim: Claim): void {
    if (interval.recovery && !planted('recovering-acks')) return;
    const { outbox } = this.#context;
    if (!sameClaim(interval.promise, claim)) return outbox.to(to).fence(interval.id, interval.promise);
    outbox.to(to).grant({ interval: interval.id, claim });
  }

  // The claimant's side.

  want(interval: Interval, wanted: boolean, now: number): void {
    if (wanted && !interval.wanted && !interval.held) interval.claimBy = now + timing.claimWaitMs;
    interval.wanted = wanted;
    if (!wanted) this.#drop(interval);
    this.tick(interval, now);
  }

  /** What was promised for it stays promised: whoever owns the interval by a lower claim learns that at once, not by its next
   *  append. */
  #drop(interval: Interval): void {
    const { id, attempt, others, promise } = interval;
    interval.attempt = undefined;
    if (!attempt || attempt.stage === 'ask') return;
    for (const home of others) this.#context.outbox.to(home).fence(id, promise);
  }

  tick(interval: Interval, now: number): void {
    if (interval.attempt && now >= interval.attempt.deadline) this.#overdue(interval, interval.attempt, now);
    if (interval.check && now >= interval.check.until) this.#context.endCheck(interval);
    if (interval.claimBy !== undefined && now >= interval.claimBy) this.#context.hurry(interval);
    const due = interval.wanted && !interval.held && !interval.attempt && !interval.recovery;
    if (due && now >= interval.retryAt) this.#ask(interval, now);
    this.#context.dueIntervals.changed(interval);
  }

  /** This node stood still, and others may have gone on without it. A claim under way is tried anew; one that is held is
   *  checked before anything more is stamped under it. docs/decisions/0011 says why nothing else needs it. */
  resumed(interval: Interval, now: number): void {
    if (interval.attempt) this.#context.backOff(interval, now);
    const { held, others } = interval;
    if (!held || others.length === 0) return;
    interval.check = { homes: new Set([interval.self]), until: now + timing.claimMs };
    this.#context.dueIntervals.changed(interval);
    for (const home of others) {
      this.#context.outbox.to(home).ask({ interval: interval.id, claim: held.claim });
    }
    this.#checkedEnough(interval);
  }

  /** A peer can be reached again: what it was asked may be lost. */
  connected(interval: Interval, peer: NodeId): void {
    if (interval.attempt) this.#askAgain(interval, interval.attempt, peer);
  }

  onAsked(from: NodeId, { interval: id, claim, promise }: Asked['answers'][number], now: number): void {
    const interval = this.#context.intervalFor(from, id);
    if (!interval) return;
    if (promise) return this.#hear(from, interval, promise, now);
    const { attempt, check, held } = interval;
    if (check && sameClaim(claim, held?.claim)) {
      check.homes.add(from);
      this.#checkedEnough(interval);
    }
    if (attempt?.stage !== 'ask' || !sameClaim(attempt.claim, claim)) return;
    attempt.homes.add(from);
    this.#askedEnough(interval, now);
  }

  onGranted(from: NodeId, { interval: id, claim }: IntervalClaim): void {
    const interval = this.#context.intervalFor(from, id);
    const attempt = interval?.attempt;
    if (!interval || attempt?.stage !== 'claim' || !sameClaim(attempt.claim, claim)) return;
    attempt.homes.add(from);
    this.#grantedEnough(interval);
  }

  onFenced(from: NodeId, { interval: id, claim }: IntervalClaim, now: number): void {
    const interval = this.#context.intervalFor(from, id);
    if (interval) this.#hear(from, interval, claim, now);
  }

  #hear(from: NodeId, interval: Interval, claim: Claim, now: number): void {
    if (this.#context.mayBe(interval, claim, from, 1 / 2)) this.#context.heard(interval, claim, now);
  }

  /** The own promise is durable: now the others are told. */
  noted(interval: Interval): void {
    const { attempt } = interval;
    if (attempt?.stage !== 'own' || !sameClaim(attempt.claim, interval.durable)) return;
    attempt.stage = 'claim';
    attempt.homes = new Set([interval.self]);
    for (const home of interval.others) {
      this.#context.outbox.to(home).claim({ interval: interval.id, claim: attempt.claim });
    }
    this.#grantedEnough(interval);
  }

  #checkedEnough(interval: Interval): void {
    const { check, sets } = interval;
    if (check && meetsClaim(sets, (home) => check.homes.has(home))) this.#context.endCheck(interval);
  }

  #ask(interval: Interval, now: number): void {
    const round = Math.max(interval.promise?.round ?? 0, interval.seenRound) + 1;
    const claim = { round, writer: this.#context.writer };
    const homes = new Set([interval.self]);
    const until = now + timing.claimMaxMs;
    interval.attempt = { claim, stage: 'ask', homes, deadline: now + timing.claimMs, until };
    for (const home of interval.others) this.#context.outbox.to(home).ask({ interval: interval.id, claim });
    this.#askedEnough(interval, now);
  }

  /** Homes that are there and answer late would never be heard by who gives up at once each time. */
  #overdue(interval: Interval, attempt: Attempt, now: number): void {
    if (now >= attempt.until || !this.#context.reaches(interval.sets))
      return this.#context.backOff(interval, now);
    attempt.deadline = Math.min(now + timing.claimMs, attempt.until);
    for (const home of interval.others) this.#askAgain(interval, attempt, home);
  }

  #askAgain({ id }: Interval, attempt: Attempt, home: NodeId): void {
    if (attempt.homes.has(home)) return;
    const claim = { interval: id, claim: attempt.claim };
    if (attempt.stage === 'ask') this.#context.outbox.to(home).ask(claim);
    else if (attempt.stage === 'claim') this.#context.outbox.to(home).claim(claim);
  }

  #askedEnough(interval: Interval, now: number): void {
    const { attempt } = interval;
    if (!attempt || !meetsClaim(interval.sets, (home) => attempt.homes.has(home))) return;
    // Something higher may have been promised while the others thought about it.
    if (compareClaims(attempt.claim, interval.promise) <= 0) return this.#context.backOff(interval, now);
    attempt.stage = 'own';
    this.#context.promise(interval, attempt.claim, now);
  }

  #grantedEnough(interval: Interval): void {
    const { attempt } = interval;
    if (!attempt || !meetsClaim(interval.sets, (home) => attempt.homes.has(home))) return;
    if (!sameClaim(attempt.claim, interval.promise)) return;
    interval.attempt = undefined;
    this.#context.dueIntervals.changed(interval);
    interval.held = { claim: attempt.claim };
    this.#context.outbox.add({ type: 'claimGained', interval: interval.id, claim: attempt.claim });
  }
}
