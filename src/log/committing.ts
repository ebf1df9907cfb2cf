/** How the committed order grows. */
import { assert } from '../base/assert.js';
import { type Dot, type WriterId, dotText } from '../base/ids.js';
import type { Span } from './committed-order.js';
import type { LogParts } from './log-parts.js';
import { type Extension, extensionThrough } from './order.js';
import type { SubLog } from './sub-log.js';

/** Places a held entry that is committed now, and its past before it. Returns what that adds to the order. */
export function placeThrough(parts: LogParts, dot: Dot): readonly Span[] {
  const { subLogs, order } = parts;
  const subLog = heldSubLog(parts, dot);
  if (dot.seq <= subLog.placed) return [];
  const from = order.endPosition;
  if (goesOnAlone(parts, subLog, dot.seq)) {
    const firstSeq = subLog.placed + 1;
    const count = dot.seq - subLog.placed;
    order.append(subLog, firstSeq, count, true);
    retainLast(parts, subLog, firstSeq, count);
    subLog.placedThrough(dot.seq);
    return [{ position: from, writer: dot.writer, firstSeq, count }];
  }
  const extension = extensionThrough(subLogs, dot);
  assert(continuesOrder(parts, extension), `the order only grows at its end: ${dotText(dot)}`);
  for (const span of extension.spans) order.append(span.subLog, span.firstSeq, span.count, span.onChain);
  // From the end on: the last one of all is wanted.
  for (let i = extension.spans.length - 1; i >= 0; i--) {
    const { subLog: placed, firstSeq, count } = extension.spans[i]!;
    if (retainLast(parts, placed, firstSeq, count)) break;
  }
  for (const span of extension.spans) span.subLog.placedThrough(span.firstSeq + span.count - 1);
  return spansOf(extension, from);
}

/** Whether `placeThrough` could place it: the order only grows at its end. */
export function canPlaceThrough(parts: LogParts, dot: Dot): boolean {
  const subLog = heldSubLog(parts, dot);
  if (dot.seq <= subLog.placed || goesOnAlone(parts, subLog, dot.seq)) return true;
  return continuesOrder(parts, extensionThrough(parts.subLogs, dot));
}

/** Whether one of these entries, new at the end of the order, is marked `retain`: then it takes the place of the one
 *  before, since the order only grows at its end. */
function retainLast(parts: LogParts, subLog: SubLog, firstSeq: number, count: number): boolean {
  const seq = subLog.lastRetained(firstSeq, firstSeq + count - 1);
  if (seq === undefined) return false;
  parts.retained = { writer: subLog.writer, seq };
  return true;
}

/** What placing a held entry would add. */
export function provisionalSpans(parts: LogParts, dot: Dot): readonly Span[] {
  if (dot.seq <= committedThrough(parts, dot.writer)) return [];
  heldSubLog(parts, dot);
  return spansOf(extensionThrough(parts.subLogs, dot), parts.order.endPosition);
}

/** What is trimmed was committed, and nothing else may be left of its writer. */
export function committedThrough({ subLogs, trim }: LogParts, writer: WriterId): number {
  return Math.max(subLogs.get(writer)?.placed ?? 0, trim?.floors.get(writer) ?? 0);
}

/** The newest committed entry. */
export function committedDot({ order, trim }: LogParts): Dot | undefined {
  const { last } = order;
  return last ? { writer: last.subLog.writer, seq: last.firstSeq + last.count - 1 } : trim?.through;
}

function heldSubLog({ subLogs }: LogParts, dot: Dot): SubLog {
  const subLog = subLogs.get(dot.writer);
  assert(subLog && dot.seq <= subLog.seq, 'what is placed is held');
  return subLog;
}

/** The usual case, one writer going on: nothing to look at. */
function goesOnAlone({ order }: LogParts, subLog: SubLog, seq: number): boolean {
  const { last } = order;
  if (last?.subLog !== subLog || !last.onChain) return false;
  const mark = subLog.markAbove(subLog.placed);
  return !mark || mark.seq > seq;
}

/** Whether an extension begins where the order ends. Where parents were lost nobody knows what it follows. */
function continuesOrder(parts: LogParts, { attachedTo }: Extension): boolean {
  const committed = committedDot(parts);
  const follows =
    committed === undefined || (attachedTo?.writer === committed.writer && attachedTo.seq === committed.seq);
  return follows || parts.subLogs.values().some(({ lost }) => lost.length > 0);
}

function spansOf({ spans }: Extension, from: number): Span[] {
  let position = from;
  return spans.map(({ subLog, firstSeq, count }) => {
    const span = { position, writer: subLog.writer, firstSeq, count };
    position += count;
    return span;
  });
}
