/** Reads stored ranges. Every byte handed out was verified now: a whole run by its checksum, what is left of a damaged
 *  one record by record. Runs that lie near one another are read at once and handed out as one slice. */
import type { WriterId } from '../base/ids.js';
import { channelKey } from '../base/ids.js';
import { planted } from '../base/planted.js';
import type { Observer, ReadRange, ReadResult } from '../engine/ports.js';
import { RecordWalk, recordSeq, recordTimestamp } from '../log/entry-wire.js';
import type { Timestamp, Vector } from '../log/entry.js';
import { type Stretch, wholeStretches } from './damaged-run.js';
import { errorCode } from './files.js';
import type { RunPlace } from './index-rows.js';
import { PlacesAhead } from './places-ahead.js';
import { ResultBuilder } from './read-result.js';
import { isReadable, stretchesWithout, withoutRedacted } from './redacting.js';
import { segmentFileName } from './segment-format.js';
import type { SegmentSet } from './segments.js';
import type { Slot, SubLog } from './slots.js';
import type { DamageBook } from './damage-book.js';
import { isWholePlace } from './whole-place.js';
import { IndexDoubtError } from './index-doubt.js';
import type { StoreIndex } from './store-index.js';

export interface ReaderOptions {
  readonly index: StoreIndex;
  readonly segments: SegmentSet;
  readonly observer: Observer;
  readonly damage: DamageBook;
}

/** Bytes between two runs that are read along rather than read around. */
const gapBytesMax = 16_384;
const readBytesMax = 524_288;
const placesAtOnce = 128;
/** Damaged places told once. */
const alarmsMax = 10_000;
/** How often compaction may move what is being looked up. */
const movesMax = 5;

export class Reader {
  readonly #options: ReaderOptions;
  readonly #alarmed = new Set<string>();
  readonly #ahead = new PlacesAhead();
  /** The last large run that was not wanted whole: the next page is likely to want more of it. */
  #large: { readonly place: RunPlace; readonly stretches: readonly Stretch[] } | undefined;

  constructor(options: ReaderOptions) {
    this.#options = options;
  }

  async read(slot: Slot, ranges: readonly ReadRange[], bytesMax: number): Promise<ReadResult> {
    const result = new ResultBuilder(bytesMax);
    for (const { writer, firstSeq, count } of ranges) {
      if (result.isFull) break;
      await this.#readRange(slot, writer, firstSeq, firstSeq + count - 1, result);
    }
    return withoutRedacted(slot, result.done());
  }

  /** Whether the run is whole, its header too; where it is not, that is written down. */
  async verify(slot: Slot, writer: WriterId, place: RunPlace): Promise<boolean> {
    const segment = this.#options.segments.get(place.segment, place.generation);
    // Compaction moves it.
    if (!segment && this.#options.segments.covers(place.segment)) return true;
    const length = placeEnd(place) - place.offset;
    for (let tries = slot.log.redactions.size > 0 ? 2 : 1; tries > 0; tries--) {
      const bytes = segment ? await this.#bytes(segment, place.offset, length) : new Uint8Array(0);
      if (isReadable(slot, writer, place, bytes, 0)) return true;
    }
    this.#alarm(slot, writer, place);
    return false;
  }

  /** Runs were moved for another reason than compaction: what was looked up before does not hold. */
  forget(): void {
    this.#ahead.clear();
    this.#large = undefined;
  }

  /** The first seq of a writer stamped at or after `timestamp`, for each writer that has one. */
  async seqsSince(slot: Slot, timestamp: Timestamp): Promise<Vector> {
    const seqs = new Map<WriterId, number>();
    for (const { writer, seq, goneThrough, lastTimestamp } of slot.log.writers()) {
      if (seq <= goneThrough || lastTimestamp < timestamp) continue;
      const first = await this.#seqSince(slot, slot.subLog(writer), goneThrough + 1, seq, timestamp);
      if (first !== undefined) seqs.set(writer, first);
    }
    return seqs;
  }

  async #readRange(
    slot: Slot,
    writer: WriterId,
    firstSeq: number,
    lastSeq: number,
    result: ResultBuilder,
  ): Promise<void> {
    const subLog = slot.subLog(writer);
    const present = (slot.log.writer(writer)?.goneThrough ?? 0) + 1;
    let seq = Math.max(firstSeq, Math.min(present, lastSeq + 1));
    if (seq > firstSeq) result.addMissing({ writer, fromSeq: firstSeq, toSeq: seq - 1 });
    for (let moved = 0; seq <= lastSeq && !result.isFull;) {
      const places =
        this.#ahead.take(subLog, seq) ??
        (await this.#options.index.places(subLog, seq, lastSeq, placesAtOnce));
      if (places.length === 0) {
        this.#addMissing(slot, writer, seq, lastSeq, result);
        return;
      }
      const next = await this.#readPlaces(slot, writer, places, seq, lastSeq, result);
      if (next === seq && ++moved > movesMax) {
        throw new IndexDoubtError(`its places of ${channelKey(slot.ref)} are in segments that are gone`);
      }
      if (next > seq) this.#ahead.keep(subLog, next, following(places, next));
      seq = next;
    }
  }

  /** Reads through these places as far as the result has room; returns the seq to go on with. */
  async #readPlaces(
    slot: Slot,
    writer: WriterId,
    places: readonly RunPlace[],
    firstSeq: number,
    lastSeq: number,
    result: ResultBuilder,
  ): Promise<number> {
    let seq = firstSeq;
    let next = 0;
    while (next < places.length && !result.isFull) {
      const end = groupEnd(places, next, Math.min(readBytesMax, result.room));
      const group = places.slice(next, end);
      const found = await this.#readGroup(slot, writer, group);
      // Compaction moved them between looking them up and reading them.
      if (!found) return seq;
      for (let i = 0; i < group.length; i++) {
        const place = group[i]!;
        const through = Math.min(lastSeq, place.firstSeq + place.count - 1);
        if (place.firstSeq > seq) this.#addMissing(slot, writer, seq, place.firstSeq - 1, result);
        const first = Math.max(seq, place.firstSeq);
        const shown = this.#founded(slot, writer, place, found[i]!);
        seq = result.addRun(writer, shown, first, through);
        if (result.isFull) return seq;
      }
      next = end;
    }
    return seq;
  }

