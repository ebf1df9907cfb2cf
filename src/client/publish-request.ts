/** What an application publishes, as the queue takes it. */
import { encodeContent } from '../log/entry-wire.js';
import { failure } from '../protocol/errors.js';
import type { PublishedKind } from '../protocol/messages.js';
import { nameOf } from './arguments.js';
import { contentOf } from './content.js';
import { RinglogError, serverError } from './error.js';
import type { PublishOptions } from './options.js';
import type { Found, PublishRequest } from './publish-item.js';
import { type Published, publishedOf } from './published.js';

/** Keeps a publish until it has an outcome, without a deadline. */
export interface Keep {
  /** What became of it, asked where it may have been written longer ago than its key is known for sure. */
  look(): Promise<Found>;
}

export interface PublishCall {
  readonly channel: string;
  readonly data: unknown;
  readonly options: PublishOptions;
  readonly kind: PublishedKind | undefined;
  readonly keep: Keep | undefined;
}

export interface PublishHost {
  readonly messageBytesMax: number;
  readonly timeoutMs: number;
  newKey(): string;
  accept(published: Published): void;
  refused(error: RinglogError): void;
  /** It has its outcome. */
  settled(): void;
  /** The queue may have something to send again. */
  fill(): void;
}

/** Or why it cannot be published. */
export function requestOf(
  { channel, data, options, kind, keep }: PublishCall,
  host: PublishHost,
): PublishRequest | RinglogError {
  try {
    const name = nameOf(channel);
    const content = encodeContent(contentOf(data, options));
    if (content.length > host.messageBytesMax) return serverError(failure('TOO_LARGE', { channel }));
    const isSignal = options.store === false || options.level === 'memory';
    const { idempotencyKey, level, degrade, timeoutMs = keep ? Infinity : host.timeoutMs } = options;
    return {
      channel: name,
      content,
      timeoutMs,
      ...(isSignal ? undefined : { idempotencyKey: idempotencyKey ?? host.newKey() }),
      ...(level === undefined ? undefined : { level }),
      ...(degrade === undefined ? undefined : { degrade }),
      ...(kind === undefined ? undefined : { kind }),
      ...(keep && timeoutMs === Infinity && { look: lookOf(keep, host) }),
      accepted: (ack) => {
        host.accept(publishedOf(ack));
        host.settled();
      },
      refused: (error) => {
        host.refused(error);
        host.settled();
      },
    };
  } catch (error) {
    if (error instanceof RinglogError) return error;
    throw error;
  }
}

function lookOf(keep: Keep, host: PublishHost): NonNullable<PublishRequest['look']> {
  return (decide) =>
    void keep.look().then((found) => {
      decide(found);
      host.fill();
    });
}
