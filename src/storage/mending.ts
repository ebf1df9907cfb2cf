/** Entries that could not be read were stored again: the index points to the new place from now on, and the old one is dead.
 *  The same when the commit is found at start. */
import { isFloorRun, trimmedCount } from '../log/floors.js';
import type { RunSummary } from '../log/run.js';
import { pairsOf, rangesWithout } from '../log/seq-ranges.js';
import type { Applier, StoredAt } from './applier.js';
import { digestKey } from './digest-rows.js';
import { type RunPlace, encodeRun, runKey } from './index-rows.js';
import type { Write } from './key-value.js';
import { isSettled } from './redacting.js';
import type { SegmentSet } from './segments.js';
import type { Slot } from './slots.js';
import type { StoreIndex } from './store-index.js';

export interface MendingParts {
  readonly index: StoreIndex;
  readonly segments: SegmentSet;
  readonly applier: Pick<Applier, 'keysSince' | 'noteWaiting'>;
}

/** A run that is to be stored again, or was found to be. */
export interface StoredAgain {
  readonly slot: Slot;
  readonly run: RunSummary;
}

/** Of all that is stored again together, none of it twice. Parts of one run take its place together; where one does not fit, neither do
 *  those that leave the rest to it. */
export async function planMendings(
  parts: MendingParts,
  repairs: readonly StoredAgain[],
): Promise<(Mending | undefined)[]> {
  let fitting = repairs;
  for (;;) {
    const among = fitting;
    const planOf = async (each: StoredAgain): Promise<Mending | undefined> =>
      among.includes(each) ? await Mending.plan(parts, each, besideOf(each, among)) : undefined;
    const plans = await Promise.all(repairs.map(planOf));
    fitting = repairs.filter((_, i) => plans[i]);
    if (fitting.length === among.length) return plans;
  }
}

function besideOf({ slot, run }: StoredAgain, repairs: readonly StoredAgain[]): RunSummary[] {
  const isBeside = (each: StoredAgain): boolean =>
    each.slot === slot && each.run.writer === run.writer && each.run !== run;
  return repairs.filter(isBeside).map((each) => each.run);
}

/** What is to become of a run's rows, looked up before it is stored: so that they change in the same batch of the index that
 *  says the commit is covered. */
export class Mending {
  readonly #parts: MendingParts;
  readonly #slot: Slot;
  readonly #run: RunSummary;
  readonly #beside: readonly RunSummary[];
  /** Those whose rows go with this run's. */
  readonly #places: readonly RunPlace[];
  readonly #bytesBefore: number;

  private constructor(
    parts: MendingParts,
    { slot, run }: StoredAgain,
    found: {
      readonly beside: readonly RunSummary[];
      readonly places: readonly RunPlace[];
      readonly bytesBefore: number;
    },
  ) {
    this.#parts = parts;
    this.#slot = slot;
    this.#run = run;
    this.#beside = found.beside;
    this.#places = found.places;
    this.#bytesBefore = found.bytesBefore;
  }

  /** `undefined` where the run does not fit the rows there are, or is not needed. `beside`: others of the same writer that
   *  are stored again with it. All rows must be where they can be looked up: see `StoreIndex.flushAll`. */
  static async plan(
    parts: MendingParts,
    { slot, run }: StoredAgain,
    beside: readonly RunSummary[],
  ): Promise<Mending | undefined> {
    const { index } = parts;
    const { writer, firstSeq, count } = run;
    const lastSeq = firstSeq + count - 1;
    const { floor, seq: held } = heldOf(slot, run);
    if (lastSeq <= floor || lastSeq > held) return undefined;
    const from = Math.max(firstSeq, floor + 1);
    const subLog = slot.subLog(writer);
    // Also of what is trimmed: a row that begins inside the run would hide the run's.
    const places = await index.places(subLog, firstSeq, lastSeq, count + 1);
    const isOver = (seq: number): boolean =>
      seq <= floor || slot.log.isGivenUp(writer, seq, seq) || beside.some((each) => isIn(each, seq, seq));
    for (const place of places) {
      for (let seq = place.firstSeq; seq < from; seq++) if (!isOver(seq)) return undefined;
      for (let seq = lastSeq + 1; seq < place.firstSeq + place.count; seq++)
        if (!isOver(seq)) return undefined;
    }
    const before = beside.filter((each) => each.firstSeq < firstSeq);
    const isOfOther = ({ firstSeq: first, count: entries }: RunPlace): boolean =>
      before.some((each) => isIn(each, first, first + entries - 1));
    const bytesBefore = await bytesBeforeOf(parts, slot, run, places[0], before);
    return new Mending(
      parts,
      { slot, run },
      { beside, places: places.filter((place) => !isOfOther(place)), bytesBefore },
    );
  }

