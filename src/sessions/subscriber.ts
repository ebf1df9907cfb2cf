/** What a subscription and fan-out need of the session they feed. */
import type { HubName } from '../base/ids.js';
import type { Encoding } from '../protocol/messages.js';

/** Encoded bytes on their way to one or many connections. */
export interface SessionFrame {
  readonly bytes: Uint8Array;
  readonly channel?: string;
  /** The reader's cursor once this frame is delivered. */
  readonly cursor?: Uint8Array;
  /** Entries delivered by this frame. */
  readonly entries?: number;
  /** Many connections get it. */
  readonly isShared?: boolean;
  /** The transport's own form of a shared frame, made once. */
  prepared?: Uint8Array;
}

/** A connection's way out; the engine's `SessionSink`. */
export interface FrameSink {
  write(frames: readonly SessionFrame[]): void;
  /** Bytes written and not yet taken by the network. */
  readonly bufferedBytes: number;
  /** Ends the connection after what was written; idempotent. */
  close(code: number, reason: string): void;
}

export interface Subscriber {
  readonly hub: HubName;
  readonly encoding: Encoding;
  /** Some subscription is replaying: the engine reads the log for this session. */
  hasReplay: boolean;
  /** The connection has more to take than it should: feed it from the log. */
  isBehind(): boolean;
  push(frame: SessionFrame): void;
}
