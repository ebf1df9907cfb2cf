/** The parts of the ring that two nodes both hold. */
import type { NodeId } from '../../base/ids.js';
import { holdersOf } from '../../cluster/intervals.js';
import { type RingPosition, intervalIdOf } from '../../cluster/ring-position.js';
import type { Interval, RingTable } from '../../cluster/ring-table.js';
import { type RingRange, ringEnd, ringStart } from '../../replication/reconcile-messages.js';

/** Rising, put together where they touch; none goes round the end of the ring. */
export function sharedArcs(table: RingTable, a: NodeId, b: NodeId): readonly RingRange[] {
  const parts: RingRange[] = [];
  for (const index of table.indexes()) {
    const interval = table.interval(index);
    const holders = holdersOf(interval);
    if (!holders.includes(a) || !holders.includes(b)) continue;
    parts.push(...arcsOf(interval));
  }
  return joined(parts);
}

/** Whether a range lies in one of the arcs. */
export function isWithinArcs(arcs: readonly RingRange[], { from, to }: RingRange): boolean {
  const arc = arcBefore(arcs, from);
  return arc !== undefined && to <= arc.to;
}

/** Whether one of the arcs has items of that position: all of them, or of those that share it some. */
export function holdsPosition(arcs: readonly RingRange[], position: RingPosition): boolean {
  const at = intervalIdOf(position);
  const arc = arcBefore(arcs, at + ringEnd);
  return arc !== undefined && at < arc.to;
}

/** The last one that begins at or before a bound. */
function arcBefore(arcs: readonly RingRange[], bound: string): RingRange | undefined {
  let low = 0;
  let high = arcs.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (arcs[middle]!.from <= bound) low = middle + 1;
    else high = middle;
  }
  return arcs[low - 1];
}

/** What is in both; each in order and without overlaps. */
export function commonArcs(a: readonly RingRange[], b: readonly RingRange[]): readonly RingRange[] {
  const out: RingRange[] = [];
  for (let i = 0, j = 0; i < a.length && j < b.length;) {
    const from = a[i]!.from > b[j]!.from ? a[i]!.from : b[j]!.from;
    const to = a[i]!.to < b[j]!.to ? a[i]!.to : b[j]!.to;
    if (from < to) out.push({ from, to });
    if (a[i]!.to < b[j]!.to) i++;
    else j++;
  }
  return out;
}

/** The parts of an interval: two where it goes round the end of the ring. */
export function arcsOf(interval: Interval): readonly RingRange[] {
  const from = next(interval.after);
  const to = next(interval.end);
  if (from < to) return [{ from, to }];
  // The first interval goes round, and so does the only one.
  const parts = [
    { from: ringStart, to: to === ringEnd ? ringStart : to },
    { from, to: ringEnd },
  ];
  return parts.filter((part) => part.from < part.to);
}

/** The same parts in order, as few as possible. */
export function joined(parts: readonly RingRange[]): readonly RingRange[] {
  const out: { from: string; to: string }[] = [];
  for (const { from, to } of [...parts].sort((x, y) => (x.from < y.from ? -1 : 1))) {
    const last = out.at(-1);
    if (last && from <= last.to) {
      if (to > last.to) last.to = to;
    } else out.push({ from, to });
  }
  return out;
}

/** The bound behind a position. */
function next({ high, low }: RingPosition): string {
  if (low !== 0xffffffff) return intervalIdOf({ high, low: low + 1 });
  return high === 0xffffffff ? ringEnd : intervalIdOf({ high: high + 1, low: 0 });
}
