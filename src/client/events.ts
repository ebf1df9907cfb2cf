/** What a client tells of itself. */
import type { ServerEvent } from '../protocol/messages.js';
import type { ConnectionState } from './connection.js';
import type { RinglogError } from './error.js';
import type { Message } from './message.js';

export type ClientState = ConnectionState['name'];

export interface ClientEvents {
  readonly state: { readonly state: ClientState; readonly previous: ClientState };
  /** A connection failed, was lost, or was refused; the client goes on trying unless it is `closed`. */
  readonly error: RinglogError;
  /** With `restore`: the session before came back. What was published meanwhile comes to each subscription of this client. */
  readonly restored: SessionRestoredNotice;
  /** With `restore`: what would come back is another. */
  readonly kept: SessionKeptNotice;
  /** What comes in this user's own channel, where its sessions are in it by themselves; the place goes on over interruptions. */
  readonly direct: Message;
  /** @internal */
  readonly presence: PresenceEvent;
}

/** What comes of itself to whoever follows who is in a channel; `ringlog/presence` knows how. */
export type PresenceEvent = Extract<ServerEvent, { type: 'join' | 'leave' | 'occupancy' }>;

export interface RestoredSubscription {
  readonly channel: string;
  /** Of this client. Of those it has not, nothing is delivered: subscribe to go on with them. */
  readonly isOwn: boolean;
  /** It did not come back. */
  readonly error?: RinglogError;
}

export interface SessionRestoredNotice {
  readonly sessionId: string;
  readonly subscriptions: readonly RestoredSubscription[];
}

/** What would come back now. */
export interface SessionKeptNotice {
  /** Brings this session back, once: for another process, or another page. It is as good as a token. */
  readonly key: string;
  /** Channels whose subscriptions are kept. */
  readonly channels: readonly string[];
}
