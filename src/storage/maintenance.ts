/** Background duties, one bounded step at a time, and never two at once: what one removes the other must not move. */
import { type WriterId, channelKey } from '../base/ids.js';
import type { ChannelLog } from '../log/channel-log.js';
import { floorWriter } from '../log/floors.js';
import { timestampFromUnixMs } from '../log/timestamp.js';
import { type Postponed, compactStep } from './compaction.js';
import { type RunPlace, decodeRun, runKey, tagged, tags } from './index-rows.js';
import type { Write } from './key-value.js';
import { eraseStep } from './redacting.js';
import type { StoreParts } from './options.js';
import type { Slot, SubLog } from './slots.js';
import { IndexDoubtError } from './index-doubt.js';

/** Rows of trimmed runs removed in one step. */
const trimmedAtOnce = 4_000;
const stepsWhenFull = 16;
const stepsWhenFullMs = 200;

export class Maintenance {
  readonly #parts: StoreParts;
  #running: Promise<void> | undefined;
  #stopped = false;
  readonly #postponed: Postponed = new Map();

  constructor(parts: StoreParts) {
    this.#parts = parts;
  }

  step(unixMs: number): Promise<void> {
    if (this.#stopped) return Promise.resolve();
    this.#running ??= this.#step(unixMs).finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  /** Something was stored again elsewhere: what stood in the way of compaction may be gone. */
  mended(): void {
    this.#postponed.clear();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#running?.catch(() => undefined);
  }

  async #step(unixMs: number): Promise<void> {
    const { index, space } = this.#parts;
    await space.check();
    await space.relieve();
    await index.flush();
    await eraseStep(this.#parts);
    if (await space.refill()) return;
    if (await this.#dropKeys(unixMs)) return;
    // On a full disk everybody waits for this.
    const { clock } = this.#parts.options;
    const steps = space.state === 'ok' ? 1 : stepsWhenFull;
    const until = clock.monotonicMs() + stepsWhenFullMs;
    for (let i = 0; i < steps && !this.#stopped; i++) {
      if (i > 0 && clock.monotonicMs() > until) break;
      if (await this.#removeTrimmed()) continue;
      if (!(await compactStep(this.#parts, this.#postponed, unixMs))) break;
    }
    if (steps > 1) await space.check();
  }

  async #dropKeys(unixMs: number): Promise<boolean> {
    const { index } = this.#parts;
    const writes = await index.keys.outdated(timestampFromUnixMs(Math.floor(unixMs)));
    index.addWrites(writes);
    return writes.length > 0;
  }

  /** Removes rows below the floors of one channel. */
  async #removeTrimmed(): Promise<boolean> {
    const { index, applier } = this.#parts;
    const [ref] = applier.trimmed.values();
    if (!ref) return false;
    // To the end of the queue: the others get their turn.
    applier.trimmed.delete(channelKey(ref));
    const slot = await index.slots.use(ref);
    try {
      const isDone = await this.#removeRows(slot);
      if (isDone) index.addWrites([{ key: tagged(tags.trim, slot.bytes) }]);
      else applier.trimmed.set(channelKey(ref), ref);
    } finally {
      index.slots.release(ref);
    }
    return true;
  }

  async #removeRows(slot: Slot): Promise<boolean> {
    // What is to be written over must be found until it is.
    if (slot.log.redactions.due().length > 0) return false;
    let left = trimmedAtOnce;
    const writes: Write[] = [];
    let isDone = true;
    // Of floor runs the newest says all.
    const floorRuns = { writer: floorWriter, goneThrough: slot.log.firstPosition - 1 };
    for (const { writer, goneThrough } of [...slot.log.writers(), floorRuns]) {
      const floor = isLastTrim(slot.log, writer, goneThrough) ? goneThrough - 1 : goneThrough;
      const subLog = slot.subLogs.get(writer);
      if (floor <= 0 || !subLog) continue;
      // Rows still on their way could not be removed yet.
      if ((subLog.recent[0]?.firstSeq ?? Number.POSITIVE_INFINITY) <= floor) isDone = false;
      const removed = await this.#removeBelow(subLog, floor, left, writes);
      left -= removed;
      if (left <= 0) {
        isDone = false;
        break;
      }
    }
    this.#parts.index.addWrites(writes);
    return isDone;
  }

  async #removeBelow(subLog: SubLog, floor: number, limit: number, writes: Write[]): Promise<number> {
    const { keyPrefix } = subLog;
    const rows = await this.#parts.index.keyValue.range({
      gte: runKey(keyPrefix, 0),
      lt: runKey(keyPrefix, floor + 1),
      limit,
    });
    for (const [key, value] of rows) {
      const place = decodeRun(key, value);
      if (!place) throw new IndexDoubtError('the row of a run is damaged');
      if (place.firstSeq + place.count - 1 > floor) break;
      writes.push({ key });
      this.#lower(place);
    }
    return rows.length;
  }

  #lower({ segment: number, generation, headerBytes, recordBytes }: RunPlace): void {
    const { segments, index } = this.#parts;
    const segment = segments.get(number, generation);
    if (!segment) return;
    segment.liveBytes = Math.max(0, segment.liveBytes - headerBytes - recordBytes);
    index.touchSegment(segment);
  }
}

/** The end of a generation is the trim that removes itself: where there are no floor runs a start finds the floors by it. */
function isLastTrim({ trim, generation }: ChannelLog, writer: WriterId, floor: number): boolean {
  const through = generation.deletion?.through;
  const isLast = through !== undefined && through.writer === writer && through.seq === floor;
  return isLast && trim?.through.writer === writer && trim.through.seq === floor;
}
