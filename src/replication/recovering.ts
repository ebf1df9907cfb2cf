/** A home gathers what others hold. One whose store may have forgotten something counts for nothing until then: it has
 *  forgotten its promise too, and what it acked may be missing where it grants, so it does neither. One that a change of the
 *  ring brings in does not count either before it has everything; one that stays makes sure that it has. */
import type { ChannelRef, NodeId } from '../base/ids.js';
import { limits } from '../base/limits.js';
import { planted } from '../base/planted.js';
import type { Channel } from './channel.js';
import { compareClaims } from './claim.js';
import type { Context } from './context.js';
import type { GatherKind, Gathering, GivenBack, Interval } from './interval.js';
import type { IntervalId, Recover, Recovery } from './messages.js';
import { type Returned, meetsGathering, meetsRecovery } from './quorum.js';
import { timing } from './timing.js';
import type { Repairing } from './repairing.js';
import type { Transfer } from './transfer.js';
import { Window } from './window.js';

/** Intervals of which another home is asked for all it holds, before that is here. */
export const gathersMax = 128;

/** Channels in one message of an answer. */
const channelsPerPart = 1_024;

interface Listing {
  readonly interval: Interval;
  readonly to: NodeId;
  readonly session: number;
}

/** Asks for an answer anew after so many pauses in which nothing came: its giver may have found out that it cannot give all it
 *  said. */
const triesAnAnswer = 8;

/** Each pause is twice as long as the one before, up to the longest. */
const doublingsMax = Math.log2(timing.recoverMaxMs / timing.recoverMs);

export class Recovering {
  readonly #context: Context;
  readonly #transfer: Transfer;
  readonly #repairing: Repairing;
  readonly #listings = new Map<number, Listing>();
  /** Questions that wait for their answer, as `keyOf` names them. */
  readonly #asked = new Set<string>();
  /** Intervals of which another home is asked for all it holds. */
  readonly #windows = new Map<NodeId, Window<Interval>>();
  readonly #surveys = new Map<number, { readonly interval: Interval; readonly gathering: Gathering }>();

  constructor(context: Context, transfer: Transfer, repairing: Repairing) {
    this.#context = context;
    this.#transfer = transfer;
    this.#repairing = repairing;
  }

  // The home that recovers.

  begin(interval: Interval, kind: GatherKind, now: number): void {
    const session = Math.floor(this.#context.options.random.next() * Number.MAX_SAFE_INTEGER);
    const surveyed = kind !== 'lost';
    const gathering = {
      kind,
      session,
      answers: new Map(),
      retryAt: now,
      pauseMs: timing.recoverMs,
      surveyed,
      tries: 0,
      ending: false,
    };
    interval.gathering = gathering;
    this.#context.dueIntervals.changed(interval);
    if (!surveyed) this.#survey(interval, gathering);
    this.#endIfGivenBack(interval);
  }

  /** What is left of the store may have holes. */
  #survey(interval: Interval, gathering: Gathering): void {
    const id = this.#context.nextId();
    this.#surveys.set(id, { interval, gathering });
    this.#context.outbox.add({ type: 'list', id, interval: interval.id });
  }

