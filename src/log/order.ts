/** The order of a channel's entries. order(e) is order(primary of e), then a block of what e takes in beside it, then e.
 *  A block is a k-way merge of its sub-logs: of the entries whose past is placed, the smallest (timestamp, writer) next.
 *  So no clock can move what is placed, and nothing stands before what it was written upon. */
import { assert } from '../base/assert.js';
import type { Dot } from '../base/ids.js';
import { planted } from '../base/planted.js';
import type { SubLogs } from './log-parts.js';
import { type SubLog, lostTimestamp } from './sub-log.js';

/** Entries to be placed next. */
export interface OrderedSpan {
  readonly subLog: SubLog;
  readonly firstSeq: number;
  count: number;
  readonly onChain: boolean;
}

export interface Extension {
  readonly spans: readonly OrderedSpan[];
  /** The placed or trimmed entry in which the primary chain ends; `undefined` at its very beginning. */
  readonly attachedTo: Dot | undefined;
}

/** What order(dot) has beyond the committed order; `dot` is held and not placed. */
export function extensionThrough(subLogs: SubLogs, dot: Dot): Extension {
  const { pieces, attachedTo } = primaryChain(subLogs, dot);
  const placing = new Placing(subLogs);
  for (const piece of pieces) placing.place(piece);
  return { spans: placing.spans, attachedTo };
}

/** A stretch of the primary chain: entries of one writer of which only the first may have parents. */
interface ChainPiece {
  readonly subLog: SubLog;
  readonly firstSeq: number;
  readonly lastSeq: number;
  readonly parents: readonly Dot[];
}

/** The part of the primary chain that is not placed, oldest first. */
function primaryChain(
  subLogs: SubLogs,
  dot: Dot,
): { readonly pieces: ChainPiece[]; readonly attachedTo: Dot | undefined } {
  const pieces: ChainPiece[] = [];
  let at: Dot | undefined = dot;
  while (at) {
    const subLog = subLogs.get(at.writer);
    if (!subLog || at.seq <= subLog.placed) break;
    const mark = subLog.markThrough(at.seq);
    const opened = mark && mark.seq > subLog.placed ? mark : undefined;
    const firstSeq = opened?.seq ?? subLog.placed + 1;
    pieces.push({ subLog, firstSeq, lastSeq: at.seq, parents: opened?.parents ?? [] });
    // Without parents the primary is the predecessor, which is placed, or there is none.
    at = opened?.parents[0] ?? (subLog.placed > 0 ? { writer: at.writer, seq: subLog.placed } : undefined);
  }
  return { pieces: pieces.reverse(), attachedTo: at };
}

/** One sub-log's part of a block, from `next` through `last`. */
interface Queue {
  readonly subLog: SubLog;
  next: number;
  readonly last: number;
}

/** Collects spans, with its own account of what is placed: nothing is changed until the caller takes them over. */
class Placing {
  readonly spans: OrderedSpan[] = [];
  readonly #subLogs: SubLogs;
  readonly #placed = new Map<SubLog, number>();

  constructor(subLogs: SubLogs) {
    this.#subLogs = subLogs;
  }

  place({ subLog, firstSeq, lastSeq, parents }: ChainPiece): void {
    if (parents.length > 0) this.#placeBlock(subLog, firstSeq, parents);
    this.#emit(subLog, firstSeq, lastSeq, true);
  }

  #placedOf(subLog: SubLog): number {
    return this.#placed.get(subLog) ?? subLog.placed;
  }

  #isPlaced({ writer, seq }: Dot): boolean {
    const subLog = this.#subLogs.get(writer);
    return !subLog || seq <= this.#placedOf(subLog);
  }

  #emit(subLog: SubLog, firstSeq: number, lastSeq: number, onChain: boolean): void {
    assert(firstSeq === this.#placedOf(subLog) + 1, 'a sub-log is placed in sequence');
    const count = lastSeq - firstSeq + 1;
    const span = this.spans.at(-1);
    const continues =
      span?.subLog === subLog && span.onChain === onChain && span.firstSeq + span.count === firstSeq;
    if (span && continues) span.count += count;
    else this.spans.push({ subLog, firstSeq, count, onChain });
    this.#placed.set(subLog, lastSeq);
  }

  /** Places what the entry (subLog, seq) takes in. Its primary is placed already; its predecessor may not be. */
  #placeBlock(subLog: SubLog, seq: number, parents: readonly Dot[]): void {
    const through = new Map<SubLog, number>();
    const waiting: Dot[] = [...parents, { writer: subLog.writer, seq: seq - 1 }];
    for (let dot = waiting.pop(); dot; dot = waiting.pop()) {
      const taken = this.#subLogs.get(dot.writer);
      if (!taken) continue;
      const known = through.get(taken) ?? this.#placedOf(taken);
      if (dot.seq <= known) continue;
      through.set(taken, dot.seq);
      for (const mark of taken.marksBetween(known, dot.seq)) waiting.push(...mark.parents);
    }
    this.#merge(
      [...through].map(([taken, last]) => ({ subLog: taken, next: this.#placedOf(taken) + 1, last })),
    );
  }

  #merge(queues: Queue[]): void {
    let left = queues;
    while (left.length > 0) {
      const [first, ...others] = this.#bySmallest(left);
      assert(first, 'a block holds the past of everything in it');
      const end = this.#chunkEnd(first, others, left);
      assert(end >= first.next, 'what a block takes in is held');
      this.#emit(first.subLog, first.next, end, false);
      first.next = end + 1;
      if (first.next > first.last) left = left.filter((queue) => queue !== first);
    }
  }

  /** Queues whose next entry's past is placed, the smallest (timestamp, writer) first. */
  #bySmallest(queues: readonly Queue[]): Queue[] {
    const ready = queues.filter(({ subLog, next }) => {
      const mark = subLog.markThrough(next);
      if (planted('order-by-clock')) return true;
      return mark?.seq !== next || mark.parents.every((parent) => this.#isPlaced(parent));
    });
    return ready.sort(compareNext);
  }

  /** How far the first queue goes before another's turn may come. */
  #chunkEnd(first: Queue, ready: readonly Queue[], all: readonly Queue[]): number {
    const { subLog, next, last } = first;
    const mark = subLog.markAbove(next);
    let end = Math.min(last, subLog.stretchEnd(next), mark ? mark.seq - 1 : last);
    const timestamp = subLog.timestampOf(next);
    const [second] = ready;
    if (second && timestamp !== lostTimestamp) {
      const other = second.subLog.timestampOf(second.next);
      const through = subLog.writer < second.subLog.writer ? other : other - 1;
      end = Math.min(end, next + through - timestamp);
    }
    // What waits for an entry of this queue may be the smallest once it is placed.
    for (const queue of all) {
      const waiting = queue === first ? undefined : queue.subLog.markThrough(queue.next);
      if (waiting?.seq !== queue.next) continue;
      for (const { writer, seq } of waiting.parents) {
        if (writer === subLog.writer && seq >= next) end = Math.min(end, seq);
      }
    }
    return end;
  }
}

function compareNext(a: Queue, b: Queue): number {
  const difference = a.subLog.timestampOf(a.next) - b.subLog.timestampOf(b.next);
  return difference === 0 ? (a.subLog.writer < b.subLog.writer ? -1 : 1) : difference;
}
