/** A home gathers what others hold. One whose store may have forgotten something counts for nothing until then: it has
 *  forgotten its promise too, and what it acked may be missing where it grants, so it does neither. One that a change of the
 *  ring brings in does not count either before it has everything; one that stays makes sure that it has. */
import type { ChannelRef, NodeId } from '../base/ids.js';
import { planted } from '../base/planted.js';
import type { Channel } from './channel.js';
import { compareClaims } from './claim.js';
import type { Context } from './context.js';
import type { GatherKind, Gathering, GivenBack, Interval } from './interval.js';
import type { Recover, Recovery } from './messages.js';
import { type Returned, meetsGathering, meetsRecovery } from './quorum.js';
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

  begin(interval: Interval, kind: GatherKind, now: number): void {
    const session = Math.floor(this.#context.options.random.next() * Number.MAX_SAFE_INTEGER);
    interval.gathering = { kind, session, answers: new Map(), retryAt: now, ending: false };
    this.#context.dueIntervals.changed(interval);
    this.#endIfGivenBack(interval);
  }

  tick(interval: Interval, now: number): void {
    const { gathering } = interval;
    if (!gathering || gathering.ending || now < gathering.retryAt) return;
    gathering.retryAt = now + timing.recoverMs;
    this.#context.dueIntervals.changed(interval);
    for (const home of interval.others) this.#askHome(interval, gathering, home, now);
  }

  connected(interval: Interval, peer: NodeId, now: number): void {
    const { gathering } = interval;
    if (gathering && !gathering.ending) this.#askHome(interval, gathering, peer, now);
  }

  onRecovery(from: NodeId, message: Recovery, now: number): void {
    const interval = this.#context.intervalFor(from, message.interval);
    const gathering = interval?.gathering;
    if (!interval || gathering?.session !== message.session) return;
    const { promise } = message;
    if (promise && !this.#context.mayBe(interval, promise, from, 1 / 4)) return;
    if (promise && compareClaims(promise, interval.promise) > 0)
      this.#context.promise(interval, promise, now);
    let given = gathering.answers.get(from);
    const { parts, recovering } = message;
    if (given?.parts !== parts || given.recovering !== recovering)
      given = { recovering, parts, seen: new Set(), waiting: new Map() };
    gathering.answers.set(from, given);
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
    const { gathering } = interval;
    if (!gathering || gathering.ending) return;
    for (const given of gathering.answers.values()) {
      const have = given.waiting.get(key);
      if (have && channel.holds(have)) given.waiting.delete(key);
    }
    this.#endIfGivenBack(interval);
  }

  #askHome(interval: Interval, gathering: Gathering, home: NodeId, now: number): void {
    const given = gathering.answers.get(home);
    if (!given || given.recovering || given.seen.size < given.parts) {
      const { session } = gathering;
      this.#context.outbox.to(home).other({ type: 'recover', interval: interval.id, session });
      return;
    }
    for (const key of given.waiting.keys()) {
      const channel = this.#context.channels.get(key);
      if (channel) this.#transfer.ask(channel, home, now);
      // It left memory: the answer is asked for again, and opens it.
      else gathering.answers.delete(home);
    }
  }

  #endIfGivenBack(interval: Interval): void {
    const { gathering } = interval;
    if (!gathering || gathering.ending || !isGiven(interval, gathering)) return;
    gathering.ending = true;
    this.#context.dueIntervals.changed(interval);
    this.#context.queue.duty({ type: 'note', interval, note: interval.note, ends: gathering });
  }

  /** The note that ends it was written: the home counts, and holds the promise it was told of. */
  noted(interval: Interval, ended: Gathering, now: number): void {
    if (interval.gathering !== ended) return;
    interval.gathering = undefined;
    this.#context.dueIntervals.changed(interval);
    if (ended.kind !== 'checking') this.#context.outbox.add({ type: 'recovered', interval: interval.id });
    // Others may have answered before they had the joint version.
    if (ended.kind === 'lost' && interval.isChecked) this.begin(interval, 'checking', now);
    else this.#context.outbox.add({ type: 'gathered', interval: interval.id });
  }

  /** The ring has changed: who asked under the last one asks anew. */
  forgetListings(): void {
    this.#listings.clear();
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
    if (interval.recovery || this.#context.intervals.get(interval.id) !== interval) return;
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

function isGiven({ sets, changing, self }: Interval, { kind, answers }: Gathering): boolean {
  const returned = (home: NodeId): Returned => returnedBy(answers.get(home));
  if (kind === 'lost') return meetsRecovery(sets, self, returned);
  return meetsGathering(sets, changing, { node: self, counts: kind === 'checking' }, returned);
}

function returnedBy(given: GivenBack | undefined): Returned {
  if (given?.recovering) return 'recovering';
  return given && given.seen.size === given.parts && given.waiting.size === 0 ? 'whole' : 'missing';
}
