/** Generations of a channel. An entry of kind `delete` ends one: once it is committed on the primary chain, all it stands on
 *  and itself is gone, as by a trim; and whatever does not stand on it is of an older generation, wherever and whenever it
 *  turns up. Of a writer that is always a beginning of its sub-log. See docs/decisions/0020-generations.md. */
import type { Dot, WriterId } from '../base/ids.js';
import { limits } from '../base/limits.js';
import { planted } from '../base/planted.js';
import type { Span } from './committed-order.js';
import type { Deletion, LostRange, Timestamp, Trim, Vector } from './entry.js';
import type { HeldTrim, LogParts } from './log-parts.js';
import type { RunSummary } from './run.js';
import { overlaps } from './seq-ranges.js';
import type { SubLog } from './sub-log.js';
import { countersPerMs } from './timestamp.js';
import { endsGeneration, inForce, isTrue } from './trims.js';

const nothing: Vector = new Map();

/** Seq through which the writer's entries are known to be of an older generation; 0 without any. */
export function oldThrough({ deletion, subLogs }: LogParts, writer: WriterId): number {
  return Math.max(deletion?.old.get(writer) ?? 0, subLogs.get(writer)?.voided ?? 0);
}

/** After the order has grown: a deletion in it takes effect. `now`: the newest timestamp here. */
export function noteDeletion(parts: LogParts, now: Timestamp): void {
  for (const held of parts.trims) {
    if (!endsGeneration(held)) continue;
    const { dot, trim } = held;
    const span = parts.subLogs.get(dot.writer)?.placementOf(dot.seq);
    if (!span?.onChain || !isTrue(parts, trim)) continue;
    const end = span.position + dot.seq - span.firstSeq + 1;
    if (end > (parts.deletion?.end ?? 0))
      adoptDeletion(parts, { through: dot, end, timestamp: now, old: before(held) });
  }
}

/** Takes a deletion over, unless a later one is known. */
export function adoptDeletion(parts: LogParts, deletion: Deletion): void {
  if (planted('deleted-comes-back')) return;
  const known = parts.deletion;
  if (known && known.end > deletion.end) return;
  const old = new Map(known?.end === deletion.end ? known.old : nothing);
  raise(old, deletion.old);
  for (const { writer, voided } of parts.subLogs.values())
    if (voided > 0) raise(old, new Map([[writer, voided]]));
  const { through, end, timestamp } = deletion;
  for (const [writer, seq] of olderThan(parts, { through, old })) old.set(writer, seq);
  parts.deletion = { through, end, timestamp, old };
  forgetOldRetained(parts);
}

/** More is known of what was lost: it is there again, or no home has it. */
export function relearnOld(parts: LogParts): void {
  const { deletion } = parts;
  if (!deletion) return;
  for (const [writer, seq] of olderThan(parts, deletion)) deletion.old.set(writer, seq);
  forgetOldRetained(parts);
}

function forgetOldRetained(parts: LogParts): void {
  const { retained } = parts;
  if (retained && retained.seq <= oldThrough(parts, retained.writer)) parts.retained = undefined;
}

/** Floors are raised, with what they tell of the deletion. */
export function putInForce(parts: LogParts, trim: Trim): void {
  parts.trim = inForce(parts, trim);
  if (!trim.deletion) return;
  adoptDeletion(parts, trim.deletion);
  parts.trim = inForce(parts, parts.trim);
}

/** A run came in: whether its entries stand on the end of the generation. Long after that nobody asks any more. */
export function tookIn(parts: LogParts, run: RunSummary): void {
  const { deletion, trim } = parts;
  if (!deletion) return;
  const isFolded =
    run.lastTimestamp - deletion.timestamp > limits.deletionKeptMs * countersPerMs &&
    trim?.through.seq !== deletion.through.seq;
  if (isFolded) {
    parts.deletion = undefined;
    if (trim) parts.trim = inForce(parts, trim);
    return;
  }
  const { writer, firstSeq, count } = run;
  const { old } = deletion;
  const known = old.get(writer) ?? 0;
  const isBehindOld =
    known === firstSeq - 1 || parts.subLogs.get(writer)?.isGivenUp(known + 1, firstSeq - 1) === true;
  if (!isBehindOld || isEnd(deletion, writer, firstSeq - 1) || isEnd(deletion, writer, firstSeq)) return;
  const firstGivenUp = parts.subLogs.get(writer)?.firstGivenUp ?? Infinity;
  if (firstSeq > firstGivenUp && isClaimedBehind(parts, deletion.through, run)) return;
  const first = run.marked.find(({ parents = [] }) =>
    parents.some((parent) => parent.writer !== writer && parent.seq > oldThrough(parts, parent.writer)),
  );
  const through = (first?.seq ?? firstSeq + count) - 1;
  if (through >= firstSeq) old.set(writer, through);
}

