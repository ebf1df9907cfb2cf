/** A home takes appends: only under exactly the highest claim it knows, and acks only while that is what it promised. */
import type { NodeId } from '../base/ids.js';
import { planted } from '../base/planted.js';
import type { Asks } from './asks.js';
import type { Channel } from './channel.js';
import { compareClaims, sameClaim } from './claim.js';
import { type Duty, lastSeqOf } from './commit-queue.js';
import type { Context } from './context.js';
import type { Append } from './messages.js';

type Learn = (channel: Channel, from: NodeId, committed: Append['committed']) => void;
type AckDuty = Extract<Duty, { type: 'ack' }>;
type TellHave = (channel: Channel, to: NodeId) => void;

export class Homes {
  readonly #context: Context;
  readonly #asks: Asks;
  readonly #learn: Learn;
  readonly #tellHave: TellHave;

  constructor(context: Context, asks: Asks, learn: Learn, tellHave: TellHave) {
    this.#context = context;
    this.#asks = asks;
    this.#learn = learn;
    this.#tellHave = tellHave;
  }

  onAppend(from: NodeId, append: Append, now: number): void {
    const interval = this.#context.intervalFor(from, append.interval);
    if (!interval || !this.#context.mayUse(interval, append.claim, from)) return;
    const { claim, ref, runs, committed } = append;
    const order = compareClaims(claim, interval.promise);
    if (order < 0 && !planted('stale-fence')) {
      return this.#context.outbox.to(from).fence(interval.id, interval.promise);
    }
    const channel = this.#context.channelFor(from, interval, ref);
    if (!channel) return;
    if (order > 0) this.#context.promise(interval, claim, now);
    interval.heardFrom(from, claim);
    this.#asks.answered(channel, from, now);
    this.#context.takeGone(channel, from, append);
    const taken = this.#context.take(channel, from, runs);
    this.#learn(channel, from, committed);
    if (runs.length === 0) return;
    if (planted('ack-before-sync')) {
      const seq = lastSeqOf(taken, claim.writer);
      if (seq > 0) this.#context.outbox.to(from).ack(interval.id, claim, ref, seq);
    }
    this.#context.queue.duty({ type: 'ack', channel, to: from, claim, of: 'append' });
  }

  /** Everything received with the append is synced. The log holds what is synced and nothing else, each entry with all it
   *  stands on, so one seq says it all. Who does not count says what it has: its readers want what comes next at once too. */
  ack({ channel, to, claim, of }: AckDuty): void {
    const { interval, log, ref } = channel;
    if (interval.recovery && !planted('recovering-acks')) {
      if (of === 'append') this.#tellHave(channel, to);
      return;
    }
    const { outbox } = this.#context;
    if (!sameClaim(interval.promise, claim) && !planted('stale-fence')) {
      return outbox.to(to).fence(interval.id, interval.promise);
    }
    const seq = log.have(claim.writer);
    if (seq > 0) outbox.to(to).ack(interval.id, claim, ref, seq);
  }
}
