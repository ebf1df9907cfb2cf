/** Group commit: whatever waits when the disk is free becomes one commit, one sync, and then acks and deliveries. The
 *  next commit is what arrived in the meantime; there is no timer. Entries are stamped when the commit is built. */
import { assert } from '../base/assert.js';
import { limits } from '../base/limits.js';
import { planted } from '../base/planted.js';
import type { LostRange } from '../log/entry.js';
import type { RunSummary } from '../log/run.js';
import type { ActiveChannel } from './active-channel.js';
import { encodeClockNote, noteNames } from './notes.js';
import type { Companion, Ordering, Stamped } from './ordering.js';
import { isSnapshotDue } from './folds/folds.js';
import { type Pending, isOfLog, neededMerge, refuseUnwritten, tellIndeterminate, weight } from './pending.js';
import type { Failure } from '../protocol/errors.js';
import type { LogStore, Timers } from './ports.js';
import { type Group, Stamper, type StamperOptions } from './stamper.js';

export interface CommitterHooks {
  /** All answers of a commit are given: write what is due. */
  flush(): void;
  failed(error: unknown): void;
}

export interface CommitterOptions extends Omit<StamperOptions, 'writer'> {
  readonly store: LogStore;
  readonly timers: Timers;
  readonly ordering: Ordering;
}

/** A commit being made: what is not stamped yet, and what is. */
interface UnderWay {
  groups: readonly Group[];
  stamped: Stamped[];
}

export class Committer {
  readonly #options: CommitterOptions;
  readonly #hooks: CommitterHooks;
  readonly #stamper: Stamper;
  #queue: ActiveChannel[] = [];
  #running = false;
  #stopped = false;
  #waitingEntries = 0;
  #waitingBytes = 0;
  #idle: (() => void)[] = [];
  readonly #counters = { commits: 0, entries: 0, bytes: 0 };

  constructor(options: CommitterOptions, hooks: CommitterHooks) {
    this.#options = options;
    this.#hooks = hooks;
    this.#stamper = new Stamper({ ...options, writer: options.ordering.writer });
  }