/** An entry says that these are of an older generation. What is held of them is dropped as far as this log sees that for
 *  itself: nobody's word alone removes what is held. */
export function takeVoids(parts: LogParts, voids: readonly LostRange[]): void {
  for (const range of voids) takeVoid(parts, range);
}

function takeVoid(parts: LogParts, { writer, toSeq }: LostRange): void {
  const subLog = parts.subLogs.get(writer);
  if (!subLog) return;
  const known = parts.deletion ? (parts.deletion.old.get(writer) ?? 0) : oldByHeld(parts, writer);
  voidThrough(subLog, Math.min(toSeq, known));
}

/** What of these is lost here: of that the entry that says so is believed, as one that gives up is. */
export function lostOf({ subLogs }: LogParts, voids: readonly LostRange[]): readonly LostRange[] {
  return voids.flatMap(({ writer, fromSeq, toSeq }) =>
    overlaps(subLogs.get(writer)?.lost ?? [], fromSeq, toSeq).map(([from, to]) => ({
      writer,
      fromSeq: from,
      toSeq: to,
    })),
  );
}

/** Of what nobody has here there is nothing to drop: it is told as what it is. */
export function voidLost(parts: LogParts, voids: readonly LostRange[]): void {
  for (const range of voids) voidLostOf(parts, range);
}

function voidLostOf(parts: LogParts, { writer, fromSeq, toSeq }: LostRange): void {
  const subLog = parts.subLogs.get(writer);
  if (!subLog) return;
  const from = Math.max(fromSeq, subLog.goneThrough + 1);
  const [first] = overlaps(subLog.lost, from, toSeq);
  if (first?.[0] === from) voidThrough(subLog, first[1]);
  const { deletion } = parts;
  if (deletion && subLog.voided > (deletion.old.get(writer) ?? 0)) deletion.old.set(writer, subLog.voided);
}

/** What is held above the floors, of an older generation, and not void. Only once the floors are those of the end: what it
 *  stands on is trimmed, and keeps its place until then. */
export function voidsDue(parts: LogParts): readonly LostRange[] {
  if (parts.order.firstPosition < (parts.deletion?.end ?? 0)) return [];
  return parts.subLogs.values().flatMap((subLog) => {
    const { writer, seq, goneThrough } = subLog;
    const toSeq = Math.min(seq, parts.deletion?.old.get(writer) ?? 0);
    return toSeq > goneThrough ? [{ writer, fromSeq: goneThrough + 1, toSeq }] : [];
  });
}

/** Parents of an entry of `writer`, whose newest one is `seq`, that says what is void: each of these among them. Who takes them
 *  in as void does not know what they stood on, and would find no place for it. */
export function parentsWithVoids(
  { writer, seq }: Dot,
  parents: readonly Dot[] | undefined,
  voids: readonly LostRange[],
): readonly Dot[] | undefined {
  const isNamed = (range: LostRange): boolean =>
    range.writer === writer ||
    parents?.some((dot) => dot.writer === range.writer && dot.seq >= range.toSeq) === true;
  const others = voids.filter((range) => !isNamed(range));
  if (others.length === 0) return parents;
  return [
    ...(parents ?? [{ writer, seq }]),
    ...others.map((range) => ({ writer: range.writer, seq: range.toSeq })),
  ];
}

/** What of a span is of the present generation. */
export function presentOf(parts: LogParts, span: Span): readonly Span[] {
  const gone = Math.max(0, oldThrough(parts, span.writer) - span.firstSeq + 1);
  if (gone === 0) return [span];
  const { position, writer, firstSeq, count } = span;
  if (gone >= count) return [];
  return [{ position: position + gone, writer, firstSeq: firstSeq + gone, count: count - gone }];
}

export function isPresent(
  parts: LogParts,
  { through }: Deletion,
  { writer, firstSeq, count }: Span,
): boolean {
  const isEndIn = through.writer === writer && firstSeq <= through.seq && through.seq < firstSeq + count;
  return !isEndIn && firstSeq > oldThrough(parts, writer);
}

function voidThrough(subLog: SubLog, seq: number): void {
  if (seq > subLog.goneThrough) subLog.voided = seq;
}

