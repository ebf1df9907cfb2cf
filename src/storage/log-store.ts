/** The store of one node: segments as the truth, an index that can be rebuilt from them, and the channel logs in use.
 *  docs/architecture.md tells how they fit together; the promises are those of `LogStore` in engine/ports.ts. */
import { assert } from '../base/assert.js';
import type { ChannelRef, HubName, StoreId, WriterId } from '../base/ids.js';
import {
  type ArrivedRuns,
  type ChannelContent,
  type ChannelPage,
  type ChannelSize,
  type Commit,
  type CommitReceipt,
  type Damage,
  type DamagedRun,
  type DigestOptions,
  type LogStore,
  type ReadRange,
  type ReadResult,
  type StoredDigest,
  StoreClosedError,
  StoreFailedError,
} from '../engine/ports.js';
import type { ChannelLog } from '../log/channel-log.js';
import type { Timestamp, Vector } from '../log/entry.js';
import type { KeyRow, RunSummary } from '../log/run.js';
import type { Due } from './applier.js';
import { arrivedSince } from './arrivals.js';
import { listChannels, listHubs } from './channel-list.js';
import { Digests } from './digests.js';
import { DamageBook } from './damage-book.js';
import { examine } from './examining.js';
import { isFull } from './files.js';
import { renamed, writeIdentity } from './identity.js';
import { markDoubt } from './index-open.js';
import type { WantedKey } from './key-buckets.js';
import { Maintenance } from './maintenance.js';
import { type Mending, planMendings } from './mending.js';
import { openParts } from './open.js';
import { type LogStoreOptions, type StoreParts, storeDirectory } from './options.js';
import { Reader } from './reader.js';
import { Scrub } from './scrub.js';
import type { Appended } from './segment-writer.js';
import type { Slot } from './slots.js';
import type { Space } from './space.js';
import { IndexDoubtError } from './index-doubt.js';

export type { LogStoreOptions } from './options.js';

/** Opens the store of a data directory, or makes it. Rejects with LockHeldError, with StoreRefusedError when the
 *  directory holds what this program must not touch, and with StoreFailedError when the disk does not work. */
export async function openLogStore(options: LogStoreOptions): Promise<LogStore> {
  // A step ahead may fail while the store is still being opened: then the open itself does.
  const opened: { store?: SegmentedLogStore } = {};
  const parts = await openParts(options, (error) => opened.store?.fail(error));
  opened.store = new SegmentedLogStore(parts);
  return opened.store;
}

/** Rows that start a batch of the index, and rows beyond which a commit waits for it. */
const batchRows = 512;
const waitingRowsMax = 100_000;

class SegmentedLogStore implements LogStore {
  readonly storeId: StoreId;
  readonly notes: Map<string, Uint8Array>;
  readonly #parts: StoreParts;
  readonly #reader: Reader;
  readonly #digests: Digests;
  readonly #maintenance: Maintenance;
  readonly #damage = new DamageBook();
  readonly #scrub: Scrub;
  #failure: StoreFailedError | undefined;
  #closed: Promise<void> | undefined;
  #committing = false;
  #doubtMarked: Promise<unknown> = Promise.resolve();

  constructor(parts: StoreParts) {
    this.#parts = parts;
    this.storeId = parts.storeId;
    this.notes = parts.notes;
    const { index, segments, options } = parts;
    this.#reader = new Reader({ index, segments, observer: options.observer, damage: this.#damage });
    this.#digests = new Digests({ index, reader: this.#reader, clock: options.clock });
    this.#scrub = new Scrub({ index, segments, reader: this.#reader });
    this.#maintenance = new Maintenance(parts);
  }

  async open(ref: ChannelRef): Promise<ChannelLog> {
    this.#mustWork();
    return await this.#guard(async () => (await this.#parts.index.slots.use(ref)).log);
  }

  peek(ref: ChannelRef): ChannelLog | undefined {
    return this.#parts.index.slots.get(ref)?.log;
  }

  release(ref: ChannelRef): void {
    this.#parts.index.slots.release(ref);
  }

