/** The subscriptions of one channel, and the delivery of what was just committed: each encoding is made once, whatever
 *  the number of subscribers. */
import { assert } from '../base/assert.js';
import { planted } from '../base/planted.js';
import type { ChannelLog } from '../log/channel-log.js';
import type { LogReader } from '../log/reader.js';
import type { Encoding } from '../protocol/messages.js';
import type { SessionFrame, Subscriber } from './subscriber.js';
import type { Subscription } from './subscription.js';

/** Makes a frame in an encoding; called at most once for each encoding. */
export type FrameMaker = (encoding: Encoding) => readonly SessionFrame[];

export class FanOut<S extends Subscriber> {
  readonly #subscriptions: Subscription<S>[] = [];

  get size(): number {
    return this.#subscriptions.length;
  }

  add(subscription: Subscription<S>): void {
    assert(subscription.slot < 0, 'a subscription is in one list once');
    subscription.slot = this.#subscriptions.length;
    this.#subscriptions.push(subscription);
  }

  remove(subscription: Subscription<S>): void {
    if (subscription.slot < 0) return;
    const last = this.#subscriptions.pop()!;
    if (last !== subscription) {
      this.#subscriptions[subscription.slot] = last;
      last.slot = subscription.slot;
    }
    subscription.slot = -1;
  }

  /** Hands entries that begin at `position` to every live subscription; one that is behind reads the log instead. */
  deliver(log: ChannelLog, position: number, make: FrameMaker, touched: (session: S) => void): void {
    const frames = new FramesByEncoding(make);
    for (const subscription of this.#subscriptions) {
      const { state } = subscription;
      const { session } = subscription;
      if (state.state === 'replaying') {
        wakeReader(session, state.reader, touched);
        continue;
      }
      if (state.state !== 'live' || state.from > position) continue;
      let next = position;
      for (const frame of frames.of(session.encoding)) {
        if (session.isBehind()) {
          if (planted('slow-reader-skips')) break;
          subscription.fallBehind(log, next);
          session.hasReplay = true;
          break;
        }
        session.push(frame);
        next += frame.entries ?? 0;
      }
      touched(session);
    }
  }

  /** What lies from `position` on is not at hand, or not in the order yet: every subscription reads it from the log. */
  readLog(log: ChannelLog, position: number, touched: (session: S) => void): void {
    for (const subscription of this.#subscriptions) {
      const { state, session } = subscription;
      if (state.state === 'live' && state.from <= position) subscription.fallBehind(log, position);
      else if (state.state !== 'replaying') continue;
      session.hasReplay = true;
      touched(session);
    }
  }

  /** Signals go to whoever keeps up; they are not part of the log, so nobody reads them later. */
  signal(make: FrameMaker, touched: (session: S) => void): void {
    const frames = new FramesByEncoding(make);
    for (const subscription of this.#subscriptions) {
      const { session } = subscription;
      const { state } = subscription.state;
      if (state === 'opening' || state === 'ended' || session.isBehind()) continue;
      for (const frame of frames.of(session.encoding)) session.push(frame);
      touched(session);
    }
  }

  [Symbol.iterator](): IterableIterator<Subscription<S>> {
    return this.#subscriptions[Symbol.iterator]();
  }
}

/** A reader with nothing to read but what was not in the order waits to be told. */
function wakeReader<S extends Subscriber>(
  session: S,
  reader: LogReader,
  touched: (session: S) => void,
): void {
  if (!reader.isBeyond) return;
  session.hasReplay = true;
  touched(session);
}

class FramesByEncoding {
  #protobuf: readonly SessionFrame[] | undefined;
  #json: readonly SessionFrame[] | undefined;

  constructor(readonly make: FrameMaker) {}

  of(encoding: Encoding): readonly SessionFrame[] {
    return encoding === 'protobuf'
      ? (this.#protobuf ??= this.make('protobuf'))
      : (this.#json ??= this.make('json'));
  }
}
