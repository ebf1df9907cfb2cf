/** What an owner does in a channel: opening it under a new claim, merging what was written beside it, and telling what is
 *  committed. Also how any node learns that. */
import { type Dot, type NodeId, dotText } from '../base/ids.js';
import { limits } from '../base/limits.js';
import { planted } from '../base/planted.js';
import type { Channel, Link } from './channel.js';
import type { Context } from './context.js';
import type { Acks, Pull, State } from './messages.js';
import type { Outcomes } from './outcomes.js';
import { askAnew } from './repair.js';
import { type HomeSet, ackedLevel, copiesOf, meetsClaim } from './quorum.js';
import { sameClaim } from './claim.js';
import { timing } from './timing.js';
import type { Transfer } from './transfer.js';

/** Writers of which something committed is waited for, in one channel: more are told again. */
const toldMax = 64;

export class Owning {
  readonly #context: Context;
  readonly #transfer: Transfer;
  readonly #outcomes: Outcomes;

  constructor(context: Context, transfer: Transfer, outcomes: Outcomes) {
    this.#context = context;
    this.#transfer = transfer;
    this.#outcomes = outcomes;
  }

  // Opening.

  /** Asks enough homes that promised the claim for all they hold, so that nothing acked under an earlier one is missed.
   *  `urgent`: something waits to be stamped, and goes before what else homes are asked. */
  open(channel: Channel, now: number, urgency?: 'urgent'): void {
    this.#trim(channel);
    const { held } = channel.interval;
    const { opening } = channel;
    if (!held || channel.opened === held.claim) return;
    const isUrgent = urgency === 'urgent';
    if (opening?.claim === held.claim) {
      if (!isUrgent || opening.isUrgent) return;
      Object.assign(opening, { isUrgent, since: now, waitMs: timing.claimMs });
      return this.#askHomes(channel, now);
    }
    channel.opening = {
      claim: held.claim,
      isUrgent,
      answers: new Map(),
      answered: new Set([this.#context.self]),
      since: now,
      askAt: now,
      waitMs: timing.claimMs,
    };
    for (const link of channel.links.values()) link.acked = 0;
    this.#context.dueChannels.changed(channel);
    this.#askHomes(channel, now);
    this.#openedEnough(channel, now);
  }

  /** A home wants to know what is committed, and nobody knows: the owner is to find out. */
  isUnsure(channel: Channel, { claim }: Pick<Pull, 'claim'>): boolean {
    return !claim && !this.#isOneCommitted(channel);
  }

  onState(channel: Channel, from: NodeId, { have, claim, runs }: State, now: number): void {
    const link = channel.link(from);
    link.has(have);
    // A home that does not count yet is asked again, until it does.
    if (claim || !channel.interval.held) link.askMs = timing.hedgeMs;
    const { opening } = channel;
    if (opening && sameClaim(claim, opening.claim)) {
      opening.answers.set(from, have);
      this.#openedEnough(channel, now);
    } else if (runs.length === 0 && !channel.holds(have)) this.#transfer.ask(channel, from, now);
    link.hasMore = runs.length > 0 && channel.interval.held !== undefined;
    this.#countEmpty(channel, from, runs.length === 0 && !channel.holds(have));
    this.#transfer.push(channel, from, now);
    this.#transfer.onHas(channel, from, now);
  }

  /** It says that it has what is lacking here, and does not send it. */
  #countEmpty(channel: Channel, from: NodeId, isEmpty: boolean): void {
    const link = channel.link(from);
    link.emptyAnswers = isEmpty ? link.emptyAnswers + 1 : 0;
    if (link.emptyAnswers < limits.emptyAnswersMax) return;
    link.emptyAnswers = 0;
    this.#context.alarm('NOTHING_SENT', `${channel.key}: entries are promised and do not come.`, from);
  }

  #askHomes(channel: Channel, now: number): void {
    const { opening, interval } = channel;
    if (!opening) return;
    opening.askAt = now + opening.waitMs;
    opening.waitMs = Math.min(timing.openMaxMs, 2 * opening.waitMs);
    for (const home of interval.others) {
      // What it sent is to be stored first.
      const isBusy = channel.queued > 0 && channel.link(home).hasMore;
      if (!isBusy && !opening.answered.has(home))
        this.#transfer.ask(channel, home, now, opening.isUrgent ? 'due' : 'ifNotAsked');
    }
  }

