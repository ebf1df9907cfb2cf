/** How fast one client may send: its messages, and its heartbeats, which are nobody's messages. */
import { limits } from '../base/limits.js';
import type { ReceivedEnvelope } from '../protocol/messages.js';
import { RateLimit } from './rate-limit.js';

export class MessageRates {
  readonly #messages: RateLimit;
  readonly #heartbeats = new RateLimit(limits.heartbeatsPerSecondMax, limits.heartbeatsPerSecondMax);

  constructor(perSecond: number) {
    this.#messages = new RateLimit(perSecond, perSecond);
  }

  /** 0 when it may come, else the milliseconds to wait. `shared`: asked of a message that its own rate allows. */
  take(envelope: ReceivedEnvelope, nowMs: number, shared: () => number): number {
    const isHeartbeat =
      'message' in envelope && (envelope.message.type === 'ping' || envelope.message.type === 'pong');
    return isHeartbeat ? this.#heartbeats.take(nowMs) : this.#messages.take(nowMs) || shared();
  }
}
