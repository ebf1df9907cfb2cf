/** One writer's part of a channel log, without payloads: how far it is held, placed and trimmed, and of its entries only
 *  what placing others needs. All lists are in order of seq and usually have one element or none. */
import { assert } from '../base/assert.js';
import { planted } from '../base/planted.js';
import type { Dot, WriterId } from '../base/ids.js';
import type { LostRange, Timestamp } from './entry.js';
import type { RunSummary } from './run.js';
import {
  addRange,
  lastSeqIn,
  mergedRanges,
  overlaps,
  pairsOf,
  rangesAbove,
  rangesWithout,
} from './seq-ranges.js';

/** An entry that names what it follows. */
export interface Mark {
  readonly seq: number;
  /** The primary first. */
  readonly parents: readonly Dot[];
}

/** Consecutive entries of one writer at consecutive positions of the committed order. */
export interface PlacedSpan {
  position: number;
  readonly subLog: SubLog;
  firstSeq: number;
  count: number;
  /** Entries of the primary chain, whose past is exactly what is placed before them; else part of a block. */
  readonly onChain: boolean;
}

/** A lost entry has no timestamp: it goes right behind its predecessor. */
export const lostTimestamp: Timestamp = -1;

export class SubLog {
  readonly writer: WriterId;
  /** Nothing at or below it is kept. */
  floor = 0;
  /** Everything above the floor and through it is of an older generation, and dropped; 0 without any. */
  voided = 0;
  /** Everything through it is held, or below the floor. */
  seq = 0;
  /** Everything through it is in the committed order, or below the floor. */
  placed = 0;
  /** Of entry `seq`; `undefined` where it was never seen whole. */
  lastChecksum: number | undefined = 0;
  lastTimestamp: Timestamp = -1;
  /** From which seq on which round: flat pairs; covers what is above the floor. */
  rounds: number[] = none;
  /** Above the floor; those of placed chain entries are dropped, their past is told by their position. */
  marks: Mark[] = none;
  /** Of entries not placed yet: seq, timestamp, … where a timestamp is not its predecessor's plus one. */
  times: number[] = none;
  /** Flat pairs of first and last seq. */
  lost: number[] = none;
  /** What an entry gave up: no home has these, so they are not looked for. */
  given: number[] = none;
  /** Held without their content. */
  redacted: number[] = none;
  /** Of entries not placed yet those marked `retain`: flat pairs of first and last seq. */
  retained: number[] = none;
  placements: PlacedSpan[] = none;

  constructor(writer: WriterId) {
    this.writer = writer;
  }

  /** Of nothing through it the content is kept. */
  get goneThrough(): number {
    return Math.max(this.floor, this.voided);
  }

  append(run: RunSummary): void {
    this.#pushRound(run.firstSeq, run.round);
    this.#pushTime(run.firstSeq, run.firstTimestamp);
    const steps = run.timestampSteps;
    if (steps)
      for (let i = 0; i < steps.length; i += 2) this.times = pushed(this.times, steps[i]!, steps[i + 1]!);
    for (const entry of run.marked) {
      if (entry.parents) this.marks = pushed(this.marks, { seq: entry.seq, parents: entry.parents });
    }
    this.#addRetained(run.retained);
    for (const [from, to] of pairsOf(run.redacted ?? none))
      this.redacted = mergedRanges(this.redacted, from, to);
    this.seq = run.firstSeq + run.count - 1;
    this.lastChecksum = run.lastChecksum;
    this.lastTimestamp = run.lastTimestamp;
  }

  /** Counts entries as held that nobody can read; those above `seq` become its newest. */
  lose(fromSeq: number, toSeq: number): void {
    assert(fromSeq <= this.seq + 1, 'what is lost follows what is held');
    const from = Math.max(fromSeq, this.floor + 1);
    if (from > toSeq) return;
    this.lost = mergedRanges(this.lost, from, toSeq);
    if (toSeq <= this.seq) return;
    if (this.rounds.length === 0) this.#pushRound(this.seq + 1, 0);
    this.times = pushed(this.times, this.seq + 1, lostTimestamp);
    this.seq = toSeq;
    this.lastChecksum = undefined;
  }

