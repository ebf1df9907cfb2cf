/** Which data moves when one ring follows another: the arcs whose set of holders differs, found by walking both tables side
 *  by side, and what that means for a sorted table of channels. The cost goes with the arcs, not with the channels. */
import type { NodeId } from '../base/ids.js';
import { areSameHomes, homesAt } from './homes.js';
import { type RingPosition, comparePositions } from './ring-position.js';
import type { RingPoints } from './ring-points.js';
import type { RingTable } from './ring-table.js';

/** An arc whose holders differ: positions above `after` through `end`, going round where `after` is above it. */
export interface PlacementChange {
  readonly after: RingPosition;
  readonly end: RingPosition;
  readonly gained: readonly NodeId[];
  readonly lost: readonly NodeId[];
}

/** Arcs whose holders differ, by rising end. While a ring changes, homes from before and after the change hold. */
export function placementChanges(before: RingTable, after: RingTable): readonly PlacementChange[] {
  const [a, b] = [before.points, after.points];
  const [totalA, totalB] = [a.owners.length, b.owners.length];
  const renamed = Int32Array.from(a.nodes, (node) => b.nodes.indexOf(node));
  const unchanged = unchangedOf(before, after, renamed);
  const out: PlacementChange[] = [];
  let start = lastEnd(before, after);
  let i = 0;
  let j = 0;
  while (i < totalA || j < totalB) {
    const run = runLength(a, i, b, j, unchanged);
    // Homes go back from an arc to the one before it: where an arc of the run is held as it was, so are all before it.
    let held = run;
    while (held > 0 && !holdSame(before, i + held - 1, after, j + held - 1, renamed)) held--;
    if (held > 0) start = endAt(a, i + held - 1);
    i += held;
    j += held;
    for (let left = run - held; left >= 0 && (i < totalA || j < totalB); left--) {
      const order = compareEnds(a, i, b, j);
      const end = order <= 0 ? endAt(a, i) : endAt(b, j);
      // Behind its last end a table goes on with its first arc.
      const was = holders(before, i < totalA ? i : 0);
      const is = holders(after, j < totalB ? j : 0);
      const gained = gainedOf(was, is, renamed, after);
      const lost = lostOf(was, is, renamed, before);
      const isEmpty = comparePositions(start, end) === 0;
      if (!isEmpty && gained.length + lost.length > 0) out.push({ after: start, end, gained, lost });
      if (order <= 0) i++;
      if (order >= 0) j++;
      start = end;
    }
  }
  return out;
}

/** Positions of channels by rising position, halves apart. */
export interface SortedPositions {
  readonly highs: Uint32Array;
  readonly lows: Uint32Array;
}

/** A run of a sorted table that one change is about: [from, to). */
export interface PlacementMove {
  readonly change: PlacementChange;
  readonly from: number;
  readonly to: number;
}

/** The runs of the table that lie in changed arcs. An arc that goes round may give two runs, an arc without channels none. */
export function movesOf(
  changes: readonly PlacementChange[],
  positions: SortedPositions,
): readonly PlacementMove[] {
  const out: PlacementMove[] = [];
  const total = positions.highs.length;
  let searched = 0;
  const add = (change: PlacementChange, from: number, to: number): void => {
    if (from < to) out.push({ change, from, to });
  };
  for (const change of changes) {
    if (comparePositions(change.after, change.end) > 0) {
      searched = countThrough(positions, change.end, 0);
      add(change, 0, searched);
      add(change, countThrough(positions, change.after, searched), total);
    } else {
      const from = countThrough(positions, change.after, searched);
      searched = countThrough(positions, change.end, from);
      add(change, from, searched);
    }
  }
  return out;
}

/** Sorts positions, and says for each place of the sorted table which of the given ones is there. */
export function sortPositions(
  given: readonly RingPosition[],
): SortedPositions & { readonly order: Uint32Array } {
  const order = Uint32Array.from(given, (_, i) => i).sort((a, b) => comparePositions(given[a]!, given[b]!));
  return {
    order,
    highs: Uint32Array.from(order, (i) => given[i]!.high),
    lows: Uint32Array.from(order, (i) => given[i]!.low),
  };
}

