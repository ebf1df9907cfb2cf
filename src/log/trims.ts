/** Trims and floors of one channel log: which trims that are held take effect, and whether floors that another home tells
 *  may be taken over. A trim names an entry t of the primary chain and removes all that t stands on, t included: a prefix
 *  of the order. It takes effect once it is committed itself, never before. */
import type { Dot, WriterId } from '../base/ids.js';
import { limits } from '../base/limits.js';
import { planted } from '../base/planted.js';
import type { HeldWriters } from './acceptance.js';
import type { Forced, LostRange, Trim, Vector } from './entry.js';
import { trimmedCount } from './floors.js';
import type { HeldTrim, LogParts } from './log-parts.js';
import { vectorOf } from './past.js';
import type { RunSummary } from './run.js';
import type { SubLog } from './sub-log.js';

export interface DueTrims {
  /** The one that removes most of those that are committed. */
  readonly due: Trim | undefined;
  /** Committed, and not what a trim may be: they never take effect. */
  readonly untrue: readonly Dot[];
}

/** What floors are to a log that is told of them. */
export type FloorsVerdict =
  /** They remove nothing that is not removed already. */
  | 'known'
  /** Everything they remove is held, and can be read: the trim itself is to be had like any entry, and says whether it is committed. */
  | 'held'
  /** Some of what they remove is lacking or lost, and nobody may have it any more: to be taken over. */
  | 'behind'
  /** They cannot come of a trim: they would leave a part of what is removed or committed here. */
  | 'conflict';

const nothing: ReadonlyMap<WriterId, number> = new Map();

/** See `ChannelLog.trimAt`. */
export function trimAt(parts: LogParts, position: number): Trim | undefined {
  const { order, subLogs } = parts;
  const span = order.chainSpanBefore(position);
  if (!span) return undefined;
  const { subLog } = span;
  const seq = span.firstSeq + Math.min(span.count, position - span.position) - 1;
  const through = { writer: subLog.writer, seq };
  const floors = planted('floors-by-have')
    ? new Map([...subLogs.values().map((each) => [each.writer, each.seq] as const), [through.writer, seq]])
    : vectorOf(parts, { base: span.position + seq - span.firstSeq + 1, beyond: nothing });
  return { through, floors, round: subLog.roundOf(seq) };
}

/** Remembers the trims of a run. Of more than a few that wait the oldest are let go: the next one removes as much. */
export function holdTrims(
  { trims, trim: last }: LogParts,
  { writer, marked }: Pick<RunSummary, 'writer' | 'marked'>,
): void {
  for (const { seq, trim } of marked) {
    if (!trim || !isNews(trim, last)) continue;
    trims.push({ dot: { writer, seq }, trim });
    if (trims.length > limits.heldTrimsMax) trims.splice(leastNeeded(trims), 1);
  }
}

/** What a forced one says the next does not say. */
function leastNeeded(trims: LogParts['trims']): number {
  return Math.max(
    0,
    trims.findIndex(({ trim }) => !trim.forced),
  );
}

/** Forgets the trims among entries that are given up before they were committed: other homes cannot know of them. */
export function forgetTrimsOf(parts: LogParts, { writer, fromSeq, toSeq }: LostRange): void {
  const placed = parts.subLogs.get(writer)?.placed ?? 0;
  const isGone = ({ dot }: LogParts['trims'][number]): boolean =>
    dot.writer === writer && dot.seq >= fromSeq && dot.seq <= toSeq && dot.seq > placed;
  if (parts.trims.some(isGone)) parts.trims = parts.trims.filter((held) => !isGone(held));
}

/** Looks at the trims that are held; forgets those that never take effect. */
export function dueTrims(parts: LogParts): DueTrims {
  const untrue: Dot[] = [];
  let due: Trim | undefined;
  let forced: Forced | undefined;
  let isEach = true;
  const floors = parts.trim?.floors ?? nothing;
  for (const held of parts.trims) {
    const { dot, trim } = held;
    const isCommitted = dot.seq <= (parts.subLogs.get(dot.writer)?.placed ?? 0);
    if (!isCommitted && !planted('trim-uncommitted')) continue;
    if (isBeside(parts, held)) isEach = false;
    else if (!isTrue(parts, trim)) untrue.push(dot);
    else {
      forced = newest(forced, trim.forced);
      if (rises(trim.floors, due?.floors ?? floors)) due = trim;
    }
  }
  if (untrue.length > 0 || !isEach)
    parts.trims = parts.trims.filter((held) => !untrue.includes(held.dot) && !isBeside(parts, held));
  noteForced(parts, forced);
  return { due: due && inForce(parts, { ...due, forced }), untrue };
}

/** A trim that was forced and is committed: where another had removed as much by then, that is told all the same, since homes
 *  meet the two in another order. */
