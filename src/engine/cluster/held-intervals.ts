/** What one version of the ring gives a node, and with whom it shares that. */
import type { NodeId } from '../../base/ids.js';
import { holdersOf, intervalsOf } from '../../cluster/intervals.js';
import type { RingTable } from '../../cluster/ring-table.js';
import type { Replica } from '../../replication/replica.js';

interface Held {
  readonly node: NodeId;
  readonly ids: readonly string[];
  /** By rising node id. */
  readonly otherHomes: readonly NodeId[];
  /** Of the whole ring. */
  readonly intervals: number;
}

/** Looked up once a version: who waits for something to come true asks often. */
const known = new WeakMap<RingTable, Held>();

export function heldOf(table: RingTable, node: NodeId): Held {
  let held = known.get(table);
  if (held?.node !== node) known.set(table, (held = lookUp(table, node)));
  return held;
}

/** Whether a home that is linked has what this one lacks, or has not said. */
export function isBehind(
  replica: Replica | undefined,
  { otherHomes }: Held,
  linked: ReadonlySet<NodeId>,
): boolean {
  return otherHomes.some((home) => linked.has(home) && replica !== undefined && replica.lacking(home) !== 0);
}

function lookUp(table: RingTable, node: NodeId): Held {
  const held = intervalsOf(table, node);
  const homes = new Set(held.flatMap((interval) => holdersOf(interval)));
  homes.delete(node);
  return {
    node,
    ids: held.map(({ id }) => id),
    otherHomes: [...homes].sort(),
    intervals: [...table.indexes()].length,
  };
}
