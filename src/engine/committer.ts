/** Group commit: whatever waits when the disk is free becomes one commit, one sync, and then acks and deliveries. The
 *  next commit is what arrived in the meantime; there is no timer. Entries are stamped when the commit is built. */
import { assert } from '../base/assert.js';
import type { Dot, WriterId } from '../base/ids.js';
import { limits } from '../base/limits.js';
import type { HybridClock } from '../log/hybrid-clock.js';
import type { KeyRow, RunSummary } from '../log/run.js';
import { RunWriter } from '../log/run-writer.js';
import { countersPerMs, timestampFromUnixMs } from '../log/timestamp.js';
import { type Failure, failure } from '../protocol/errors.js';
import type { ActiveChannel } from './active-channel.js';
import { encodeClockNote, noteNames } from './notes.js';
import type { Pending, PendingPublish } from './pending.js';
import type { LogStore, Timers } from './ports.js';
import type { Reached } from '../sessions/ack-range.js';

export interface CommitterHooks {
  /** A run is durable and ordered: hand it to subscribers. `records` is valid during the call only. */
  committed(channel: ActiveChannel, run: RunSummary, position: number, records: Uint8Array): void;
  /** All answers of a commit are given: write what is due. */
  flush(): void;
  failed(error: unknown): void;
}

export interface CommitterOptions {
  readonly store: LogStore;
  readonly timers: Timers;
  readonly clock: HybridClock;
  readonly physicalMs: () => number;
  readonly writer: WriterId;
  readonly round: number;
  /** What an ack may claim once an entry is synced here. */
  readonly reached: Reached;
}

interface Group {
  readonly channel: ActiveChannel;
  readonly items: Pending[];
  run: RunSummary | undefined;
}

export class Committer {
  readonly #options: CommitterOptions;
  readonly #hooks: CommitterHooks;
  readonly #writer = new RunWriter();
  #queue: ActiveChannel[] = [];
  #running = false;
  #stopped = false;
  #waitingEntries = 0;
  #waitingBytes = 0;
  #idle: (() => void)[] = [];
  readonly counters = { commits: 0, entries: 0, bytes: 0, duplicates: 0 };

  constructor(options: CommitterOptions, hooks: CommitterHooks) {
    this.#options = options;
    this.#hooks = hooks;
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
    if (channel.queued) return;
    channel.queued = true;
    this.#queue.push(channel);
    this.#start();
  }

  /** Resolves when nothing waits and nothing is under way. */
  drained(): Promise<void> {
    if (!this.#running) return Promise.resolve();
    return new Promise((resolve) => this.#idle.push(resolve));
  }

  #start(): void {
    if (this.#running || this.#stopped) return;
    this.#running = true;
    // After all input of this turn, so that one commit takes all of it.
    this.#options.timers.soon(() => void this.#run());
  }

  async #run(): Promise<void> {
    let batch: Group[] = [];
    try {
      while (this.#queue.length > 0) {
        batch = this.#cut();
        const unknown = this.#unknownKeys(batch);
        if (unknown.length > 0) await this.#lookUpKeys(unknown);
        await this.#commit(batch);
      }
    } catch (error) {
      this.#fail(batch, error);
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
        entries < limits.commitEntriesMax &&
        bytes < limits.commitBytesMax
      ) {
        bytes += weight(channel.pending[taken++]!);
        entries++;
      }
      batch.push({ channel, items: channel.take(taken), run: undefined });
      if (channel.pending.length > 0) this.#queue.push(channel);
      else channel.queued = false;
    }
    this.#waitingEntries -= entries;
    this.#waitingBytes -= bytes;
    return batch;
  }

