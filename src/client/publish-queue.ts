/** What was published and is not acknowledged yet: a pure queue. Publishes of one channel go out in order and are
 *  numbered 1, 2, 3 …; the server takes each only behind the one before it, so after any failure the channel stops,
 *  waits for the answers still under way, and goes on from the first without one. Keys and numbers never change, which
 *  makes every retry safe.
 *
 *  A number whose publish was refused or given up counts as done: what follows says so (`ackedThrough`) and is taken. */
import type { Random } from '../base/random.js';
import type { Failure } from '../protocol/errors.js';
import type { Ack, PublishMessage } from '../protocol/messages.js';
import { type ClientErrorCode, RinglogError, ownError, serverError } from './error.js';
import { Fifo } from './fifo.js';
import {
  type Found,
  Item,
  type Lane,
  type Moment,
  type PublishRequest,
  isRepeatable,
  isTaken,
  messageOf,
  newLane,
} from './publish-item.js';

export interface QueueLimits {
  readonly queueMessages: number;
  readonly queueBytes: number;
  readonly windowMessages: number;
  readonly windowBytes: number;
}

/** Answered with these, a publish may succeed when it is sent again. */
const retried = new Set<string>([
  'RATE_LIMITED',
  'OVERLOADED',
  'UNAVAILABLE',
  'SHUTTING_DOWN',
  'INDETERMINATE',
  'INTERNAL',
]);
const retryMinMs = 100;
const retryMaxMs = 5_000;
/** A channel gives way to the next after so many. */
const turn = 64;
export class PublishQueue {
  readonly #limits: QueueLimits;
  readonly #random: Random;
  readonly #lanes = new Map<string, Lane>();
  /** Channels with something to send, each at most once. */
  readonly #ready = new Fifo<Lane>();
  readonly #stopped = new Set<Lane>();
  readonly #sent = new Map<number, Item>();
  #size = 0;
  #order = 0;
  #bytes = 0;
  #sentBytes = 0;
  #takenInTurn = 0;
  /** No deadline is earlier. */
  #earliestMs = Infinity;

  constructor(limits: QueueLimits, random: Random) {
    this.#limits = limits;
    this.#random = random;
  }

  /** Publishes without an outcome yet. */
  get size(): number {
    return this.#size;
  }

