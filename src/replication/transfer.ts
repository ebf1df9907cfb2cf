/** Bringing a channel to other homes: what an owner appends, what a peer asks for, and what is read from the store for
 *  either. An owner goes on sending without waiting for acks; where it does not know what a home has it asks first. */
import type { NodeId } from '../base/ids.js';
import { limits } from '../base/limits.js';
import { planted } from '../base/planted.js';
import type { SeqRange } from '../log/channel-log.js';
import type { Vector } from '../log/entry.js';
import type { RunSummary } from '../log/run.js';
import { runOf } from '../log/run-bytes.js';
import { type Channel, type Link, givenUpFor, isWithin, raise, trimOf } from './channel.js';
import { compareClaims, sameClaim } from './claim.js';
import type { AskWhen, Asks } from './asks.js';
import { pageBytes } from './budgets.js';
import type { PullTerms } from './commit-queue.js';
import type { Context, Reading } from './context.js';
import type { Interval } from './interval.js';
import type { Pull, Refused } from './messages.js';
import { Pages } from './pages.js';
import type { StoredSlice } from './stored-slice.js';
import { timing } from './timing.js';

export type { StoredSlice } from './stored-slice.js';

type StateReading = Extract<Reading, { type: 'state' }>;
type Said = Pick<StateReading, 'channel' | 'peer' | 'claim' | 'have' | 'givenUp'>;

export class Transfer {
  readonly #context: Context;
  readonly #asks: Asks;
  readonly #pages = new Pages();

  constructor(context: Context, asks: Asks) {
    this.#context = context;
    this.#asks = asks;
  }

  // What an owner appends.

  /** A run was stamped here, and its commit is under way: homes get it at the same time. */
  direct(channel: Channel, run: RunSummary, bytes: Uint8Array, now: number): void {
    for (const home of channel.interval.others) {
      const link = channel.link(home);
      if (link.sent && !link.reading && follows(link.sent, run)) {
        this.#append(channel, home, [bytes]);
        link.resendAt ??= now + timing.hedgeMs;
        this.#sent(channel, link, run);
      }
    }
  }

