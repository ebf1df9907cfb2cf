/** This user's own channel, where the server has subscribed to it by itself. */
import type { ServerEvent } from '../protocol/messages.js';
import type { Emitter } from './emitter.js';
import type { ClientEvents } from './events.js';
import type { Subscription } from './subscription.js';
import type { Subscriptions } from './subscriptions.js';

export interface DirectHost {
  readonly subscriptions: Pick<Subscriptions, 'get' | 'adopt'>;
  readonly events: Pick<Emitter<ClientEvents>, 'emit'>;
  make(channel: string): Subscription;
}

export class Direct {
  #subscription: Subscription | undefined;

  constructor(readonly host: DirectHost) {}

  get subscription(): Subscription | undefined {
    return this.#subscription?.state === 'closed' ? undefined : this.#subscription;
  }

  /** Whether it was the answer to a request that nobody made. From then on it is a subscription as any, with its place. */
  received(requestId: number, event: ServerEvent): boolean {
    if (event.type !== 'subscribe' || requestId !== 0) return false;
    const { subscriptions, events } = this.host;
    for (const result of event.results) {
      if (subscriptions.get(result.channel)) continue;
      this.#subscription = this.host.make(result.channel);
      this.#subscription.on('entry', (message) => events.emit('direct', message));
      subscriptions.adopt(this.#subscription, result);
    }
    return true;
  }

  /** The application subscribes by itself. */
  giveWay(channel: string): void {
    if (this.#subscription?.channel === channel) this.#subscription.close();
  }
}