  /** Without entries that came without their content though nothing says that they are redacted. */
  #founded(slot: Slot, writer: WriterId, place: RunPlace, whole: readonly Stretch[]): readonly Stretch[] {
    const { ref, log } = slot;
    const { firstSeq, count } = place;
    const unfounded = log.redactions.unfounded(writer, firstSeq, firstSeq + count - 1);
    if (unfounded.length > 0) this.#options.damage.add({ ref, writer, firstSeq, count });
    return stretchesWithout(whole, unfounded);
  }

  /** The whole records of each place; `undefined` when their segment is not the one the index meant any more. */
  async #readGroup(
    slot: Slot,
    writer: WriterId,
    group: readonly RunPlace[],
  ): Promise<(readonly Stretch[])[] | undefined> {
    const first = group[0]!;
    if (this.#large && samePlace(this.#large.place, first)) return [this.#large.stretches];
    const last = group.at(-1)!;
    const segment = this.#options.segments.get(first.segment, first.generation);
    if (!segment)
      return this.#options.segments.covers(first.segment) ? undefined : this.#gone(slot, writer, group);
    const length = placeEnd(last) - first.offset;
    let bytes = await this.#bytes(segment, first.offset, length);
    const isWhole = (place: RunPlace): boolean =>
      isWholePlace(slot, writer, place, bytes, place.offset - first.offset);
    // Something may have been written over while it was read.
    if (slot.log.redactions.size > 0 && !group.every(isWhole))
      bytes = await this.#bytes(segment, first.offset, length);
    const found = group.map((place) =>
      this.#stretchesOf(slot, writer, place, bytes, place.offset - first.offset),
    );
    if (group.length === 1 && length > readBytesMax) this.#large = { place: first, stretches: found[0]! };
    return found;
  }

  /** The segment itself is missing. */
  #gone(slot: Slot, writer: WriterId, group: readonly RunPlace[]): (readonly Stretch[])[] {
    return group.map((place) => {
      this.#alarm(slot, writer, place);
      return noStretches;
    });
  }

  async #bytes(
    segment: Parameters<SegmentSet['read']>[0],
    offset: number,
    length: number,
  ): Promise<Uint8Array> {
    try {
      return await this.#options.segments.read(segment, offset, length);
    } catch (error) {
      const code = errorCode(error);
      if (code === 'EIO' || code === 'ENOENT') return new Uint8Array(0);
      throw error;
    }
  }

  /** What is whole of the run at `at`. */
  #stretchesOf(
    slot: Slot,
    writer: WriterId,
    place: RunPlace,
    bytes: Uint8Array,
    at: number,
  ): readonly Stretch[] {
    const { firstSeq, count, round, headerBytes, recordBytes } = place;
    const start = at + headerBytes;
    const end = start + recordBytes;
    const isWhole =
      isReadable(slot, writer, place, bytes, at) || (planted('damage-served') && end <= bytes.length);
    if (isWhole) return [{ bytes, start, end, round, firstSeq, count }];
    this.#alarm(slot, writer, place);
    return at < bytes.length ? wholeStretches(slot.ref, writer, place, bytes.subarray(at, end)) : noStretches;
  }

  #alarm(slot: Slot, writer: WriterId, place: RunPlace): void {
    const { segment, generation, offset, firstSeq, count } = place;
    if (!slot.log.isGivenUp(writer, firstSeq, firstSeq + count - 1))
      this.#options.damage.add({ ref: slot.ref, writer, firstSeq, count });
    const name = `${segmentFileName(segment, generation)}:${offset}`;
    if (this.#alarmed.has(name) || this.#alarmed.size >= alarmsMax) return;
    this.#alarmed.add(name);
    const what = `entries ${firstSeq} to ${firstSeq + count - 1} of writer ${writer} in ${channelKey(slot.ref)} cannot all be read`;
    this.#options.observer.observe({ type: 'damage', place: name, what });
  }

  /** No row tells of these. That is right for what was trimmed or lost; of anything else the index has lost a row. */
  #addMissing(slot: Slot, writer: WriterId, fromSeq: number, toSeq: number, result: ResultBuilder): void {
    const state = slot.log.writer(writer);
    const lost = slot.log.lostRanges().filter((range) => range.writer === writer);
    for (
      let seq = Math.max(fromSeq, (state?.goneThrough ?? 0) + 1);
      seq <= Math.min(toSeq, state?.seq ?? 0);
    ) {
      const range = lost.find((each) => each.fromSeq <= seq && seq <= each.toSeq);
      if (!range) {
        throw new IndexDoubtError(
          `it has no place for entry ${seq} of writer ${writer} in ${channelKey(slot.ref)}`,
        );
      }
      const { fromSeq: first, toSeq: last } = range;
      if (!slot.log.isGivenUp(writer, first, last))
        this.#options.damage.add({ ref: slot.ref, writer, firstSeq: first, count: last - first + 1 });
      seq = last + 1;
    }
    result.addMissing({ writer, fromSeq, toSeq });
  }

  async #seqSince(
    slot: Slot,
    subLog: SubLog,
    firstSeq: number,
    lastSeq: number,
    timestamp: Timestamp,
  ): Promise<number | undefined> {
    let low = firstSeq;
    let high = lastSeq;
    let found: RunPlace | undefined;
    // Runs that end before `low` are too old; `found` is the first known not to be.
    while (low <= high) {
      const middle = Math.floor((low + high) / 2);
      const place = await this.#options.index.placeBefore(subLog, middle);
      if (!place || place.lastTimestamp < timestamp) {
        low = Math.max(middle, place ? place.firstSeq + place.count - 1 : 0) + 1;
      } else {
        found = place;
        high = place.firstSeq - 1;
      }
    }
    if (!found) return undefined;
    const from = Math.max(found.firstSeq, firstSeq);
    if (found.firstTimestamp >= timestamp) return from;
    const stretches =
      (await this.#readGroup(slot, subLog.writer, [found])) ?? noStretches.map(() => noStretches);
    return firstSince(stretches[0] ?? noStretches, timestamp, from);
  }
}

