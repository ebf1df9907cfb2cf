/** How an application subscribes. */
import type { Listener } from './emitter.js';
import type { StartOption } from './start.js';
import type { SubscriptionEvents } from './subscription.js';

export interface SubscribeOptions {
  readonly start?: StartOption;
  /** What others see of this client in the channel: JSON, where its rules keep presence. */
  readonly presence?: unknown;
  readonly onEntry?: Listener<SubscriptionEvents['entry']>;
  readonly onSignal?: Listener<SubscriptionEvents['signal']>;
  readonly onGap?: Listener<SubscriptionEvents['gap']>;
}