  /** Entries of a run that were lost have been found again: what is known of them is as if they had never been. */
  restore(run: RunSummary): boolean {
    const found = overlaps(this.lost, run.firstSeq, run.firstSeq + run.count - 1);
    for (const [from, to] of found) {
      this.lost = rangesWithout(this.lost, from, to);
      this.rounds = replaced(this.rounds, from, to, [from, run.round], this.roundOf(to + 1), this.seq);
      const unplaced = Math.max(from, this.placed + 1);
      if (unplaced <= to) this.#restoreUnplaced(run, unplaced, to);
      if (to !== this.seq) continue;
      this.lastChecksum = run.lastChecksum;
      this.lastTimestamp = run.lastTimestamp;
    }
    return found.length > 0;
  }

  #restoreUnplaced(run: RunSummary, from: number, to: number): void {
    const stepsOfRun = [run.firstSeq, run.firstTimestamp, ...(run.timestampSteps ?? [])];
    this.times = replaced(
      this.times,
      from,
      to,
      timesIn(stepsOfRun, from, to),
      this.timestampOf(to + 1),
      this.seq,
    );
    const marks = run.marked.flatMap(({ seq, parents }) =>
      parents && seq >= from && seq <= to ? [{ seq, parents }] : [],
    );
    if (marks.length > 0) this.marks = [...this.marks, ...marks].sort((a, b) => a.seq - b.seq);
    for (const [first, last] of overlaps(run.retained ?? none, from, to))
      this.retained = mergedRanges(this.retained, first, last);
  }

  /** The log says that no home can read these. A home that once could knows more of them than the others; it forgets that,
   *  so that they have one place everywhere. */
  giveUp(fromSeq: number, toSeq: number): void {
    const from = Math.max(fromSeq, this.floor + 1);
    const to = Math.min(toSeq, this.seq);
    if (from > to) return;
    this.given = mergedRanges(this.given, from, to);
    const unplaced = Math.max(from, this.placed + 1);
    if (unplaced > to) return;
    this.times = replaced(
      this.times,
      unplaced,
      to,
      [unplaced, lostTimestamp],
      this.timestampOf(to + 1),
      this.seq,
    );
    this.marks = this.marks.filter(({ seq }) => seq < unplaced || seq > to);
    this.retained = rangesWithout(this.retained, unplaced, to);
  }

  isGivenUp(from: number, to: number): boolean {
    return overlaps(this.given, from, to).some(([first, last]) => first === from && last === to);
  }

  /** Of what is above the floor; infinite without any. */
  get firstGivenUp(): number {
    return this.given[0] ?? Infinity;
  }

  /** The newest at or below `seq` that is not given up. */
  beforeGivenUp(seq: number): number {
    const last = overlaps(this.given, 0, seq).at(-1);
    return last?.[1] === seq ? last[0] - 1 : seq;
  }

  givenUpRanges(): LostRange[] {
    const { writer, given } = this;
    return pairsOf(given).map(([fromSeq, toSeq]) => ({ writer, fromSeq, toSeq }));
  }

  /** Lost, and not given up. */
  holes(): LostRange[] {
    const { writer } = this;
    let ranges = this.lost;
    for (const [from, to] of pairsOf(this.given)) ranges = rangesWithout(ranges, from, to);
    return pairsOf(ranges).map(([fromSeq, toSeq]) => ({ writer, fromSeq, toSeq }));
  }

  lostRanges(): LostRange[] {
    const { writer, lost } = this;
    return lost.flatMap((fromSeq, i) => (i % 2 === 0 ? [{ writer, fromSeq, toSeq: lost[i + 1]! }] : []));
  }

  isLost(seq: number): boolean {
    return this.lost.some((from, i) => i % 2 === 0 && from <= seq && seq <= this.lost[i + 1]!);
  }

  /** Round of an entry above the floor. */
  roundOf(seq: number): number {
    return this.rounds[pairAt(this.rounds, seq) + 1] ?? 0;
  }

  /** The first from `fromSeq` on whose round is such. */
  firstOfRound(fromSeq: number, isSuch: (round: number) => boolean): number | undefined {
    for (let i = 0; i < this.rounds.length; i += 2) {
      const last = (this.rounds[i + 2] ?? this.seq + 1) - 1;
      if (last >= fromSeq && isSuch(this.rounds[i + 1]!)) return Math.max(fromSeq, this.rounds[i]!);
    }
    return undefined;
  }

  /** The greatest (round, seq) above the floor. */
  newestOfGreatestRound(): { readonly round: number; readonly seq: number } | undefined {
    if (this.seq <= this.floor) return undefined;
    let best = { round: -1, seq: 0 };
    for (let i = 0; i < this.rounds.length; i += 2) {
      const round = this.rounds[i + 1]!;
      if (round >= best.round) best = { round, seq: (this.rounds[i + 2] ?? this.seq + 1) - 1 };
    }
    return best;
  }

  /** Timestamp of an entry not placed yet, `lostTimestamp` for a lost one. */
  timestampOf(seq: number): Timestamp {
    const at = pairAt(this.times, seq);
    const timestamp = this.times[at + 1] ?? lostTimestamp;
    return timestamp === lostTimestamp ? lostTimestamp : timestamp + seq - this.times[at]!;
  }

  /** Last seq of those whose timestamps rise by one from `seq` on, or that are lost with it. */
  stretchEnd(seq: number): number {
    return (this.times[pairAt(this.times, seq) + 2] ?? this.seq + 1) - 1;
  }

  /** The newest entry marked `retain` of those from `firstSeq` through `lastSeq`, which are not placed yet. */
  lastRetained(firstSeq: number, lastSeq: number): number | undefined {
    return this.retained.length === 0 ? undefined : lastSeqIn(this.retained, firstSeq, lastSeq);
  }

  /** The newest mark at or below `seq`. */
  markThrough(seq: number): Mark | undefined {
    const at = firstAbove(this.marks, seq) - 1;
    return this.marks[at];
  }

  /** The oldest mark above `seq`. */
  markAbove(seq: number): Mark | undefined {
    return this.marks[firstAbove(this.marks, seq)];
  }

  /** Marks in (`above`, `through`]. */
  marksBetween(above: number, through: number): readonly Mark[] {
    if (this.marks.length === 0) return none;
    return this.marks.slice(firstAbove(this.marks, above), firstAbove(this.marks, through));
  }

  /** The span of a placed entry above the floor. */
  placementOf(seq: number): PlacedSpan | undefined {
    if (seq > this.placed || seq <= this.floor) return undefined;
    return this.placements[lastIndex(this.placements, (span) => span.firstSeq <= seq)];
  }

  /** The newest chain entry below `seq`, with its position. */
  chainEntryBelow(seq: number): { readonly seq: number; readonly position: number } | undefined {
    let at = lastIndex(this.placements, (span) => span.firstSeq < seq);
    while (at >= 0 && !this.placements[at]!.onChain) at--;
    const span = this.placements[at];
    if (!span) return undefined;
    const last = Math.min(seq - 1, span.firstSeq + span.count - 1);
    return { seq: last, position: span.position + last - span.firstSeq };
  }

  /** Seq through which entries lie before `position` of the order. */
  seqBefore(position: number): number {
    const span = this.placements[lastIndex(this.placements, (placed) => placed.position < position)];
    return span ? span.firstSeq + Math.min(span.count, position - span.position) - 1 : this.floor;
  }

  addPlacement(span: PlacedSpan): void {
    this.placements = pushed(this.placements, span);
  }

  /** Everything through `seq` is placed now: forgets what only placing needed. */
  placedThrough(seq: number): void {
    this.placed = seq;
    this.times = seq === this.seq ? none : fromPairAt(this.times, seq + 1);
    if (this.retained.length > 0) {
      this.retained = seq === this.seq ? none : rangesAbove(this.retained, seq);
    }
    if (this.marks.length > 0) {
      this.marks = this.marks.filter((mark) => mark.seq > seq || !this.placementOf(mark.seq)?.onChain);
    }
  }

  /** Forgets everything through `floor`, held or not. Placements are left to the order. */
  raiseFloor(floor: number): void {
    if (floor <= this.floor) return;
    this.floor = floor;
    if (this.voided <= floor) this.voided = 0;
    if (floor > this.seq && !planted('trimmed-again')) {
      this.seq = floor;
      this.lastChecksum = undefined;
    }
    if (floor > this.placed) this.placedThrough(floor);
    this.rounds = floor === this.seq ? none : fromPairAt(this.rounds, floor + 1);
    this.marks = this.marks.filter((mark) => mark.seq > floor);
    this.lost = rangesAbove(this.lost, floor);
    this.given = rangesAbove(this.given, floor);
    if (this.redacted.length > 0) this.redacted = rangesAbove(this.redacted, floor);
  }

  /** After the order dropped what lies below the floors. */
  forgetEmptyPlacements(): void {
    if (this.placements.some((span) => span.count === 0)) {
      this.placements = this.placements.filter((span) => span.count > 0);
    }
  }

  #addRetained(ranges: readonly number[] = none): void {
    if (ranges.length === 0) return;
    if (this.retained === none) this.retained = [];
    for (let i = 0; i < ranges.length; i += 2) addRange(this.retained, ranges[i]!, ranges[i + 1]!);
  }

  #pushRound(seq: number, round: number): void {
    if (this.rounds.at(-1) !== round) this.rounds = pushed(this.rounds, seq, round);
  }

  #pushTime(seq: number, timestamp: Timestamp): void {
    const continues =
      this.times.length > 0 && this.times.at(-1) !== lostTimestamp && timestamp === this.lastTimestamp + 1;
    if (!continues) this.times = pushed(this.times, seq, timestamp);
  }
}

