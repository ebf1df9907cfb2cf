/** Another version of the ring: this node holds other intervals, other homes decide about some, and channels lie in others
 *  than before. Promises are handed on: a new interval starts with the highest of those it shares positions with. */
import type { ChannelRef, NodeId } from '../base/ids.js';
import type { Channel } from './channel.js';
import { type Claim, compareClaims, encodeIntervalNote, noteOf, sameClaim } from './claim.js';
import type { Context } from './context.js';
import { type GatherKind, Interval } from './interval.js';
import type { IntervalId } from './messages.js';
import type { Parts } from './parts.js';
import type { Changing, HomeSet } from './quorum.js';
import { timing } from './timing.js';

/** An interval that this node holds under the new version. */
export interface PlannedInterval {
  readonly id: IntervalId;
  readonly sets: readonly HomeSet[];
  readonly changing: Changing | undefined;
  /** Intervals of the version before that share positions with it and were held here. */
  readonly from: readonly IntervalId[];
  /** There is one of them, and the same homes decide: its claim goes on. */
  readonly claimLives: boolean;
  /** What the ring alone asks for; a home that recovered goes on doing so. */
  readonly gathers: Exclude<GatherKind, 'lost'> | undefined;
}

export interface RingPlan {
  readonly version: number;
  readonly intervals: readonly PlannedInterval[];
  /** Where a channel lies that is held here under this version. */
  readonly intervalOf: (ref: ChannelRef) => IntervalId | undefined;
}

/** What an interval starts with. */
interface Start {
  readonly planned: PlannedInterval;
  readonly promise: Claim | undefined;
  readonly kind: GatherKind | undefined;
  /** The one whose claim it carries on. */
  readonly heir: Pick<Interval, 'held' | 'claimant'> | undefined;
  readonly seenRound: number;
}

export class Replanning {
  readonly #parts: Parts;
  readonly #context: Context;
  /** The promise in each note written for the plan under way. */
  readonly #written = new Map<IntervalId, Claim | undefined>();

  constructor(parts: Parts) {
    this.#parts = parts;
    this.#context = parts.context;
  }

  notes({ intervals }: RingPlan): ReadonlyMap<string, Uint8Array> {
    const notes = new Map<string, Uint8Array>();
    this.#written.clear();
    for (const planned of intervals) {
      const { promise, kind } = this.#startOf(planned);
      const recovering = kind === 'lost' || kind === 'incoming';
      const incoming = kind === 'incoming' ? { incoming: true as const } : {};
      this.#written.set(planned.id, promise);
      notes.set(noteOf(planned.id), encodeIntervalNote({ promise, recovering, ...incoming }));
    }
    return notes;
  }