  get counters() {
    return { ...this.#counters, duplicates: this.#stamper.duplicates };
  }

  /** False when too much waits already: refuse instead of growing. */
  hasRoom(bytes: number): boolean {
    return (
      !this.#stopped &&
      this.#waitingEntries < limits.pendingPublishesMax &&
      this.#waitingBytes + bytes <= limits.pendingPublishBytesMax
    );
  }

  /** Counts work that will be submitted; `forget` takes it back. */
  admit(item: Pending): void {
    this.#waitingEntries++;
    this.#waitingBytes += weight(item);
  }

  forget(item: Pending): void {
    this.#waitingEntries--;
    this.#waitingBytes -= weight(item);
  }

  /** Adds admitted work to a loaded channel. */
  submit(channel: ActiveChannel, item: Pending): void {
    if (this.#stopped) {
      this.forget(item);
      return refuseUnwritten(item);
    }
    channel.wait(item);
    this.resume(channel);
  }

  /** Writes down what the channel comes to, where that is known and does not wait to be written already. */
  snapshot(channel: ActiveChannel): void {
    const { fold, pending } = channel;
    if (!fold || pending.some(({ kind }) => kind === 'snapshot')) return;
    const item = { kind: 'snapshot', bytes: fold.folding.bytesOf(fold.tip) } as const;
    this.admit(item);
    this.submit(channel, item);
  }

  /** What waits in the channel is tried (again). */
  resume(channel: ActiveChannel): void {
    if (channel.queued || channel.pending.length === 0 || this.#stopped) return;
    channel.queued = true;
    this.#queue.push(channel);
    this.start();
  }

  /** Something waits for a commit, here or with the ordering. */
  start(): void {
    if (this.#running || this.#stopped) return;
    this.#running = true;
    // After all input of this turn, so that one commit takes all of it.
    this.#options.timers.soon(() => void this.#run());
  }

  /** Resolves when nothing waits and nothing is under way. */
  drained(): Promise<void> {
    if (!this.#running) return Promise.resolve();
    return new Promise((resolve) => this.#idle.push(resolve));
  }

  async #run(): Promise<void> {
    const underWay: UnderWay = { groups: [], stamped: [] };
    try {
      while (!this.#stopped && (this.#queue.length > 0 || this.#options.ordering.hasWork)) {
        underWay.groups = this.#cut();
        const lookUp = this.#stamper.lookUpKeys(underWay.groups);
        if (lookUp) await lookUp;
        await this.#commit(underWay);
      }
    } catch (error) {
      this.#fail(underWay, error);
    }
    this.#running = false;
    for (const wake of this.#idle.splice(0)) wake();
  }

  /** Takes what fits into one commit, channel by channel. */
  #cut(): Group[] {
    const batch: Group[] = [];
    let entries = 0;
    let bytes = 0;
    const queue = this.#queue;
    this.#queue = [];
    for (const channel of queue) {
      if (entries >= limits.commitEntriesMax || bytes >= limits.commitBytesMax) {
        this.#queue.push(channel);
        continue;
      }
      let taken = 0;
      while (
        taken < channel.pending.length &&
        !isCutBefore(channel.pending, taken) &&
        entries < limits.commitEntriesMax &&
        bytes < limits.commitBytesMax
      ) {
        bytes += weight(channel.pending[taken++]!);
        entries++;
      }
      channel.isCut = true;
      batch.push({ channel, items: channel.take(taken) });
      if (channel.pending.length > 0) this.#queue.push(channel);
      else channel.queued = false;
    }
    this.#waitingEntries -= entries;
    this.#waitingBytes -= bytes;
    return batch;
  }

  async #commit(underWay: UnderWay): Promise<void> {
    const { store, ordering } = this.#options;
    const companion = ordering.cut();
    const bound = this.#stamper.begin();
    const { groups, stamped } = underWay;
    underWay.groups = [];
    const runs: RunSummary[] = [];
    for (const group of groups) {
      group.channel.isCut = false;
      const one = this.#stamp(group);
      if (!one) continue;
      stamped.push(one);
      if (one.run) runs.push(one.run);
    }
    const writer = this.#stamper.runs;
    const lost = new Map<number, readonly LostRange[]>();
    for (const foreign of companion?.runs ?? []) {
      if (foreign.lost) lost.set(runs.length, foreign.lost);
      runs.push(writer.add(foreign.bytes, foreign.run));
    }
    const repairs = companion?.repairs.map(({ bytes, run }) => writer.add(bytes, run)) ?? [];
    const bytes = writer.bytes();
    ordering.built(stamped, bytes);
    const notes = notesOf(companion, bound);
    if (runs.length + repairs.length > 0 || notes) {
      const again = repairs.length > 0 ? { repairs } : {};
      const hurt = lost.size > 0 ? { lost } : {};
      await store.commit({ bytes, runs, ...hurt, ...again, ...(notes ? { notes } : {}) });
      this.#counters.commits++;
    }
    underWay.stamped = [];
    this.#complete(stamped);
    ordering.synced(stamped, bytes, companion);
    this.#hooks.flush();
  }

  #stamp(group: Group): Stamped | undefined {
    const { ordering } = this.#options;
    const { channel, items } = group;
    const stamping = ordering.stamping(channel);
    if (stamping.as === 'elsewhere') this.#giveBack(channel, items);
    else if (stamping.as === 'wait') {
      this.#putBack(channel, items);
      ordering.waits(channel);
    } else {
      const folds = this.#options.folds.of(channel);
      const readiness = folds?.readiness(channel, items, stamping.parents) ?? 'ready';
      if (readiness === 'ready') {
        const stamped = this.#stamper.stamp(group, stamping);
        // Elsewhere it would count for nothing.
        return stamping.as === 'owner' ? this.#written(stamped) : stamped;
      }
      // Without these the fold may never be had: what it begins with may not be known to be committed.
      const needed = items.filter(isOfLog);
      this.#putBack(
        channel,
        items.filter((item) => !isOfLog(item)),
      );
      folds?.prepare(channel, this);
      if (readiness === 'merge') needed.unshift(neededMerge);
      if (needed.length > 0) return this.#stamper.stamp({ channel, items: needed }, stamping);
    }
    return undefined;
  }

  #putBack(channel: ActiveChannel, items: Pending[]): void {
    for (const item of items) this.admit(item);
    channel.pending = channel.pending.length === 0 ? items : [...items, ...channel.pending];
    // What did not fit into this commit is not tried before these are: trying again at once would never end.
    if (!channel.queued) return;
    channel.queued = false;
    this.#queue = this.#queue.filter((queued) => queued !== channel);
  }

