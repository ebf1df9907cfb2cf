/** The publishes of one channel on their way to the node that acts, in their order: first those that are under way, then
 *  those that came back, then those that wait. */
import type { ChannelRef, NodeId } from '../../base/ids.js';
import { limits } from '../../base/limits.js';
import { type Failure, failure } from '../../protocol/errors.js';
import type { Level } from '../../protocol/messages.js';
import type { Accepted, Reached } from '../../sessions/ack-range.js';
import type { PendingPublish, PublishOrigin } from '../pending.js';

export interface ForwardItem {
  pending: PendingPublish;
  readonly lane: ForwardLane;
  readonly level: Level;
  readonly degrade: boolean;
  /** Monotonic; it is refused when no node has taken it for too long. */
  since: number;
  /** Of the last time it was sent: a new one each time, so that answers to earlier ones are known as such. */
  id: number;
  sentAt: number;
  isFirst: boolean;
  /** It went to another node because the first one gave no answer. */
  isSecond: boolean;
}

export class ForwardLane {
  waiting: ForwardItem[] = [];
  /** Not taken, while others are still under way. */
  returned: ForwardItem[] = [];
  /** How many are under way, all of them to `target`. */
  open = 0;
  target: NodeId | undefined;
  /** Named by a node that did not take one. */
  hint: NodeId | undefined;
  /** Nothing goes out before; 0 without a pause. */
  retryAt = 0;
  pauseMs = 0;

  constructor(readonly ref: ChannelRef) {}

  get mayGo(): boolean {
    return this.returned.length === 0 && this.retryAt === 0;
  }

  /** Longer each time in a row. */
  pause(now: number): void {
    this.pauseMs = Math.min(limits.forwardPauseMsMax, Math.max(limits.forwardPauseMs, 2 * this.pauseMs));
    this.retryAt = now + this.pauseMs;
  }

  rest(): void {
    this.pauseMs = 0;
    this.retryAt = 0;
    this.hint = undefined;
  }

  /** What came back waits again, in the order in which it was sent. */
  takeBack(): void {
    this.returned.sort((a, b) => a.id - b.id);
    this.waiting = this.returned.concat(this.waiting);
    this.returned = [];
  }

  remove(item: ForwardItem): void {
    this.returned = this.returned.filter((each) => each !== item);
    this.waiting = this.waiting.filter((each) => each !== item);
  }

  nextDeadline(): number {
    let next = this.open === 0 && this.retryAt > 0 ? this.retryAt : Infinity;
    for (const { since } of this.returned) next = Math.min(next, since + limits.forwardWaitMs);
    for (const { since } of this.waiting) next = Math.min(next, since + limits.forwardWaitMs);
    return next;
  }

  takeExpired(now: number): ForwardItem[] {
    const isOver = ({ since }: ForwardItem): boolean => since + limits.forwardWaitMs <= now;
    const expired = [...this.returned.filter(isOver), ...this.waiting.filter(isOver)];
    if (expired.length > 0) {
      this.returned = this.returned.filter((item) => !isOver(item));
      this.waiting = this.waiting.filter((item) => !isOver(item));
    }
    return expired;
  }
}

/** A node that gives no answer may have written it: whatever another one says, it was not certainly refused. */
export function inDoubt(pending: PendingPublish): PendingPublish {
  const { origin } = pending;
  return origin instanceof DoubtfulOrigin ? pending : { ...pending, origin: new DoubtfulOrigin(origin) };
}

class DoubtfulOrigin implements PublishOrigin {
  constructor(readonly origin: PublishOrigin) {}

  publishAccepted(accepted: Accepted, reached: Reached): void {
    this.origin.publishAccepted(accepted, reached);
  }

  publishFailed(requestId: number, { channel, retryAfterMs }: Failure): void {
    const details = { ...(channel === undefined ? {} : { channel }), retryAfterMs: retryAfterMs ?? 500 };
    this.origin.publishFailed(requestId, failure('INDETERMINATE', details));
  }
}
