/** Publishes that other nodes send because this one acts for their channels. Each goes the way of a client's, and its
 *  outcome back: all outcomes of a turn for one peer are one message. */
import { type ChannelRef, type NodeId, channelKey } from '../../base/ids.js';
import { limits } from '../../base/limits.js';
import type { Failure } from '../../protocol/errors.js';
import type { Accepted, Reached } from '../../sessions/ack-range.js';
import type { Neighbours } from './neighbours.js';
import type { ForwardedOutcome, ForwardedPublish, PublishBatch } from './peer-messages.js';
import type { PublishOrigin } from '../pending.js';
import type { Timers } from '../ports.js';

export class Taking {
  readonly #origins = new Map<NodeId, PeerOrigin>();
  readonly #publish: (item: ForwardedPublish, origin: PublishOrigin) => void;

  constructor(
    readonly neighbours: Neighbours,
    readonly timers: Timers,
    publish: (item: ForwardedPublish, origin: PublishOrigin) => void,
  ) {
    this.#publish = publish;
  }

  taken(peer: NodeId, { publishes }: PublishBatch): void {
    let origin = this.#origins.get(peer);
    if (!origin) this.#origins.set(peer, (origin = new PeerOrigin(peer, this.neighbours, this.timers)));
    let ref: ChannelRef | undefined;
    let isHere = false;
    for (const item of publishes) {
      // The same object for many in a row.
      if (item.ref !== ref) isHere = this.neighbours.acting(item.ref).at === 'here';
      ref = item.ref;
      if (isHere && origin.mayTake(item)) this.#publish(item, origin);
      else origin.publishMoved(item.id, item.ref);
    }
  }

  /** Whoever waited there has been told that nobody knows: what becomes of its publishes is not said any more. */
  unlinked(peer: NodeId): void {
    this.#origins.get(peer)?.close();
    this.#origins.delete(peer);
  }

  stop(): void {
    for (const peer of this.#origins.keys()) this.unlinked(peer);
  }
}

/** Where publishes of one peer come from, as long as one link to it stands. */
export class PeerOrigin implements PublishOrigin {
  #outcomes: ForwardedOutcome[] = [];
  #closed = false;
  /** Channels of which something was not taken. */
  readonly #moved = new Set<string>();

  constructor(
    readonly peer: NodeId,
    readonly neighbours: Neighbours,
    readonly timers: Timers,
  ) {}

  /** Not while an earlier one of its channel is on its way back. */
  mayTake({ ref, first }: ForwardedPublish): boolean {
    if (this.#moved.size === 0) return true;
    if (first) this.#moved.delete(channelKey(ref));
    return first || !this.#moved.has(channelKey(ref));
  }

  publishAccepted(accepted: Accepted, { level, copies }: Reached): void {
    const { requestId, dot, timestamp, duplicate, version } = accepted;
    this.#add({ id: requestId, dot, timestamp, duplicate, level, copies, version });
  }

  publishFailed(requestId: number, failure: Failure): void {
    this.#add({ id: requestId, failure });
  }

  /** Nothing was written, and another node acts. */
  publishMoved(requestId: number, ref: ChannelRef): void {
    if (this.#closed) return;
    if (this.#moved.size >= limits.movedChannelsMax) {
      for (const oldest of this.#moved) {
        this.#moved.delete(oldest);
        break;
      }
    }
    this.#moved.add(channelKey(ref));
    const acting = this.neighbours.acting(ref);
    this.#add({ id: requestId, moved: acting.at === 'peer' ? acting.peer : undefined });
  }

  close(): void {
    this.#closed = true;
    this.#outcomes = [];
  }

  #add(outcome: ForwardedOutcome): void {
    if (this.#closed) return;
    if (this.#outcomes.push(outcome) === 1) this.timers.soon(() => this.#tell());
  }

  #tell(): void {
    const outcomes = this.#outcomes;
    this.#outcomes = [];
    for (let i = 0; i < outcomes.length; i += limits.forwardedBatchMax) {
      const part = outcomes.slice(i, i + limits.forwardedBatchMax);
      this.neighbours.tell(this.peer, { type: 'published', outcomes: part });
    }
  }
}
