/** Publishes whose channel another node orders go there, and their outcomes come back to whoever published. Those of one
 *  channel keep their order whatever happens: all that are under way are with one node, and none goes to another one
 *  before each of them has its answer. A node that does not take one says so, and nothing was written then. */
import type { ChannelRef, NodeId } from '../../base/ids.js';
import { ChannelMap } from '../../base/channel-map.js';
import { limits } from '../../base/limits.js';
import { planted } from '../../base/planted.js';
import { failure } from '../../protocol/errors.js';
import type { Level } from '../../protocol/messages.js';
import type { Reached } from '../../sessions/ack-range.js';
import { type ForwardItem, ForwardLane, inDoubt } from './forward-lane.js';
import type { Acting, Neighbours } from './neighbours.js';
import type { ForwardedOutcome, ForwardedPublish, PublishBatch, Published } from './peer-messages.js';
import { createsParents } from '../judged.js';
import type { PendingPublish, PublishOrigin } from '../pending.js';
import type { Clock, Timers } from '../ports.js';
import { PeerOrigin, Taking } from './taking.js';

export interface ForwardingHooks {
  /** A peer's publish to be taken in here; `id` is its request id. */
  publish(item: ForwardedPublish, origin: PublishOrigin): void;
  /** One of our own clients' that was to be forwarded, and this node acts by now. */
  publishHere(pending: PendingPublish, ref: ChannelRef, level: Level, degrade: boolean): void;
  /** Outcomes were given: write what is due. */
  flush(): void;
}

export interface ForwardingOptions {
  readonly neighbours: Neighbours;
  readonly timers: Timers;
  readonly clock: Clock;
}

export class Forwarding {
  readonly #options: ForwardingOptions;
  readonly #hooks: ForwardingHooks;
  readonly #taking: Taking;
  readonly #lanes = new ChannelMap<ForwardLane>();
  /** Those where something waits. */
  readonly #stalled = new Set<ForwardLane>();
  /** Sent or about to be, in that order. */
  readonly #open = new Map<number, ForwardItem>();
  /** Without an answer for so long that they wait to go to another node, by their ids; each as it was before it was in doubt. Until
   *  they go an answer counts: what was refused before others were taken must not come behind them. */
  readonly #unanswered = new Map<number, { readonly item: ForwardItem; readonly pending: PendingPublish }>();
  /** Of this turn. */
  readonly #outgoing = new Map<NodeId, ForwardItem[]>();
  #lastId = 0;
  #entries = 0;
  #bytes = 0;
  #stopped = false;
  #reached: Reached = { level: 'quorum', copies: 1 };
  #cancelTimer: (() => void) | undefined;
  #timerAt = Infinity;
  readonly counters = { forwarded: 0, moved: 0, taken: 0 };

