/** What another replica of a channel lacks, in an order in which it can take it: the committed order first, whose every
 *  beginning is closed, then order(h) of each head beyond it. */
import type { Dot, WriterId } from '../base/ids.js';
import { provisionalSpans } from './committing.js';
import type { Vector } from './entry.js';
import type { LogParts } from './log-parts.js';

/** Consecutive entries of one writer. */
export interface SeqRange {
  readonly writer: WriterId;
  readonly firstSeq: number;
  readonly count: number;
}

export function lackingRanges(parts: LogParts, heads: readonly Dot[], have: Vector): readonly SeqRange[] {
  const collecting = new Collecting(parts, have);
  const { order } = parts;
  for (const span of order.between(firstLacking(parts, have), order.endPosition)) collecting.add(span);
  for (const head of heads) {
    if (!collecting.has(head)) for (const span of provisionalSpans(parts, head)) collecting.add(span);
  }
  return collecting.ranges;
}

/** Position of the first placed entry that is lacking; the end when none is. */
function firstLacking({ subLogs, order }: LogParts, have: Vector): number {
  let position = order.endPosition;
  for (const subLog of subLogs.values()) {
    const next = Math.max(have.get(subLog.writer) ?? 0, subLog.floor) + 1;
    const span = subLog.placementOf(next);
    if (span) position = Math.min(position, span.position + next - span.firstSeq);
  }
  return position;
}

class Collecting {
  readonly ranges: SeqRange[] = [];
  readonly #parts: LogParts;
  readonly #through: Map<WriterId, number>;

  constructor(parts: LogParts, have: Vector) {
    this.#parts = parts;
    this.#through = new Map(have);
  }

  has({ writer, seq }: Dot): boolean {
    return seq <= Math.max(this.#through.get(writer) ?? 0, this.#parts.subLogs.get(writer)?.floor ?? 0);
  }

  add({ writer, firstSeq, count }: SeqRange): void {
    const last = firstSeq + count - 1;
    // What is void is told with what was given up.
    const gone = this.#parts.subLogs.get(writer)?.voided ?? 0;
    const first = Math.max(firstSeq, (this.#through.get(writer) ?? 0) + 1, gone + 1);
    if (first > last) return;
    this.ranges.push({ writer, firstSeq: first, count: last - first + 1 });
    this.#through.set(writer, last);
  }
}
