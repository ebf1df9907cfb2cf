/** Which intervals this node should own, and who acts for the others. Every node decides it alone, from who can be reached
 *  and what those say of themselves, by one rule: the first home in the order of the ring that is reachable and settled
 *  acts; where no home is settled the first that is reachable. Nodes with one view never both act; while views differ, a
 *  claim is fenced and nothing is lost.
 *
 *  A node is *settled* once a majority of the voters was reachable for it for a while and it has what it was lacking, which is
 *  not waited for without end, and tells it in its profile. So a node that comes back leaves its intervals until then to
 *  whoever owns them, and a cluster that starts cold, where nobody is settled, has owners at once. A node whose store was
 *  lost is not settled before it was given back everything: the others need not know which intervals it still recovers.
 *
 *  After a start nothing is wanted until a majority is reachable, or for a while (R36): the rest may be starting too, and
 *  whoever is up first need not be the one to own everything.
 *
 *  What happens to a node costs as much as it shares intervals with this one, and says nothing about all others. */
import { assert } from '../base/assert.js';
import type { NodeId } from '../base/ids.js';
import { planted } from '../base/planted.js';
import { limits } from '../base/limits.js';
import { actingOrder } from './intervals.js';
import type { IntervalId } from './ring-position.js';
import type { RingTable } from './ring-table.js';
import { coldStartOf } from './ring-versions.js';
import { isMajorityOf, votersOf } from './ring.js';

export interface ActingOptions {
  readonly table: RingTable;
  readonly self: NodeId;
  /** The start of this node. */
  readonly now: number;
  readonly settleMs?: number;
  readonly coldStartMs?: number;
  /** Whether other homes have what this node still lacks, or have not said. */
  readonly lacks?: () => boolean;
}

export interface WantedChange {
  readonly interval: IntervalId;
  readonly wanted: boolean;
}

export class Acting {
  readonly #self: NodeId;
  readonly #startedAt: number;
  readonly #settleMs: number;
  readonly #coldStartMs: number;
  readonly #lacks: () => boolean;
  #table: RingTable;
  readonly #reachable: Set<NodeId>;
  /** Others that say so. */
  readonly #settled = new Set<NodeId>();
  readonly #recovering = new Set<IntervalId>();
  /** Indexes of the intervals that this node may act for. */
  #mine: readonly number[] = [];
  /** Those of them that each other node may act for too. */
  #shared = new Map<NodeId, number[]>();
  readonly #wanted = new Set<IntervalId>();
  /** As last taken, of those that changed since. */
  readonly #before = new Map<IntervalId, boolean>();
  #isStarted = false;
  #isSettled = false;
  #isRetired = false;
  /** Since when a majority is reachable. */
  #majoritySince: number | undefined;
  /** It lacked something when it was looked last: the next look. */
  #lookAt = -Infinity;

  constructor({ table, self, now, settleMs, coldStartMs, lacks = () => false }: ActingOptions) {
    this.#self = self;
    this.#startedAt = now;
    this.#settleMs = settleMs ?? limits.settleMs;
    this.#coldStartMs = coldStartMs ?? limits.coldStartMs;
    this.#lacks = lacks;
    this.#reachable = new Set([self]);
    this.#table = table;
    this.plan(table, now);
  }

  /** To be told in this node's profile. */
  get isSettled(): boolean {
    return this.#isSettled;
  }

  // What is known.

