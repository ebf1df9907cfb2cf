/** What a Subscribe request asks for, channel by channel. */
import { parseChannelName } from '../base/ids.js';
import { limits } from '../base/limits.js';
import { type Failure, failure } from '../protocol/errors.js';
import type { Start, SubscribeChannel } from '../protocol/messages.js';
import { Subscription } from './subscription.js';
import type { Subscriber } from './subscriber.js';

/** A channel of a Subscribe request: opened, or refused with its error. */
export type Wanted<S extends Subscriber> =
  | { readonly channel: string; readonly subscription: Subscription<S>; readonly start: Start }
  | { readonly channel: string; readonly error: Failure };

/** Adds a subscription to those of the session for every channel that is not refused. */
export function addWanted<
  S extends Subscriber & {
    readonly subscriptions: Map<string, Subscription<S>>;
    drop(subscription: Subscription<S>): void;
  },
>(session: S, channels: readonly SubscribeChannel[]): Wanted<S>[] {
  const { subscriptions } = session;
  return channels.map(({ channel, start, presence }): Wanted<S> => {
    const name = parseChannelName(channel);
    if (!name.ok) return { channel, error: failure('BAD_NAME', { channel, message: name.error }) };
    const before = subscriptions.get(channel);
    if (before?.isAutomatic) session.drop(before);
    else if (before) return { channel, error: failure('ALREADY_SUBSCRIBED', { channel }) };
    if (subscriptions.size >= limits.subscriptionsPerSessionMax) {
      const message = 'Unsubscribe from a channel first, or open another connection.';
      return { channel, error: failure('TOO_MANY', { channel, message }) };
    }
    const subscription = new Subscription<S>(session, name.value);
    subscription.presence = presence;
    subscriptions.set(channel, subscription);
    return { channel, subscription, start };
  });
}
