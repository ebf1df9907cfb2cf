/** What a session is opened with, and what it is told of who it is. */
import type { HubName } from '../base/ids.js';
import type { ClientMessage, Encoding, SessionRestoreMessage } from '../protocol/messages.js';
import type { SessionPrincipal } from './authentication.js';
import type { FrameSink } from './subscriber.js';

export interface SessionOptions {
  readonly id: string;
  readonly hub: HubName;
  readonly encoding: Encoding;
  readonly principal: SessionPrincipal;
  readonly sink: FrameSink;
  /** The client runs on this machine, or a proxy does that it came by. */
  readonly isLocal: boolean;
  /** Its address, where it is known. */
  readonly remote: string;
  readonly pingIntervalMs: number;
  readonly pongTimeoutMs: number;
  readonly authTimeoutMs: number;
  readonly messagesPerSecondMax: number;
  readonly nowMs: number;
}

export type AuthMessage = ClientMessage & { readonly type: 'auth' };
export type KeyMessage = SessionRestoreMessage & { readonly key: Uint8Array };