export function noteForced(parts: LogParts, forced: Forced | undefined): void {
  const { trim: last } = parts;
  if (!last || !forced || trimmedCount(last.floors) < forced.end) return;
  parts.trim = inForce(parts, { ...last, forced });
  forgetTrims(parts);
}

/** After floors have risen: forgets trims that have nothing left to remove. */
export function forgetTrims(parts: LogParts): void {
  if (parts.trims.length === 0) return;
  parts.trims = parts.trims.filter(({ trim }) => isNews(trim, parts.trim));
}

/** It removes something, or says of what is removed that it was forced. */
function isNews({ floors, forced }: Trim, last: Trim | undefined): boolean {
  if (rises(floors, last?.floors ?? nothing)) return true;
  return forced !== undefined && forced.end <= trimmedCount(floors) && forced.end > (last?.forced?.end ?? 0);
}

/** `held`: what is held, and what waits to be stored before these floors. */
export function judgeFloors(parts: LogParts, held: HeldWriters, { floors }: Trim): FloorsVerdict {
  const { subLogs, trim: last } = parts;
  if (!rises(floors, last?.floors ?? nothing)) return 'known';
  const have = (writer: WriterId): number => held.get(writer)?.seq ?? 0;
  // Above what is lost nothing is placed, so the trim itself would never be committed here.
  const isLost = (writer: WriterId, floor: number): boolean =>
    subLogs
      .get(writer)
      ?.holes()
      .some(({ fromSeq }) => fromSeq <= floor) === true;
  if ([...floors].every(([writer, floor]) => floor <= have(writer) && !isLost(writer, floor))) return 'held';
  for (const [writer, floor] of last?.floors ?? nothing) {
    if (floor > (floors.get(writer) ?? 0)) return 'conflict';
  }
  // Not all that they remove is held, so neither is the entry they were computed from: it comes after all that is
  // committed here. (Where entries were lost, what is committed here may be in another order.)
  const isWhole = subLogs.values().every(isUnhurt);
  const cuts = subLogs.values().some(({ writer, placed }) => placed > (floors.get(writer) ?? 0));
  return isWhole && cuts ? 'conflict' : 'behind';
}

/** Whether `floors` go beyond `known` somewhere. */
export function rises(floors: Vector, known: Vector): boolean {
  for (const [writer, floor] of floors) if (floor > (known.get(writer) ?? 0)) return true;
  return false;
}

/** What is known of the deletion, and of what was forced, goes where the floors go. */
export function inForce({ deletion, trim: last }: LogParts, trim: Trim): Trim {
  const { through, floors, round } = trim;
  const forced = planted('forced-untold') ? undefined : newest(trim.forced, last?.forced);
  return { through, floors, round, ...(deletion ? { deletion } : {}), ...(forced ? { forced } : {}) };
}

function newest(a: Forced | undefined, b: Forced | undefined): Forced | undefined {
  return a && (!b || a.end >= b.end) ? a : b;
}

/** Whether a held trim ends a generation. */
export function endsGeneration({ dot, trim: { through } }: HeldTrim): boolean {
  return through.writer === dot.writer && through.seq === dot.seq;
}

/** Whether it was to end a generation, and another owner had gone on without it: then nothing was deleted. */
function isBeside(parts: LogParts, held: HeldTrim): boolean {
  return (
    endsGeneration(held) && parts.subLogs.get(held.dot.writer)?.placementOf(held.dot.seq)?.onChain === false
  );
}

/** Whether a trim names a committed entry of the primary chain, and removes exactly its past. */
export function isTrue(parts: LogParts, { through, floors, round }: Trim): boolean {
  if (planted('floors-by-have') || planted('trim-uncommitted')) return true;
  const { subLogs, trim: last } = parts;
  if (!rises(floors, last?.floors ?? nothing)) return true;
  const subLog = subLogs.get(through.writer);
  const span = subLog?.placementOf(through.seq);
  if (!subLog || !span?.onChain || subLog.roundOf(through.seq) !== round) return false;
  // Where entries were lost their parents are not known, and a past may seem smaller than it is.
  if (!subLogs.values().every(isUnhurt)) {
    return [...floors].every(([writer, floor]) => floor <= (subLogs.get(writer)?.placed ?? 0));
  }
  const base = span.position + through.seq - span.firstSeq + 1;
  return sameVector(floors, vectorOf(parts, { base, beyond: nothing }));
}

/** Nothing of it is lost, here or by what the log says. */
function isUnhurt({ lost, given }: SubLog): boolean {
  return lost.length === 0 && given.length === 0;
}

function sameVector(a: Vector, b: Vector): boolean {
  if (a.size !== b.size) return false;
  for (const [writer, seq] of a) if (b.get(writer) !== seq) return false;
  return true;
}
