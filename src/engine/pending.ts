/** A mutation that waits for the next commit. Plain objects, one a message; no promise, timer or closure each. */
import type { Dot } from '../base/ids.js';
import type { Timestamp } from '../log/entry.js';
import type { Failure } from '../protocol/errors.js';
import type { Accepted, Reached } from '../sessions/ack-range.js';

/** Where the answer goes: a session, or a batch of an HTTP request. */
export interface PublishOrigin {
  publishAccepted(accepted: Accepted, reached: Reached): void;
  publishFailed(requestId: number, failure: Failure): void;
}

export interface PendingPublish extends Accepted {
  readonly kind: 'publish';
  readonly origin: PublishOrigin;
  readonly requestId: number;
  /** Encoded `Content`: a view of the received frame. */
  readonly content: Uint8Array;
  readonly actor: string;
  readonly publisher:
    | { readonly id: string; readonly epoch: number; readonly seq: number; readonly ackedThrough: number }
    | undefined;
  readonly idempotencyKey: string | undefined;
  /** Becomes the channel's retained message. */
  readonly retain: boolean;
  /** Actor and publisher: whose key and whose numbers these are. */
  readonly scope: string;
  /** Of the content, where there is a key to tell a repetition from a conflict. */
  readonly contentHash: number;
  /** Set when stamped, or taken from the first entry of the same key. */
  dot: Dot | undefined;
  timestamp: Timestamp;
  duplicate: boolean;
}

/** Retention: everything before `position` may go. */
export interface PendingTrim {
  readonly kind: 'trim';
  readonly position: number;
  settled(trimmed: boolean): void;
}

export type Pending = PendingPublish | PendingTrim;