/** New indexes of the members that count in the new ring for what they did in the old one, -1 for all others. */
function unchangedOf(before: RingTable, after: RingTable, renamed: Int32Array): Int32Array {
  return renamed.map((to, from) => {
    const counts = (of: 'homes' | 'nextHomes') => before[of].eligible[from] === after[of].eligible[to];
    return to >= 0 && counts('homes') && counts('nextHomes') ? to : -1;
  });
}

/** How many points from i and j on are in both, of members that are unchanged. */
function runLength(a: RingPoints, i: number, b: RingPoints, j: number, unchanged: Int32Array): number {
  const { highs, lows, owners } = a;
  const { highs: otherHighs, lows: otherLows, owners: otherOwners } = b;
  const most = Math.min(owners.length - i, otherOwners.length - j);
  let n = 0;
  while (
    n < most &&
    highs[i + n] === otherHighs[j + n] &&
    lows[i + n] === otherLows[j + n] &&
    unchanged[owners[i + n]!] === otherOwners[j + n]
  )
    n++;
  return n;
}

function endAt({ highs, lows }: RingPoints, index: number): RingPosition {
  return { high: highs[index]!, low: lows[index]! };
}

/** Of arc i of the one and arc j of the other, behind the last of which nothing comes. */
function compareEnds(a: RingPoints, i: number, b: RingPoints, j: number): number {
  if (i === a.owners.length) return 1;
  if (j === b.owners.length) return -1;
  const [highA, highB] = [a.highs[i]!, b.highs[j]!];
  if (highA !== highB) return highA < highB ? -1 : 1;
  const [lowA, lowB] = [a.lows[i]!, b.lows[j]!];
  return lowA === lowB ? 0 : lowA < lowB ? -1 : 1;
}

/** Whether two arcs surely have the same holders; most do, so this allocates nothing. */
function holdSame(before: RingTable, i: number, after: RingTable, j: number, renamed: Int32Array): boolean {
  if (before.isChanging(i) || after.isChanging(j)) return false;
  return areSameHomes(before.homes, i, after.homes, j, renamed);
}

/** Indexes of the nodes that hold an arc. */
function holders(table: RingTable, index: number): readonly number[] {
  const all = homesAt(table.homes, index);
  if (!table.isChanging(index)) return all;
  for (const node of homesAt(table.nextHomes, index)) if (!all.includes(node)) all.push(node);
  return all;
}

/** Where the first arc of both tables together begins. */
function lastEnd({ points: a }: RingTable, { points: b }: RingTable): RingPosition {
  const [x, y] = [endAt(a, a.owners.length - 1), endAt(b, b.owners.length - 1)];
  return comparePositions(x, y) > 0 ? x : y;
}

function gainedOf(
  was: readonly number[],
  is: readonly number[],
  renamed: Int32Array,
  after: RingTable,
): readonly NodeId[] {
  const out: NodeId[] = [];
  for (const index of is) {
    if (!was.some((old) => renamed[old] === index)) out.push(after.points.nodes[index]!);
  }
  return out;
}

function lostOf(
  was: readonly number[],
  is: readonly number[],
  renamed: Int32Array,
  before: RingTable,
): readonly NodeId[] {
  const out: NodeId[] = [];
  for (const index of was) if (!is.includes(renamed[index]!)) out.push(before.points.nodes[index]!);
  return out;
}

/** How many positions of the table are at or before this one, at least `from`; near `from` it is found fast. */
function countThrough(positions: SortedPositions, position: RingPosition, from: number): number {
  const total = positions.highs.length;
  let step = 1;
  let to = from;
  while (to < total && isThrough(positions, to, position)) {
    from = to + 1;
    to += step;
    step *= 2;
  }
  to = Math.min(to, total);
  while (from < to) {
    const middle = (from + to) >>> 1;
    if (isThrough(positions, middle, position)) from = middle + 1;
    else to = middle;
  }
  return from;
}

function isThrough({ highs, lows }: SortedPositions, index: number, { high, low }: RingPosition): boolean {
  const at = highs[index]!;
  return at < high || (at === high && lows[index]! <= low);
}
