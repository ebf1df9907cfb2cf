/** Comparing everything with one peer: where nobody knows how far this home is in what arrived there. The peer lists what it
 *  holds of each interval, and whatever of it is lacking here is asked for. Costs as much as there are channels. */
import type { NodeId } from '../base/ids.js';
import { limits } from '../base/limits.js';
import type { Vector } from '../log/entry.js';
import type { Channel } from './channel.js';
import type { Context } from './context.js';
import type { IntervalId, Recovery } from './messages.js';
import { timing } from './timing.js';

export interface CompareHooks {
  /** The peer holds this of a channel. */
  named(peer: NodeId, channel: Channel, have: Vector, now: number): void;
  /** All that the peer holds of the intervals was named. */
  listed(peer: NodeId, now: number): void;
}

/** With one peer. */
interface Comparing {
  readonly session: number;
  readonly waiting: IntervalId[];
  /** Asked about together, and not listed yet. */
  readonly asked: Set<IntervalId>;
  readonly given: Map<IntervalId, { readonly parts: number; readonly seen: Set<number> }>;
  askAt: number;
}

export class CompareAll {
  readonly #context: Context;
  readonly #hooks: CompareHooks;
  readonly #comparing = new Map<NodeId, Comparing>();

  constructor(context: Context, hooks: CompareHooks) {
    this.#context = context;
    this.#hooks = hooks;
  }

  /** Compares intervals of which both are homes. One comparison with a peer at a time; a new one takes its place. */
  compareAll(intervals: Iterable<IntervalId>, peer: NodeId, now: number): void {
    const session = Math.floor(this.#context.options.random.next() * Number.MAX_SAFE_INTEGER);
    const comparing = {
      session,
      waiting: [...intervals],
      asked: new Set<string>(),
      given: new Map(),
      askAt: now,
    };
    this.#comparing.set(peer, comparing);
    this.#goOn(peer, comparing, now);
  }

  stop(peer: NodeId): void {
    this.#comparing.delete(peer);
  }

  onRecovery(from: NodeId, message: Recovery, now: number): void {
    const comparing = this.#comparing.get(from);
    const { interval: id, session, recovering, channels, part, parts } = message;
    // What a peer has that recovers itself is asked for again later.
    if (comparing?.session !== session || !comparing.asked.has(id) || recovering) return;
    const interval = this.#context.intervalFor(from, id);
    if (!interval) return;
    let given = comparing.given.get(id);
    if (given?.parts !== parts) comparing.given.set(id, (given = { parts, seen: new Set() }));
    given.seen.add(part);
    for (const { ref, have } of channels) {
      const channel = this.#context.channelFor(from, interval, ref);
      if (channel) this.#hooks.named(from, channel, have, now);
    }
    if (given.seen.size < parts) return;
    comparing.asked.delete(id);
    comparing.given.delete(id);
    if (comparing.asked.size === 0) this.#goOn(from, comparing, now);
  }

  get deadline(): number {
    let next = Infinity;
    for (const { askAt } of this.#comparing.values()) next = Math.min(next, askAt);
    return next;
  }

  tick(now: number): void {
    for (const [peer, comparing] of this.#comparing) {
      if (now >= comparing.askAt) this.#ask(peer, comparing, now);
    }
  }

  #goOn(peer: NodeId, comparing: Comparing, now: number): void {
    for (const id of comparing.waiting.splice(0, limits.comparedAtOnce)) comparing.asked.add(id);
    if (comparing.asked.size > 0) return this.#ask(peer, comparing, now);
    this.#comparing.delete(peer);
    this.#hooks.listed(peer, now);
  }

  /** One walk over all channels answers those that are asked about in one turn. */
  #ask(peer: NodeId, comparing: Comparing, now: number): void {
    comparing.askAt = now + timing.compareMs;
    const { session } = comparing;
    const outbox = this.#context.outbox.to(peer);
    for (const interval of comparing.asked) outbox.other({ type: 'recover', interval, session });
  }
}
