/** Sessions of a user are in its own channel by themselves, where the channel's rules say so: at first, with every other user they
 *  become, and once the rule goes. Who unsubscribes stays out of it. */
import { type ChannelName, parseChannelName } from '../base/ids.js';
import { userChannelOf } from '../channels/user-channels.js';
import type { SubscribedChannel } from '../protocol/messages.js';
import type { Session } from '../sessions/session.js';
import { addWanted } from '../sessions/wanted.js';
import type { Timers } from './ports.js';
import type { Opener } from './restoring/restoring.js';
import type { RulesOf } from './subscribing.js';

export interface OwnChannelsHost {
  readonly timers: Timers;
  readonly rulesOf: RulesOf;
  open(session: Session, ...asked: Parameters<Opener>): Promise<void>;
}

export class OwnChannels {
  readonly #channels = new WeakMap<Session, ChannelName>();

  constructor(readonly host: OwnChannelsHost) {}

  enter(session: Session): void {
    const channel = this.#channelOf(session);
    if (session.closed || channel === this.#channels.get(session)) return;
    if (channel === undefined) return void this.#channels.delete(session);
    this.#channels.set(session, channel);
    if (session.subscriptions.has(channel)) return;
    const wanted = addWanted<Session>(session, [{ channel, start: { type: 'live' } }]);
    for (const want of wanted) if ('subscription' in want) want.subscription.isAutomatic = true;
    void this.host.open(session, wanted, ([result]) => this.#opened(session, channel, result));
  }

  /** It is another session by now. */
  again(session: Session): void {
    this.#channels.delete(session);
    this.enter(session);
  }

  /** `undefined` where it is to be in none. A user's name may be too long for a channel's. */
  #channelOf({ hub, principal }: Session): ChannelName | undefined {
    if (!principal.authenticated || principal.admin) return undefined;
    const channel = parseChannelName(userChannelOf(principal.actor));
    const rules = channel.ok ? this.host.rulesOf({ hub, channel: channel.value }) : undefined;
    return channel.ok && rules && 'userChannel' in rules && rules.userChannel ? channel.value : undefined;
  }

  /** Told as the answer to a request that nobody made; the client may have asked for the channel itself meanwhile. */
  #opened(session: Session, channel: string, result: SubscribedChannel | undefined): void {
    const { error } = result ?? {};
    const isOpen = session.subscriptions.get(channel)?.isAutomatic === true;
    if (result && !error && isOpen) session.send(0, { type: 'subscribe', results: [result] });
    if (error?.retryAfterMs === undefined) return;
    this.host.timers.after(error.retryAfterMs, () => {
      if (this.#channels.get(session) === channel) this.again(session);
    });
  }
}
