/** What happens between opening the index and the first commit: segments are read from where the index ends, whole
 *  commits are taken in, damage is salvaged, and the tail is made fit to be written behind. */
import { type ChannelRef, channelKey } from '../base/ids.js';
import { floorsIn, isFloorRun } from '../log/floors.js';
import { RefCache } from '../log/run-reader.js';
import type { RunSummary } from '../log/run.js';
import { Again } from './again.js';
import type { Due, StoredAt } from './applier.js';
import { type CommitHeader, lineageSeed } from './commit-format.js';
import type { FoundSegment } from './directory.js';
import type { ArrivalPlace } from './index-rows.js';
import { salvage } from './salvage.js';
import { type ScanItem, scanSegment } from './scan.js';
import { segmentHeaderBytes } from './segment-format.js';
import type { Slot } from './slots.js';
import type { Segment } from './segments.js';
import { type Held, type HeldCommit, heldCommit, refsOf } from './held-commit.js';
import type { Recovered, RecoveryOptions } from './recovery-options.js';
import { RecoveryReport } from './recovery-report.js';
import { type FitOptions, Strays, fit, hasPlace, takeBelow } from './strays.js';
import { type HeldDamage, type TailEnd, readStretch, repairTail } from './tail.js';

type DueOf = readonly [ChannelRef, Due];

/** Rows that may wait before the scan stops for the index, and from which on a batch is begun. */
const waitingRowsMax = 16_000;
const batchRows = 4_000;
export async function recover(options: RecoveryOptions): Promise<Recovered> {
  return await new Recovery(options).run();
}

class Recovery {
  readonly #options: RecoveryOptions;
  readonly #seed: number;
  readonly #cache = new RefCache();
  /** Not settled yet: at most one commit, and the damage behind it. */
  #held: Held[] = [];
  #lastCommit: number;
  #nextArrival: number;
  #commits = 0;
  #entries = 0;
  /** Something that was synced is not there. Holes alone do not say so: where all commits are whole and none is missing,
   *  what they stand on and is not here was not here when they were written (`Commit.lost`). */
  #forgot = false;
  #isPartTold = false;
  readonly #report: RecoveryReport;
  readonly #strays = new Strays();
  readonly #again: Again;
  /** Channels in which something had to be marked as lost: told of where that is news. */
  readonly #holed = new Map<string, ChannelRef>();

  constructor(options: RecoveryOptions) {
    this.#options = options;
    this.#report = new RecoveryReport(options.observer);
    this.#again = new Again(options);
    this.#seed = lineageSeed(options.lineage);
    this.#lastCommit = options.covered.commit;
    this.#nextArrival = options.covered.nextArrival;
  }

  async run(): Promise<Recovered> {
    const { covered, found } = this.#options;
    const due = found.filter(({ through }) => through >= covered.segment);
    const totalBytes = due.reduce((sum, { size }) => sum + size, 0);
    let doneBytes = 0;
    let end: TailEnd | undefined;
    for (const segment of due) {
      const known = this.#segmentOf(segment);
      const from =
        segment.number === covered.segment ? Math.max(covered.end, segmentHeaderBytes) : segmentHeaderBytes;
      if (from > segment.size && segment.number === covered.segment) {
        this.#forgot = true;
        this.#report.short(segment, covered.end);
      }
      const garbage = await this.#scan(segment, known, from, { doneBytes, totalBytes });
      doneBytes += segment.size;
      end = { segment: known, found: segment, garbage };
    }
    const repaired = await this.#repair(end);
    await this.#settle();
    await this.#takeStrays();
    await this.#again.mend();
    if (this.#forgot) this.#report.lost(this.#options.index, this.#holed.values());
    return {
      commits: this.#commits,
      entries: this.#entries,
      cutBytes: repaired.cutBytes,
      forgot: this.#forgot,
      goOnIn: repaired.goOnIn,
      lastCommit: this.#lastCommit,
      nextArrival: this.#nextArrival,
      nextSegment: this.#nextSegment(),
    };
  }

  /** What is known of a segment: from the index, or now. */
  #segmentOf(found: FoundSegment): Segment {
    const { segments } = this.#options;
    const { number, generation, through, header } = found;
    const known = segments.get(number, generation);
    if (known) return known;
    const segment: Segment = {
      number,
      generation,
      through,
      firstCommit: header?.firstCommit ?? 0,
      firstArrival: header?.firstArrival ?? 0,
      lastCommit: header?.lastCommit ?? 0,
      end: segmentHeaderBytes,
      liveBytes: 0,
    };
    // A file made ahead becomes a segment with its first commit.
    if (!found.isBlank) segments.add(segment);
    return segment;
  }

