/** Entries that could not be read were stored again: the index points to the new place from now on, and the old one is dead.
 *  The same when the commit is found at start. */
import { isFloorRun, trimmedCount } from '../log/floors.js';
import type { RunSummary } from '../log/run.js';
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

/** What is to become of a run's rows, looked up before it is stored: so that they change in the same batch of the index that
 *  says the commit is covered. */
export class Mending {
  readonly #parts: MendingParts;
  readonly #slot: Slot;
  readonly #run: RunSummary;
  readonly #places: readonly RunPlace[];
  readonly #bytesBefore: number;

  private constructor(
    parts: MendingParts,
    slot: Slot,
    run: RunSummary,
    found: { readonly places: readonly RunPlace[]; readonly bytesBefore: number },
  ) {
    this.#parts = parts;
    this.#slot = slot;
    this.#run = run;
    this.#places = found.places;
    this.#bytesBefore = found.bytesBefore;
  }

  /** `undefined` where the run does not fit the rows there are, or is not needed. All rows must be where they can be looked
   *  up: see `StoreIndex.flushAll`. */
  static async plan(parts: MendingParts, slot: Slot, run: RunSummary): Promise<Mending | undefined> {
    const { index } = parts;
    const { writer, firstSeq, count } = run;
    const lastSeq = firstSeq + count - 1;
    const { floor, seq: held } = heldOf(slot, run);
    if (lastSeq <= floor || lastSeq > held) return undefined;
    const from = Math.max(firstSeq, floor + 1);
    const subLog = slot.subLog(writer);
    // Also of what is trimmed: a row that begins inside the run would hide the run's.
    const places = await index.places(subLog, firstSeq, lastSeq, count + 1);
    const isOver = (seq: number): boolean => seq <= floor || slot.log.isGivenUp(writer, seq, seq);
    for (const place of places) {
      for (let seq = place.firstSeq; seq < from; seq++) if (!isOver(seq)) return undefined;
      for (let seq = lastSeq + 1; seq < place.firstSeq + place.count; seq++)
        if (!isOver(seq)) return undefined;
    }
    const [old] = places;
    const before = old ?? (await index.placeBefore(subLog, firstSeq));
    // Where there was no row none of the later ones counts these bytes: then a trim counts them as nothing.
    const bytesBefore = old ? old.bytesBefore : before ? before.bytesBefore + before.recordBytes : 0;
    return new Mending(parts, slot, run, { places, bytesBefore });
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
      const lastSeq = run.firstSeq + run.count - 1;
      const { writer } = run;
      slot.log.lose({ writer, fromSeq: place.firstSeq, toSeq: run.firstSeq - 1 });
      slot.log.lose({ writer, fromSeq: lastSeq + 1, toSeq: place.firstSeq + place.count - 1 });
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
