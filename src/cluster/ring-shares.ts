/** How much of the ring each member holds. Pure; made once a ring version. */
import type { NodeId } from '../base/ids.js';
import type { RingPosition } from './ring-position.js';
import type { RingTable } from './ring-table.js';

export interface RingShare {
  readonly node: NodeId;
  /** Of all positions, those that it is a home of, and those that it is the first home of: 0 to 1. */
  readonly holds: number;
  readonly first: number;
}

const known = new WeakMap<RingTable, readonly RingShare[]>();

/** By rising node id; as it was before a change under way. */
export function ringShares(table: RingTable): readonly RingShare[] {
  let shares = known.get(table);
  if (!shares) known.set(table, (shares = sharesOf(table)));
  return shares;
}

function sharesOf(table: RingTable): readonly RingShare[] {
  const sums = new Map(table.ring.members.map(({ node }) => [node, { holds: 0, first: 0 }]));
  for (const index of table.indexes()) {
    const { after, end, homes } = table.interval(index);
    const part = arcLength(after, end);
    for (const [i, home] of homes.entries()) {
      const sum = sums.get(home);
      if (!sum) continue;
      sum.holds += part;
      if (i === 0) sum.first += part;
    }
  }
  // Sums of many parts come to a little more or less than all.
  const shares = [...sums].map(([node, { holds, first }]) => ({
    node,
    holds: Math.min(1, holds),
    first: Math.min(1, first),
  }));
  return shares.sort((a, b) => (a.node < b.node ? -1 : 1));
}

/** Of the whole ring: 1 where it ends where it begins. */
function arcLength(after: RingPosition, end: RingPosition): number {
  const length = (end.high - after.high) / 2 ** 32 + (end.low - after.low) / 2 ** 64;
  return length > 0 ? length : length + 1;
}