  /** Returns where bytes other than zero end behind the last whole commit. */
  async #scan(
    found: FoundSegment,
    segment: Segment,
    from: number,
    progress: { doneBytes: number; totalBytes: number },
  ): Promise<number> {
    const { files, segments, index } = this.#options;
    const file = await files.open(segments.pathOf(segment), 'read');
    try {
      const source = {
        number: found.number,
        generation: found.generation,
        size: found.size,
        read: (into: Uint8Array, position: number) => file.read(into, position),
      };
      let garbage = from;
      for await (const items of scanSegment(source, from, this.#seed, this.#cache)) {
        const refs = refsOf(items);
        await index.slots.bring(refs);
        for (const item of items) {
          if (item.type === 'end') garbage = await this.#endSegment(found, segment, item);
          else await this.#take(segment, item);
        }
        for (const ref of refs) this.#settleSlot(ref);
        await this.#paceIndex();
        this.#progress(progress, segment.end);
      }
      return garbage;
    } finally {
      await file.close();
    }
  }

  async #take(segment: Segment, item: Exclude<ScanItem, { type: 'end' }>): Promise<void> {
    if (item.type === 'damage') {
      this.#held.push({ type: 'damage', segment, from: item.from, to: item.to, header: item.header });
      return;
    }
    if (this.#isStale(segment, item.header)) {
      const { offset } = item.header;
      this.#held.push({ type: 'damage', segment, from: offset, to: offset + item.length, header: undefined });
      return;
    }
    // A whole commit here means that all before it was synced.
    await this.#settle();
    this.#options.segments.add(segment);
    this.#held = [heldCommit(segment, item)];
  }

  /** A block of an earlier commit of this very place: commit numbers only rise. */
  #isStale(segment: Segment, { kind, number }: CommitHeader): boolean {
    if (kind !== 'written') return segment.generation === 0;
    const held = this.#held[0];
    const last = held?.type === 'commit' ? held.header.number : this.#lastCommit;
    return number <= last;
  }

  async #endSegment(
    found: FoundSegment,
    segment: Segment,
    item: Extract<ScanItem, { type: 'end' }>,
  ): Promise<number> {
    if (item.garbage > item.content) {
      const { content: from, garbage: to } = item;
      this.#held.push({ type: 'damage', segment, from, to, header: undefined });
    }
    if (segment.generation > 0) {
      await this.#settle();
      this.#lookAtEnd(found, segment, item.content);
      this.#lastCommit = Math.max(this.#lastCommit, segment.lastCommit);
      this.#options.index.cover({ commit: this.#lastCommit });
    }
    return item.garbage;
  }

  /** Of a rewritten segment only its header says how much there was: commits behind it do not show what is missing. Where
   *  that cannot be read, nobody knows. */
  #lookAtEnd({ header }: FoundSegment, segment: Segment, content: number): void {
    if (header && header.end <= content) return;
    this.#forgot = true;
    if (header) this.#report.tell(segment, content, `it ends here instead of at ${header.end}`);
  }

  /** Takes in what is held. */
  async #settle(): Promise<void> {
    const held = this.#held;
    this.#held = [];
    for (const item of held) {
      if (item.type === 'commit') await this.#apply(item);
      else await this.#salvage(item);
    }
  }

  async #apply({ segment, header, length, runs, notes }: HeldCommit): Promise<void> {
    const { index } = this.#options;
    if (header.kind === 'written') {
      if (this.#report.skipped(segment, header, this.#lastCommit)) this.#forgot = true;
      if (segment.firstCommit === 0) {
        segment.firstCommit = header.number;
        segment.firstArrival = header.firstArrival;
      }
      segment.lastCommit = header.number;
      this.#lastCommit = header.number;
    }
    const end = header.offset + length;
    segment.end = Math.max(segment.end, end);
    const trims: DueOf[] = [];
    for (const { run, offset, arrival } of runs) {
      const at = { segment, offset, headerBytes: run.headerBytes, arrival };
      const slot = this.#slotOf(run);
      // Nearly always: nothing has to be found for it first.
      if (slot.log.accepts(run).ok) this.#takeIn(slot, run, at, trims);
      else this.#fitIn(slot, run, at, trims, header.kind);
      this.#nextArrival = Math.max(this.#nextArrival, arrival + run.count);
      if (header.kind === 'rewritten') {
        const bytes = run.headerBytes + run.recordBytes;
        this.#addArrival(segment, { arrival, entries: run.count, offset, bytes, kind: 'run' });
      }
    }
    if (header.kind === 'written' && runs.length > 0) {
      const { firstArrival: arrival, entryCount: entries, offset } = header;
      this.#addArrival(segment, { arrival, entries, offset, bytes: length, kind: 'commit' });
    }
    if (this.#again.isWaiting) await this.#tellPart();
    await this.#applyTrims(trims);
    if (notes) this.#takeNotes(notes);
    this.#commits++;
    index.touchSegment(segment);
    const { number, generation } = segment;
    index.cover({
      commit: this.#lastCommit,
      segment: number,
      generation,
      offset: header.offset,
      end,
      nextArrival: this.#nextArrival,
    });
  }

  #slotOf({ ref }: RunSummary): Slot {
    const slot = this.#options.index.slots.get(ref);
    if (!slot) throw new Error(`channel ${ref.channel} was not brought into memory`);
    return slot;
  }

  /** Adds the trims that are due after it. */
  #takeIn(slot: Slot, run: RunSummary, at: StoredAt, trims: DueOf[]): void {
    const floors = floorsIn(run);
    if (floors) takeBelow(slot.log, floors.floors, this.#fitting(slot, trims));
    this.#entries += run.count;
    for (const due of this.#options.applier.apply(slot, run, at)) trims.push([run.ref, due]);
  }

  /** Takes a run in, and before it what was salvaged that it stands on. */
  #fitIn(
    slot: Slot,
    run: RunSummary,
    at: StoredAt,
    trims: DueOf[],
    kind: CommitHeader['kind'] | 'stray' = 'stray',
  ): void {
    const refusal = fit(slot.log, run, this.#fitting(slot, trims));
    if (!refusal) return this.#takeIn(slot, run, at, trims);
    if (kind !== 'stray' && !isFloorRun(run) && this.#again.take(slot.log, run, at, { kind, refusal })) {
      this.#holed.set(channelKey(run.ref), run.ref);
      return;
    }
    // Present twice, or below the floor already: compaction was interrupted, or is behind.
    if (refusal.type === 'duplicate' || refusal.type === 'trimmed') return;
    this.#report.tell(
      at.segment,
      at.offset,
      `a run of ${channelKey(run.ref)} does not fit what is held (${refusal.type}); left out`,
    );
    this.#forgot = true;
  }

  #fitting(slot: Slot, trims: DueOf[]): FitOptions {
    return {
      strays: this.#strays,
      apply: (stray) => this.#takeIn(slot, stray.run, stray.at, trims),
      lost: () => this.#holed.set(channelKey(slot.ref), slot.ref),
    };
  }

  async #applyTrims(trims: readonly DueOf[]): Promise<void> {
    for (const [ref, due] of trims) {
      const slot = this.#options.index.slots.get(ref);
      if (slot) await this.#options.applier.settle(slot, due);
    }
  }

  #addArrival({ number, generation }: Segment, place: Omit<ArrivalPlace, 'segment' | 'generation'>): void {
    if (place.arrival > 0) this.#options.index.addArrival({ ...place, segment: number, generation });
  }

  #takeNotes(notes: ReadonlyMap<string, Uint8Array>): void {
    for (const [name, value] of notes) this.#options.notes.set(name, value);
    this.#options.index.addNotes(notes);
  }

  async #tellPart(): Promise<void> {
    if (this.#isPartTold) return;
    this.#isPartTold = true;
    await this.#options.onPart();
  }

  /** Saves what is whole of a damaged stretch. */
  async #salvage({ segment, from, to, header }: HeldDamage): Promise<void> {
    const { index, files, segments } = this.#options;
    await this.#tellPart();
    segments.add(segment);
    const bytes = await readStretch(files, segments.pathOf(segment), from, to);
    const { notes, saved } = salvage(bytes, header);
    let entries = 0;
    for (const { summary, offset, headerBytes } of saved) {
      entries += summary.count;
      // Where a run's place in its commit is in doubt, so is its arrival number: it gets none.
      const at = { segment, offset: from + offset, headerBytes, arrival: 0 };
      if (isFloorRun(summary)) await this.#takeFloors(summary, at);
      else this.#strays.add({ run: summary, at });
    }
    if (notes) this.#takeNotes(notes);
    if (header?.kind === 'written') {
      this.#lastCommit = Math.max(this.#lastCommit, header.number);
      this.#nextArrival = Math.max(this.#nextArrival, header.firstArrival + header.entryCount);
    }
    segment.end = Math.max(segment.end, to);
    index.touchSegment(segment);
    this.#forgot = true;
    this.#report.tell(segment, from, `${to - from} bytes are damaged; ${entries} entries in them are whole`);
  }

  /** Floors once written down hold for good, wherever the record of them was found. */
  async #takeFloors(run: RunSummary, at: StoredAt): Promise<void> {
    await this.#options.index.slots.bring([run.ref]);
    const slot = this.#slotOf(run);
    const trims: DueOf[] = [];
    if (slot.log.accepts(run).ok) this.#takeIn(slot, run, at, trims);
    await this.#applyTrims(trims);
  }

  /** What no whole commit asked for. */
  async #takeStrays(): Promise<void> {
    for (let stray = this.#strays.takeAny(); stray; stray = this.#strays.takeAny()) {
      await this.#options.index.slots.bring([stray.run.ref]);
      const slot = this.#slotOf(stray.run);
      if (!hasPlace(slot.log, stray.run)) {
        const { run, at } = stray;
        this.#report.tell(
          at.segment,
          at.offset,
          `a run of ${channelKey(run.ref)} has no place in the order; left out`,
        );
        continue;
      }
      const trims: DueOf[] = [];
      this.#fitIn(slot, stray.run, stray.at, trims);
      await this.#applyTrims(trims);
    }
  }

  /** Decides about what is held behind the last whole commit, and makes that commit durable for sure. */
  async #repair(end: TailEnd | undefined): Promise<{ cutBytes: number; goOnIn: Segment | undefined }> {
    if (!end) return { cutBytes: 0, goOnIn: undefined };
    const commit = this.#held[0]?.type === 'commit' ? this.#held[0] : undefined;
    const damage = this.#held.filter((held) => held.type === 'damage');
    const { files, segments, lineage, covered } = this.#options;
    const repaired = await repairTail({
      files,
      segments,
      lineage,
      end,
      damage,
      last: commit && { segment: commit.segment, header: commit.header, length: commit.length },
      covered,
      isFollowed: (run) => this.#strays.hasBehind(run),
    });
    this.#held = [...(commit ? [commit] : []), ...repaired.rotten];
    if (repaired.rotten.length > 0) return { cutBytes: repaired.cutBytes, goOnIn: undefined };
    const newest = commit?.segment ?? segments.all().at(-1);
    const mayGoOn = newest && newest.generation === 0 && !this.#isShort(newest, end);
    return { cutBytes: repaired.cutBytes, goOnIn: mayGoOn ? newest : undefined };
  }

  /** The index knows of more than the file holds: nothing may be written where its rows point. */
  #isShort(newest: Segment, { found }: TailEnd): boolean {
    const { covered } = this.#options;
    return newest.number === covered.segment && found.number === newest.number && found.size < covered.end;
  }

  #nextSegment(): number {
    const { found, segments } = this.#options;
    const known = segments.all().map(({ through }) => through);
    const real = found.filter(({ isBlank }) => !isBlank).map(({ through }) => through);
    return Math.max(0, ...known, ...real) + 1;
  }

  #settleSlot(ref: ChannelRef): void {
    const slot = this.#options.index.slots.get(ref);
    if (slot) this.#options.index.slots.settle(slot);
  }

  /** Memory stays bounded: past some rows the scan waits for the index. */
  async #paceIndex(): Promise<void> {
    const { index } = this.#options;
    if (index.pendingRows > waitingRowsMax) await index.flush();
    else if (index.pendingRows > batchRows && !index.isFlushing) void index.flush().catch(() => undefined);
  }

  #progress(progress: { doneBytes: number; totalBytes: number }, end: number): void {
    const { totalBytes } = progress;
    const doneBytes = Math.min(totalBytes, progress.doneBytes + end);
    this.#options.observer.observe({ type: 'recovery-progress', stage: 'scan', doneBytes, totalBytes });
  }
}