  async commit(commit: Commit): Promise<CommitReceipt> {
    this.#mustWork();
    assert(!this.#committing, 'one commit at a time');
    const slots = this.#slotsOf(commit.runs);
    this.#committing = true;
    try {
      return await this.#guard(() => this.#commit(commit, slots));
    } finally {
      this.#committing = false;
    }
  }

  async #commit(commit: Commit, slots: readonly Slot[]): Promise<CommitReceipt> {
    const { writer, index, space } = this.#parts;
    if (index.pendingRows > waitingRowsMax) await index.flush();
    const mendings = commit.repairs && (await this.#plan(commit.repairs));
    const appended = await writer.append(commit, () => this.#notesWith(commit));
    // A step ahead of the commits may have failed meanwhile: then it is not said whether this one holds.
    this.#mustWork();
    const dues = this.#apply(commit, slots, appended);
    if (mendings) this.#mend(commit, mendings, appended);
    if (dues) for (const [slot, due] of dues) await this.#parts.applier.settle(slot, due);
    if (mendings) {
      await index.flushAll();
      this.#reader.forget();
      for (const { ref } of commit.repairs ?? []) this.#digests.forget(ref);
    } else this.#flushIfDue();
    space.written(writer.writtenBytes);
    const { number, firstArrival } = appended.header;
    return { number, firstArrival };
  }

  space(): Space {
    return this.#parts.space.state;
  }

  get bytes(): number {
    return this.#parts.index.hubBytes.total;
  }

  hubBytes(hub: HubName): number {
    return this.#parts.index.hubBytes.of(hub);
  }

  async read(ref: ChannelRef, ranges: readonly ReadRange[], bytesMax: number): Promise<ReadResult> {
    return await this.#withSlot(ref, (slot) => this.#reader.read(slot, ranges, bytesMax));
  }

  async seqsSince(ref: ChannelRef, timestamp: Timestamp): Promise<Vector> {
    return await this.#withSlot(ref, (slot) => this.#reader.seqsSince(slot, timestamp));
  }

  async findKeys(
    rows: readonly WantedKey[],
    since: Timestamp,
    until: Timestamp = Infinity,
  ): Promise<(KeyRow | undefined)[]> {
    this.#mustWork();
    return await this.#guard(() => this.#parts.index.keys.find(rows, since, until));
  }

  get newestArrival(): number {
    return this.#parts.index.newestArrival;
  }

  get newestCommit(): number {
    return this.#parts.index.meta.commit;
  }

  async arrivedSince(after: number, limit: number): Promise<ArrivedRuns> {
    this.#mustWork();
    return await this.#guard(() => arrivedSince(this.#parts, after, limit));
  }

  async hubs(): Promise<readonly HubName[]> {
    this.#mustWork();
    return await this.#guard(() => listHubs(this.#parts.index));
  }

  async channels(hub: HubName, page: ChannelPage): Promise<readonly ChannelSize[]> {
    this.#mustWork();
    return await this.#guard(() => listChannels(this.#parts.index, hub, page));
  }

  async digest(ref: ChannelRef, options?: DigestOptions): Promise<StoredDigest | undefined> {
    const digest = await this.#withSlot(ref, (slot) => this.#digests.of(slot, options));
    this.#flushIfDue();
    return digest;
  }

  async contents(hub: HubName, page: ChannelPage): Promise<readonly ChannelContent[]> {
    this.#mustWork();
    return await this.#guard(() => this.#digests.list(hub, page));
  }

  damaged(limit: number): readonly DamagedRun[] {
    return this.#damage.take(limit);
  }

  async examine(ref: ChannelRef, writer: WriterId, seq: number): Promise<Damage | undefined> {
    const { index } = this.#parts;
    return await this.#withSlot(ref, async (slot) => {
      const damage = await examine({ index, reader: this.#reader }, slot, writer, seq);
      if (!damage) this.#damage.forget({ ref, writer, firstSeq: seq, count: 1 });
      return damage;
    });
  }

  async scrub(part: number): Promise<boolean> {
    this.#mustWork();
    return await this.#guard(() => this.#scrub.step(part));
  }

  async maintain(unixMs: number): Promise<void> {
    this.#mustWork();
    await this.#guard(() => this.#maintenance.step(unixMs));
  }

  waiting(limit: number): readonly ChannelRef[] {
    const { waiting } = this.#parts.applier;
    const refs = [...waiting].slice(0, limit);
    // To the end of the queue: the others get their turn.
    for (const [key, ref] of refs) {
      waiting.delete(key);
      waiting.set(key, ref);
    }
    return refs.map(([, ref]) => ref);
  }

  async rename(): Promise<void> {
    this.#mustWork();
    const { lineage, options, index } = this.#parts;
    const identity = renamed({ lineage, storeId: this.storeId }, options.random);
    await this.#guard(async () => {
      // Whatever of the two is missing after a crash: an index of another name is built anew.
      index.cover({ storeId: identity.storeId });
      await index.flushAll();
      await writeIdentity(options.files, storeDirectory(options), identity);
    });
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  /** Nothing is accepted from now on. Told once. */
  fail(error: unknown): StoreFailedError {
    if (this.#failure) return this.#failure;
    const message = error instanceof Error ? error.message : String(error);
    const reason = isFull(error) ? 'full' : 'io';
    this.#failure =
      error instanceof StoreFailedError ? error : new StoreFailedError(reason, message, { cause: error });
    const { options } = this.#parts;
    // The next start rebuilds it: what it says now cannot be told from what it lost.
    if (error instanceof IndexDoubtError) {
      this.#doubtMarked = markDoubt({ files: options.files, directory: storeDirectory(options) }).catch(
        () => undefined,
      );
    }
    options.observer.observe({ type: 'store-failed', reason: this.#failure.reason, message });
    return this.#failure;
  }

  async #close(): Promise<void> {
    const { index, writer, segments, lock } = this.#parts;
    await this.#maintenance.stop();
    try {
      if (!this.#failure) await index.flushAll();
    } catch {
      // Told by `fail`; the next start does without.
    }
    await this.#doubtMarked;
    await settled([writer.close(), segments.close(), index.keyValue.close()]);
    await lock.release();
  }

  #flushIfDue(): void {
    const { index } = this.#parts;
    if (index.pendingRows >= batchRows && !index.isFlushing) void index.flush().catch(() => undefined);
  }

  #slotsOf(runs: readonly RunSummary[]): Slot[] {
    return runs.map((run) => {
      const slot = this.#parts.index.slots.get(run.ref);
      assert(slot && slot.users > 0, 'the channels of a commit are open');
      return slot;
    });
  }

  /** What becomes of the runs that are stored again. */
  async #plan(repairs: readonly RunSummary[]): Promise<(Mending | undefined)[]> {
    const { index, segments, applier } = this.#parts;
    const slots = this.#slotsOf(repairs);
    const parts = { index, segments, applier };
    await index.flushAll();
    return await planMendings(
      parts,
      repairs.map((run, i) => ({ slot: slots[i]!, run })),
    );
  }