  #surveyed(
    { interval, gathering }: { interval: Interval; gathering: Gathering },
    refs: readonly ChannelRef[],
  ): void {
    for (const ref of refs) {
      for (const { writer, fromSeq: seq } of this.#context.options.logOf(ref).holes()) {
        this.#context.channel(interval, ref);
        this.#context.outbox.add({ type: 'examine', ref, writer, seq });
      }
    }
    gathering.surveyed = true;
    this.#endIfGivenBack(interval);
  }

  /** Those that were too many at once. */
  #findHoles(interval: Interval): void {
    for (const { log, ref, repairs } of this.#context.channelsIn(interval)) {
      const hole = log
        .holes()
        .find(({ writer }) => !repairs.some(({ damaged }) => damaged.writer === writer));
      if (hole) this.#context.outbox.add({ type: 'examine', ref, writer: hole.writer, seq: hole.fromSeq });
    }
  }

  /** Something was repaired, or is in no home. */
  mended(interval: Interval): void {
    this.#endIfGivenBack(interval);
  }

  tick(interval: Interval, now: number): void {
    const { gathering } = interval;
    if (!gathering || gathering.ending || now < gathering.retryAt) return;
    gathering.pauseMs = timing.recoverMs * 2 ** Math.min(gathering.tries, doublingsMax);
    gathering.retryAt = now + gathering.pauseMs;
    gathering.tries++;
    this.#context.dueIntervals.changed(interval);
    const { others } = interval;
    // Of one channel one home is asked at a time, each time another one first.
    const first = gathering.tries % Math.max(1, others.length);
    for (const home of [...others.slice(first), ...others.slice(0, first)])
      this.#askHome(interval, gathering, home, now);
    if (gathering.kind === 'lost') this.#findHoles(interval);
  }

  connected(interval: Interval, peer: NodeId, now: number): void {
    const { gathering } = interval;
    if (gathering && !gathering.ending) this.#askHome(interval, gathering, peer, now);
  }

  /** Nothing is on its way to it any more. */
  disconnected(peer: NodeId): void {
    this.#windows.delete(peer);
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
    const { parts, recovering, incoming = false } = message;
    if (given?.parts !== parts || given.recovering !== recovering || given.incoming !== incoming)
      given = { recovering, incoming, parts, seen: new Set(), waiting: new Map() };
    gathering.answers.set(from, given);
    given.seen.add(message.part);
    for (const { ref, have } of message.channels) {
      const channel = this.#context.channelFor(from, interval, ref);
      if (!channel) continue;
      if (channel.holds(have) || planted('recovery-without-data')) {
        // It may have said more before.
        given.waiting.delete(channel.key);
        continue;
      }
      given.waiting.set(channel.key, have);
      this.#askFor(channel, from, now);
    }
    if (recovering || isWhole(given)) this.#endTurn(interval, from, now);
    this.#endIfGivenBack(interval);
  }

  /** Unless another home is asked for it, which is likely to have the same. */
  #askFor(channel: Channel, home: NodeId, now: number): void {
    for (const [other, { askedUntil }] of channel.links) if (other !== home && now < askedUntil) return;
    this.#transfer.ask(channel, home, now);
  }

  /** Something was synced. */
  grown(channel: Channel, now: number): void {
    const { interval, key } = channel;
    const { gathering } = interval;
    if (!gathering || gathering.ending) return;
    for (const [home, given] of gathering.answers) {
      const have = given.waiting.get(key);
      if (!have) continue;
      gathering.tries = 0;
      if (!channel.holds(have)) this.#askFor(channel, home, now);
      else if (given.waiting.delete(key) && isWhole(given)) this.#endTurn(interval, home, now);
    }
    this.#endIfGivenBack(interval);
  }

  /** The home gave all it has, or has nothing to give: it is asked for that of others. */
  #endTurn(interval: Interval, home: NodeId, now: number): void {
    const window = this.#windows.get(home);
    window?.end(interval.id);
    for (let next = window?.next(now); next; next = window?.next(now)) {
      const { gathering } = next;
      const isHeld = this.#context.intervals.get(next.id) === next && next.others.includes(home);
      if (isHeld && gathering && !gathering.ending) this.#askHome(next, gathering, home, now);
    }
  }

  /** Whether it is the turn of the interval; else that comes. */
  #hasTurn(interval: Interval, { pauseMs }: Gathering, home: NodeId, now: number): boolean {
    let window = this.#windows.get(home);
    if (!window) this.#windows.set(home, (window = new Window(gathersMax)));
    return window.begin(interval.id, interval, now, pauseMs);
  }

  #askHome(interval: Interval, gathering: Gathering, home: NodeId, now: number): void {
    const given = gathering.answers.get(home);
    // Who comes in has more to say later to those who want what was committed before.
    const mayCount =
      given !== undefined && (!given.recovering || (given.incoming && gathering.kind === 'lost'));
    const isStale = given !== undefined && given.waiting.size > 0 && gathering.tries % triesAnAnswer === 0;
    if (!given || isStale || !mayCount || given.seen.size < given.parts) {
      if (!this.#hasTurn(interval, gathering, home, now)) return;
      const { session } = gathering;
      this.#context.outbox.to(home).other({ type: 'recover', interval: interval.id, session });
      return;
    }
    for (const key of given.waiting.keys()) {
      const channel = this.#context.channels.get(key);
      if (channel) this.#askFor(channel, home, now);
      // It left memory: the answer is asked for again, and opens it.
      else gathering.answers.delete(home);
    }
  }

  #endIfGivenBack(interval: Interval): void {
    const { gathering } = interval;
    if (!gathering || gathering.ending || !isGiven(interval, gathering)) return;
    if (!gathering.surveyed || (gathering.kind === 'lost' && !this.#repairing.isMended(interval))) return;
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
    this.#asked.clear();
    this.#surveys.clear();
    this.#windows.clear();
  }

  // The homes that give back.

  onRecover(from: NodeId, { interval: id, session }: Recover, now: number): void {
    const interval = this.#context.intervals.get(id);
    if (!interval) return;
    if (interval.recovery && !interval.isIncoming) {
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
    // Asked again before it was answered: what is to come answers both.
    const key = keyOf(id, from, session);
    if (this.#asked.has(key) || !this.#context.mayGive(from, limits.listingBytes, now)) return;
    this.#asked.add(key);
    this.#context.queue.duty({ type: 'giveBack', interval, to: from, session });
  }

  /** Everything received and stamped before the question is synced: the channels are to be listed. */
  giveBack(interval: Interval, to: NodeId, session: number): void {
    const mayGive = interval.recovery === undefined || interval.isIncoming;
    if (!mayGive || this.#context.intervals.get(interval.id) !== interval) {
      this.#asked.delete(keyOf(interval.id, to, session));
      return;
    }
    const id = this.#context.nextId();
    this.#listings.set(id, { interval, to, session });
    this.#context.outbox.add({ type: 'list', id, interval: interval.id });
  }

  /** All channels of the interval that have entries; their logs are open. What cannot be read here is not said to be held:
   *  who recovers would wait for it, and it must rest on nothing that cannot be given. */
  listed(id: number, refs: readonly ChannelRef[]): void {
    const survey = this.#surveys.get(id);
    this.#surveys.delete(id);
    if (survey) return this.#surveyed(survey, refs);
    const listing = this.#listings.get(id);
    this.#listings.delete(id);
    if (!listing) return;
    const { interval, to, session } = listing;
    this.#asked.delete(keyOf(interval.id, to, session));
    const channels = refs.map((ref) => ({ ref, have: this.#context.channel(interval, ref).readable() }));
    const parts = Math.max(1, Math.ceil(channels.length / channelsPerPart));
    const promise = interval.promise ? { promise: interval.promise } : {};
    for (let part = 0; part < parts; part++) {
      this.#context.outbox.to(to).other({
        type: 'recovery',
        interval: interval.id,
        session,
        recovering: interval.isIncoming,
        ...(interval.isIncoming && { incoming: true }),
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
  if (kind === 'incoming' && planted('incoming-counts')) return true;
  if (kind === 'checking' && planted('joint-unchecked')) return true;
  return meetsGathering(sets, changing, { node: self, counts: kind === 'checking' }, returned);
}

function keyOf(interval: IntervalId, to: NodeId, session: number): string {
  return `${interval}/${to}/${session}`;
}

/** All it said, and all that it has. */
function isWhole({ seen, parts, waiting }: GivenBack): boolean {
  return seen.size >= parts && waiting.size === 0;
}

function returnedBy(given: GivenBack | undefined): Returned {
  if (given?.recovering && !given.incoming) return 'recovering';
  if (!given || !isWhole(given)) return 'missing';
  return given.incoming ? 'incoming' : 'whole';
}
