/** Who is asking: from `Authorization: Bearer`, or from a one-use ticket where a browser cannot send headers. */
import type { IncomingHttpHeaders } from 'node:http';
import { limits } from '../base/limits.js';
import { type Result, err, ok } from '../base/result.js';
import type { NodeApi, Principal } from '../engine/api.js';
import type { Clock, Random } from '../engine/ports.js';
import { toBase64Url } from '../base/bytes.js';
import { type Failure, failure } from '../protocol/errors.js';
import { gatewayLimits } from './gateway-limits.js';

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

/** An administrator. */
export function authenticate(api: NodeApi, headers: IncomingHttpHeaders): Result<Principal, Failure> {
  const token = bearerToken(headers);
  return token.ok ? api.authenticate(token.value) : token;
}

interface Ticket {
  readonly principal: Principal;
  readonly hub: string;
  readonly origin: string | undefined;
  readonly expiresMs: number;
}

/** One-use tickets: good for one connection to one hub within 30 seconds, from the page that asked for it. */
export class Tickets {
  readonly #clock: Clock;
  readonly #random: Random;
  /** Oldest first: all live equally long. */
  readonly #tickets = new Map<string, Ticket>();

  constructor(clock: Clock, random: Random) {
    this.#clock = clock;
    this.#random = random;
  }

  issue(principal: Principal, hub: string, origin: string | undefined): Result<string, Failure> {
    this.#dropExpired();
    if (this.#tickets.size >= gatewayLimits.ticketsMax) {
      return err(failure('RATE_LIMITED', { retryAfterMs: gatewayLimits.ticketTtlMs }));
    }
    const ticket = toBase64Url(this.#random.bytes(24));
    const expiresMs = this.#clock.monotonicMs() + gatewayLimits.ticketTtlMs;
    this.#tickets.set(ticket, { principal, hub, origin, expiresMs });
    return ok(ticket);
  }

  redeem(ticket: string, hub: string, origin: string | undefined): Result<Principal, Failure> {
    const found = this.#tickets.get(ticket);
    this.#tickets.delete(ticket);
    const fits =
      found !== undefined &&
      found.expiresMs > this.#clock.monotonicMs() &&
      found.hub === hub &&
      (found.origin === undefined || found.origin === origin);
    return fits
      ? ok(found.principal)
      : err(
          failure('UNAUTHENTICATED', {
            message: 'The ticket is unknown, used or too old. Ask for a new one.',
          }),
        );
  }

  #dropExpired(): void {
    const now = this.#clock.monotonicMs();
    for (const [ticket, { expiresMs }] of this.#tickets) {
      if (expiresMs > now) return;
      this.#tickets.delete(ticket);
    }
  }
}