  /** A page of what homes have is stored. */
  #askForMore(channel: Channel, now: number): void {
    if (channel.queued > 0) return;
    for (const [home, link] of channel.links) {
      if (!link.hasMore) continue;
      link.hasMore = false;
      if (!link.have || channel.holds(link.have)) continue;
      if (channel.opening) channel.opening.waitMs = timing.claimMs;
      this.#transfer.ask(channel, home, now, 'due');
    }
  }

  #openedEnough(channel: Channel, now: number): void {
    const { opening, interval } = channel;
    if (!opening || opening.claim !== interval.held?.claim) return;
    for (const [home, have] of opening.answers) if (channel.holds(have)) opening.answered.add(home);
    const isOpen = meetsClaim(interval.sets, (home) => opening.answered.has(home));
    if (!isOpen && !planted('claim-without-pull')) return;
    channel.opened = opening.claim;
    channel.opening = undefined;
    // It is the owner who gives up what no home can read: it asks itself.
    askAnew(channel.repairs, now);
    this.#context.dueChannels.changed(channel);
    this.#context.outbox.add({ type: 'ready', ref: channel.ref });
    if (!this.#isOneCommitted(channel) && !planted('no-merge-after-claim'))
      this.#context.outbox.add({ type: 'merge', ref: channel.ref });
    this.#transfer.pushAll(channel, now);
  }

  /** Whether what is held ends in one entry that is known to be committed: then nothing waits for an entry above it. */
  #isOneCommitted({ log }: Channel): boolean {
    const heads = log.heads();
    const [head] = heads;
    const { committed } = log;
    return !head || (heads.length === 1 && committed?.writer === head.writer && committed.seq === head.seq);
  }

  // Growing and committing.

  /** The log has grown by a commit. */
  grown(channel: Channel, now: number): void {
    const { told, log } = channel;
    for (const { dot, from } of told.splice(0)) this.learn(channel, from, dot);
    this.#trim(channel);
    this.#openedEnough(channel, now);
    this.#askForMore(channel, now);
    if (this.#context.owns(channel)) {
      this.advance(channel);
      this.#transfer.pushAll(channel, now);
      if (log.parentsFor(this.#context.writer, false) === undefined) channel.mergeAt = undefined;
      else channel.mergeAt ??= now + timing.mergeMs;
    }
    this.#context.dueChannels.changed(channel);
  }

  onAcks(from: NodeId, { interval: id, claim, channels }: Acks, now: number): void {
    const interval = this.#context.intervalFor(from, id);
    if (!interval?.held || !sameClaim(claim, interval.held.claim)) return;
    for (const { ref, seq } of channels) {
      const channel = this.#context.channelFor(from, interval, ref);
      if (!channel) continue;
      if (planted('ack-counted-twice')) creditAnother(channel, from, seq);
      this.#transfer.onAck(channel, from, seq, now);
      this.advance(channel);
      this.#outcomes.settle(channel, now);
      this.#context.dueChannels.changed(channel);
    }
  }

  /** Commits through the newest entry of the live claim that enough homes acked. What lies below it is committed with it;
   *  nothing older ever is by counting copies. */
  advance(channel: Channel): void {
    const { interval, log } = channel;
    const { held } = interval;
    if (!held || log.hasUnplacedHole || !this.#context.owns(channel)) return;
    const { writer } = this.#context;
    const seq = Math.min(
      log.have(writer),
      ackedLevel(this.#countedSets(interval.sets), this.ackedBy(channel)),
    );
    if (seq <= log.committedSeq(writer)) return;
    if (log.roundOf({ writer, seq }) !== held.claim.round && !planted('tail-by-copies')) return;
    this.#commit(channel, { writer, seq });
  }

  /** What each home acked under the live claim. The own disk counts while the own promise is the claim. */
  ackedBy(channel: Channel): (home: NodeId) => number {
    const { interval, log, links } = channel;
    const { self, writer } = this.#context;
    const owns = this.#context.owns(channel) && sameClaim(interval.durable, interval.held?.claim);
    const own =
      owns && sameClaim(interval.promise, interval.durable) && !interval.recovery ? log.have(writer) : 0;
    return (home) => (home === self ? own : (links.get(home)?.acked ?? 0));
  }

  copies(channel: Channel, seq: number): number {
    return copiesOf(channel.interval.sets, this.ackedBy(channel), seq);
  }

  #countedSets(sets: readonly HomeSet[]): readonly HomeSet[] {
    if (!planted('alive-quorum')) return sets;
    const { connected, self } = this.#context;
    return sets.map((set) => {
      const homes = set.homes.filter((home) => home === self || connected.has(home));
      return { ...set, homes, appendNeeds: Math.floor(homes.length / 2) + 1 };
    });
  }

  /** A home says so, which need not be the owner: where that one is known and it is not this node, its word is waited for. */
  hear(channel: Channel, from: NodeId, dot: Dot | undefined): void {
    const { owner } = channel.interval;
    if (owner === undefined || owner === from || owner === this.#context.self) this.learn(channel, from, dot);
  }

  /** The owner said so. */
  learn(channel: Channel, from: NodeId, dot: Dot | undefined): void {
    if (!dot) return;
    const { log, told } = channel;
    if (dot.seq > log.have(dot.writer) || log.hasUnplacedHole) {
      if (!told.some(({ dot: each }) => each.writer === dot.writer && each.seq >= dot.seq)) {
        if (told.length < toldMax) told.push({ dot, from });
      }
      return;
    }
    if (dot.seq <= log.committedSeq(dot.writer)) return;
    if (log.canCommitThrough(dot)) return this.#commit(channel, dot);
    this.#context.alarm(
      'COMMIT_CONFLICT',
      `${channel.key}: ${dotText(dot)} does not follow what is committed.`,
      from,
    );
  }

  #commit(channel: Channel, dot: Dot): void {
    const { log, ref } = channel;
    // Floors may be in the log that were not told of yet.
    this.trimmed(channel);
    const from = log.endPosition;
    log.commitThrough(dot);
    channel.toldPosition = log.endPosition;
    this.#context.outbox.add({ type: 'committed', ref, dot, from, to: log.endPosition });
    this.#trim(channel);
    this.#context.dueChannels.changed(channel);
    this.#transfer.tellCommitted(channel);
    this.#outcomes.settle(channel);
  }

  /** A trim that is committed is to take effect: its floors go into the next commit. */
  #trim(channel: Channel): void {
    const { log, key } = channel;
    const own = planted('trim-by-own-clock') ? log.trimAt(log.endPosition - 4) : undefined;
    if (own) this.#context.raise(channel, own);
    // A deletion that took effect only now may have been gone on from with what was written beside it taken in.
    if (this.#context.owns(channel) && log.generation.voidsDue().length > 0)
      this.#context.outbox.add({ type: 'merge', ref: channel.ref });
    if (log.heldTrims.length === 0) return;
    const { due, untrue } = log.dueTrims();
    const self = this.#context.self;
    for (const dot of untrue)
      this.#context.alarm('TRIM_CONFLICT', `${key}: ${dotText(dot)} removes what no trim may.`, self);
    if (due) this.#context.raise(channel, due);
  }

  /** Floors were raised. Where they were taken over the order goes on behind what was trimmed. */
  trimmed(channel: Channel): void {
    const { log, ref, toldPosition: from } = channel;
    if (log.endPosition <= from) return;
    channel.toldPosition = log.endPosition;
    this.#context.outbox.add({ type: 'overtaken', ref, from });
  }

  /** Position up to which this node may trim. What a home lacks that is away stays for it until it was away for `graceMs`;
   *  that spares it a gap, nothing rests on it. One trim at a time, so that a trim never waits behind another. */
  trimLimit(channel: Channel, graceMs: number, now: number): number {
    const { log, interval, links } = channel;
    if (!this.#context.owns(channel) || log.heldTrims.length > 0) return 0;
    let limit = log.endPosition;
    for (const home of interval.others) {
      const awayMs = this.#context.awayFor(home, now);
      if (this.#context.connected.has(home) || awayMs >= graceMs) continue;
      const [first] = log.lacking(links.get(home)?.have ?? new Map());
      const position = first && log.positionOf({ writer: first.writer, seq: first.firstSeq });
      limit = Math.min(limit, position ?? limit);
    }
    return limit;
  }

  // Time.

  tick(channel: Channel, now: number): void {
    const { opening, mergeAt, interval } = channel;
    if (opening && opening.claim !== interval.held?.claim) channel.opening = undefined;
    else if (opening && now >= opening.askAt) this.#askHomes(channel, now);
    if (mergeAt === undefined || now < mergeAt) return;
    channel.mergeAt = undefined;
    if (this.#context.owns(channel)) this.#context.outbox.add({ type: 'merge', ref: channel.ref });
  }
}

/** The planted mistake: one answer is taken for two. */
function creditAnother(channel: Channel, from: NodeId, seq: number): void {
  const link: Link | undefined = channel.links.get(from);
  const other = channel.interval.others.find((home) => home !== from);
  if (link && other && link.acked >= seq) {
    const credited = channel.link(other);
    credited.acked = Math.max(credited.acked, seq);
  }
}
