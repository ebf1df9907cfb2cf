/** What one hub and one of its users may ask of this node, so that none starves the others. Counted by each node for itself:
 *  what has to be agreed on would cost every message a question. */
import type { ChannelRef, HubName } from '../../base/ids.js';
import type { HubQuotas } from '../../hubs/checks.js';
import { type Failure, failure } from '../../protocol/errors.js';
import { RateLimit } from '../../sessions/rate-limit.js';
import type { Principal } from '../api.js';

interface HubUse {
  sessions: number;
  messages: RateLimit | undefined;
  newChannels: RateLimit | undefined;
  readonly users: Map<string, RateLimit>;
  /** Those whose rules have a limit of their own. */
  readonly channels: Map<string, { readonly most: number; readonly limit: RateLimit }>;
  /** Those that the limits were made from. */
  quotas: HubQuotas;
}

export class Quotas {
  readonly #hubs = new Map<HubName, HubUse>();

  constructor(readonly quotasOf: (hub: HubName) => HubQuotas) {}

  /** A session comes; `undefined` when it may. Whoever may is counted until `ended`. */
  begins(hub: HubName, { admin }: Principal): Failure | undefined {
    const use = this.#use(hub);
    const most = use.quotas.sessionsMax ?? Infinity;
    if (use.sessions >= most && !admin) {
      const message = 'This hub has as many connections at this node as it may. Try another node, or later.';
      return failure('TOO_MANY', { message });
    }
    use.sessions++;
    return undefined;
  }

  ended(hub: HubName): void {
    const use = this.#hubs.get(hub);
    if (use) use.sessions--;
  }

  /** Takes one message; 0 when it is allowed, else the milliseconds to wait. */
  take(hub: HubName, { actor, authenticated, admin }: Principal, nowMs: number): number {
    if (admin) return 0;
    const use = this.#use(hub);
    const { messages, users, quotas } = use;
    const most = quotas.userMessagesPerSecondMax;
    if (most !== undefined && authenticated) {
      let user = users.get(actor);
      if (!user) users.set(actor, (user = new RateLimit(most, most)));
      const waitMs = user.take(nowMs);
      if (waitMs > 0) return waitMs;
    }
    return messages?.take(nowMs) ?? 0;
  }

  /** Takes one publish of what a channel may have a second; as `take`. */
  takeFor({ hub, channel }: ChannelRef, { admin }: Principal, most: number, nowMs: number): number {
    if (admin) return 0;
    const { channels } = this.#use(hub);
    let own = channels.get(channel);
    if (own?.most !== most) channels.set(channel, (own = { most, limit: new RateLimit(most, most) }));
    return own.limit.take(nowMs);
  }

  /** Takes a channel that is not there yet, whoever writes to it; as `take`. */
  takeNew(hub: HubName, nowMs: number): number {
    if (this.quotasOf(hub).channelsPerSecondMax === undefined) return 0;
    return this.#use(hub).newChannels?.take(nowMs) ?? 0;
  }

  /** What the hub's channels may hold at this node. */
  bytesMax(hub: HubName): number {
    return this.quotasOf(hub).bytesMax ?? Infinity;
  }

  /** Forgets what has recovered. */
  tick(nowMs: number): void {
    for (const [hub, use] of this.#hubs) {
      for (const [user, limit] of use.users) if (limit.isIdle(nowMs)) use.users.delete(user);
      for (const [channel, { limit }] of use.channels) if (limit.isIdle(nowMs)) use.channels.delete(channel);
      const isCounting = use.users.size > 0 || use.channels.size > 0;
      const isEven = [use.messages, use.newChannels].every((limit) => limit?.isIdle(nowMs) !== false);
      if (use.sessions === 0 && !isCounting && isEven) this.#hubs.delete(hub);
    }
  }

  #use(hub: HubName): HubUse {
    const quotas = this.quotasOf(hub);
    let use = this.#hubs.get(hub);
    if (!use) {
      const limits = { messages: undefined, newChannels: undefined, users: new Map(), channels: new Map() };
      use = { sessions: 0, ...limits, quotas: {} };
      this.#hubs.set(hub, use);
    }
    if (use.quotas === quotas) return use;
    const { messagesPerSecondMax, channelsPerSecondMax } = quotas;
    if (messagesPerSecondMax !== use.quotas.messagesPerSecondMax)
      use.messages = limitOf(messagesPerSecondMax);
    if (channelsPerSecondMax !== use.quotas.channelsPerSecondMax)
      use.newChannels = limitOf(channelsPerSecondMax);
    if (quotas.userMessagesPerSecondMax !== use.quotas.userMessagesPerSecondMax) use.users.clear();
    use.quotas = quotas;
    return use;
  }
}

/** With bursts of a second's worth. */
function limitOf(perSecond: number | undefined): RateLimit | undefined {
  return perSecond === undefined ? undefined : new RateLimit(perSecond, perSecond);
}
