/** Reads through everything stored, a part at a time, so that damage is found while other homes still have what it hit. Goes
 *  by the rows of runs: what none of them names is dead. The place reached is kept in the index. */
import { readOrdered64, toHex, utf8Text } from '../base/bytes.js';
import type { ChannelName, ChannelRef, HubName, WriterId } from '../base/ids.js';
import { IndexDoubtError } from './index-doubt.js';
import { decodeRun, isSealed, keyAfter, seal, tagged, tags, valueStart } from './index-rows.js';
import type { Reader } from './reader.js';
import type { SegmentSet } from './segments.js';
import type { StoreIndex } from './store-index.js';

export interface ScrubParts {
  readonly index: StoreIndex;
  readonly segments: SegmentSet;
  readonly reader: Reader;
}

/** Less at once costs more looking up than reading. */
const stepBytesMin = 65_536;
const rowsAtOnce = 64;
const positionKey = tagged(tags.scrub);
const start = tagged(tags.run);
const end = keyAfter(start);

export class Scrub {
  readonly #parts: ScrubParts;
  /** The key to go on with, once it is known. */
  #next: Uint8Array | undefined;

  constructor(parts: ScrubParts) {
    this.#parts = parts;
  }

  /** Verifies about this part of all there is; true once the end was reached. */
  async step(part: number): Promise<boolean> {
    const { segments, index } = this.#parts;
    this.#next ??= await this.#position();
    const total = segments.all().reduce((sum, segment) => sum + segment.end, 0);
    let left = Math.max(stepBytesMin, Math.ceil(total * part));
    let isAtEnd = false;
    while (left > 0 && !isAtEnd) {
      const rows = await index.keyValue.range({ gte: this.#next, lt: end, limit: rowsAtOnce });
      isAtEnd = rows.length < rowsAtOnce;
      for (const [key, value] of rows) {
        left -= await this.#verify(key, value);
        this.#next = keyBehind(key);
        if (left <= 0) break;
      }
      if (left <= 0) isAtEnd = false;
    }
    if (isAtEnd) this.#next = start;
    this.#keep(this.#next);
    return isAtEnd;
  }

  /** Bytes read. A run that is not whole is written down by the reader. */
  async #verify(key: Uint8Array, value: Uint8Array): Promise<number> {
    const { index, reader } = this.#parts;
    const place = decodeRun(key, value);
    if (!place)
      throw new IndexDoubtError(`the row of a run at seq ${readOrdered64(key, key.length - 8)} is damaged`);
    const { ref, writer } = subLogOf(key);
    const slot = await index.slots.use(ref);
    try {
      const gone = slot.log.writer(writer)?.goneThrough ?? 0;
      if (place.firstSeq + place.count - 1 > gone) await reader.verify(slot, writer, place);
    } finally {
      index.slots.release(ref);
    }
    return place.headerBytes + place.recordBytes;
  }

  async #position(): Promise<Uint8Array> {
    const value = await this.#parts.index.keyValue.get(positionKey);
    return value && isSealed(positionKey, value) ? value.slice(valueStart) : start;
  }

  #keep(next: Uint8Array): void {
    const value = new Uint8Array(valueStart + next.length);
    value.set(next, valueStart);
    this.#parts.index.addWrites([{ key: positionKey, value: seal(positionKey, value) }]);
  }
}

/** The first one that may come after it. */
function keyBehind(key: Uint8Array): Uint8Array {
  const next = new Uint8Array(key.length + 1);
  next.set(key);
  return next;
}

/** `r`, hub NUL channel NUL, writer 12, first seq. */
function subLogOf(key: Uint8Array): { ref: ChannelRef; writer: WriterId } {
  const hubEnd = key.indexOf(0, 1);
  const channelEnd = key.indexOf(0, hubEnd + 1);
  const hub = utf8Text(key.subarray(1, hubEnd)) as HubName;
  const channel = utf8Text(key.subarray(hubEnd + 1, channelEnd)) as ChannelName;
  return { ref: { hub, channel }, writer: toHex(key.subarray(channelEnd + 1, channelEnd + 13)) as WriterId };
}
