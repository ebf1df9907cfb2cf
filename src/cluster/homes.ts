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
  /** `width` indexes of nodes for each point. */
  readonly slots: Uint16Array;
  /** Which nodes may be homes: 1 for those. */
  readonly eligible: Uint8Array;
}

/** The most a number of replicas can be; a full copy on every member would make the table grow with its square. */
const widthMax = 9;

/** `eligible` has an element for each of the points' nodes, and at least one is 1. */
export function homesTable(points: RingPoints, eligible: Uint8Array, replicas: Replicas): HomesTable {
  const members = eligible.reduce((sum, one) => sum + one, 0);
  const count = replicaCount(replicas, members);
  const width = Math.min(count, widthMax);
  const total = points.owners.length;
  const slots = new Uint16Array(total * width);
  // What follows the last point is the homes of the first.
  const row = Uint16Array.from(walk(points, eligible, 0, width));
  for (let i = total - 1; i >= 0; i--) {
    const owner = points.owners[i]!;
    if (eligible[owner] === 1) putFirst(row, owner);
    for (let k = 0; k < width; k++) slots[i * width + k] = row[k]!;
  }
  return { points, count, width, slots, eligible };
}

/** Indexes of an arc's homes, the preferred one first. */
export function homesAt(table: HomesTable, index: number): readonly number[] {
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
  if (a.count !== b.count) return false;
  if (a.count !== a.width) return areSameNodes(a, b, renamed);
  const { width, slots } = a;
  const others = b.slots;
  for (let k = 0; k < width; k++) {
    if (renamed[slots[i * width + k]!] !== others[j * width + k]) return false;
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

/** Moves the owner to the front; the last falls out where it was not there. By hand: rows are short. */
function putFirst(row: Uint16Array, owner: number): void {
  let moved = owner;
  for (let k = 0; k < row.length; k++) {
    const here = row[k]!;
    row[k] = moved;
    if (here === owner) return;
    moved = here;
  }
}
