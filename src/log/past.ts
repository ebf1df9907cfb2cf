/** What an entry stands on. Of placed entries of the primary chain the past is everything before their position, so no
 *  vector is kept for them: a past is a prefix of the committed order and, beyond it, one seq for each writer. It is
 *  found by following parents down to the chain. */
import type { Dot, WriterId } from '../base/ids.js';
import type { Vector } from './entry.js';
import type { LogParts } from './log-parts.js';

/** Everything before position `base`, and each writer's entries through its seq in `beyond`. Below the floors everything
 *  counts as held; whether the newest trimmed entry itself is part of the past says `base >= firstPosition`. */
export interface Past {
  base: number;
  readonly beyond: ReadonlyMap<WriterId, number>;
}

export interface GrowingPast extends Past {
  readonly beyond: Map<WriterId, number>;
}

/** The union of the pasts of held entries, themselves included. */
export function pastOf(log: LogParts, dots: readonly Dot[]): GrowingPast {
  const past: GrowingPast = { base: 0, beyond: new Map() };
  const waiting = [...dots];
  for (let dot = waiting.pop(); dot; dot = waiting.pop()) visit(log, past, dot, waiting);
  return past;
}

function visit(log: LogParts, past: GrowingPast, { writer, seq }: Dot, waiting: Dot[]): void {
  const { subLogs, order } = log;
  const trimmed = log.trim?.through;
  const subLog = subLogs.get(writer);
  if (!subLog) return;
  if (trimmed?.writer === writer && seq >= trimmed.seq) past.base = Math.max(past.base, order.firstPosition);
  const seen = past.beyond.get(writer) ?? subLog.floor;
  if (seq <= seen) return;
  const span = subLog.placementOf(seq);
  if (span?.onChain) {
    past.base = Math.max(past.base, span.position + seq - span.firstSeq + 1);
    return;
  }
  past.beyond.set(writer, seq);
  const chainEntry = subLog.chainEntryBelow(seq);
  if (chainEntry) past.base = Math.max(past.base, chainEntry.position + 1);
  for (const mark of subLog.marksBetween(Math.max(seen, chainEntry?.seq ?? 0), seq)) {
    waiting.push(...mark.parents);
  }
}

/** A past as one seq for each writer; what is trimmed is part of it. */
export function vectorOf({ subLogs }: LogParts, past: Past): Vector {
  const vector = new Map<WriterId, number>();
  for (const subLog of subLogs.values()) {
    const seq = Math.max(subLog.seqBefore(past.base), past.beyond.get(subLog.writer) ?? 0);
    if (seq > 0) vector.set(subLog.writer, seq);
  }
  return vector;
}

/** Whether a past has an entry. */
export function covers(log: LogParts, past: Past, { writer, seq }: Dot): boolean {
  const subLog = log.subLogs.get(writer);
  const trimmed = log.trim?.through;
  if (trimmed?.writer === writer && trimmed.seq === seq) return past.base >= log.order.firstPosition;
  if (!subLog || seq <= subLog.floor) return true;
  if ((past.beyond.get(writer) ?? 0) >= seq) return true;
  const span = subLog.placementOf(seq);
  return span !== undefined && span.position + seq - span.firstSeq < past.base;
}

/** Moves the prefix forward over entries that are part of the past: afterwards it is as long as it can be, and `beyond`
 *  names only what lies beyond it. */
export function extendPrefix(log: LogParts, past: GrowingPast): void {
  for (let span = log.order.at(past.base); span; span = log.order.at(past.base)) {
    const through = past.beyond.get(span.subLog.writer) ?? 0;
    const inside = Math.min(span.count, through - span.firstSeq + 1);
    if (inside <= past.base - span.position) break;
    past.base = span.position + inside;
  }
  for (const [writer, seq] of past.beyond) {
    const span = log.subLogs.get(writer)?.placementOf(seq);
    if (span && span.position + seq - span.firstSeq < past.base) past.beyond.delete(writer);
  }
}

/** Of `candidates`, all in `past`es of their own, those that no other one stands on. */
export function maximal(log: LogParts, candidates: readonly Dot[]): readonly Dot[] {
  if (candidates.length <= 1) return candidates;
  const pasts = candidates.map((dot) => pastOf(log, [dot]));
  return candidates.filter((dot, i) => !pasts.some((past, j) => i !== j && covers(log, past, dot)));
}
