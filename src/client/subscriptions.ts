/** All subscriptions of a client on the one connection: those wanted are asked for together, and again after it was
 *  interrupted. */
import type {
  ChannelCursor,
  ClientMessage,
  ServerEvent,
  SessionRestoredEvent,
  SubscribedEvent,
  Start,
} from '../protocol/messages.js';
import { type RinglogError, serverError } from './error.js';
import type { Question } from './requests.js';
import type { Subscription, SubscriptionHost } from './subscription.js';

export interface SubscriptionsOwner {
  readonly nowMs: number;
  /** Returns the request's id. */
  send(message: ClientMessage): number;
  fillSoon(): void;
}

/** Channels of one request, so that it fits a frame: nearly always all there are. */
const requestBytesGoal = 1_048_576;

interface Asked {
  readonly subscription: Subscription;
  readonly channel: string;
  readonly start: Start;
}

export class Subscriptions implements SubscriptionHost {
  readonly #owner: SubscriptionsOwner;
  readonly report: (error: unknown) => void;
  readonly #byChannel = new Map<string, Subscription>();
  /** To be asked for, those refused for a while with the time from which. */
  readonly #wanted = new Map<Subscription, number>();
  readonly #unwanted = new Set<string>();
  readonly #full = new Set<Subscription>();
  readonly #asked = new Map<number, readonly Subscription[]>();

  constructor(owner: SubscriptionsOwner, report: (error: unknown) => void) {
    this.#owner = owner;
    this.report = report;
  }

  get isWaiting(): boolean {
    return this.#asked.size > 0;
  }

  get(channel: string): Subscription | undefined {
    return this.#byChannel.get(channel);
  }

  /** What a client says of itself waits for the connection and may be refused for now: by then it may say something else. */
  asOfNow(message: Question): Question {
    if (message.type !== 'presenceUpdate') return message;
    const { type, channel } = message;
    const subscription = this.get(channel);
    if (!subscription) return message;
    const { presence } = subscription;
    return presence === undefined ? { type, channel } : { type, channel, metadata: presence };
  }

  add(subscription: Subscription): void {
    this.#byChannel.set(subscription.channel, subscription);
    this.wanted(subscription);
  }

  /** The server has made it by itself. */
  adopt(subscription: Subscription, result: SubscribedEvent): void {
    this.#byChannel.set(subscription.channel, subscription);
    subscription.asked();
    this.#again(subscription, subscription.subscribed(result));
  }

  wanted(subscription: Subscription): void {
    this.#wanted.set(subscription, 0);
    this.#owner.fillSoon();
  }

  unwanted(subscription: Subscription): void {
    this.#unwanted.add(subscription.channel);
    this.#owner.fillSoon();
  }

  full(subscription: Subscription): void {
    this.#full.add(subscription);
    this.#owner.fillSoon();
  }

  closed(subscription: Subscription): void {
    this.#full.delete(subscription);
    this.#wanted.delete(subscription);
    if (this.#byChannel.get(subscription.channel) === subscription) {
      this.#byChannel.delete(subscription.channel);
    }
  }

  /** Places of those that can go on at them. */
  get cursors(): ChannelCursor[] {
    return [...this.#byChannel.values()].flatMap(({ channel, state, start }) =>
      state === 'wanted' && start.type === 'cursor' ? [{ channel, cursor: start.cursor }] : [],
    );
  }

  /** What was wanted and came back where it was needs not be asked for; what else came back is not wanted as it is. */
  restored({ results }: SessionRestoredEvent): Subscription[] {
    const own: Subscription[] = [];
    for (const result of results) {
      const subscription = this.get(result.channel);
      if (subscription?.state === 'wanted' && subscription.start.type === 'cursor') {
        this.#wanted.delete(subscription);
        subscription.asked();
        this.#again(subscription, subscription.subscribed(result));
        own.push(subscription);
      } else if (!result.error) this.#unwanted.add(result.channel);
    }
    return own;
  }

