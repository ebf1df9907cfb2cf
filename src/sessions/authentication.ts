/** Who a session is. */
import type { Grants } from '../channels/grants.js';
import type { Result } from '../base/result.js';
import type { Failure } from '../protocol/errors.js';
import type { AuthResult, ClientMessage } from '../protocol/messages.js';

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

/** What whoever is not known yet may send. */
export const entries: ReadonlySet<ClientMessage['type']> = new Set([
  'auth',
  'close',
  'user',
  'sessionRestore',
]);

/** `token`: of the hub's own, where there is one. */
export function authResultOf(
  { actor, authenticated, grants, metadata, expiresAtMs }: SessionPrincipal,
  token: string | undefined,
): AuthResult {
  const { publish = [], subscribe = [], rpc = [], delete: deletes = [] } = grants?.permissions ?? {};
  return {
    type: 'auth',
    authenticated,
    ...(actor === '' ? {} : { actor }),
    ...(publish.length > 0 ? { publish } : {}),
    ...(subscribe.length > 0 ? { subscribe } : {}),
    ...(rpc.length > 0 ? { rpc } : {}),
    ...(deletes.length > 0 ? { delete: deletes } : {}),
    ...(metadata === undefined ? {} : { metadata }),
    ...(expiresAtMs === undefined ? {} : { expiresAt: expiresAtMs }),
    ...(token === undefined ? {} : { token }),
  };
}