  /** Something under way is unanswered. */
  get isWaiting(): boolean {
    return this.#sent.size > 0;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Takes a publish in, or refuses it because the queue is full. */
  add(request: PublishRequest, nowMs: number): RinglogError | undefined {
    const bytes = request.content.length;
    const { queueMessages, queueBytes } = this.#limits;
    if (this.#size >= queueMessages || (this.#size > 0 && this.#bytes + bytes > queueBytes)) {
      return ownError('QUEUE_FULL', 'rejected', request.channel);
    }
    const lane = this.#lane(request.channel);
    const seq = request.idempotencyKey === undefined ? undefined : ++lane.lastSeq;
    const item = new Item(request, lane, this.#order++, seq, nowMs + request.timeoutMs);
    this.#size++;
    this.#bytes += bytes;
    this.#earliestMs = Math.min(this.#earliestMs, item.deadlineMs);
    lane.waiting.push(item);
    this.#wake(lane);
    return undefined;
  }

  /** The next publish to send, under that request id. */
  take(requestId: number, now: Moment): PublishMessage | undefined {
    const lane = this.#ready.peek();
    const item = lane?.waiting.peek();
    if (!lane || !item || !this.#hasRoom()) return undefined;
    if (!isRepeatable(item, now)) {
      this.#look(item);
      return this.take(requestId, now);
    }
    lane.waiting.shift();
    this.#rotate(lane);
    item.state = 'sent';
    item.sentSince ??= now;
    item.requestId = requestId;
    lane.sent++;
    this.#sent.set(requestId, item);
    this.#sentBytes += item.bytes;
    return messageOf(item);
  }

  /** `count` publishes from `requestId` on are accepted. */
  acked(requestId: number, ack: Ack): void {
    const count = Math.min(ack.count, this.#limits.windowMessages);
    for (let i = 0; i < count; i++) {
      const item = this.#answered(requestId + i);
      if (!item) continue;
      const { dot } = ack;
      this.#done(item);
      item.request.accepted({
        ...ack,
        count: 1,
        timestamp: ack.timestamp + i,
        ...(dot && { dot: { writer: dot.writer, seq: dot.seq + i } }),
        ...(ack.version !== undefined && { version: ack.version + i }),
      });
    }
  }

  /** False when the request is no publish of this queue. */
  failed(requestId: number, failure: Failure, nowMs: number): boolean {
    const item = this.#answered(requestId);
    if (!item) return false;
    if (failure.outcome === 'indeterminate') item.maybeWritten = true;
    if (!item.maybeWritten) item.sentSince = undefined;
    item.lastFailure = failure;
    item.failures++;
    const isBehind = failure.code === 'OUT_OF_ORDER' && !isTaken(item);
    if (item.seq !== undefined && (isBehind || retried.has(failure.code))) {
      this.#again(item);
      this.#stop(item.lane, nowMs + (isBehind ? 0 : this.#delayMs(item, failure)));
    } else {
      this.#done(item);
      item.request.refused(serverError(failure, item.maybeWritten));
    }
    return true;
  }

  /** The connection is gone: nothing under way will be answered. */
  disconnected(): void {
    const under = [...this.#sent.values()].reverse();
    this.#sent.clear();
    this.#sentBytes = 0;
    for (const item of under) {
      item.lane.sent = 0;
      item.maybeWritten = true;
      if (item.seq !== undefined) {
        this.#again(item);
      } else {
        this.#done(item);
        item.request.refused(ownError('TIMEOUT', 'indeterminate', item.lane.channel));
      }
    }
    for (const lane of this.#lanes.values()) this.#wake(lane);
  }

  nextDeadline(): number {
    if (this.#size === 0) this.#earliestMs = Infinity;
    let earliest = this.#earliestMs;
    for (const { stoppedUntilMs = Infinity, sent } of this.#stopped) {
      if (sent === 0) earliest = Math.min(earliest, stoppedUntilMs);
    }
    return earliest;
  }

  /** Gives up what is too old, and lets channels go on whose time has come. */
  tick(nowMs: number): void {
    for (const lane of this.#stopped) this.#resume(lane, nowMs);
    if (nowMs < this.#earliestMs) return;
    this.#earliestMs = Infinity;
    for (const item of this.#all()) {
      if (nowMs < item.deadlineMs) this.#earliestMs = Math.min(this.#earliestMs, item.deadlineMs);
      else this.#giveUp(item, item.lastFailure ?? ownError('TIMEOUT'));
    }
  }

  /** What is kept for this channel is kept no longer than any publish from now on. */
  letGo(channel: string, deadlineMs: number): void {
    for (const item of this.#all()) {
      if (item.lane.channel !== channel || item.deadlineMs !== Infinity) continue;
      item.deadlineMs = deadlineMs;
      this.#earliestMs = Math.min(this.#earliestMs, deadlineMs);
    }
  }

  /** Nothing more will be sent. */
  close(error: RinglogError): void {
    for (const item of this.#all()) this.#giveUp(item, error);
  }

  #giveUp(item: Item, reason: { readonly code: ClientErrorCode; readonly message: string }): void {
    const maybeWritten = item.maybeWritten || item.state === 'sent';
    const { lane } = item;
    const isLookedFor = lane.isLooking && lane.waiting.peek() === item;
    if (item.state === 'sent') this.#answered(item.requestId);
    else this.#withdraw(item);
    this.#done(item);
    if (isLookedFor) {
      lane.isLooking = false;
      this.#wake(lane);
    }
    const { code, message } = reason;
    const outcome = maybeWritten ? 'indeterminate' : 'rejected';
    item.request.refused(new RinglogError({ code, message, outcome, channel: item.lane.channel }));
  }

  #withdraw(item: Item): void {
    const { lane } = item;
    lane.waiting.removeFirst((other) => other === item);
    if (lane.waiting.length > 0 || !lane.isReady) return;
    lane.isReady = false;
    this.#ready.removeFirst((other) => other === lane);
  }

  /** The channel waits until it is known what became of its first publish: those behind it may build on that. */
  #look(item: Item): void {
    const { lane } = item;
    lane.isLooking = true;
    lane.isReady = false;
    this.#ready.shift();
    this.#takenInTurn = 0;
    item.request.look?.((found) => this.#decided(item, found));
  }

  #decided(item: Item, found: Found): void {
    if (item.state !== 'waiting') return;
    const { lane } = item;
    lane.isLooking = false;
    item.maybeWritten = false;
    item.sentSince = undefined;
    if (found !== 'unwritten') {
      this.#withdraw(item);
      this.#done(item);
      if (found instanceof RinglogError) item.request.refused(found);
      else item.request.accepted(found);
    }
    this.#wake(lane);
  }

  /** Everything without an outcome. */
  #all(): Item[] {
    return [...this.#sent.values(), ...[...this.#lanes.values()].flatMap(({ waiting }) => waiting.items())];
  }

  #lane(channel: string): Lane {
    const known = this.#lanes.get(channel);
    if (known) return known;
    const lane = newLane(channel);
    this.#lanes.set(channel, lane);
    return lane;
  }

  #hasRoom(): boolean {
    const { windowMessages, windowBytes } = this.#limits;
    return this.#sent.size < windowMessages && (this.#sent.size === 0 || this.#sentBytes < windowBytes);
  }

  #wake(lane: Lane): void {
    const isHeld = lane.isLooking || lane.stoppedUntilMs !== undefined;
    if (lane.isReady || isHeld || lane.waiting.length === 0) return;
    lane.isReady = true;
    this.#ready.push(lane);
  }

  /** After a publish of this channel was taken: its turn may be over. */
  #rotate(lane: Lane): void {
    const isEmpty = lane.waiting.length === 0;
    if (!isEmpty && ++this.#takenInTurn < turn) return;
    this.#takenInTurn = 0;
    this.#ready.shift();
    lane.isReady = false;
    this.#wake(lane);
  }

  #stop(lane: Lane, untilMs: number): void {
    lane.stoppedUntilMs = Math.max(lane.stoppedUntilMs ?? 0, untilMs);
    this.#stopped.add(lane);
    if (!lane.isReady) return;
    lane.isReady = false;
    this.#ready.removeFirst((other) => other === lane);
  }

  #resume(lane: Lane, nowMs: number): void {
    if (lane.sent > 0 || nowMs < (lane.stoppedUntilMs ?? 0)) return;
    lane.stoppedUntilMs = undefined;
    this.#stopped.delete(lane);
    this.#wake(lane);
  }

  /** Takes an item off what is under way. */
  #answered(requestId: number): Item | undefined {
    const item = this.#sent.get(requestId);
    if (!item) return undefined;
    this.#sent.delete(requestId);
    this.#sentBytes -= item.bytes;
    item.lane.sent--;
    return item;
  }

  /** Back to where it stood in its channel. */
  #again(item: Item): void {
    item.state = 'waiting';
    item.lane.waiting.insert(item, (other) => other.order > item.order);
  }

  #done(item: Item): void {
    item.state = 'done';
    this.#size--;
    this.#bytes -= item.bytes;
    const { lane, seq } = item;
    if (seq === undefined) return;
    if (seq !== lane.doneThrough + 1) {
      lane.done.add(seq);
      return;
    }
    lane.doneThrough = seq;
    while (lane.done.size > 0 && lane.done.delete(lane.doneThrough + 1)) lane.doneThrough++;
  }

  #delayMs(item: Item, failure: Failure): number {
    const mostMs = Math.min(retryMaxMs, retryMinMs * 2 ** Math.min(item.failures, 10));
    return Math.max(failure.retryAfterMs ?? 0, this.#random.next() * mostMs);
  }
}