  lost(): void {
    this.#asked.clear();
    this.#unwanted.clear();
    for (const subscription of this.#byChannel.values()) {
      subscription.lost();
      if (subscription.state === 'wanted') this.#wanted.set(subscription, 0);
    }
  }

  /** Sends what is due. What ends goes first: its channel may be asked for anew. */
  fill(): void {
    for (const subscription of this.#full) subscription.pauseIfFull();
    this.#full.clear();
    const channels = [...this.#unwanted];
    this.#unwanted.clear();
    if (channels.length > 0) this.#owner.send({ type: 'unsubscribe', channels });
    const { nowMs } = this.#owner;
    let asked: Asked[] = [];
    let bytes = 0;
    for (const [subscription, fromMs] of this.#wanted) {
      if (fromMs > nowMs) continue;
      const { channel, start } = subscription;
      asked.push({ subscription, channel, start });
      const { presence = '' } = subscription;
      bytes +=
        channel.length + (start.type === 'cursor' ? start.cursor.length : 0) + 3 * presence.length + 16;
      if (bytes < requestBytesGoal) continue;
      this.#ask(asked);
      asked = [];
      bytes = 0;
    }
    if (asked.length > 0) this.#ask(asked);
  }

  nextDeadline(): number {
    let earliest = Infinity;
    for (const fromMs of this.#wanted.values()) if (fromMs > 0) earliest = Math.min(earliest, fromMs);
    return earliest;
  }

  /** Whether the event was for a subscription. */
  received(requestId: number, event: ServerEvent): boolean {
    switch (event.type) {
      case 'delivery':
        this.get(event.channel)?.delivered(event.entries);
        return true;
      case 'signals':
        this.get(event.channel)?.signalled(event.signals);
        return true;
      case 'rebase':
        this.get(event.channel)?.rebase(event);
        return true;
      case 'notificationInfo':
        this.get(event.channel)?.counted(event);
        return true;
      case 'gap':
        this.get(event.channel)?.gap(event);
        return true;
      case 'subscribe':
        this.#answered(requestId, event);
        return true;
      case 'unsubscribe':
        return true;
      case 'error':
        return this.#failed(requestId, event);
      default:
        return false;
    }
  }

  close(error: RinglogError | undefined): void {
    for (const subscription of this.#byChannel.values()) {
      if (error) subscription.fail(error);
      else subscription.close();
    }
  }

  #ask(asked: readonly Asked[]): void {
    const channels = asked.map(({ channel, start, subscription: { presence } }) =>
      presence === undefined ? { channel, start } : { channel, start, presence },
    );
    const subscriptions = asked.map(({ subscription }) => subscription);
    this.#asked.set(this.#owner.send({ type: 'subscribe', channels }), subscriptions);
    for (const subscription of subscriptions) {
      this.#wanted.delete(subscription);
      subscription.asked();
    }
  }

  #answered(requestId: number, event: Extract<ServerEvent, { type: 'subscribe' }>): void {
    const asked = new Map(this.#asked.get(requestId)?.map((each) => [each.channel, each]));
    this.#asked.delete(requestId);
    for (const result of event.results) {
      const subscription = asked.get(result.channel);
      if (subscription) this.#again(subscription, subscription.subscribed(result));
    }
  }

  #failed(requestId: number, { error }: Extract<ServerEvent, { type: 'error' }>): boolean {
    const asked = this.#asked.get(requestId);
    if (asked) {
      this.#asked.delete(requestId);
      for (const subscription of asked) this.#again(subscription, subscription.refused(error));
      return true;
    }
    // Without a request: the server ended a subscription by itself.
    const isOne = requestId === 0 && error.channel !== undefined && error.code !== 'NO_PRESENCE';
    const ended = isOne ? this.get(error.channel!) : undefined;
    ended?.fail(serverError(error));
    return ended !== undefined;
  }

  #again(subscription: Subscription, afterMs: number | undefined): void {
    if (afterMs !== undefined) this.#wanted.set(subscription, this.#owner.nowMs + afterMs);
  }
}