const noStretches: readonly Stretch[] = [];

/** How many places from `from` on are read at once. */
function groupEnd(places: readonly RunPlace[], from: number, bytesMax: number): number {
  const first = places[from]!;
  let end = from + 1;
  for (; end < places.length; end++) {
    const place = places[end]!;
    const gap = place.offset - placeEnd(places[end - 1]!);
    const isNear =
      place.segment === first.segment &&
      place.generation === first.generation &&
      gap >= 0 &&
      gap <= gapBytesMax;
    if (!isNear || placeEnd(place) - first.offset > bytesMax) break;
  }
  return end;
}

/** The places from `seq` on, as far as they follow one another: a hole may be filled by the time it is read. */
function following(places: readonly RunPlace[], seq: number): readonly RunPlace[] {
  let first = 0;
  while (first < places.length && places[first]!.firstSeq + places[first]!.count <= seq) first++;
  let expected = seq;
  let end = first;
  while (end < places.length && places[end]!.firstSeq <= expected) {
    expected = places[end]!.firstSeq + places[end]!.count;
    end++;
  }
  return places.slice(first, end);
}

function placeEnd({ offset, headerBytes, recordBytes }: RunPlace): number {
  return offset + headerBytes + recordBytes;
}

function samePlace(a: RunPlace, b: RunPlace): boolean {
  return a.segment === b.segment && a.generation === b.generation && a.offset === b.offset;
}

/** The first record at or after `timestamp`, from seq `from` on; where it was damaged, the one behind. */
function firstSince(stretches: readonly Stretch[], timestamp: Timestamp, from: number): number {
  for (const { bytes, start, end } of stretches) {
    const walk = new RecordWalk(bytes, start, end);
    while (walk.next()) {
      const isOld = recordTimestamp(bytes, walk.bodyStart) < timestamp;
      if (!isOld && recordSeq(bytes, walk.bodyStart) >= from) return recordSeq(bytes, walk.bodyStart);
    }
  }
  return from;
}
