/** The virtual nodes of several members on one ring, in order. Sorted once: the next ring takes over what stays and merges
 *  in what is new. Two virtual nodes at one position (a chance of 2^-36 with a hundred members) follow by node id, and the
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
  const kept = previous ? pointsKept(nodes, previous) : emptyPoints(nodes, 0);
  const known = new Set(previous?.nodes);
  const added = nodes.filter((node) => !known.has(node));
  return added.length === 0 ? kept : merged(kept, sortedPointsOf(nodes, added, virtualNodes));
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

function pointsKept(nodes: readonly NodeId[], previous: RingPoints): RingPoints {
  const indexes = new Map(nodes.map((node, i) => [node, i]));
  const renamed = previous.nodes.map((node) => indexes.get(node) ?? -1);
  const staying = previous.nodes.filter((node) => indexes.has(node)).length;
  const points = emptyPoints(nodes, staying * (previous.highs.length / previous.nodes.length));
  let at = 0;
  for (let i = 0; i < previous.highs.length; i++) {
    const owner = renamed[previous.owners[i]!]!;
    if (owner >= 0) setPoint(points, at++, previous, i, owner);
  }
  return points;
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
  const order = Uint32Array.from({ length: at }, (_, i) => i).sort((a, b) => comparePoints(raw, a, raw, b));
  const sorted = emptyPoints(nodes, at);
  for (let i = 0; i < at; i++) setPoint(sorted, i, raw, order[i]!, raw.owners[order[i]!]!);
  return sorted;
}

function merged(a: RingPoints, b: RingPoints): RingPoints {
  const out = emptyPoints(a.nodes, a.highs.length + b.highs.length);
  let [i, j] = [0, 0];
  for (let at = 0; at < out.highs.length; at++) {
    const takesA = j === b.highs.length || (i < a.highs.length && comparePoints(a, i, b, j) < 0);
    if (takesA) setPoint(out, at, a, i, a.owners[i++]!);
    else setPoint(out, at, b, j, b.owners[j++]!);
  }
  return out;
}

/** Owners of both refer to the same nodes. */
function comparePoints(a: RingPoints, i: number, b: RingPoints, j: number): number {
  return a.highs[i]! - b.highs[j]! || a.lows[i]! - b.lows[j]! || a.owners[i]! - b.owners[j]!;
}

function emptyPoints(nodes: readonly NodeId[], count: number): RingPoints {
  return {
    nodes,
    highs: new Uint32Array(count),
    lows: new Uint32Array(count),
    owners: new Uint16Array(count),
  };
}

function setPoint(to: RingPoints, at: number, from: RingPoints, i: number, owner: number): void {
  to.highs[at] = from.highs[i]!;
  to.lows[at] = from.lows[i]!;
  to.owners[at] = owner;
}
