/** Who a session is, and what waits until that is known. */
import { limits } from '../base/limits.js';
import type { Grants } from '../channels/grants.js';
import type { Result } from '../base/result.js';
import type { Failure } from '../protocol/errors.js';
import type { AuthResult } from '../protocol/messages.js';

/** Who asks; the engine's `Principal`. */
export interface SessionPrincipal {
  readonly actor: string;
  readonly authenticated: boolean;
  readonly admin: boolean;
  readonly grants?: Grants;
  /** JSON. */
  readonly metadata?: string;
  /** Unix milliseconds. */
  readonly expiresAtMs?: number;
}

/** Who a token stands for, or why it does not count. */
export type Authenticated = (result: Result<SessionPrincipal, Failure>, nowMs: number) => void;

/** Frames that came behind an Auth without an answer yet. */
export class HeldFrames {
  readonly frames: { readonly frame: Uint8Array; readonly from: number }[] = [];
  #bytes = 0;

  /** `from`: the first of its envelopes that counts. False when it is too much. */
  add(frame: Uint8Array, from: number): boolean {
    this.#bytes += frame.length;
    if (this.#bytes > limits.heldFrameBytesMax) return false;
    // The frame is a view of what the socket read.
    this.frames.push({ frame: frame.slice(), from });
    return true;
  }
}

export function authResultOf({
  actor,
  authenticated,
  grants,
  metadata,
  expiresAtMs,
}: SessionPrincipal): AuthResult {
  const { publish = [], subscribe = [] } = grants?.permissions ?? {};
  return {
    type: 'auth',
    authenticated,
    ...(actor === '' ? {} : { actor }),
    ...(publish.length > 0 ? { publish } : {}),
    ...(subscribe.length > 0 ? { subscribe } : {}),
    ...(metadata === undefined ? {} : { metadata }),
    ...(expiresAtMs === undefined ? {} : { expiresAt: expiresAtMs }),
  };
}