  /** Offers a home what it lacks of what is synced here. */
  push(channel: Channel, home: NodeId, now: number): void {
    const link = channel.link(home);
    const { held } = channel.interval;
    if (!held || link.reading || !this.#context.owns(channel)) return;
    if (!link.sent) return this.ask(channel, home, now);
    const ranges = channel.log.lacking(link.sent);
    if (ranges.length === 0) {
      // All that it lacks is trimmed.
      if (isBehind(channel, link)) this.#append(channel, home, []);
      return;
    }
    if (!this.#pages.begin(channel, home, now)) {
      // Should nobody end what is under way: then it is looked at again.
      link.resendAt ??= now + timing.pageMs;
      return this.#context.dueChannels.changed(channel);
    }
    link.reading = true;
    const reading = { type: 'append', channel, peer: home, claim: held.claim } as const;
    this.#read(isLive(channel, ranges) ? reading : { ...reading, isCatchUp: true }, ranges);
  }

  /** What was sent to the home of the channel is acked, or lost: it gets more, and then others do. */
  #ended(channel: Channel, home: NodeId, now: number): void {
    if (!this.#pages.end(channel, home)) return;
    this.push(channel, home, now);
    this.#pushNext(home, now);
  }

  /** What it waited for may have come another way meanwhile: it is asked. */
  #pushNext(home: NodeId, now: number): void {
    const next = this.#pages.next(home, now);
    if (!next) return;
    next.link(home).sent = undefined;
    if (this.#context.owns(next) && this.#context.connected.has(home)) this.ask(next, home, now, 'due');
    else this.#pushNext(home, now);
  }

  pushAll(channel: Channel, now: number): void {
    for (const home of channel.interval.others) this.push(channel, home, now);
  }

  onAck(channel: Channel, home: NodeId, seq: number, now: number): void {
    const link = channel.link(home);
    const { log } = channel;
    const { writer } = this.#context;
    link.askMs = timing.hedgeMs;
    if (seq > link.acked) link.refusedWith = undefined;
    if (seq > Math.max(channel.stampedSeq, log.have(writer))) {
      return this.#context.alarm('ACK_UNSENT', `${channel.key}: entry ${seq} was never stamped.`, home);
    }
    link.acked = Math.max(link.acked, seq);
    if (link.have && seq > (link.have.get(writer) ?? 0)) {
      // Who holds an entry holds all it stands on.
      if (seq <= log.have(writer)) raise(link.have, log.pastOf({ writer, seq }));
      else link.have.set(writer, seq);
    }
    if (link.sent && link.have && isWithin(link.sent, link.have)) {
      link.resendAt = undefined;
      this.#ended(channel, home, now);
    } else if (link.resendAt !== undefined) link.resendAt = Math.max(link.resendAt, now + timing.hedgeMs);
  }

  /** It said what it has, which need not be acked where nothing of it is of the claim's writer. */
  onHas(channel: Channel, home: NodeId, now: number): void {
    this.#asks.answered(channel, home, now);
    const link = channel.link(home);
    const { sent, have, acked, reading } = link;
    if (reading || !sent || !have || !isWithin(sent, have)) return;
    if ((have.get(this.#context.writer) ?? 0) <= acked) {
      link.resendAt = undefined;
      this.#context.dueChannels.changed(channel);
    }
    this.#ended(channel, home, now);
  }

  /** What it lacks is sent anew. Refused again without anything taken meanwhile, it is not: that answers what was under way
   *  with the first, or nothing that can be sent from here follows what it has; it is asked later. */
  onRefused(channel: Channel, home: NodeId, { have }: Refused, now: number): void {
    this.#asks.answered(channel, home, now);
    const link = channel.link(home);
    const { refusedWith } = link;
    link.refusedWith = have;
    const isAgain = refusedWith !== undefined && isWithin(have, refusedWith);
    const bytes = isAgain ? 0 : limits.questionBytes + pageBytes(channel, channel.log.lacking(have));
    if (isAgain || !this.#context.mayGive(home, bytes, now)) {
      link.resendAt ??= now + timing.hedgeMs;
      return this.#context.dueChannels.changed(channel);
    }
    link.says(have);
    this.#pages.end(channel, home);
    this.push(channel, home, now);
    this.#pushNext(home, now);
  }

  /** What was sent was not acked in time: lost, or the home is slow. It is asked what it has. */
  resend(channel: Channel, now: number): void {
    for (const [home, link] of channel.links) {
      if (link.resendAt === undefined || now < link.resendAt) continue;
      link.resendAt = undefined;
      const { sent, have, reading } = link;
      // It does not count, or not yet, and said that it has all it was sent: nothing was lost, and what comes next follows.
      const isTaken = !reading && sent !== undefined && have !== undefined && isWithin(sent, have);
      if (!isTaken) link.sent = undefined;
      if (this.#pages.end(channel, home)) this.#pushNext(home, now);
      // It is asked when it can be reached again; until then the channel may leave memory.
      if (!this.#context.connected.has(home)) continue;
      if (isTaken) this.ask(channel, home, now);
      this.push(channel, home, now);
      if (this.#context.owns(channel)) link.resendAt ??= Math.max(now + timing.hedgeMs, link.askedUntil);
    }
  }

  /** An append without entries, or one that goes anyway, tells what is committed. */
  tellCommitted(channel: Channel): void {
    const { held } = channel.interval;
    const { committed } = channel.log;
    if (!held || !committed || !this.#context.owns(channel)) return;
    for (const home of channel.interval.others) {
      const link = channel.link(home);
      if (link.toldCommitted?.writer === committed.writer && link.toldCommitted.seq === committed.seq)
        continue;
      link.toldCommitted = committed;
      this.#append(channel, home, []);
    }
  }

  // What homes ask of each other.

  /** Nothing is known any more of what the peer has. Between two that do not own the interval, what arrived meanwhile is all
   *  there is to say. */
  connected(interval: Interval, peer: NodeId, now: number): void {
    const { owner, self } = interval;
    for (const channel of this.#context.channelsIn(interval)) {
      channel.links.get(peer)?.forget();
      if (owner === undefined || owner === peer || owner === self) this.ask(channel, peer, now);
    }
  }

  /** Nothing is on its way to it any more, and nothing waits for that. */
  drop(peer: NodeId): void {
    this.#pages.drop(peer);
    this.#asks.drop(peer);
  }

  /** See asks.ts. */
  ask(channel: Channel, home: NodeId, now: number, when: AskWhen = 'ifNotAsked'): void {
    this.#asks.ask(channel, home, now, when);
  }

  onPull(channel: Channel, from: NodeId, { have, claim, limited }: Pull, now: number): void {
    const { interval } = channel;
    const isAnswered = this.#context.mayGive(from, limits.questionBytes, now);
    const tell = (pull: PullTerms): void => {
      if (isAnswered) this.#context.queue.duty({ type: 'state', channel, to: from, pull });
    };
    // It says nothing of what is being sent there: see catch-up-pulls.ts.
    if (limited) return tell({ have, claim: undefined, limited });
    if (claim && !this.#context.mayUse(interval, claim, from)) return;
    channel.link(from).has(have);
    if (claim) {
      const order = compareClaims(claim, interval.promise);
      if (order < 0) return this.#context.outbox.to(from).fence(interval.id, interval.promise);
      if (order > 0) this.#context.promise(interval, claim, now);
      interval.heardFrom(from, claim);
      tell({ have, claim });
      // However often it asks: what it sent is to be committed.
      this.#context.queue.duty({ type: 'ack', channel, to: from, claim, of: 'pull' });
      return;
    }
    // What an owner sends is to be acked; what it lacks it asks for under its claim.
    if (!this.#context.owns(channel)) tell({ have, claim });
    else if (isAnswered) {
      this.push(channel, from, now);
      channel.link(from).toldCommitted = undefined;
      this.tellCommitted(channel);
    }
    if (!channel.holds(have)) this.ask(channel, from, now);
  }

  /** Answers a pull with everything that is synced here now. */
  answer(channel: Channel, to: NodeId, { have, claim, limited }: PullTerms, now: number): void {
    const { interval, log } = channel;
    if (claim && !sameClaim(interval.promise, claim)) return;
    const counts = interval.recovery && !planted('recovering-acks') ? undefined : claim;
    const terms = { channel, peer: to, claim: counts, have: channel.have() };
    const about = givenUpFor(channel, have);
    // An owner asks for more once it has stored this.
    const isPage = limited === true || claim !== undefined;
    const isCatchUp = claim === undefined;
    const reading = { type: 'state', ...terms, ...about, isPage, isCatchUp } as const;
    const ranges = log.lacking(have);
    if (ranges.length === 0) this.#state(reading, []);
    else this.#readFor(reading, ranges, now);
  }

  /** One read of what a peer asked for, unless it was given too much. */
  #readFor(reading: StateReading, ranges: readonly SeqRange[], now: number): void {
    const { channel, peer, isPage } = reading;
    if (!this.#context.mayGive(peer, pageBytes(channel, ranges), now)) return;
    const id = this.#read(reading, ranges);
    if (!isPage) channel.link(peer).answering = id;
  }

  // Reads.

  #read(reading: Reading, ranges: readonly SeqRange[]): number {
    const id = this.#context.nextId();
    this.#context.reads.set(id, { ...reading, ranges });
    const { channel, peer, isCatchUp } = reading;
    const catchUp = isCatchUp ? { catchUp: `${peer}/${wayOf(reading)}` } : {};
    const { peerReadBytes: bytesMax } = limits;
    this.#context.outbox.add({ type: 'read', id, ref: channel.ref, ranges, bytesMax, ...catchUp });
    return id;
  }

  /** What a read found: a beginning of the ranges asked for, or less where something cannot be read; `undefined` where the same
   *  was asked again before it began. */
  loaded(id: number, slices: readonly StoredSlice[] | undefined, isDamaged: boolean, now: number): void {
    const reading = this.#context.reads.get(id);
    this.#context.reads.delete(id);
    if (!reading || !slices) return;
    const { channel, peer } = reading;
    const runs = slices.map((slice) => runOf({ ref: channel.ref, ...slice }));
    const left = leftOf(reading.ranges, slices);
    if (isDamaged) {
      this.#context.alarm('UNREADABLE', `${channel.key}: entries that a peer lacks cannot be read.`, peer);
    }
    const goesOn = left.length > 0 && !isDamaged && slices.length > 0;
    if (reading.type === 'state') {
      this.#state(reading, runs);
      // Where it has asked again since, the answer to that goes on from what it holds by now.
      if (goesOn && channel.links.get(peer)?.answering === id) this.#readFor(reading, left, now);
      return;
    }
    const link = channel.link(peer);
    link.reading = false;
    const isOwned = channel.interval.held?.claim === reading.claim && this.#context.owns(channel);
    if (!isOwned || runs.length === 0) {
      this.#pages.end(channel, peer);
      if (isOwned && !isDamaged) this.push(channel, peer, now);
      return this.#pushNext(peer, now);
    }
    this.#append(channel, peer, runs);
    link.resendAt = Math.max(link.resendAt ?? 0, now + timing.pageMs);
    for (const slice of slices) this.#sent(channel, link, slice);
    this.#pages.sent(channel, peer, left.length === 0);
    if (left.length === 0) this.push(channel, peer, now);
    // Acks are of entries of the claim's writer alone: of others it is asked what it has, or the next page waits until this one
    // counts as lost.
    if (slices.every(({ writer }) => writer !== this.#context.writer)) this.ask(channel, peer, now, 'due');
  }

  /** To an owner whose appends it takes and does not ack. */
  tellHave(channel: Channel, to: NodeId): void {
    this.#state({ channel, peer: to, claim: undefined, have: channel.have() }, []);
  }

  #state({ channel, peer, claim, have, givenUp }: Said, runs: readonly Uint8Array[]): void {
    const { ref, interval, log } = channel;
    const { committed } = log;
    this.#context.outbox.to(peer).other({
      type: 'state',
      interval: interval.id,
      ref,
      have,
      runs,
      ...(committed ? { committed } : {}),
      ...(claim ? { claim } : {}),
      ...trimOf(channel),
      ...(givenUp ? { givenUp } : {}),
    });
  }

  #append(channel: Channel, home: NodeId, runs: readonly Uint8Array[]): void {
    const { interval, ref, log } = channel;
    if (!interval.held) return;
    const outbox = this.#context.outbox.to(home);
    outbox.append(interval.id, interval.held.claim, ref, runs);
    const link = channel.link(home);
    if (isBehind(channel, link)) {
      outbox.tellTrim(ref, trimOf(channel));
      if (link.sent) raise(link.sent, log.floors);
    }
    const { givenUp } = givenUpFor(channel, link.have);
    if (givenUp) outbox.tellGivenUp(ref, givenUp);
    if (log.committed) {
      outbox.tellCommitted(ref, log.committed);
      link.toldCommitted = log.committed;
    }
  }

  #sent(channel: Channel, link: Link, { writer, firstSeq, count }: SeqRange): void {
    link.sent?.set(writer, Math.max(link.sent.get(writer) ?? 0, firstSeq + count - 1));
    this.#context.dueChannels.changed(channel);
  }
}

/** Whether a home may lack something that is trimmed here: then it gets the floors first. */
function isBehind({ log }: Channel, { sent }: Link): boolean {
  return !isWithin(log.floors, sent ?? new Map());
}

/** Whether a run can be taken by who has `sent`. */
function follows(sent: Vector, { writer, firstSeq, marked }: RunSummary): boolean {
  return (
    (sent.get(writer) ?? 0) === firstSeq - 1 &&
    marked.every(({ parents = [] }) =>
      parents.every((parent) => parent.writer === writer || (sent.get(parent.writer) ?? 0) >= parent.seq),
    )
  );
}

/** Whether what a home lacks is only what an owner has just stamped, or something waits for its acks: that is no catching up. */
function isLive({ log, awaited }: Channel, ranges: readonly SeqRange[]): boolean {
  return awaited.length > 0 || ranges.every(({ writer, firstSeq }) => firstSeq > log.committedSeq(writer));
}

/** Reads of one way, for one home and of one channel, take each other's place. */
function wayOf(reading: Reading): string {
  return reading.type === 'state' && reading.isPage ? 'page' : reading.type;
}

/** What of the ranges asked for, in their order, was not among the slices. */
function leftOf(ranges: readonly SeqRange[], slices: readonly SeqRange[]): readonly SeqRange[] {
  const through = new Map<string, number>();
  for (const { writer, firstSeq, count } of slices) through.set(writer, firstSeq + count - 1);
  return ranges.flatMap(({ writer, firstSeq, count }) => {
    const from = Math.max(firstSeq, (through.get(writer) ?? 0) + 1);
    const last = firstSeq + count - 1;
    return from > last ? [] : [{ writer, firstSeq: from, count: last - from + 1 }];
  });
}
