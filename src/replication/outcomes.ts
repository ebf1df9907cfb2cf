/** What publishers are told: the level reached and the copies there are, or that nobody knows. */
import type { Awaited, Channel } from './channel.js';
import type { Context } from './context.js';
import type { Outcome } from './effects.js';
import { meetsAppend } from './quorum.js';

export class Outcomes {
  readonly #context: Context;
  /** Homes that acked at least a seq under the live claim. */
  copiesOf: (channel: Channel, seq: number) => number = () => 0;

  constructor(context: Context) {
    this.#context = context;
  }

  /** Gives an outcome to everything that has one by now. */
  settle(channel: Channel, now: number): void {
    if (channel.awaited.length === 0) return;
    channel.awaited = channel.awaited.filter((awaited) => !this.#settleOne(channel, awaited, now));
  }

  /** Whether nothing of it waits any more. */
  #settleOne(channel: Channel, awaited: Awaited, now: number): boolean {
    const { log } = channel;
    const { writer } = this.#context;
    const committed = Math.min(log.committedSeq(writer), awaited.lastSeq);
    if (committed >= awaited.firstSeq) {
      this.#tell(channel, awaited.firstSeq, committed, this.#quorum(channel, committed));
      awaited.firstSeq = committed + 1;
      if (committed === awaited.lastSeq) return true;
    }
    const { firstSeq, lastSeq } = awaited;
    const isSynced = log.have(writer) >= lastSeq;
    const isOver = now >= awaited.deadline;
    if (
      isSynced &&
      (awaited.level === 'owner' || (awaited.degrade && (isOver || !this.#mayReach(channel))))
    ) {
      const copies = Math.max(1, this.copiesOf(channel, lastSeq));
      this.#tell(channel, firstSeq, lastSeq, { type: 'acked', level: 'owner', copies });
      return true;
    }
    if (!isOver) return false;
    this.#tell(channel, firstSeq, lastSeq, { type: 'indeterminate' });
    return true;
  }

  /** Whether enough homes might still ack: a claim is held here and they can be reached. */
  #mayReach(channel: Channel): boolean {
    const { self, connected } = this.#context;
    return (
      this.#context.owns(channel) &&
      meetsAppend(channel.interval.sets, (home) => home === self || connected.has(home))
    );
  }

  /** An entry committed under another's claim has as many copies as that takes, if not more. */
  #quorum(channel: Channel, seq: number): Outcome {
    const least = Math.max(...channel.interval.sets.map(({ appendNeeds }) => appendNeeds));
    return { type: 'acked', level: 'quorum', copies: Math.max(least, this.copiesOf(channel, seq)) };
  }

  #tell(channel: Channel, firstSeq: number, lastSeq: number, outcome: Outcome): void {
    const { writer } = this.#context;
    this.#context.outbox.add({ type: 'outcome', ref: channel.ref, writer, firstSeq, lastSeq, outcome });
  }
}