  reachable(node: NodeId, isReachable: boolean, now: number): void {
    if (node === this.#self || this.#reachable.has(node) === isReachable) return;
    if (isReachable) this.#reachable.add(node);
    else this.#reachable.delete(node);
    if (!this.#count(now)) this.#decideAll(this.#shared.get(node) ?? []);
  }

  /** As its profile says. */
  settled(node: NodeId, isSettled: boolean): void {
    if (node === this.#self || this.#settled.has(node) === isSettled) return;
    if (isSettled) this.#settled.add(node);
    else this.#settled.delete(node);
    this.#decideAll(this.#shared.get(node) ?? []);
  }

  /** Whether this node recovers an interval of its own. */
  recovering(interval: IntervalId, isRecovering: boolean, now: number): void {
    if (this.#recovering.has(interval) === isRecovering) return;
    if (isRecovering) this.#recovering.add(interval);
    else this.#recovering.delete(interval);
    const { index } = this.#table.intervalWithId(interval) ?? {};
    if (!this.#count(now) && index !== undefined) this.#decide(index);
  }

  /** Another ring, or its next version. */
  plan(table: RingTable, now: number): void {
    this.#table = table;
    const mine: number[] = [];
    this.#shared = new Map();
    const left = new Set(this.#wanted);
    for (const index of table.indexes()) {
      const interval = table.interval(index);
      const order = actingOrder(interval);
      if (!order.includes(this.#self)) continue;
      mine.push(index);
      left.delete(interval.id);
      for (const node of order) {
        const shared = this.#shared.get(node);
        if (shared) shared.push(index);
        else this.#shared.set(node, [index]);
      }
    }
    this.#mine = mine;
    for (const interval of left) this.#want(interval, false);
    for (const interval of this.#recovering) {
      if (!table.intervalWithId(interval)) this.#recovering.delete(interval);
    }
    if (!this.#count(now)) this.#decideAll(mine);
  }

  // What follows.

  /** What is wanted or not any more, since the last time. */
  takeChanges(): readonly WantedChange[] {
    const changes: WantedChange[] = [];
    for (const [interval, before] of this.#before) {
      const wanted = this.#wanted.has(interval);
      if (wanted !== before) changes.push({ interval, wanted });
    }
    this.#before.clear();
    return changes;
  }

  /** Who acts for an interval, as far as is seen from here: where a claim is to be looked for that was not heard of. */
  actingFor(which: number | IntervalId): NodeId | undefined {
    const interval =
      typeof which === 'number' ? this.#table.interval(which) : this.#table.intervalWithId(which);
    if (!interval) return undefined;
    let first: NodeId | undefined;
    let last: NodeId | undefined;
    for (const home of actingOrder(interval)) {
      if (!this.#mayAct(home, interval.id)) continue;
      if (home === this.#self && this.#isRetired) {
        last = home;
        continue;
      }
      if (home === this.#self ? this.#isSettled : this.#settled.has(home)) return home;
      first ??= home;
    }
    return first ?? last;
  }

  /** A settled home that acts in place of this node, which is about to leave: it is sure to take over. */
  heirOf(interval: IntervalId): NodeId | undefined {
    const acting = this.actingFor(interval);
    return acting !== undefined && this.#settled.has(acting) ? acting : undefined;
  }

  /** As `takeChanges` tells it. */
  isWanted(which: number | IntervalId): boolean {
    const id = typeof which === 'number' ? this.#table.interval(which).id : which;
    return this.#wanted.has(id);
  }

  nextDeadline(): number {
    const start = this.#isStarted ? Infinity : this.#startedAt + this.#coldStartMs;
    const isSettling =
      !this.#isSettled &&
      !this.#isRetired &&
      this.#majoritySince !== undefined &&
      this.#recovering.size === 0;
    if (!isSettling) return start;
    return Math.min(start, Math.max(this.#majoritySince! + this.#settleMs, this.#lookAt));
  }

  /** This node is about to leave: it says that it is settled no more, and acts only where no other home is there. */
  retire(now: number): void {
    this.#isRetired = true;
    if (!this.#count(now)) this.#decideAll(this.#mine);
  }

  tick(now: number): void {
    this.#count(now);
  }

  #mayAct(home: NodeId, interval: IntervalId): boolean {
    if (home !== this.#self) return this.#reachable.has(home);
    return this.#isStarted && !this.#recovering.has(interval);
  }

  /** Whether this node may start and is settled. True when that changed, and everything was decided anew. */
  #count(now: number): boolean {
    const { ring } = this.#table;
    if (!isMajorityOf(ring, this.#reachable)) this.#majoritySince = undefined;
    else this.#majoritySince ??= now;
    const before = [this.#isStarted, this.#isSettled];
    // Compared as `nextDeadline` adds it up: a difference may be rounded to just below, and time would stand still.
    const sinceMs = now >= this.#startedAt + this.#coldStartMs ? this.#coldStartMs : 0;
    this.#isStarted ||= coldStartOf(ring, this.#reachable, sinceMs, this.#coldStartMs) !== 'waiting';
    this.#isSettled = this.#settles(now);
    if (before[0] === this.#isStarted && before[1] === this.#isSettled) return false;
    this.#decideAll(this.#mine);
    return true;
  }

  /** One that is settled stays so as long as it sees a majority: what it recovers later came with a change of the ring. */
  #settles(now: number): boolean {
    const since = this.#majoritySince;
    if (since === undefined || this.#isRetired) return false;
    if (this.#isSettled) return true;
    if (this.#recovering.size > 0) return false;
    if (isAlone(this.#table, this.#self)) return true;
    if (planted('hasty-return')) return true;
    if (now < since + this.#settleMs) return false;
    if (now >= since + limits.settleLackingMs || !this.#lacks()) return true;
    this.#lookAt = now + limits.settleLookMs;
    return false;
  }

  #decideAll(indexes: readonly number[]): void {
    for (const index of indexes) this.#decide(index);
  }

  #decide(index: number): void {
    this.#want(this.#table.interval(index).id, this.actingFor(index) === this.#self);
  }

  #want(interval: IntervalId, wanted: boolean): void {
    const before = this.#wanted.has(interval);
    if (before === wanted) return;
    if (!this.#before.has(interval)) this.#before.set(interval, before);
    if (wanted) this.#wanted.add(interval);
    else this.#wanted.delete(interval);
    assert(!wanted || this.#isStarted, 'nothing is wanted before the start is over');
  }
}

/** Nobody else can own anything. */
function isAlone({ ring }: RingTable, self: NodeId): boolean {
  const voters = votersOf(ring);
  return voters.length === 1 && voters[0] === self;
}