  #written(stamped: Stamped): Stamped {
    const { channel, run } = stamped;
    const { fold } = channel;
    if (!run || !fold) return stamped;
    const isDue = this.#options.folds.contained(channel, () => isSnapshotDue(fold));
    if (isDue.ok && isDue.value) this.snapshot(channel);
    return stamped;
  }

  /** All that waits in the channel, so that nothing that comes later overtakes it on the other way. */
  #giveBack(channel: ActiveChannel, items: readonly Pending[]): void {
    const rest = channel.take(channel.pending.length);
    for (const item of rest) this.forget(item);
    this.#options.ordering.elsewhere(
      channel,
      planted('rest-goes-first') ? [...rest, ...items] : [...items, ...rest],
    );
  }

  #complete(stamped: readonly Stamped[]): void {
    for (const { channel, run } of stamped) {
      if (!run) continue;
      const last = run.firstSeq + run.count - 1;
      assert(channel.log.have(run.writer) >= last, 'the store applied the commit');
      assert(channel.stampedSeq === last, 'one commit is under way at a time');
      channel.seq = last;
      channel.checksum = run.lastChecksum;
      this.#counters.entries += run.count;
      this.#counters.bytes += run.recordBytes;
    }
  }

  /** The outcome of what was in the commit is unknown; what only waited was never written. */
  #fail({ groups, stamped }: UnderWay, error: unknown): void {
    this.#stopped = true;
    for (const { items } of groups) for (const item of items) refuseUnwritten(item);
    for (const { items } of stamped) for (const item of items) tellIndeterminate(item);
    this.refuseWaiting();
    this.#hooks.failed(error);
  }

  /** Refuses what waits, before the node stops or after the store failed. */
  refuseWaiting(): void {
    this.#stopped = true;
    for (const channel of this.#queue.splice(0)) this.refusePending(channel);
    this.#hooks.flush();
  }

  /** Refuses what waits in a channel of which it cannot be told what it comes to. */
  refuseUnjudged(channel: ActiveChannel, failed?: Failure): void {
    const needed = channel.pending.filter(isOfLog);
    this.refusePending(channel, failed);
    this.#queue = this.#queue.filter((queued) => queued !== channel);
    for (const item of needed) {
      this.admit(item);
      channel.wait(item);
    }
    this.resume(channel);
  }

  /** Refuses what waits in one channel. */
  refusePending(channel: ActiveChannel, failed?: Failure): void {
    channel.queued = false;
    for (const item of channel.take(channel.pending.length)) {
      this.forget(item);
      refuseUnwritten(item, failed);
    }
  }
}

/** The end of a generation is a run of its own: what it removes shares none with what comes after. */
function isCutBefore(pending: readonly Pending[], at: number): boolean {
  return at > 0 && (endsGeneration(pending[at]!) || endsGeneration(pending[at - 1]!));
}

function endsGeneration(item: Pending): boolean {
  return item.kind === 'publish' && item.deletes === true;
}

function notesOf(
  companion: Companion | undefined,
  bound: number | undefined,
): ReadonlyMap<string, Uint8Array> | undefined {
  if (bound === undefined || planted('clock-bound-lost'))
    return companion && companion.notes.size > 0 ? companion.notes : undefined;
  return new Map([...(companion?.notes ?? []), [noteNames.clock, encodeClockNote(bound)]]);
}