  /** Of which intervals of the plan this node and a peer were not both homes before, in all of it. Asked before it is applied. */
  newPairs({ intervals }: RingPlan): (id: IntervalId, peer: NodeId) => boolean {
    const before = new Map([...this.#context.intervals.values()].map(({ id, others }) => [id, others]));
    const planned = new Map(intervals.map((interval) => [interval.id, interval]));
    return (id, peer) => {
      const { from = [], gathers } = planned.get(id) ?? {};
      if (from.length === 0 || gathers === 'incoming') return true;
      return from.some((source) => before.get(source)?.includes(peer) !== true);
    };
  }

  apply({ intervals, intervalOf }: RingPlan, now: number): void {
    const before = [...this.#context.intervals.values()];
    // All are looked at before any is changed: one may take over from another that changes too.
    const starts = intervals.map((planned) => this.#startOf(planned));
    const left = new Set(before);
    this.#parts.recovering.forgetListings();
    this.#parts.asks.replanned();
    for (const start of starts) left.delete(this.#planned(start, now));
    for (const interval of left) this.#context.forget(interval);
    this.#place(intervalOf, now);
    this.#renewQueue();
    for (const start of starts) this.#begin(start, now);
  }

  #startOf(planned: PlannedInterval): Start {
    const sources = planned.from.flatMap((id) => this.#context.intervals.get(id) ?? []);
    let promise: Claim | undefined;
    for (const source of sources) if (compareClaims(source.promise, promise) > 0) promise = source.promise;
    const heir = planned.claimLives ? sources[0] : undefined;
    return {
      planned,
      promise,
      kind: kindOf(planned, sources),
      heir: heir && { held: heir.held, claimant: heir.claimant },
      seenRound: Math.max(0, ...sources.map((source) => source.seenRound)),
    };
  }

  #planned({ planned, promise, heir, seenRound }: Start, now: number): Interval {
    const { id, sets, changing } = planned;
    const { intervals, self } = this.#context;
    let interval = intervals.get(id);
    const isReclaimed = interval?.held !== undefined && interval.wanted;
    if (interval) interval.plan(sets, changing);
    else intervals.set(id, (interval = new Interval(id, self, sets, undefined, changing)));
    interval.promise = promise;
    interval.seenRound = seenRound;
    interval.durable = this.#written.get(id);
    interval.claimant = heir?.claimant;
    interval.held = heir?.held;
    // Who was asked under the last version answers under it.
    interval.attempt = undefined;
    interval.retryAt = now;
    interval.claimBy = isReclaimed && !interval.held ? now + timing.claimWaitMs : undefined;
    interval.gathering = undefined;
    this.#context.dueIntervals.changed(interval);
    return interval;
  }

  /** What waits for its first commit under the new version is asked for only after everything is in its place. */
  #begin({ planned, kind, promise }: Start, now: number): void {
    const interval = this.#context.intervals.get(planned.id)!;
    // Promised between the cut and the sync of the notes.
    if (!sameClaim(promise, interval.durable))
      this.#context.queue.duty({ type: 'note', interval, note: interval.note });
    if (kind) this.#parts.recovering.begin(interval, kind, now);
    this.#parts.claims.tick(interval, now);
  }

  #place(intervalOf: RingPlan['intervalOf'], now: number): void {
    for (const channel of this.#context.channels.values()) {
      const id = intervalOf(channel.ref);
      const interval = id === undefined ? undefined : this.#context.intervals.get(id);
      if (!interval) {
        this.#release(channel);
        continue;
      }
      if (channel.interval !== interval) this.#context.move(channel, interval);
      const others = new Set(interval.others);
      for (const node of channel.links.keys()) if (!others.has(node)) channel.links.delete(node);
      for (const link of channel.links.values()) {
        link.mayBeAsked();
        // An append under the last version may have been refused.
        if (link.sent) link.resendAt ??= now + timing.hedgeMs;
      }
      this.#parts.repairing.replanned(channel, now);
      this.#context.dueChannels.changed(channel);
    }
  }

  /** This node holds it no longer: nobody hears more of it from here. */
  #release(channel: Channel): void {
    const { ref } = channel;
    for (const { id, wanted } of channel.fetches) {
      const missing = [...wanted].map(([writer, seq]) => ({ writer, seq }));
      this.#context.outbox.add({ type: 'fetched', id, ref, missing, certain: false });
    }
    channel.fetches = [];
    this.#parts.repairing.forget(channel);
    channel.awaited = [];
    this.#context.release(channel);
  }

  /** What waits for the disk, of intervals and channels as they are now. */
  #renewQueue(): void {
    const { intervals, channels, queue } = this.#context;
    queue.renew((item) => {
      if (item.type === 'keep') return item;
      if ('channel' in item) return channels.get(item.channel.key) === item.channel ? item : undefined;
      if (intervals.get(item.interval.id) !== item.interval) return undefined;
      if (item.type !== 'note') return item;
      return { type: 'note', interval: item.interval, note: item.interval.note };
    });
  }
}

/** A home that forgot something goes on recovering, and one that was not brought up to date in time. */
function kindOf({ gathers }: PlannedInterval, sources: readonly Interval[]): GatherKind | undefined {
  const kinds = sources.map(({ gathering }) => gathering?.kind);
  if (kinds.includes('lost')) return 'lost';
  return kinds.includes('incoming') ? 'incoming' : gathers;
}