/** Of a writer, by a deletion that is held and not known to be committed: what says that entries are void stands on one that
 *  is. */
function oldByHeld(parts: LogParts, writer: WriterId): number {
  let most = 0;
  for (const held of parts.trims) {
    if (!endsGeneration(held)) continue;
    const old = olderThan(parts, { through: held.dot, old: before(held) });
    most = Math.max(most, old.get(writer) ?? 0);
  }
  return most;
}

/** What it removes beside itself. */
function before({ dot, trim }: HeldTrim): Map<WriterId, number> {
  const old = new Map(trim.floors);
  if (dot.seq > 1) old.set(dot.writer, dot.seq - 1);
  else old.delete(dot.writer);
  return old;
}

/** Of each writer the seq through which what is held does not stand on the end of the generation. `old`: what is known of
 *  it. */
function olderThan(
  parts: LogParts,
  { through, old }: Pick<Deletion, 'through' | 'old'>,
): ReadonlyMap<WriterId, number> {
  const firstNew = new Map<WriterId, number>([[through.writer, through.seq]]);
  const subLogs = parts.subLogs.values();
  for (const subLog of subLogs) {
    const first = firstKnownNew(parts, subLog, through, old.get(subLog.writer) ?? 0);
    if (first !== undefined && subLog.writer !== through.writer) firstNew.set(subLog.writer, first);
  }
  const isNew = ({ writer, seq }: Dot): boolean => seq >= (firstNew.get(writer) ?? Infinity);
  for (let found = true; found;) {
    found = false;
    for (const { writer, marks } of subLogs) {
      const known = firstNew.get(writer) ?? Infinity;
      const mark = marks.find(({ seq, parents }) => seq > (old.get(writer) ?? 0) && parents.some(isNew));
      if (!mark || mark.seq >= known) continue;
      firstNew.set(writer, mark.seq);
      found = true;
    }
  }
  return new Map(
    subLogs.flatMap((subLog) => {
      const { writer, seq } = subLog;
      const through = Math.min(seq, (firstNew.get(writer) ?? Infinity) - 1);
      // What is given up is not said to be deleted where nothing behind it is.
      const last = Math.max(old.get(writer) ?? 0, subLog.beforeGivenUp(through));
      return last > 0 ? [[writer, last] as const] : [];
    }),
  );
}

/** Above `old`: what is trimmed went by a trim that came later, and the primary chain goes on behind the end. Of what is lost
 *  nobody can tell until it is there again or given up: what is given up stands on its predecessor alone, as its place says,
 *  unless a later claim behind it shows otherwise. Where nothing is given up, what an entry names says it, and no claim is
 *  asked: one that was got before the end was committed may be above that of the end, and not have heard of it. */
function firstKnownNew(parts: LogParts, subLog: SubLog, through: Dot, old: number): number | undefined {
  const { writer, floor, placements } = subLog;
  if (floor > old) return old + 1;
  const onChain = placements.find((span) => span.onChain && span.firstSeq + span.count - 1 > old);
  const claimed = subLog.firstOfRound(Math.max(old + 1, subLog.firstGivenUp), (round) =>
    isClaimedBehind(parts, through, { writer, round }),
  );
  const hole = subLog.holes().find(({ toSeq }) => toSeq > old);
  const firsts = [onChain?.firstSeq, claimed, hole?.fromSeq].flatMap((seq) => seq ?? []);
  return firsts.length === 0 ? undefined : Math.max(old + 1, Math.min(...firsts));
}

/** Whether a claim came after that of the end: who got it heard of the end before, as a rule. Where the end is trimmed, the
 *  newest trimmed entry stands for it. */
function isClaimedBehind(
  { subLogs, trim }: LogParts,
  through: Dot,
  { writer, round }: Pick<RunSummary, 'writer' | 'round'>,
): boolean {
  const subLog = subLogs.get(through.writer);
  const isKept = subLog !== undefined && subLog.floor < through.seq && through.seq <= subLog.seq;
  const endRound = isKept ? subLog.roundOf(through.seq) : (trim?.round ?? Infinity);
  const endWriter = isKept ? through.writer : trim?.through.writer;
  if (round !== endRound) return round > endRound;
  return round > 0 && endWriter !== undefined && writer > endWriter;
}

function isEnd({ through }: Deletion, writer: WriterId, seq: number): boolean {
  return through.writer === writer && through.seq === seq;
}

function raise(vector: Map<WriterId, number>, by: Vector): void {
  for (const [writer, seq] of by) vector.set(writer, Math.max(seq, vector.get(writer) ?? 0));
}
