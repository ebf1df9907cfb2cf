/** Takes durable runs into the channel logs and the index: the same for a commit just synced and for one found at
 *  start, so that both lead to the same state. */
import { type ChannelRef, channelKey } from '../base/ids.js';
import { planted } from '../base/planted.js';
import type { Trim } from '../log/entry.js';
import { floorsIn } from '../log/floors.js';
import type { RunSummary } from '../log/run.js';
import { tagged, tags } from './index-rows.js';
import type { Segment } from './segments.js';
import type { Slot, SubLog } from './slots.js';
import type { StoreIndex } from './store-index.js';

/** Where a run lies; `headerBytes` 0: bare records that are verified one by one. */
export interface StoredAt {
  readonly segment: Segment;
  readonly offset: number;
  readonly headerBytes: number;
  readonly arrival: number;
}

/** To be settled once all runs of a commit are applied: a trim, or entries that are void. */
export type Due = Trim | 'voids';

export interface ApplierOptions {
  /** This node is the only home: an entry is committed as soon as it is synced, and a trim with it. Elsewhere a trim takes
   *  effect with the floor run that says so. */
  readonly soleHome: boolean;
}

export class Applier {
  readonly #index: StoreIndex;
  readonly #options: ApplierOptions;
  /** Channels with rows below their floors, by the trim that made them so. */
  readonly trimmed = new Map<string, ChannelRef>();
  /** Channels with redacted entries whose content may still be on the disk, and with trims that are not in force: both wait for a
   *  commit, or for a step of maintenance. */
  readonly waiting = new Map<string, ChannelRef>();
  /** Idempotency keys stamped before this are not remembered: while old segments are scanned, see keys-since.ts. */
  keysSince = 0;

  constructor(index: StoreIndex, options: ApplierOptions) {
    this.#index = index;
    this.#options = options;
  }

  /** The slot's log must accept the run. A floor run raises the floors at once, so that what follows it in the commit may
   *  stand on them. Returns what is to be settled once all runs of the commit are applied. */
  apply(slot: Slot, run: RunSummary, at: StoredAt): readonly Due[] {
    const { log } = slot;
    const subLog = slot.subLog(run.writer);
    const { firstSeq, count, round, firstTimestamp, lastTimestamp, recordBytes } = run;
    const { segment, offset, headerBytes, arrival } = at;
    log.apply(run);
    const floors = floorsIn(run);
    if (this.#options.soleHome && !floors)
      log.commitThrough({ writer: run.writer, seq: firstSeq + count - 1 });
    this.#index.addRun(slot, run.writer, {
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
      bytesBefore: subLog.totalBytes,
      arrival,
    });
    subLog.totalBytes += recordBytes;
    segment.liveBytes += headerBytes + recordBytes;
    for (const row of run.keys) if (row.timestamp >= this.keysSince) this.#index.keys.add(row);
    if (floors) return [floors];
    if (run.marked.length === 0) return nothing;
    const waits = run.marked.some(({ redacts, trim }) => redacts ?? (!this.#options.soleHome && trim));
    if (waits) this.noteWaiting(slot.ref, slot.bytes);
    return run.marked.flatMap(({ trim, voids }) => this.#dueOf(trim, voids));
  }

  #dueOf(trim: Trim | undefined, voids: unknown): Due | readonly Due[] {
    if (voids) return 'voids';
    return trim && this.#options.soleHome ? trim : nothing;
  }

  async settle(slot: Slot, due: Due): Promise<void> {
    if (due === 'voids') await this.#dropVoids(slot);
    else await this.trim(slot, due);
  }

  async #dropVoids(slot: Slot): Promise<void> {
    for (const { writer, floor, goneThrough } of slot.log.writers()) {
      const subLog = goneThrough > floor ? slot.subLogs.get(writer) : undefined;
      if (subLog) slot.log.dropBytes(await this.#drop(subLog, goneThrough));
    }
    this.#index.touch(slot);
    this.noteTrimmed(slot.ref, slot.bytes);
  }

  /** Raises the floors where that is still to be done, and accounts for what went; the rows below them are removed later,
   *  in steps. */
  async trim(slot: Slot, trim: Trim): Promise<void> {
    let droppedBytes = 0;
    for (const [writer, floor] of trim.floors) {
      const subLog = slot.subLogs.get(writer);
      if (subLog) droppedBytes += await this.#drop(subLog, floor);
    }
    slot.log.applyTrim(trim, 0);
    slot.log.dropBytes(droppedBytes);
    this.#index.touch(slot);
    this.noteTrimmed(slot.ref, slot.bytes);
  }

  /** Remembers, durably with the floors, that rows are to be removed. */
  noteTrimmed(ref: ChannelRef, channel: Uint8Array): void {
    this.#index.addWrites([{ key: tagged(tags.trim, channel), value: new Uint8Array(0) }]);
    this.trimmed.set(`${ref.hub}/${ref.channel}`, ref);
  }

  /** Remembers, durably with the entries that say so, that something is to be taken from the disk, or to take effect. */
  noteWaiting(ref: ChannelRef, channel: Uint8Array): void {
    if (!planted('erasing-forgotten'))
      this.#index.addWrites([{ key: tagged(tags.waiting, channel), value: new Uint8Array(0) }]);
    this.waiting.set(channelKey(ref), ref);
  }

  /** Record bytes between the old floor and the new one. A run that is only partly below counts by its entries. */
  async #drop(subLog: SubLog, floor: number): Promise<number> {
    const place = await this.#index.placeBefore(subLog, floor);
    if (!place) return 0;
    const part = Math.min(1, (floor - place.firstSeq + 1) / place.count);
    const below = place.bytesBefore + Math.round(place.recordBytes * part);
    const dropped = Math.max(0, below - subLog.droppedBytes);
    subLog.droppedBytes += dropped;
    return dropped;
  }
}

const nothing: readonly Due[] = [];
