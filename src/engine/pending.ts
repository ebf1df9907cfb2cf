/** A mutation that waits for the next commit. Plain objects, one a message; no promise, timer or closure each. */
import type { Dot } from '../base/ids.js';
import type { Judged } from './judged.js';
import type { LostRange, Timestamp } from '../log/entry.js';
import type { Keep } from '../log/retention.js';
import { type Failure, failure } from '../protocol/errors.js';
import type { Level } from '../protocol/messages.js';
import type { Accepted, Reached } from '../sessions/ack-range.js';

/** Where the answer goes: a session, a batch of an HTTP request, or a node that forwarded it. */
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
  /** Push services tell of it. */
  readonly push: boolean;
  /** The level it is acknowledged at; `memory` is no pending publish. */
  readonly level: Level;
  /** A lower one will do when that cannot be had. */
  readonly degrade: boolean;
  /** Actor and publisher: whose key and whose numbers these are. */
  readonly scope: string;
  /** Of the content, where there is a key to tell a repetition from a conflict. */
  readonly contentHash: number;
  /** Where it is no message. */
  readonly judged?: Judged | undefined;
  /** It has no content: it ends the generation of its channel. */
  readonly deletes?: true | undefined;
  /** It has no content: that of this entry is to be taken out. */
  readonly redacts?: Dot | undefined;
  /** It has no content: it is a trim that somebody forces. */
  readonly forces?: ForcedTrim | undefined;
  /** Set when stamped, or taken from the first entry of the same key. */
  dot: Dot | undefined;
  timestamp: Timestamp;
  duplicate: boolean;
  /** Of a document: its version behind the change. */
  version?: number | undefined;
}

export interface ForcedTrim {
  readonly keep: Keep;
  /** Everything before it goes; known at the node that owns. */
  position: number;
}

/** Retention: everything before `position` may go. */
export interface PendingTrim {
  readonly kind: 'trim';
  readonly position: number;
  settled(trimmed: boolean): void;
}

/** Entries of others were taken in: one that names them, unless another entry does so first. */
export interface PendingMerge {
  readonly kind: 'merge';
  /** Also without a claim. */
  readonly isNeeded: boolean;
}

export const pendingMerge: PendingMerge = { kind: 'merge', isNeeded: false };
/** A patch can be judged only where the log has one end. */
export const neededMerge: PendingMerge = { kind: 'merge', isNeeded: true };

/** What the document is by now, so that nobody has to read all of its past. */
export interface PendingSnapshot {
  readonly kind: 'snapshot';
  /** About. */
  readonly bytes: number;
}

/** No home can read these any more: an entry that says so. */
export interface PendingGap {
  readonly kind: 'gap';
  readonly lost: LostRange;
}

export type Pending = PendingPublish | PendingTrim | PendingMerge | PendingSnapshot | PendingGap;

/** Whether the log itself needs it, to go on or to be read on: it waits for nothing that is judged. */
export function isOfLog({ kind }: Pending): boolean {
  return kind === 'merge' || kind === 'gap';
}

/** What it counts for in the bounds of what may wait. */
export function weight(item: Pending): number {
  if (item.kind === 'publish') return item.content.length + 128;
  return item.kind === 'snapshot' ? item.bytes + 256 : 256;
}

/** What the answer claims where nothing had to be written. */
export const nothingWritten: Reached = { level: 'memory', copies: 0 };

/** Nothing was written, and trying again is safe. */
export function refuseUnwritten(
  item: Pending,
  failed = failure('UNAVAILABLE', { retryAfterMs: 1000 }),
): void {
  if (item.kind === 'trim') item.settled(false);
  else if (item.kind === 'publish') item.origin.publishFailed(item.requestId, failed);
}

/** The outcome of its commit is unknown. */
export function tellIndeterminate(item: Pending): void {
  if (item.kind === 'trim') item.settled(false);
  else if (item.kind === 'publish')
    item.origin.publishFailed(item.requestId, failure('INDETERMINATE', { retryAfterMs: 1000 }));
}
