/** All that is still known of entries that cannot be read: what is whole of their run, and the checksums that its neighbours
 *  name. Whatever takes their place must fit that. */
import type { WriterId } from '../base/ids.js';
import type { Damage, RecordSlice } from '../engine/ports.js';
import { floorRun, isFloorRun } from '../log/floors.js';
import { RecordWalk, recordChecksum, recordPrevious } from '../log/record-layout.js';
import type { RunPlace } from './index-rows.js';
import type { Reader } from './reader.js';
import type { Slot } from './slots.js';
import type { StoreIndex } from './store-index.js';

export interface ExaminerOptions {
  readonly index: StoreIndex;
  readonly reader: Reader;
}

/** `undefined` where the entry can be read, is trimmed or given up, or was never held. */
export async function examine(
  options: ExaminerOptions,
  slot: Slot,
  writer: WriterId,
  seq: number,
): Promise<Damage | undefined> {
  if (isFloorRun({ writer })) return await damagedFloors(options, slot, writer, seq);
  const state = slot.log.writer(writer);
  if (!state || seq <= state.floor || seq > state.seq) return undefined;
  const [place] = await options.index.places(slot.subLog(writer), seq, seq, 1);
  return place ? await damagedRun(options, slot, writer, place) : await hole(options, slot, writer, seq);
}

async function damagedRun(
  options: ExaminerOptions,
  slot: Slot,
  writer: WriterId,
  place: RunPlace,
): Promise<Damage | undefined> {
  const floor = slot.log.writer(writer)?.floor ?? 0;
  const isOver = (seq: number): boolean => seq <= floor || slot.log.isGivenUp(writer, seq, seq);
  let firstSeq = place.firstSeq;
  let lastSeq = place.firstSeq + place.count - 1;
  // What was given up at either end is left out; in the middle it leaves what is around it where it is.
  while (firstSeq <= lastSeq && isOver(firstSeq)) firstSeq++;
  while (lastSeq >= firstSeq && isOver(lastSeq)) lastSeq--;
  const count = lastSeq - firstSeq + 1;
  const isBare = slot.log.redactions.unfounded(writer, firstSeq, lastSeq).length > 0;
  if (count < 1 || (!isBare && (await options.reader.verify(slot, writer, place)))) return undefined;
  // Where nothing is missing its header is damaged, without which a start does not find it.
  const { slices } = await options.reader.read(slot, [{ writer, firstSeq, count }], Infinity);
  const recordBytes = count === place.count ? place.recordBytes : undefined;
  return {
    ref: slot.ref,
    writer,
    firstSeq,
    count,
    known: { round: place.round, recordBytes },
    whole: slices,
    ...(await neighbours(options, slot, writer, firstSeq, lastSeq)),
  };
}

/** Floors are known as long as the index is, and are no other home's: they are written down again as the log has them. Of
 *  older ones the newest say all. */
async function damagedFloors(
  { index, reader }: ExaminerOptions,
  slot: Slot,
  writer: WriterId,
  seq: number,
): Promise<Damage | undefined> {
  const { ref, log } = slot;
  if (!log.trim) return undefined;
  const { bytes, run } = floorRun(ref, log.trim);
  const { firstSeq, count, round, lastChecksum: last } = run;
  if (firstSeq !== seq) return undefined;
  const [place] = await index.places(slot.subLog(writer), seq, seq, 1);
  if (!place || (await reader.verify(slot, writer, place))) return undefined;
  const records = bytes.subarray(run.headerBytes);
  const whole = [{ writer, round, firstSeq, count, records }];
  return {
    ref,
    writer,
    firstSeq,
    count,
    known: { round, recordBytes: records.length },
    whole,
    before: 0,
    last,
  };
}

async function hole(
  options: ExaminerOptions,
  slot: Slot,
  writer: WriterId,
  seq: number,
): Promise<Damage | undefined> {
  const range = slot.log
    .holes()
    .find((each) => each.writer === writer && each.fromSeq <= seq && seq <= each.toSeq);
  if (!range) return undefined;
  const { fromSeq: firstSeq, toSeq } = range;
  return {
    ref: slot.ref,
    writer,
    firstSeq,
    count: toSeq - firstSeq + 1,
    known: undefined,
    whole: [],
    ...(await neighbours(options, slot, writer, firstSeq, toSeq)),
  };
}

/** What the entries around say of those between them. */
async function neighbours(
  { reader }: ExaminerOptions,
  slot: Slot,
  writer: WriterId,
  firstSeq: number,
  lastSeq: number,
): Promise<Pick<Damage, 'before' | 'last'>> {
  const state = slot.log.writer(writer);
  const read = async (seq: number): Promise<RecordSlice | undefined> => {
    const isKept = seq > (state?.floor ?? 0) && seq <= (state?.seq ?? 0);
    if (!isKept) return undefined;
    const { slices } = await reader.read(slot, [{ writer, firstSeq: seq, count: 1 }], 1);
    return slices[0];
  };
  const previous = await read(firstSeq - 1);
  const next = await read(lastSeq + 1);
  const known = state?.seq === lastSeq && state.lastChecksum !== 0 ? state.lastChecksum : undefined;
  return {
    before: firstSeq === 1 ? 0 : previous && first(previous, recordChecksum),
    last: next ? first(next, recordPrevious) : known,
  };
}

function first({ records }: RecordSlice, field: (bytes: Uint8Array, bodyStart: number) => number): number {
  const walk = new RecordWalk(records);
  walk.next();
  return field(records, walk.bodyStart);
}
