/** A reader's cursor is ahead of this replica: what it names is looked for at all other homes, and brought here by a pull.
 *  What no home has, though all answered and none may have forgotten anything, is lost. */
import type { Dot, NodeId, WriterId } from '../base/ids.js';
import { limits } from '../base/limits.js';
import { planted } from '../base/planted.js';
import type { Vector } from '../log/entry.js';
import type { Channel, Fetch } from './channel.js';
import type { Context } from './context.js';
import type { Find, Found } from './messages.js';
import { timing } from './timing.js';
import type { Transfer } from './transfer.js';

export class Fetching {
  readonly #context: Context;
  readonly #transfer: Transfer;

  constructor(context: Context, transfer: Transfer) {
    this.#context = context;
    this.#transfer = transfer;
  }

  begin(channel: Channel, dots: readonly Dot[], now: number): number {
    const wanted = new Map<WriterId, number>();
    for (const { writer, seq } of dots) wanted.set(writer, Math.max(seq, wanted.get(writer) ?? 0));
    const id = this.#context.nextId();
    const session = Math.floor(this.#context.options.random.next() * Number.MAX_SAFE_INTEGER);
    const deadline = now + timing.fetchMs;
    channel.fetches.push({ id, session, wanted, answers: new Map(), askAt: now, deadline });
    this.#context.dueChannels.changed(channel);
    this.tick(channel, now);
    return id;
  }

  tick(channel: Channel, now: number): void {
    this.settle(channel, now);
    for (const fetch of channel.fetches) if (now >= fetch.askAt) this.#ask(channel, fetch, now);
  }

  /** The log may have grown, an answer come, or the time be over. */
  settle(channel: Channel, now = -Infinity): void {
    if (channel.fetches.length === 0) return;
    channel.fetches = channel.fetches.filter((fetch) => !this.#settleOne(channel, fetch, now));
  }

  onFound(channel: Channel, from: NodeId, { session, have, recovering }: Found, now: number): void {
    const fetch = channel.fetches.find((each) => each.session === session);
    if (!fetch || !channel.interval.others.includes(from)) return;
    fetch.answers.set(from, { have, recovering });
    if (this.#hasWanted(channel, fetch, have)) this.#transfer.ask(channel, from, now);
    this.settle(channel);
  }

  // The home that is asked.

  onFind(channel: Channel, from: NodeId, find: Find, now: number): void {
    if (this.#context.mayGive(from, limits.questionBytes, now))
      this.#context.queue.duty({ type: 'found', channel, to: from, find });
  }

  /** Everything received before the question is synced. */
  answer({ interval, ref, log }: Channel, to: NodeId, { session, wanted }: Find): void {
    const have = new Map<WriterId, number>();
    for (const writer of wanted.keys()) if (log.have(writer) > 0) have.set(writer, log.have(writer));
    const recovering = interval.recovery !== undefined;
    this.#context.outbox
      .to(to)
      .other({ type: 'found', interval: interval.id, ref, session, have, recovering });
  }

  /** Those that have not answered are asked, again too, and those that have something for it. */
  #ask(channel: Channel, fetch: Fetch, now: number): void {
    fetch.askAt = now + timing.hedgeMs;
    const { interval, ref } = channel;
    const { session, wanted } = fetch;
    for (const home of interval.others) {
      const answer = fetch.answers.get(home);
      if (answer && this.#hasWanted(channel, fetch, answer.have)) this.#transfer.ask(channel, home, now);
      else if (!answer || answer.recovering) {
        this.#context.outbox.to(home).other({ type: 'find', interval: interval.id, ref, session, wanted });
      }
    }
  }

  #settleOne(channel: Channel, fetch: Fetch, now: number): boolean {
    const missing = lackedOf(channel, fetch);
    const isOver = now >= fetch.deadline;
    const certain = missing.length === 0 || this.#isNowhere(channel, fetch);
    if (!certain && !isOver) return false;
    this.#context.outbox.add({ type: 'fetched', id: fetch.id, ref: channel.ref, missing, certain });
    return true;
  }

  /** No home has what is lacking, and none, this one included, may have forgotten it. */
  #isNowhere(channel: Channel, fetch: Fetch): boolean {
    const { interval } = channel;
    if (interval.recovery) return false;
    if (planted('fetch-by-majority')) return 2 * (fetch.answers.size + 1) > interval.homes.length;
    return interval.others.every((home) => {
      const answer = fetch.answers.get(home);
      return answer && !answer.recovering && !this.#hasWanted(channel, fetch, answer.have);
    });
  }

  /** Whether something that is wanted and lacking here is among `have`. What a home has of a writer starts at its first
   *  entry, so a part of what is lacking comes with it. */
  #hasWanted({ log }: Channel, { wanted }: Fetch, have: Vector): boolean {
    for (const [writer, seq] of wanted) {
      if (Math.min(seq, have.get(writer) ?? 0) > log.have(writer)) return true;
    }
    return false;
  }
}

function lackedOf({ log }: Channel, { wanted }: Fetch): readonly Dot[] {
  const lacked: Dot[] = [];
  for (const [writer, seq] of wanted) if (log.have(writer) < seq) lacked.push({ writer, seq });
  return lacked;
}
