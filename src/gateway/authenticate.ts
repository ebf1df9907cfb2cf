/** Who is asking: from `Authorization: Bearer`, or from a one-use ticket where a browser cannot send headers. */
import type { IncomingHttpHeaders } from 'node:http';
import { limits } from '../base/limits.js';
import { type Result, err, ok } from '../base/result.js';
import type { NodeApi, Principal } from '../engine/api.js';
import { type Failure, failure } from '../protocol/errors.js';

export const nobody: Principal = { actor: '', authenticated: false, admin: false };

/** `undefined` where no token was sent. */
export function bearerToken(headers: IncomingHttpHeaders): Result<string | undefined, Failure> {
  const text = headers.authorization;
  if (text === undefined) return ok(undefined);
  const match = /^Bearer +([\x21-\x7e]+) *$/i.exec(text);
  const token = match?.[1];
  return token !== undefined && token.length <= limits.tokenBytesMax
    ? ok(token)
    : err(failure('UNAUTHENTICATED', { message: 'Authorization must be "Bearer" and a token.' }));
}

/** Tokens in an address end up in logs and histories. */
export function refuseTokenInUrl(query: URLSearchParams): Failure | undefined {
  const found = ['token', 'access_token', 'authorization', 'api_key'].find((name) => query.has(name));
  return found === undefined
    ? undefined
    : failure('INVALID', {
        message: `A token does not belong into an address ("${found}"). Send it in Authorization, in the first frame, or as a one-use ?ticket=.`,
      });
}

/** A client of a hub. Without a token it is anonymous, and may still say who it is in its first frame. */
export async function enter(
  api: NodeApi,
  hub: string,
  headers: IncomingHttpHeaders,
  sessionId?: string,
): Promise<Result<Principal, Failure>> {
  const token = bearerToken(headers);
  return token.ok ? api.enter(hub, token.value, sessionId) : token;
}

/** The same for a request that counts as one message of the user's and the hub's: all but those that publish or call, of which each message does. */
export async function enterAndCount(
  api: NodeApi,
  hub: string,
  headers: IncomingHttpHeaders,
): Promise<Result<Principal, Failure>> {
  const principal = await enter(api, hub, headers);
  const tooMany = principal.ok ? api.count(principal.value, hub) : undefined;
  return tooMany ? err(tooMany) : principal;
}

/** An administrator. */
export function authenticate(api: NodeApi, headers: IncomingHttpHeaders): Result<Principal, Failure> {
  const token = bearerToken(headers);
  return token.ok ? api.authenticate(token.value) : token;
}
