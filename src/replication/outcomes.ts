/** What publishers are told: the level reached and the copies there are, or that nobody knows. */
import type { WriterId } from '../base/ids.js';
import { planted } from '../base/planted.js';
import type { ChannelLog } from '../log/channel-log.js';
import type { LostRange } from '../log/entry.js';
import type { Awaited, Channel } from './channel.js';
import type { Context } from './context.js';
import type { Outcome } from './effects.js';
import { timing } from './timing.js';

const indeterminate: Outcome = { type: 'indeterminate' };

export class Outcomes {
  readonly #context: Context;
  /** Homes that acked at least a seq under the live claim. */
  copiesOf: (channel: Channel, seq: number) => number = () => 0;

  constructor(context: Context) {
    this.#context = context;
  }

  /** Entries that wait until a majority has them. */
  get waiting(): number {
    let waiting = 0;
    for (const { awaited } of this.#context.dueChannels.items())
      for (const { level, firstSeq, lastSeq } of awaited)
        if (level === 'quorum') waiting += lastSeq - firstSeq + 1;
    return waiting;
  }

  /** Gives an outcome to everything that has one; with the time also to what waited long enough. */
  settle(channel: Channel, now = -Infinity): void {
    if (channel.awaited.length === 0) return;
    channel.awaited = channel.awaited.filter((awaited) => !this.#settleOne(channel, awaited, now));
  }

  /** Its commit is over: whoever waits for an outcome listens from now on. */
  written(channel: Channel, now: number): void {
    if (channel.awaited.length === 0) return;
    for (const awaited of channel.awaited) awaited.isWritten = true;
    this.settle(channel, now);
    this.#context.dueChannels.changed(channel);
  }

  /** This node stood still until now: what came in meanwhile is heard before anything is given up. */
  resumed(now: number): void {
    const { dueChannels } = this.#context;
    for (const channel of dueChannels.items()) {
      for (const awaited of channel.awaited)
        awaited.deadline = Math.max(awaited.deadline, now + timing.claimMs);
      dueChannels.changed(channel);
    }
  }

  /** Whether nothing of it waits any more. */
  #settleOne(channel: Channel, awaited: Awaited, now: number): boolean {
    if (!awaited.isWritten) return false;
    const { log } = channel;
    const { writer } = awaited;
    const isTaken = planted('held-is-committed') && writer !== this.#context.writer;
    const committed = Math.min(isTaken ? log.have(writer) : log.committedSeq(writer), awaited.lastSeq);
    if (committed >= awaited.firstSeq) {
      this.#tellCommitted(channel, awaited, committed);
      if (committed === awaited.lastSeq) return true;
    }
    const { lastSeq } = awaited;
    const isSynced = log.have(writer) >= lastSeq;
    const isOver = now >= awaited.deadline;
    if (
      isSynced &&
      (awaited.level === 'owner' || (awaited.degrade && (isOver || !this.#mayReach(channel, awaited))))
    ) {
      const copies = Math.max(1, this.#copies(channel, writer, lastSeq));
      this.#tell(channel, awaited, lastSeq, { type: 'acked', level: 'owner', copies });
      return true;
    }
    if (!isOver) return false;
    this.#tell(channel, awaited, lastSeq, indeterminate);
    return true;
  }

  /** What stands where it is void, or was given up, is of no effect. */
  #tellCommitted(channel: Channel, awaited: Awaited, committed: number): void {
    const { log } = channel;
    const { writer } = awaited;
    const quorum = this.#quorum(channel, writer, committed);
    const isVoid = log.generation.isVoid({ writer, seq: awaited.firstSeq });
    for (const { fromSeq, toSeq } of isVoid ? [] : givenUpIn(log, awaited, committed)) {
      if (fromSeq > awaited.firstSeq) this.#tell(channel, awaited, fromSeq - 1, quorum);
      this.#tell(channel, { ...awaited, firstSeq: fromSeq }, toSeq, indeterminate);
      awaited.firstSeq = toSeq + 1;
    }
    if (awaited.firstSeq <= committed)
      this.#tell(channel, awaited, committed, isVoid ? indeterminate : quorum);
    awaited.firstSeq = committed + 1;
  }

  /** Whether enough homes might still ack: they can be reached, and a claim is held here. What was written under an earlier
   *  claim, here or elsewhere, is for the next owner to commit, which is waited for. */
  #mayReach(channel: Channel, { writer, lastSeq }: Awaited): boolean {
    const { interval, opening, log } = channel;
    const isToBeOwned = writer !== this.#context.writer && (interval.attempt ?? opening) !== undefined;
    const isOfClaim = writer === this.#context.writer && log.roundOf({ writer, seq: lastSeq }) > 0;
    return (
      (this.#context.owns(channel) || isToBeOwned || isOfClaim || interval.claimBy !== undefined) &&
      this.#context.reaches(interval.sets)
    );
  }

  /** Acks name entries of this start's writer only, and what is trimmed counts as held by homes that never had it. */
  #copies(channel: Channel, writer: WriterId, seq: number): number {
    const isTrimmed = seq <= (channel.log.floors.get(writer) ?? 0);
    return writer === this.#context.writer && !isTrimmed ? this.copiesOf(channel, seq) : 0;
  }

  /** An entry committed under another's claim has as many copies as that takes, if not more. */
  #quorum(channel: Channel, writer: WriterId, seq: number): Outcome {
    if (planted('copies-claimed'))
      return { type: 'acked', level: 'quorum', copies: channel.interval.homes.length };
    const least = Math.max(...channel.interval.sets.map(({ appendNeeds }) => appendNeeds));
    return { type: 'acked', level: 'quorum', copies: Math.max(least, this.#copies(channel, writer, seq)) };
  }

  #tell({ ref }: Channel, { writer, firstSeq }: Awaited, lastSeq: number, outcome: Outcome): void {
    this.#context.outbox.add({ type: 'outcome', ref, writer, firstSeq, lastSeq, outcome });
  }
}

/** Of the entries from the first that is awaited through `last` those that were given up, by rising seq. */
function givenUpIn(log: ChannelLog, { writer, firstSeq }: Awaited, last: number): LostRange[] {
  return log
    .givenUp()
    .filter((range) => range.writer === writer && range.fromSeq <= last && range.toSeq >= firstSeq)
    .map(({ fromSeq, toSeq }) => ({
      writer,
      fromSeq: Math.max(fromSeq, firstSeq),
      toSeq: Math.min(toSeq, last),
    }));
}