  constructor(options: ForwardingOptions, hooks: ForwardingHooks) {
    this.#options = options;
    this.#hooks = hooks;
    this.#taking = new Taking(options.neighbours, options.timers, (item, origin) => {
      this.counters.taken++;
      hooks.publish(item, origin);
    });
  }

  /** Something of the channel is under way: what comes now goes behind it, even when this node acts by now. */
  holds(ref: ChannelRef): boolean {
    return this.#entries > 0 && this.#lanes.has(ref);
  }

  forward(pending: PendingPublish, ref: ChannelRef, level: Level, degrade: boolean): void {
    const bytes = pending.content.length + 128;
    const refusal = this.#stopped
      ? failure('SHUTTING_DOWN')
      : this.#entries >= limits.forwardedPublishesMax || this.#bytes + bytes > limits.forwardedBytesMax
        ? failure('OVERLOADED', { channel: ref.channel, retryAfterMs: 100 })
        : undefined;
    if (refusal) return pending.origin.publishFailed(pending.requestId, refusal);
    this.counters.forwarded++;
    this.#entries++;
    this.#bytes += bytes;
    let lane = this.#lanes.get(ref);
    if (!lane) this.#lanes.set(ref, (lane = new ForwardLane(ref)));
    const since = this.#options.clock.monotonicMs();
    const never = { id: 0, sentAt: 0, isFirst: false, isSecond: false };
    lane.waiting.push({ pending, lane, level, degrade, since, ...never });
    if (lane.waiting.length === 1 && lane.mayGo) return this.#pump(lane);
    this.#stalled.add(lane);
    this.#wakeAt(since + limits.forwardWaitMs);
  }

  /** The engine had taken it in, has written nothing, and another node acts. */
  giveBack(pending: PendingPublish, ref: ChannelRef, level: Level, degrade: boolean): void {
    const { origin } = pending;
    if (origin instanceof PeerOrigin) origin.publishMoved(pending.requestId, ref);
    else this.forward(pending, ref, level, degrade);
  }

  received(peer: NodeId, message: PublishBatch | Published): void {
    if (this.#stopped) return;
    if (message.type === 'publish') return this.#taking.taken(peer, message);
    for (const outcome of message.outcomes) this.#answered(peer, outcome);
    this.#hooks.flush();
  }

  /** Who acts may have changed: what waits need not wait longer. */
  wake(): void {
    for (const lane of this.#stalled) this.#retry(lane);
  }

  unlinked(peer: NodeId): void {
    this.#taking.unlinked(peer);
    const unsent = new Set(this.#outgoing.get(peer));
    this.#outgoing.delete(peer);
    const lanes = new Set<ForwardLane>();
    for (const item of this.#open.values()) {
      if (item.lane.target !== peer) continue;
      lanes.add(item.lane);
      this.#open.delete(item.id);
      item.lane.open--;
      if (!unsent.has(item) && !this.#mayRepeat(item)) this.#fail(item, 'INDETERMINATE');
      else item.lane.returned.push(item);
    }
    for (const lane of lanes) this.#drained(lane);
    this.#hooks.flush();
  }

  /** Under one key it takes effect once, also where a node without an answer has written it. */
  #mayRepeat(item: ForwardItem): boolean {
    if (item.pending.idempotencyKey === undefined) return planted('keyless-again');
    if (!planted('doubt-forgotten')) item.pending = inDoubt(item.pending);
    return true;
  }

  /** Nothing that was taken to another node waits for its answer. */
  get isIdle(): boolean {
    return this.#entries === 0;
  }

  stop(): void {
    this.#stopped = true;
    this.#cancelTimer?.();
    this.#taking.stop();
    const unsent = new Set([...this.#outgoing.values()].flat());
    this.#outgoing.clear();
    for (const item of this.#open.values()) {
      this.#fail(item, unsent.has(item) ? 'SHUTTING_DOWN' : 'INDETERMINATE');
    }
    this.#open.clear();
    for (const lane of this.#stalled) {
      for (const item of [...lane.returned, ...lane.waiting]) this.#fail(item, 'SHUTTING_DOWN');
    }
    this.#stalled.clear();
    this.#hooks.flush();
  }

  // Sending.

  /** Sends what waits in a channel, if nothing of it is under way to another node. */
  #pump(lane: ForwardLane): void {
    if (!lane.mayGo) return this.#stall(lane);
    const acting = this.#actingFor(lane);
    if (acting.at === 'here' && lane.open === 0) return this.#goHere(lane);
    const isOpenElsewhere = lane.open > 0 && (acting.at !== 'peer' || acting.peer !== lane.target);
    if (acting.at !== 'peer' || isOpenElsewhere) {
      if (lane.open === 0) lane.pause(this.#options.clock.monotonicMs());
      return this.#stall(lane);
    }
    lane.target = acting.peer;
    lane.hint = undefined;
    for (const item of lane.waiting) this.#send(item, acting.peer);
    lane.waiting = [];
    this.#stalled.delete(lane);
  }

  #retry(lane: ForwardLane): void {
    if (lane.open > 0) return;
    lane.retryAt = 0;
    this.#pump(lane);
  }

  /** The node that another one named, once, else what is known here. */
  #actingFor({ ref, hint }: ForwardLane): Acting {
    const { neighbours } = this.#options;
    if (hint !== undefined && neighbours.isLinked(hint)) return { at: 'peer', peer: hint };
    const acting = neighbours.acting(ref);
    return acting.at === 'peer' && !neighbours.isLinked(acting.peer) ? { at: 'nowhere' } : acting;
  }

  #goHere(lane: ForwardLane): void {
    const { waiting } = lane;
    lane.waiting = [];
    this.#stalled.delete(lane);
    this.#lanes.delete(lane.ref);
    for (const item of waiting) {
      this.#forget(item);
      this.#hooks.publishHere(item.pending, lane.ref, item.level, item.degrade);
    }
  }

  #send(item: ForwardItem, peer: NodeId): void {
    this.#unanswered.delete(item.id);
    item.id = ++this.#lastId;
    item.isFirst = item.lane.open === 0;
    item.sentAt = this.#options.clock.monotonicMs();
    item.lane.open++;
    this.#open.set(item.id, item);
    const batch = this.#outgoing.get(peer);
    if (batch) batch.push(item);
    else this.#outgoing.set(peer, [item]);
    if (!batch && this.#outgoing.size === 1) this.#options.timers.soon(() => this.#tell());
    this.#wakeAt(item.sentAt + limits.forwardAnswerMs);
  }

  #tell(): void {
    for (const [peer, items] of this.#outgoing) {
      this.#outgoing.delete(peer);
      let publishes: ForwardedPublish[] = [];
      let bytes = 0;
      for (const item of items) {
        publishes.push(asForwarded(item));
        bytes += item.pending.content.length;
        if (publishes.length < limits.forwardedBatchMax && bytes < limits.peerLetterBytes) continue;
        this.#options.neighbours.tell(peer, { type: 'publish', publishes });
        publishes = [];
        bytes = 0;
      }
      if (publishes.length > 0) this.#options.neighbours.tell(peer, { type: 'publish', publishes });
    }
  }

  // Answers.

  #answered(peer: NodeId, outcome: ForwardedOutcome): void {
    const item = this.#open.get(outcome.id) ?? this.#openAgain(outcome.id, peer);
    // Sent to another node since, or not of this peer.
    if (!item || item.lane.target !== peer) return;
    const { lane, pending } = item;
    this.#open.delete(item.id);
    lane.open--;
    if ('moved' in outcome) {
      this.counters.moved++;
      lane.returned.push(item);
      lane.hint = outcome.moved === this.#options.neighbours.self ? undefined : outcome.moved;
      this.#stall(lane);
    } else {
      this.#forget(item);
      lane.pauseMs = 0;
      if ('failure' in outcome) pending.origin.publishFailed(pending.requestId, outcome.failure);
      else {
        pending.dot = outcome.dot;
        pending.timestamp = outcome.timestamp;
        pending.duplicate = outcome.duplicate;
        pending.version = outcome.version;
        pending.origin.publishAccepted(pending, this.#reachedOf(outcome));
      }
    }
    if (lane.open === 0) this.#drained(lane);
  }

  /** One that waits to go to another node has its answer after all. */
  #openAgain(id: number, peer: NodeId): ForwardItem | undefined {
    const { item, pending } = this.#unanswered.get(id) ?? {};
    if (!item || item.lane.target !== peer) return undefined;
    this.#unanswered.delete(id);
    const { lane } = item;
    lane.remove(item);
    item.pending = pending!;
    item.isSecond = false;
    lane.open++;
    this.#open.set(id, item);
    return item;
  }

  /** Nothing of the channel is under way any more: what came back goes out again, before what waits. */
  #drained(lane: ForwardLane): void {
    if (lane.returned.length > 0) {
      lane.takeBack();
      // Told once where to go it goes there at once, else not before a pause: beliefs may chase each other.
      const goesOn = lane.pauseMs === 0 && lane.hint !== undefined && lane.hint !== lane.target;
      lane.pause(this.#options.clock.monotonicMs());
      if (goesOn) lane.retryAt = 0;
      else lane.hint = undefined;
    } else lane.rest();
    if (lane.waiting.length > 0) return this.#pump(lane);
    this.#stalled.delete(lane);
    this.#lanes.delete(lane.ref);
  }

  #reachedOf({ level, copies }: Reached): Reached {
    const last = this.#reached;
    if (last.level !== level || last.copies !== copies) this.#reached = { level, copies };
    return this.#reached;
  }

  #fail(item: ForwardItem, code: 'INDETERMINATE' | 'UNAVAILABLE' | 'SHUTTING_DOWN'): void {
    const { pending, lane } = item;
    this.#forget(item);
    const { channel } = lane.ref;
    pending.origin.publishFailed(pending.requestId, failure(code, { channel, retryAfterMs: 500 }));
  }

  #forget({ id, pending }: ForwardItem): void {
    this.#unanswered.delete(id);
    this.#entries--;
    this.#bytes -= pending.content.length + 128;
  }

  // Time: one timer for all.

  #stall(lane: ForwardLane): void {
    this.#stalled.add(lane);
    this.#wakeAt(lane.nextDeadline());
  }

  #wakeAt(at: number): void {
    if (at >= this.#timerAt || this.#stopped) return;
    this.#cancelTimer?.();
    this.#timerAt = at;
    const delay = at - this.#options.clock.monotonicMs();
    this.#cancelTimer = this.#options.timers.after(Math.max(0, delay), () => this.#tick());
  }

  #tick(): void {
    this.#cancelTimer = undefined;
    this.#timerAt = Infinity;
    const now = this.#options.clock.monotonicMs();
    const drained = this.#giveUpOpen(now);
    for (const lane of drained) this.#drained(lane);
    for (const lane of this.#stalled) {
      for (const item of lane.takeExpired(now)) this.#fail(item, 'UNAVAILABLE');
      if (lane.open === 0 && lane.waiting.length === 0) this.#drained(lane);
      else if (lane.retryAt <= now) this.#retry(lane);
      if (this.#stalled.has(lane)) this.#wakeAt(lane.nextDeadline());
    }
    for (const { sentAt } of this.#open.values()) {
      this.#wakeAt(sentAt + limits.forwardAnswerMs);
      break;
    }
    this.#hooks.flush();
  }

  /** Sent too long ago: with a key it may go to another node once, if there is one. Gives the channels in which nothing
   *  is under way any more. */
  #giveUpOpen(now: number): Set<ForwardLane> {
    const drained = new Set<ForwardLane>();
    for (const item of this.#open.values()) {
      if (item.sentAt + limits.forwardAnswerMs > now) break;
      const { lane, pending } = item;
      this.#open.delete(item.id);
      if (--lane.open === 0) drained.add(lane);
      const acting = this.#options.neighbours.acting(lane.ref);
      const isElsewhere = acting.at === 'here' || (acting.at === 'peer' && acting.peer !== lane.target);
      if (isElsewhere && !item.isSecond && this.#mayRepeat(item)) {
        item.isSecond = true;
        item.since = now;
        this.#unanswered.set(item.id, { item, pending });
        lane.returned.push(item);
        this.#stall(lane);
      } else this.#fail(item, 'INDETERMINATE');
    }
    return drained;
  }
}

function asForwarded({ pending, lane, id, level, degrade, isFirst }: ForwardItem): ForwardedPublish {
  const { actor, content, publisher, idempotencyKey, retain, push, judged } = pending;
  const { deletes, redacts, forces } = pending;
  return {
    id,
    ref: lane.ref,
    actor,
    content,
    publisher,
    idempotencyKey,
    retain,
    push,
    level,
    degrade,
    first: isFirst,
    ...(judged ? { kind: judged.kind, createParents: createsParents(judged) } : {}),
    ...(deletes ? { isDelete: true } : {}),
    ...(redacts ? { redacts } : {}),
    ...(forces ? { keep: forces.keep } : {}),
  };
}
