/** Takes durable runs into the channel logs and the index: the same for a commit just synced and for one found at
 *  start, so that both lead to the same state. */
import { InvariantError } from '../base/assert.js';
import type { ChannelRef, WriterId } from '../base/ids.js';
import type { ChannelLog, Refusal } from '../log/channel-log.js';
import type { LostRange, Trim } from '../log/entry.js';
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

export interface ApplierOptions {
  /** This node is the only home: an entry is committed as soon as it is synced. */
  readonly soleHome: boolean;
  /** Idempotency keys stamped before this need not be remembered. */
  readonly keysSince: number;
}

export class Applier {
  readonly #index: StoreIndex;
  readonly #options: ApplierOptions;
  /** Channels with rows below their floors, by the trim that made them so. */
  readonly trimmed = new Map<string, ChannelRef>();

  constructor(index: StoreIndex, options: ApplierOptions) {
    this.#index = index;
    this.#options = options;
  }

  /** The slot's log must accept the run. Returns its trims, which are due once all runs of the commit are applied. */
  apply(slot: Slot, run: RunSummary, at: StoredAt): readonly Trim[] {
    const { log } = slot;
    const subLog = slot.subLog(run.writer);
    const { firstSeq, count, round, firstTimestamp, lastTimestamp, recordBytes } = run;
    const { segment, offset, headerBytes, arrival } = at;
    log.apply(run);
    if (this.#options.soleHome) log.commitThrough({ writer: run.writer, seq: firstSeq + count - 1 });
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
    for (const row of run.keys) if (row.timestamp >= this.#options.keysSince) this.#index.keys.add(row);
    return run.marked.length === 0 ? noTrims : run.marked.flatMap(({ trim }) => trim ?? []);
  }

  /** Raises the floors; the rows below them are removed later, in steps. */
  async trim(slot: Slot, trim: Trim): Promise<void> {
    let droppedBytes = 0;
    for (const [writer, floor] of trim.floors) {
      const subLog = slot.subLogs.get(writer);
      if (subLog) droppedBytes += await this.#drop(subLog, floor);
    }
    slot.log.applyTrim(trim, droppedBytes);
    this.#index.touch(slot);
    this.noteTrimmed(slot.ref, slot.bytes);
  }

  /** Remembers, durably with the floors, that rows are to be removed. */
  noteTrimmed(ref: ChannelRef, channel: Uint8Array): void {
    this.#index.addWrites([{ key: tagged(tags.trim, channel), value: new Uint8Array(0) }]);
    this.trimmed.set(`${ref.hub}/${ref.channel}`, ref);
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

const noTrims: readonly Trim[] = [];

/** Makes room for a run found at start: what it needs and the log does not have is marked as lost, and told in `lost`.
 *  Returns why the run must be left out all the same. */
export function makeAcceptable(log: ChannelLog, run: RunSummary, lost: LostRange[]): Refusal | undefined {
  const lose = (writer: WriterId, fromSeq: number, toSeq: number): void => {
    log.lose({ writer, fromSeq, toSeq });
    lost.push({ writer, fromSeq, toSeq });
  };
  // Each round marks at least one range, and a run names few.
  for (let round = 0; round < 4; round++) {
    const accepted = log.accepts(run);
    if (accepted.ok) return undefined;
    const refusal = accepted.error;
    if (refusal.type === 'gap') lose(run.writer, refusal.expected.seq, run.firstSeq - 1);
    else if (refusal.type === 'parents') {
      for (const { writer, seq } of refusal.missing) lose(writer, log.have(writer) + 1, seq);
    } else return refusal;
  }
  throw new InvariantError('a run is acceptable once all it needs is marked as lost');
}
