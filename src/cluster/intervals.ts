/** What an interval asks of its homes: who gets its entries, whose acks commit them, whose promises make a claim; intervals
 *  by the nodes that hold them; and which interval of an earlier ring hands its claim on. Never from who is alive.
 *
 *  | interval | entries go to | an append needs | a claim needs |
 *  |---|---|---|---|
 *  | settled | homes | W of the homes | R′ − W + 1 of the homes |
 *  | filling | homes and next homes | the same: incoming homes store and do not count | the same |
 *  | joint | homes and next homes | W of the homes and W of the next homes | R′ − W + 1 of each |
 *
 *  A home that is in both sets counts in both. A home that recovers (rule 8) answers neither, in any set. */
import type { NodeId } from '../base/ids.js';
import type { Interval, RingTable } from './ring-table.js';
import type { RingPosition } from './ring-position.js';
import { isEmptyArc } from './ring-points.js';
import { appendQuorum, claimQuorum } from './ring.js';

/** So many of these nodes. */
export interface Need {
  readonly homes: readonly NodeId[];
  readonly count: number;
}

/** All of them must be met for an entry to be committed. */
export function appendNeeds(interval: Interval): readonly Need[] {
  return decidingHomes(interval).map((homes) => ({ homes, count: appendQuorum(homes.length) }));
}

/** All of them must be met for a claim to hold. */
export function claimNeeds(interval: Interval): readonly Need[] {
  return decidingHomes(interval).map((homes) => ({ homes, count: claimQuorum(homes.length) }));
}

export function areMet(needs: readonly Need[], by: ReadonlySet<NodeId>): boolean {
  return needs.every(({ homes, count }) => countOf(homes, by) >= count);
}

/** Every node that gets the interval's entries, those from before a change first. */
export function holdersOf(interval: Interval): readonly NodeId[] {
  if (interval.state === 'settled') return interval.homes;
  return [...new Set([...interval.homes, ...interval.nextHomes])];
}

/** The order in which nodes act for the interval: the first that is alive and not recovering asks for the claim. Those that
 *  come in serve nobody before the change is over, so they do not act; those that go come last, so that the claim is with
 *  one that stays. */
export function actingOrder(interval: Interval): readonly NodeId[] {
  if (interval.state === 'settled') return interval.homes;
  const { homes, nextHomes } = interval;
  const stays = (node: NodeId): boolean => nextHomes.includes(node);
  return [...homes.filter(stays), ...homes.filter((node) => !stays(node))];
}

/** Intervals with the same homes, in whatever order: what can be claimed and reconciled with the same peers at once. */
export interface IntervalGroup {
  /** By rising node id; of a changing interval those from before the change. */
  readonly homes: readonly NodeId[];
  /** Of a changing interval. */
  readonly nextHomes?: readonly NodeId[];
  /** By rising end of the interval. */
  readonly indexes: readonly number[];
}

export function intervalGroups(table: RingTable): readonly IntervalGroup[] {
  const groups = new Map<
    string,
    { homes: readonly NodeId[]; nextHomes?: readonly NodeId[]; indexes: number[] }
  >();
  for (const index of table.indexes()) {
    const interval = table.interval(index);
    const homes = [...interval.homes].sort();
    const nextHomes = interval.state === 'settled' ? undefined : [...interval.nextHomes].sort();
    const key = `${homes.join()}/${nextHomes?.join() ?? ''}`;
    const group = groups.get(key);
    if (group) group.indexes.push(index);
    else groups.set(key, { homes, ...(nextHomes ? { nextHomes } : {}), indexes: [index] });
  }
  return [...groups.values()];
}

/** Intervals whose entries the node gets, by rising end. */
export function intervalsOf(table: RingTable, node: NodeId): readonly Interval[] {
  const out: Interval[] = [];
  for (const index of table.indexes()) {
    const interval = table.interval(index);
    if (holdersOf(interval).includes(node)) out.push(interval);
  }
  return out;
}

/** Whether the node gets the entries of all of them. */
export function holdsAll(table: RingTable, node: NodeId): boolean {
  for (const index of table.indexes()) if (!holdersOf(table.interval(index)).includes(node)) return false;
  return true;
}

/** Indexes of the intervals of an earlier (or later) ring that share positions with this one. Its promise starts as the
 *  highest of theirs: a promise may be too high, never too low. No interval goes round a whole other ring, which has 256
 *  arcs at least. */
export function intervalsUnder({ after, end }: Interval, other: RingTable): readonly number[] {
  const first = other.indexOf(next(after));
  const last = other.indexOf(end);
  const total = other.points.owners.length;
  const out: number[] = [];
  for (let i = first; i !== last; i = (i + 1) % total) if (!isEmptyArc(other.points, i)) out.push(i);
  return [...out, last];
}

/** Whether the claim of an interval lives on in a later ring, where it has the id of the one that took its place; `under` are
 *  those that lay there before. Where several became one, or others decide, it needs a new one. */
export function claimLives(under: readonly Interval[], interval: Interval): boolean {
  return under.length === 1 && haveSameNeeds(under[0]!, interval);
}

function decidingHomes(interval: Interval): readonly (readonly NodeId[])[] {
  return interval.state === 'joint' ? [interval.homes, interval.nextHomes] : [interval.homes];
}

function haveSameNeeds(a: Interval, b: Interval): boolean {
  const [before, after] = [decidingHomes(a), decidingHomes(b)];
  return before.length === after.length && before.every((homes, i) => areSame(homes, after[i]!));
}

/** In whatever order. */
function areSame(a: readonly NodeId[], b: readonly NodeId[]): boolean {
  return a.length === b.length && a.every((node) => b.includes(node));
}

function countOf(homes: readonly NodeId[], by: ReadonlySet<NodeId>): number {
  return homes.reduce((count, node) => count + (by.has(node) ? 1 : 0), 0);
}

/** The position after it, going round. */
function next({ high, low }: RingPosition): RingPosition {
  const carry = low === 0xffffffff ? 1 : 0;
  return { high: (high + carry) >>> 0, low: (low + 1) >>> 0 };
}