// One empty list for all: most sub-logs of most channels never have a mark. Never written to, see `pushed`.
const none: never[] = [];

function pushed<T>(list: T[], ...items: T[]): T[] {
  if (list === none) return items;
  list.push(...items);
  return list;
}

/** Index of the pair that `seq` falls under; -2 when it is below all. */
function pairAt(pairs: readonly number[], seq: number): number {
  let low = 0;
  let high = pairs.length >> 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (pairs[2 * middle]! <= seq) low = middle + 1;
    else high = middle;
  }
  return 2 * (low - 1);
}

/** The pairs from the one that `seq` falls under on; that one is left to begin where it began. */
function fromPairAt(pairs: number[], seq: number): number[] {
  const at = pairAt(pairs, seq);
  return at <= 0 ? pairs : pairs.slice(at);
}

/** The pairs with those of [from, to] in the place of what was said of it; `after` is said from `to` + 1 on, as before. */
function replaced(
  pairs: readonly number[],
  from: number,
  to: number,
  inner: readonly number[],
  after: number,
  end: number,
): number[] {
  const before: number[] = [];
  const behind: number[] = [];
  for (let i = 0; i < pairs.length; i += 2) {
    const seq = pairs[i]!;
    if (seq < from) before.push(seq, pairs[i + 1]!);
    else if (seq > to) behind.push(seq, pairs[i + 1]!);
  }
  const goesOn = to < end && behind[0] !== to + 1;
  return [...before, ...inner, ...(goesOn ? [to + 1, after] : []), ...behind];
}

/** Timestamps of [from, to] of a run. */
function timesIn(steps: readonly number[], from: number, to: number): number[] {
  const at = pairAt(steps, from);
  const out = [from, steps[at + 1]! + from - steps[at]!];
  for (let i = at + 2; i < steps.length && steps[i]! <= to; i += 2) out.push(steps[i]!, steps[i + 1]!);
  return out;
}

function firstAbove(marks: readonly Mark[], seq: number): number {
  return lastIndex(marks, (mark) => mark.seq <= seq) + 1;
}

/** Index of the last element that holds, where those that hold come first; -1 without one. */
function lastIndex<T>(list: readonly T[], holds: (item: T) => boolean): number {
  let low = 0;
  let high = list.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (holds(list[middle]!)) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}