  /** Publishes whose key memory cannot judge: it may have been taken before the channel was loaded. */
  #unknownKeys(batch: readonly Group[]): { channel: ActiveChannel; item: PendingPublish }[] {
    const unknown: { channel: ActiveChannel; item: PendingPublish }[] = [];
    const timestamp = this.#logTime();
    for (const { channel, items } of batch) {
      for (const item of items) {
        if (item.kind !== 'publish' || item.idempotencyKey === undefined) continue;
        const { scope, idempotencyKey: key, contentHash } = item;
        if (channel.keys.check({ scope, key, timestamp, contentHash }) === 'unknown')
          unknown.push({ channel, item });
      }
    }
    return unknown;
  }

  async #lookUpKeys(unknown: readonly { channel: ActiveChannel; item: PendingPublish }[]): Promise<void> {
    const rows = unknown.map(({ channel, item }) => ({
      ref: channel.ref,
      scope: item.scope,
      key: item.idempotencyKey!,
    }));
    const windowStart = this.#logTime() - timestampLength(limits.idempotencyWindowMs);
    const found = await this.#options.store.findKeys(rows, Math.max(0, windowStart));
    unknown.forEach(({ channel }, i) => {
      const row = found[i];
      if (row) channel.keys.add(row);
    });
  }

  /** About what the next stamp will be, for judging the age of keys. */
  #logTime(): number {
    return Math.max(this.#options.clock.last, timestampFromUnixMs(Math.floor(this.#options.physicalMs())));
  }

  async #commit(batch: readonly Group[]): Promise<void> {
    const { store, clock, physicalMs } = this.#options;
    const nowMs = physicalMs();
    const bound = clock.boundNeeded(nowMs);
    // The new bound becomes durable in the same commit as the first stamps above the old one.
    if (bound !== undefined) clock.raiseBound(bound);
    this.#writer.clear();
    for (const group of batch) group.run = this.#build(group, nowMs);
    const runs = batch.flatMap((group) => group.run ?? []);
    if (runs.length > 0) {
      const notes = bound === undefined ? undefined : new Map([[noteNames.clock, encodeClockNote(bound)]]);
      await store.commit({ bytes: this.#writer.bytes(), runs, ...(notes ? { notes } : {}) });
      this.counters.commits++;
    }
    for (const group of batch) this.#complete(group);
    this.#hooks.flush();
  }

  /** Stamps and encodes the new entries of one channel; decides duplicates and refusals. */
  #build(group: Group, nowMs: number): RunSummary | undefined {
    const { channel } = group;
    let begun = false;
    const begin = (): void => {
      if (begun) return;
      begun = true;
      const { writer, round } = this.#options;
      this.#writer.begin(channel.ref, writer, round, channel.seq + 1, channel.checksum);
    };
    let kept = 0;
    for (const item of group.items) {
      const keep =
        item.kind === 'publish'
          ? this.#buildPublish(channel, item, begin, nowMs)
          : this.#buildTrim(channel, item, begin, nowMs);
      if (keep) group.items[kept++] = item;
    }
    group.items.length = kept;
    return begun ? this.#writer.end() : undefined;
  }

  #buildPublish(channel: ActiveChannel, item: PendingPublish, begin: () => void, nowMs: number): boolean {
    const { scope, idempotencyKey, publisher, contentHash } = item;
    if (idempotencyKey !== undefined) {
      const verdict = channel.keys.check({
        scope,
        key: idempotencyKey,
        timestamp: this.#logTime(),
        contentHash,
      });
      if (verdict === 'conflict')
        return refuse(item, failure('KEY_CONFLICT', { channel: channel.ref.channel }));
      // `unknown` was looked up before: the index does not have it either.
      if (typeof verdict === 'object') return this.#settleDuplicate(channel, item, verdict.duplicateOf);
    }
    if (publisher) {
      const verdict = channel.publishers.check({ scope, ...publisher });
      if (verdict !== 'next')
        return refuse(
          item,
          outOfOrder(channel, verdict === 'repeat' ? publisher.seq : verdict.outOfOrder.lastKnown),
        );
      channel.publishers.add(scope, publisher.epoch, publisher.seq);
    }
    begin();
    item.timestamp = this.#options.clock.stamp(nowMs);
    const seq = this.#writer.append({
      timestamp: item.timestamp,
      kind: 'publish',
      actor: item.actor === '' ? undefined : item.actor,
      publisher,
      idempotencyKey,
      parents: this.#parentsDue(channel),
      retain: item.retain,
      content: item.content,
    });
    channel.stampedSeq = seq;
    item.dot = { writer: this.#options.writer, seq };
    if (idempotencyKey !== undefined) {
      channel.keys.add({
        ref: channel.ref,
        scope,
        key: idempotencyKey,
        dot: item.dot,
        timestamp: item.timestamp,
        contentHash,
      });
    }
    return true;
  }

  /** The same message under the same key: it gets the first one's dot. */
  #settleDuplicate(channel: ActiveChannel, item: PendingPublish, first: KeyRow): boolean {
    const { publisher, scope } = item;
    if (publisher) channel.publishers.add(scope, publisher.epoch, publisher.seq);
    this.counters.duplicates++;
    item.dot = first.dot;
    item.timestamp = first.timestamp;
    item.duplicate = true;
    return true;
  }

  #buildTrim(
    channel: ActiveChannel,
    item: Pending & { kind: 'trim' },
    begin: () => void,
    nowMs: number,
  ): boolean {
    const trim = channel.log.trimAt(item.position);
    if (!trim) {
      item.settled(false);
      return false;
    }
    begin();
    const timestamp = this.#options.clock.stamp(nowMs);
    channel.stampedSeq = this.#writer.append({
      timestamp,
      kind: 'trim',
      trim,
      parents: this.#parentsDue(channel),
    });
    return true;
  }

  /** Our first entry in a channel says what it follows; after it nothing foreign arrives while we own the channel. */
  #parentsDue(channel: ActiveChannel): readonly Dot[] | undefined {
    return channel.stampedSeq === 0 ? channel.log.parentsFor(this.#options.writer, true) : undefined;
  }

  #complete(group: Group): void {
    const { channel, run, items } = group;
    const { reached } = this.#options;
    if (run) {
      const last = run.firstSeq + run.count - 1;
      assert(channel.log.have(run.writer) >= last, 'the store applied the commit');
      assert(channel.stampedSeq === last, 'one commit is under way at a time');
      channel.seq = last;
      channel.checksum = run.lastChecksum;
      this.counters.entries += run.count;
      this.counters.bytes += run.recordBytes;
      const start = run.offset + run.headerBytes;
      const records = this.#writer.bytes().subarray(start, start + run.recordBytes);
      this.#hooks.committed(channel, run, channel.log.endPosition - run.count, records);
    }
    for (const item of items) {
      if (item.kind === 'trim') item.settled(true);
      else item.origin.publishAccepted(item, reached);
    }
  }

  /** The outcome of what was in the commit is unknown; what only waited was never written. */
  #fail(batch: readonly Group[], error: unknown): void {
    this.#stopped = true;
    for (const { items } of batch) {
      for (const item of items) {
        if (item.kind === 'trim') item.settled(false);
        else item.origin.publishFailed(item.requestId, failure('INDETERMINATE', { retryAfterMs: 1000 }));
      }
    }
    this.refuseWaiting();
    this.#hooks.failed(error);
  }

  /** Refuses what waits, before the node stops or after the store failed. */
  refuseWaiting(): void {
    this.#stopped = true;
    for (const channel of this.#queue.splice(0)) {
      channel.queued = false;
      for (const item of channel.take(channel.pending.length)) {
        this.forget(item);
        refuseUnwritten(item);
      }
    }
    this.#hooks.flush();
  }
}

function weight(item: Pending): number {
  return item.kind === 'publish' ? item.content.length + 128 : 256;
}

function refuseUnwritten(item: Pending): void {
  if (item.kind === 'trim') item.settled(false);
  else item.origin.publishFailed(item.requestId, failure('UNAVAILABLE', { retryAfterMs: 1000 }));
}

function refuse(item: PendingPublish, error: Failure): false {
  item.origin.publishFailed(item.requestId, error);
  return false;
}

/** Milliseconds as a difference of timestamps. */
function timestampLength(ms: number): number {
  return ms * countersPerMs;
}

function outOfOrder(channel: ActiveChannel, lastKnown: number): Failure {
  return failure('OUT_OF_ORDER', {
    channel: channel.ref.channel,
    message:
      lastKnown === 0
        ? 'Nothing of this publisher is known here. Send again from the first publish that was not acknowledged.'
        : `The last publish known here is number ${lastKnown}. Send again from number ${lastKnown + 1}.`,
  });
}
