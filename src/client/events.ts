/** What a client tells of itself. */
import type { ServerEvent } from '../protocol/messages.js';
import type { ConnectionState } from './connection.js';
import type { RinglogError } from './error.js';
import type { Message } from './message.js';
import type { SessionKeptNotice, SessionRestoredNotice } from './restoring.js';

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
