/** Takes a publish in: names, rights, limits; then it waits for a commit, or goes out at once as a signal. */
import { type ChannelName, type HubName, isSystemChannel, parseChannelName } from '../base/ids.js';
import { limits } from '../base/limits.js';
import { refusal } from '../channels/permissions.js';
import type { RuleSet } from '../channels/rules.js';
import { contentHash } from '../log/entry-wire.js';
import { timestampFromUnixMs } from '../log/timestamp.js';
import { type Failure, failure } from '../protocol/errors.js';
import type { PublishMessage } from '../protocol/messages.js';
import type { ActiveChannel } from './active-channel.js';
import type { Principal } from './api.js';
import type { Core } from './core.js';
import type { Reached } from '../sessions/ack-range.js';
import type { PendingPublish, PublishOrigin } from './pending.js';

export interface PublishRequest {
  readonly origin: PublishOrigin;
  readonly requestId: number;
  readonly hub: HubName;
  readonly principal: Principal;
  readonly publisher?: { readonly id: string; readonly epoch: number } | undefined;
  readonly message: PublishMessage;
}

export class Publishing {
  readonly counters = { published: 0, signals: 0, refused: 0 };

  constructor(
    readonly core: Core,
    readonly rulesOf: (hub: HubName, channel: ChannelName) => RuleSet | undefined,
  ) {}

  publish(request: PublishRequest): void {
    const { message, origin, requestId } = request;
    const channel = this.#channel(request.hub, message.channel);
    const refused = 'code' in channel ? channel : this.#refused(request, channel.rules);
    if (refused || 'code' in channel) {
      this.counters.refused++;
      origin.publishFailed(requestId, refused!);
    } else if (isSignal(message, channel.rules)) {
      this.counters.signals++;
      this.#signal(request, channel);
    } else {
      this.counters.published++;
      this.#append(request, channel);
    }
  }

  /** The channel, from memory where it is there: no parsing then. */
  #channel(hub: HubName, channel: string): ActiveChannel | Failure {
    const active = this.core.channels.find(hub, channel);
    if (active) return active;
    const name = parseChannelName(channel);
    if (!name.ok) return failure('BAD_NAME', { channel, message: name.error });
    if (!this.rulesOf(hub, name.value)) return failure('HUB_NOT_FOUND');
    if (isSystemChannel(channel)) return failure('DENIED', { channel });
    if (this.core.channels.isFull) {
      return failure('OVERLOADED', { channel, retryAfterMs: limits.channelIdleMs });
    }
    return this.core.channels.use({ hub, channel: name.value });
  }

  #refused({ message, principal }: PublishRequest, rules: RuleSet): Failure | undefined {
    const { channel, content } = message;
    const denied = refusal(principal, 'publish', channel, rules);
    if (denied) return denied;
    if (content.length > rules.messageBytesMax) {
      return failure('TOO_LARGE', {
        channel,
        message: `A message here has at most ${rules.messageBytesMax} bytes; this one has ${content.length}.`,
      });
    }
    const unstored = !rules.store || message.store === false;
    if (unstored && message.level !== undefined && message.level !== 'memory') {
      return failure('INVALID', {
        channel,
        message: 'A publish that is not stored can only be acknowledged at level "memory".',
      });
    }
    if (isSignal(message, rules)) return undefined;
    if (this.core.store.space() === 'full') return failure('DISK_FULL', { channel, retryAfterMs: 10_000 });
    return this.core.committer.hasRoom(content.length)
      ? undefined
      : failure('OVERLOADED', { channel, retryAfterMs: 100 });
  }

  #append(
    { origin, requestId, principal, publisher, message }: PublishRequest,
    channel: ActiveChannel,
  ): void {
    const { publisherSeq, ackedThrough } = message;
    if (publisherSeq !== undefined && !publisher) {
      const text = 'A publish has a number only after Auth named the publisher.';
      return origin.publishFailed(requestId, failure('INVALID', { channel: message.channel, message: text }));
    }
    const pending: PendingPublish = {
      kind: 'publish',
      origin,
      requestId,
      content: message.content,
      actor: principal.actor,
      publisher:
        publisher && publisherSeq !== undefined
          ? { ...publisher, seq: publisherSeq, ackedThrough: ackedThrough ?? 0 }
          : undefined,
      idempotencyKey: message.idempotencyKey,
      retain: message.retain ?? channel.rules.retain,
      level: message.level ?? channel.rules.ack,
      degrade: message.degrade ?? channel.rules.degrade,
      scope: `${principal.actor}/${publisher?.id ?? ''}`,
      contentHash: message.idempotencyKey === undefined ? 0 : contentHash(message.content),
      dot: undefined,
      timestamp: 0,
      duplicate: false,
    };
    this.core.committer.admit(pending);
    if (channel.isLoaded) this.core.committer.submit(channel, pending);
    else void this.#appendOnceLoaded(channel, pending);
  }

  async #appendOnceLoaded(channel: ActiveChannel, pending: PendingPublish): Promise<void> {
    try {
      await this.core.channels.ready(channel);
      this.core.committer.submit(channel, pending);
    } catch {
      this.core.committer.forget(pending);
      pending.origin.publishFailed(pending.requestId, failure('UNAVAILABLE', { retryAfterMs: 1000 }));
    }
  }

  /** A signal is acknowledged when it was handed to whoever listens: it is kept nowhere else. */
  #signal({ origin, requestId, principal, message }: PublishRequest, channel: ActiveChannel): void {
    const timestamp = timestampFromUnixMs(Math.floor(this.core.physicalMs()));
    const signal = {
      timestamp,
      content: message.content,
      ...(principal.actor === '' ? {} : { actor: principal.actor }),
    };
    this.core.delivery.signal(channel, signal);
    origin.publishAccepted({ requestId, dot: undefined, timestamp, duplicate: false }, heard);
  }
}

/** What the ack of a signal claims. */
const heard: Reached = { level: 'memory', copies: 1 };

function isSignal(message: PublishMessage, rules: RuleSet): boolean {
  return message.level === 'memory' || message.store === false || !rules.store;
}
