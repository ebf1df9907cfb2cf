/** Entries that a home holds and nobody commits: written without a claim, or under one that is over, and unknown to who owns
 *  the channel since. They are offered until they are committed, and then have their place for good. */
import type { Channel } from './channel.js';
import type { Context } from './context.js';
import { timing } from './timing.js';
import type { Transfer } from './transfer.js';

export class Offering {
  readonly #context: Context;
  readonly #transfer: Transfer;

  constructor(context: Context, transfer: Transfer) {
    this.#context = context;
    this.#transfer = transfer;
  }

  /** The log has grown. */
  grown(channel: Channel, now: number): void {
    if (channel.offer || this.#context.owns(channel)) return;
    const waitMs = timing.offerMinMs;
    channel.offer = { at: now + waitMs, waitMs, committed: channel.log.committed };
    this.#context.dueChannels.changed(channel);
  }

  /** Asks the owner, or all homes while it is not known: each sends what the other lacks. Rarer and rarer, as long as
   *  nothing is committed. */
  tick(channel: Channel, now: number): void {
    const { offer, log, interval } = channel;
    if (!offer || now < offer.at) return;
    if (this.#context.owns(channel) || isAllCommitted(channel)) {
      channel.offer = undefined;
      return;
    }
    const hasAdvanced =
      log.committed?.writer !== offer.committed?.writer || log.committed?.seq !== offer.committed?.seq;
    if (!hasAdvanced) {
      const { owner, others, self } = interval;
      const homes = owner === undefined || owner === self ? others : [owner];
      for (const home of homes) this.#transfer.ask(channel, home, now);
    }
    const waitMs = hasAdvanced ? timing.offerMinMs : Math.min(2 * offer.waitMs, timing.offerMaxMs);
    channel.offer = { at: now + waitMs, waitMs, committed: log.committed };
  }
}

function isAllCommitted({ log }: Channel): boolean {
  return log.heads().every(({ writer, seq }) => log.committedSeq(writer) >= seq);
}
