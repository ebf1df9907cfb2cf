/** Homes of an arc: the owners of the first R distinct points clockwise from its end. Tabled for all arcs of a ring in one
 *  walk backwards: the homes of an arc are its own end's owner, then those of the next arc without that owner. */
import type { RingPoints } from './ring-points.js';
import { type Replicas, replicaCount } from './ring.js';

export interface HomesTable {
  readonly points: RingPoints;
  /** R′: homes an arc has. */
  readonly count: number;
  /** Homes an arc has in `slots`: all, or the first nine of a ring that every member holds whole. */
  readonly width: number;
  /** `width` indexes of nodes for each point; behind the last point's stand those of the first again. */
  readonly slots: Uint16Array;
  /** Which nodes may be homes: 1 for those. */
  readonly eligible: Uint8Array;
}

/** The most a number of replicas can be; a full copy on every member would make the table grow with its square. */
const widthMax = 9;

/** `eligible` has an element for each of the points' nodes, and at least one is 1. */
export function homesTable(points: RingPoints, eligible: Uint8Array, replicas: Replicas): HomesTable {
  const count = countOf(eligible, replicas);
  const width = Math.min(count, widthMax);
  const total = points.owners.length;
  const table = { points, count, width, slots: new Uint16Array((total + 1) * width), eligible };
  table.slots.set(walk(points, eligible, 0, width), total * width);
  for (let i = total - 1; i >= 0; i--) putHomes(table, i);
  return table;
}

/** Homes of the same arcs where other nodes may be homes, or more of them, and 1 for each arc that has others then. */
export function homesChange(
  before: HomesTable,
  eligible: Uint8Array,
  replicas: Replicas,
): { readonly homes: HomesTable; readonly differing: Uint8Array } {
  const { points, width } = before;
  const total = points.owners.length;
  const differing = new Uint8Array(total);
  // Another number of homes is another set everywhere, and so is another full copy.
  if (countOf(eligible, replicas) !== width || before.count !== width) {
    return { homes: homesTable(points, eligible, replicas), differing: differing.fill(1) };
  }
  const homes = { ...before, eligible, slots: before.slots.slice() };
  homes.slots.set(walk(points, eligible, 0, width), total * width);
  let differs = !areSameSlots(before, homes, total);
  for (let i = total - 1; i >= 0; i--) {
    const owner = points.owners[i]!;
    if (!differs && eligible[owner] === before.eligible[owner]) continue;
    putHomes(homes, i);
    differs = !areSameSlots(before, homes, i);
    if (differs) differing[i] = 1;
  }
  return { homes, differing };
}

/** Indexes of an arc's homes, the preferred one first. */
export function homesAt(table: HomesTable, index: number): number[] {
  const { points, count, width, slots, eligible } = table;
  if (count !== width) return walk(points, eligible, index, count);
  const out: number[] = [];
  for (let k = index * width; k < (index + 1) * width; k++) out.push(slots[k]!);
  return out;
}

/** Whether an arc has the same homes in both tables. `renamed` gives nodes of the first their indexes in the second. Same
 *  homes are in the same order, since a member's points do not move. */
export function areSameHomes(
  a: HomesTable,
  i: number,
  b: HomesTable,
  j: number,
  renamed: Int32Array,
): boolean {
  const { count, width } = a;
  if (count !== b.count) return false;
  if (count !== width) return areSameNodes(a, b, renamed);
  let at = i * width;
  let other = j * width;
  for (const end = at + width; at < end; at++) {
    if (renamed[a.slots[at]!] !== b.slots[other++]) return false;
  }
  return true;
}

/** Of a full copy all who may be are homes. A function apart, since its closure would cost every arc an allocation. */
function areSameNodes(a: HomesTable, b: HomesTable, renamed: Int32Array): boolean {
  return a.eligible.every((one, k) => one === 0 || b.eligible[renamed[k]!] === 1);
}

/** The first `count` distinct nodes from a point on, one step a point. */
function walk({ owners }: RingPoints, eligible: Uint8Array, from: number, count: number): number[] {
  const found: number[] = [];
  const isFound = new Uint8Array(eligible.length);
  for (let i = 0; found.length < count; i++) {
    const owner = owners[(from + i) % owners.length]!;
    if (eligible[owner] === 0 || isFound[owner] === 1) continue;
    isFound[owner] = 1;
    found.push(owner);
  }
  return found;
}

function countOf(eligible: Uint8Array, replicas: Replicas): number {
  return replicaCount(
    replicas,
    eligible.reduce((sum, one) => sum + one, 0),
  );
}

/** Writes the homes of an arc, those of the next being there. By hand: rows are short, and many. */
function putHomes({ points, width, slots, eligible }: HomesTable, index: number): void {
  const owner = points.owners[index]!;
  let at = index * width;
  const end = at + width;
  if (eligible[owner] === 1) slots[at++] = owner;
  for (let from = end; at < end; from++) {
    const home = slots[from]!;
    if (home !== owner) slots[at++] = home;
  }
}

function areSameSlots(a: HomesTable, b: HomesTable, index: number): boolean {
  const end = (index + 1) * a.width;
  for (let at = index * a.width; at < end; at++) if (a.slots[at] !== b.slots[at]) return false;
  return true;
}