  /** The run is stored there. */
  apply(at: StoredAt): void {
    const { index, applier } = this.#parts;
    const slot = this.#slot;
    const run = this.#run;
    const { keyPrefix } = slot.subLog(run.writer);
    slot.log.restore(run);
    slot.log.redactions.storedAgain(run);
    if (!isSettled(slot.log)) applier.noteWaiting(slot.ref, slot.bytes);
    // What was missing in its digest is there now.
    const writes: Write[] = [{ key: digestKey(slot.ref) }];
    for (const place of this.#places) {
      // What was given up has no place any more.
      for (const [fromSeq, toSeq] of pairsOf(restOf(place, [run, ...this.#beside])))
        slot.log.lose({ writer: run.writer, fromSeq, toSeq });
      if (place.firstSeq !== run.firstSeq) writes.push({ key: runKey(keyPrefix, place.firstSeq) });
      this.#lower(place);
    }
    const key = runKey(keyPrefix, run.firstSeq);
    writes.push({ key, value: encodeRun(key, placeOf(run, at, this.#bytesBefore)) });
    at.segment.liveBytes += at.headerBytes + run.recordBytes;
    index.touchSegment(at.segment);
    for (const row of run.keys) if (row.timestamp >= applier.keysSince) index.keys.add(row);
    index.addWrites(writes);
    index.touch(slot);
  }

  #lower(place: RunPlace): void {
    const segment = this.#parts.segments.get(place.segment, place.generation);
    if (!segment) return;
    segment.liveBytes = Math.max(0, segment.liveBytes - place.headerBytes - place.recordBytes);
    this.#parts.index.touchSegment(segment);
  }
}

function isIn({ firstSeq, count }: RunSummary, fromSeq: number, toSeq: number): boolean {
  return firstSeq <= toSeq && firstSeq + count > fromSeq;
}

/** What of its seqs is in none of them. */
function restOf({ firstSeq, count }: RunPlace, runs: readonly RunSummary[]): number[] {
  const without = (rest: number[], run: RunSummary): number[] =>
    rangesWithout(rest, run.firstSeq, run.firstSeq + run.count - 1);
  return runs.reduce(without, [firstSeq, firstSeq + count - 1]);
}

/** Of the writer's bytes as the rows count them. */
async function bytesBeforeOf(
  { index }: MendingParts,
  slot: Slot,
  { writer, firstSeq }: RunSummary,
  old: RunPlace | undefined,
  before: readonly RunSummary[],
): Promise<number> {
  if (old) {
    const within = before.filter((each) => isIn(each, old.firstSeq, firstSeq - 1));
    return within.reduce((sum, { recordBytes }) => sum + recordBytes, old.bytesBefore);
  }
  // Where there was no row none of the later ones counts these bytes: then a trim counts them as nothing.
  const last = await index.placeBefore(slot.subLog(writer), firstSeq);
  return last ? last.bytesBefore + last.recordBytes : 0;
}

/** Of floors the newest say all. */
function heldOf({ log }: Slot, run: RunSummary): { readonly floor: number; readonly seq: number } {
  const newest = trimmedCount(log.floors);
  if (isFloorRun(run)) return { floor: newest - 1, seq: newest };
  return log.writer(run.writer) ?? { floor: 0, seq: 0 };
}

function placeOf(run: RunSummary, at: StoredAt, bytesBefore: number): RunPlace {
  const { firstSeq, count, round, firstTimestamp, lastTimestamp, recordBytes } = run;
  const { segment, offset, headerBytes, arrival } = at;
  return {
    firstSeq,
    count,
    round,
    firstTimestamp,
    lastTimestamp,
    segment: segment.number,
    generation: segment.generation,
    offset,
    headerBytes,
    recordBytes,
    bytesBefore,
    arrival,
  };
}