  /** From now on they are read from their new places. */
  #mend(
    { runs, repairs = [] }: Commit,
    mendings: readonly (Mending | undefined)[],
    { header, segment, runsAt }: Appended,
  ): void {
    let arrival = header.firstArrival;
    for (const { count } of runs) arrival += count;
    for (const [i, run] of repairs.entries()) {
      mendings[i]?.apply({ segment, offset: runsAt + run.offset, headerBytes: run.headerBytes, arrival });
      arrival += run.count;
      this.#damage.forget(run);
    }
    this.#maintenance.mended();
  }

  /** Only when a segment begins. */
  #notesWith(commit: Commit): ReadonlyMap<string, Uint8Array> {
    return new Map([...this.notes, ...(commit.notes ?? [])]);
  }

  /** The commit is durable: takes it into logs and index. Returns what is to be settled. */
  #apply(commit: Commit, slots: readonly Slot[], appended: Appended): [Slot, Due][] | undefined {
    const { index, applier, writer } = this.#parts;
    const { header, segment, runsAt, length } = appended;
    let dues: [Slot, Due][] | undefined;
    let arrival = header.firstArrival;
    for (let i = 0; i < slots.length; i++) {
      const run = commit.runs[i]!;
      const at = { segment, offset: runsAt + run.offset, headerBytes: run.headerBytes, arrival };
      for (const range of commit.lost?.get(i) ?? []) slots[i]!.log.lose(range);
      for (const due of applier.apply(slots[i]!, run, at)) (dues ??= []).push([slots[i]!, due]);
      arrival += run.count;
    }
    const { number: segmentNumber, generation } = segment;
    const { offset } = header;
    if (header.entryCount > 0) {
      const { firstArrival, entryCount: entries } = header;
      const place = {
        arrival: firstArrival,
        entries,
        segment: segmentNumber,
        generation,
        offset,
        bytes: length,
      };
      index.addArrival({ ...place, kind: 'commit' });
    }
    if (commit.notes) {
      for (const [name, value] of commit.notes) this.notes.set(name, value.slice());
      index.addNotes(commit.notes);
    }
    index.touchSegment(segment);
    const { nextArrival } = writer;
    index.cover({
      commit: header.number,
      segment: segmentNumber,
      generation,
      offset,
      end: offset + length,
      nextArrival,
    });
    return dues;
  }

  async #withSlot<T>(ref: ChannelRef, use: (slot: Slot) => Promise<T>): Promise<T> {
    this.#mustWork();
    const { slots } = this.#parts.index;
    return await this.#guard(async () => {
      const slot = await slots.use(ref);
      try {
        return await use(slot);
      } finally {
        slots.release(ref);
      }
    });
  }

  #mustWork(): void {
    if (this.#failure) throw this.#failure;
    if (this.#closed) throw new StoreClosedError();
  }

  /** Whatever goes wrong on a disk ends the store. */
  async #guard<T>(task: () => Promise<T>): Promise<T> {
    try {
      return await task();
    } catch (error) {
      throw this.fail(error);
    }
  }
}

async function settled(tasks: readonly Promise<void>[]): Promise<void> {
  await Promise.allSettled(tasks);
}
