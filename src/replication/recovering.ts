/** A home whose store may have forgotten something gets back what others hold, and counts for nothing until then. It has
 *  forgotten its promise too: what it acked may be missing where it grants, so it does neither. */
import type { ChannelRef, NodeId } from '../base/ids.js';
import { planted } from '../base/planted.js';
import type { Channel } from './channel.js';
import { compareClaims } from './claim.js';
import type { Context } from './context.js';
import type { GivenBack, Interval, RecoveryState } from './interval.js';
import type { Recover, Recovery } from './messages.js';
import { type Returned, meetsRecovery } from './quorum.js';
import { timing } from './timing.js';
import type { Transfer } from './transfer.js';

/** Channels in one message of an answer. */
const channelsPerPart = 1_024;

interface Listing {
  readonly interval: Interval;
  readonly to: NodeId;
  readonly session: number;
}

export class Recovering {
  readonly #context: Context;
  readonly #transfer: Transfer;
  readonly #listings = new Map<number, Listing>();

  constructor(context: Context, transfer: Transfer) {
    this.#context = context;
    this.#transfer = transfer;
  }

  // The home that recovers.

  begin(interval: Interval, now: number): void {
    const session = Math.floor(this.#context.options.random.next() * Number.MAX_SAFE_INTEGER);
    interval.recovery = { session, answers: new Map(), retryAt: now, ending: false };
    this.#context.dueIntervals.changed(interval);
    this.#endIfGivenBack(interval);
  }

  tick(interval: Interval, now: number): void {
    const { recovery } = interval;
    if (!recovery || recovery.ending || now < recovery.retryAt) return;
    recovery.retryAt = now + timing.recoverMs;
    this.#context.dueIntervals.changed(interval);
    for (const home of interval.others) this.#askHome(interval, recovery, home, now);
  }

  connected(interval: Interval, peer: NodeId, now: number): void {
    if (interval.recovery && !interval.recovery.ending) this.#askHome(interval, interval.recovery, peer, now);
  }

  onRecovery(from: NodeId, message: Recovery, now: number): void {
    const interval = this.#context.intervalFor(from, message.interval);
    const recovery = interval?.recovery;
    if (!interval || !recovery || recovery.session !== message.session) return;
    const { promise } = message;
    if (promise && !this.#context.mayBe(interval, promise, from, 1 / 4)) return;
    if (promise && compareClaims(promise, interval.promise) > 0)
      this.#context.promise(interval, promise, now);
    let given = recovery.answers.get(from);
    const { parts, recovering } = message;
    if (given?.parts !== parts || given.recovering !== recovering)
      given = { recovering, parts, seen: new Set(), waiting: new Map() };
    recovery.answers.set(from, given);
    given.seen.add(message.part);
    for (const { ref, have } of message.channels) {
      const channel = this.#context.channelFor(from, interval, ref);
      if (!channel) continue;
      if (channel.holds(have) || planted('recovery-without-data')) continue;
      given.waiting.set(channel.key, have);
      this.#transfer.ask(channel, from, now);
    }
    this.#endIfGivenBack(interval);
  }

  /** Something was synced. */
  grown(channel: Channel): void {
    const { interval, key } = channel;
    const { recovery } = interval;
    if (!recovery || recovery.ending) return;
    for (const given of recovery.answers.values()) {
      const have = given.waiting.get(key);
      if (have && channel.holds(have)) given.waiting.delete(key);
    }
    this.#endIfGivenBack(interval);
  }

  #askHome(interval: Interval, recovery: RecoveryState, home: NodeId, now: number): void {
    const given = recovery.answers.get(home);
    if (!given || given.recovering || given.seen.size < given.parts) {
      const { session } = recovery;
      this.#context.outbox.to(home).other({ type: 'recover', interval: interval.id, session });
      return;
    }
    for (const key of given.waiting.keys()) {
      const channel = this.#context.channels.get(key);
      if (channel) this.#transfer.ask(channel, home, now);
    }
  }

  #endIfGivenBack(interval: Interval): void {
    const { recovery, sets, self } = interval;
    if (!recovery || recovery.ending) return;
    if (!meetsRecovery(sets, self, (home) => returnedBy(recovery.answers.get(home)))) return;
    recovery.ending = true;
    this.#context.dueIntervals.changed(interval);
    this.#context.queue.duty({ type: 'note', interval, note: interval.note });
  }

  /** A note was written: if it says so the home counts again. */
  noted(interval: Interval): void {
    if (!interval.recovery?.ending) return;
    interval.recovery = undefined;
    this.#context.dueIntervals.changed(interval);
    this.#context.outbox.add({ type: 'recovered', interval: interval.id });
  }

  // The homes that give back.

  onRecover(from: NodeId, { interval: id, session }: Recover): void {
    const interval = this.#context.intervals.get(id);
    if (!interval) return;
    if (interval.recovery) {
      this.#context.outbox.to(from).other({
        type: 'recovery',
        interval: id,
        session,
        recovering: true,
        channels: [],
        part: 0,
        parts: 1,
      });
      return;
    }
    this.#context.queue.duty({ type: 'giveBack', interval, to: from, session });
  }

  /** Everything received and stamped before the question is synced: the channels are to be listed. */
  giveBack(interval: Interval, to: NodeId, session: number): void {
    if (interval.recovery) return;
    const id = this.#context.nextId();
    this.#listings.set(id, { interval, to, session });
    this.#context.outbox.add({ type: 'list', id, interval: interval.id });
  }

  /** All channels of the interval that have entries; their logs are open. */
  listed(id: number, refs: readonly ChannelRef[]): void {
    const listing = this.#listings.get(id);
    this.#listings.delete(id);
    if (!listing) return;
    const { interval, to, session } = listing;
    const channels = refs.map((ref) => ({ ref, have: this.#context.channel(interval, ref).have() }));
    const parts = Math.max(1, Math.ceil(channels.length / channelsPerPart));
    const promise = interval.promise ? { promise: interval.promise } : {};
    for (let part = 0; part < parts; part++) {
      this.#context.outbox.to(to).other({
        type: 'recovery',
        interval: interval.id,
        session,
        recovering: false,
        ...promise,
        channels: channels.slice(part * channelsPerPart, (part + 1) * channelsPerPart),
        part,
        parts,
      });
    }
  }
}

function returnedBy(given: GivenBack | undefined): Returned {
  if (given?.recovering) return 'recovering';
  return given && given.seen.size === given.parts && given.waiting.size === 0 ? 'whole' : 'missing';
}
