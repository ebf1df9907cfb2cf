/** What clients and servers say of sessions: what goes in one, who it is, and that it is kept and restored. */
import type { Timestamp } from '../log/entry.js';

export interface SessionInfo {
  readonly type: 'sessionInfo';
  readonly sessionId: string;
  readonly hub: string;
  readonly nodeId: string;
  readonly serverVersion: string;
  readonly protocolVersion: number;
  readonly authenticated: boolean;
  readonly anonymousAllowed: boolean;
  readonly pingIntervalMs: number;
  readonly messageBytesMax: number;
  readonly frameBytesMax: number;
  readonly subscriptionsMax: number;
  readonly time: Timestamp;
}

export interface AuthResult {
  readonly type: 'auth';
  readonly authenticated: boolean;
  readonly actor?: string;
  /** Channel patterns: what it may do beside what the rules allow everybody. */
  readonly publish?: readonly string[];
  readonly subscribe?: readonly string[];
  readonly delete?: readonly string[];
  /** Of methods that it may call. */
  readonly rpc?: readonly string[];
  /** What its provider says of it, as JSON. */
  readonly metadata?: string;
  /** Unix milliseconds: the session ends then, unless it authenticates anew. */
  readonly expiresAt?: number;
  /** Of the hub's own, for HTTP and other connections. */
  readonly token?: string;
}

/** Asks that this session be kept; with a key: restores the one it is of, and goes on keeping it. */
export interface SessionRestoreMessage {
  readonly type: 'sessionRestore';
  readonly key?: Uint8Array;
  /** Where its subscriptions go on; those not named go on from now. */
  readonly cursors: readonly ChannelCursor[];
}

export interface ChannelCursor {
  readonly channel: string;
  readonly cursor: Uint8Array;
}

/** What is kept of the session is another than what was told last. */
export interface SessionKept {
  readonly type: 'sessionKept';
  /** With the first. */
  readonly key?: Uint8Array;
  /** Channels whose subscriptions would come back, and those that would no longer. */
  readonly added: readonly string[];
  readonly dropped: readonly string[];
  /** How many subscriptions are not kept: more than may be. */
  readonly leftOut: number;
  /** How long after a lost connection it can be restored at least. */
  readonly forMs: number;
}
