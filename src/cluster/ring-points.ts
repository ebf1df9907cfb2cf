/** The virtual nodes of several members on one ring, in order. Sorted once: the next ring takes over what stays and merges
 *  in what is new, in one pass; one of the same members has the very points. Two virtual nodes at one position (a chance of 2^-36 with a hundred members) follow by node id, and the
 *  arc that ends at the second is empty. */
import type { NodeId } from '../base/ids.js';
import { eachVirtualNode } from './ring-position.js';

export interface RingPoints {
  /** By rising id; `owners` refers to them. */
  readonly nodes: readonly NodeId[];
  /** Upper and lower half of each position. */
  readonly highs: Uint32Array;
  readonly lows: Uint32Array;
  readonly owners: Uint16Array;
}

/** Points of the nodes, given by rising id, with what `previous` has of them taken over. */
export function pointsOf(nodes: readonly NodeId[], virtualNodes: number, previous?: RingPoints): RingPoints {
  const before = previous ?? emptyPoints([], 0);
  const known = new Set(before.nodes);
  const added = nodes.filter((node) => !known.has(node));
  if (added.length === 0 && nodes.length === known.size) return before;
  return merged(before, sortedPointsOf(nodes, added, virtualNodes), nodes.length * virtualNodes);
}

/** Index of the first point at or after the position, going round. */
export function pointAt({ highs, lows }: RingPoints, high: number, low: number): number {
  let from = 0;
  let to = highs.length;
  while (from < to) {
    const middle = (from + to) >>> 1;
    const at = highs[middle]!;
    if (at < high || (at === high && lows[middle]! < low)) from = middle + 1;
    else to = middle;
  }
  return from === highs.length ? 0 : from;
}

/** Whether no position lies in the arc that ends at the point. */
export function isEmptyArc({ highs, lows }: RingPoints, index: number): boolean {
  return index > 0 && highs[index] === highs[index - 1] && lows[index] === lows[index - 1];
}

function sortedPointsOf(
  nodes: readonly NodeId[],
  added: readonly NodeId[],
  virtualNodes: number,
): RingPoints {
  const raw = emptyPoints(nodes, added.length * virtualNodes);
  let at = 0;
  for (const node of added) {
    const owner = nodes.indexOf(node);
    eachVirtualNode(node, virtualNodes, ({ high, low }) => {
      raw.highs[at] = high;
      raw.lows[at] = low;
      raw.owners[at++] = owner;
    });
  }
  const { highs, lows, owners } = raw;
  const order = Uint32Array.from({ length: at }, (_, i) => i).sort(
    (a, b) => highs[a]! - highs[b]! || lows[a]! - lows[b]! || owners[a]! - owners[b]!,
  );
  const sorted = emptyPoints(nodes, at);
  for (let i = 0; i < at; i++) copyPoint(sorted, i, raw, order[i]!);
  return sorted;
}

/** All of `added`, and of the others those whose node is one of its nodes; `count` together. */
function merged(others: RingPoints, added: RingPoints, count: number): RingPoints {
  const indexes = new Map(added.nodes.map((node, i) => [node, i]));
  const renamed = Int32Array.from(others.nodes, (node) => indexes.get(node) ?? -1);
  const out = emptyPoints(added.nodes, count);
  const { highs, lows, owners } = others;
  let at = 0;
  let next = 0;
  // Most points are not near one that is added: that is told by its upper half alone.
  let nextHigh = upperHalf(added, next);
  for (let i = 0; i < owners.length; i++) {
    const owner = renamed[owners[i]!]!;
    if (owner < 0) continue;
    const high = highs[i]!;
    const low = lows[i]!;
    if (nextHigh <= high) {
      while (isBefore(added, next, high, low, owner)) copyPoint(out, at++, added, next++);
      nextHigh = upperHalf(added, next);
    }
    out.highs[at] = high;
    out.lows[at] = low;
    out.owners[at++] = owner;
  }
  while (at < count) copyPoint(out, at++, added, next++);
  return out;
}

/** Above all halves behind the last point. */
function upperHalf({ highs }: RingPoints, index: number): number {
  return index < highs.length ? highs[index]! : 2 ** 32;
}

function isBefore(points: RingPoints, i: number, high: number, low: number, owner: number): boolean {
  if (i === points.highs.length) return false;
  return (points.highs[i]! - high || points.lows[i]! - low || points.owners[i]! - owner) < 0;
}

function emptyPoints(nodes: readonly NodeId[], count: number): RingPoints {
  return {
    nodes,
    highs: new Uint32Array(count),
    lows: new Uint32Array(count),
    owners: new Uint16Array(count),
  };
}

function copyPoint(to: RingPoints, at: number, from: RingPoints, i: number): void {
  to.highs[at] = from.highs[i]!;
  to.lows[at] = from.lows[i]!;
  to.owners[at] = from.owners[i]!;
}
