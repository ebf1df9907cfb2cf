/** Asks other homes what they have of channels: few questions to a home at a time, and one that is not answered later and later
 *  again. */
import type { NodeId } from '../base/ids.js';
import { type Channel, trimOf } from './channel.js';
import type { Context } from './context.js';
import { timing } from './timing.js';
import { Window } from './window.js';

/** Channels of which one other home is asked what it has, before it has answered. */
export const askedChannelsMax = 256;

/** `due`: something waits for the answer, or it is the next of several pages. */
export type AskWhen = 'due' | 'ifNotAsked';

export class Asks {
  readonly #context: Context;
  readonly #windows = new Map<NodeId, Window<Channel>>();
  /** What waits for its turn is looked at again then. */
  deadline = Infinity;

  constructor(context: Context) {
    this.#context = context;
  }

  /** Asks a home what it has and for what is lacking here; an owner asks under its claim, which is answered by an ack
   *  too. Not again within a while unless it is `due`. */
  ask(channel: Channel, home: NodeId, now: number, when: AskWhen): void {
    const link = channel.link(home);
    const waitMs = link.askMs;
    if (when === 'ifNotAsked' && (now < link.askedUntil || !this.#begin(channel, home, now))) return;
    link.askedUntil = now + waitMs;
    const { ref, interval } = channel;
    const { held } = interval;
    const terms = held ? { claim: held.claim } : {};
    const have = channel.have();
    const message = { type: 'pull', interval: interval.id, ref, have, ...terms, ...trimOf(channel) } as const;
    this.#context.outbox.to(home).other(message);
    if (!held) return;
    link.resendAt ??= now + timing.hedgeMs;
    this.#context.dueChannels.changed(channel);
  }

  #begin(channel: Channel, home: NodeId, now: number): boolean {
    const link = channel.link(home);
    let window = this.#windows.get(home);
    if (!window) this.#windows.set(home, (window = new Window(askedChannelsMax)));
    const mayAsk = window.begin(channel.key, channel, now, link.askMs);
    if (mayAsk) link.askMs = Math.min(timing.askMaxMs, 2 * link.askMs);
    else if (window.isWaitedFor) this.deadline = Math.min(this.deadline, now + timing.hedgeMs);
    return mayAsk;
  }

  /** The home said something of the channel: others have their turn. */
  answered({ key }: Channel, home: NodeId, now: number): void {
    const window = this.#windows.get(home);
    if (!window) return;
    window.end(key);
    this.#pump(home, window, now);
  }

  /** Nothing is on its way to the home any more. */
  drop(home: NodeId): void {
    this.#windows.delete(home);
  }

  /** What was asked under the last version of the ring may not be answered. */
  replanned(): void {
    for (const window of this.#windows.values()) window.forgetAsked();
    this.deadline = -Infinity;
  }

  tick(now: number): void {
    if (now < this.deadline) return;
    this.deadline = Infinity;
    for (const [home, window] of this.#windows) this.#pump(home, window, now);
  }

  #pump(home: NodeId, window: Window<Channel>, now: number): void {
    for (let channel = window.next(now); channel; channel = window.next(now)) {
      // It may have left memory, or lie elsewhere by now.
      const isHere = this.#context.channels.get(channel.key) === channel;
      if (isHere && channel.interval.others.includes(home)) this.ask(channel, home, now, 'ifNotAsked');
    }
    if (window.isWaitedFor) this.deadline = Math.min(this.deadline, now + timing.hedgeMs);
  }
}
