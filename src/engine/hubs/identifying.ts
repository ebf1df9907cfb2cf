/** From what a provider says of a client to who it is in a hub, and whether that still holds. */
import { utf8 } from '../../base/bytes.js';
import type { HubName } from '../../base/ids.js';
import { limits } from '../../base/limits.js';
import { type Result, err, ok } from '../../base/result.js';
import { Grants, checkPermissions } from '../../channels/grants.js';
import { isUserId } from '../../hubs/provider.js';
import type { HubView } from '../../hubs/settings.js';
import { type Failure, failure } from '../../protocol/errors.js';
import { isNestedWithin } from '../../protocol/json-text.js';
import type { Principal } from '../api.js';
import type { EngineOptions } from '../options.js';
import type { People } from '../people/people.js';
import type { EnginePorts, Identified } from '../ports.js';

export interface KnownHubs {
  /** What goes for a hub, as far as it is known. */
  viewOf(hub: HubName): HubView | undefined;
  /** For how long that may have changed unheard. */
  unheardMs(hub: HubName): number;
}

export class Identifying {
  constructor(
    readonly ports: Pick<EnginePorts, 'authenticator' | 'clock'>,
    readonly options: Pick<EngineOptions, 'verifyToken'>,
    readonly hubs: KnownHubs,
    readonly people: People | undefined,
  ) {}

  /** The one token that is known without asking anybody. */
  administrator(token: string): Result<Principal, Failure> {
    const principal = token.length <= limits.tokenBytesMax ? this.options.verifyToken(token) : undefined;
    return principal ? ok(principal) : err(failure('UNAUTHENTICATED'));
  }

  /** A promise where a provider of the hub has to be asked. */
  identify(
    hub: HubName,
    token: string,
    sessionId?: string,
  ): Result<Principal, Failure> | Promise<Result<Principal, Failure>> {
    const known = this.administrator(token);
    const { authenticator } = this.ports;
    const view = this.hubs.viewOf(hub);
    if (known.ok || token.length > limits.tokenBytesMax || !view?.providers.size) return known;
    const check = { hub, token, ...(sessionId === undefined ? {} : { sessionId }) };
    const asked = this.people?.tokens.identify(hub, token) ?? authenticator?.identify(view.providers, check);
    if (!asked) return known;
    return asked.then(async (found) => {
      const principal = found.ok ? principalOf(hub, found.value) : found;
      // Whoever has a session is given a token of the hub's own.
      if (principal.ok && sessionId !== undefined) await this.people?.tokens.ready(hub);
      const ended = principal.ok ? this.ended(hub, principal.value) : undefined;
      return ended ? err(ended) : principal;
    });
  }

  /** Whoever was given a ticket, at whichever node. */
  async byTicket(
    hub: HubName,
    ticket: string,
    origin: string | undefined,
  ): Promise<Result<Principal, Failure>> {
    const found = this.people ? await this.people.tickets.redeem(hub, ticket, origin) : noTickets();
    if (!found.ok) return found;
    if ('admin' in found.value) return ok({ actor: found.value.admin, authenticated: true, admin: true });
    const principal = principalOf(hub, found.value);
    const ended = principal.ok ? this.ended(hub, principal.value) : undefined;
    return ended ? err(ended) : principal;
  }

  ticketFor(
    hub: HubName,
    principal: Principal,
    origin: string | undefined,
  ): Result<never, Failure> | Promise<Result<string, Failure>> {
    return this.people ? this.people.tickets.give(hub, principal, origin) : noTickets();
  }

  /** A token of the hub's own for whoever is here, where there can be one. */
  tokenOf(hub: HubName, principal: Principal): string | undefined {
    return this.people?.tokens.of(hub, principal);
  }

  /** Why somebody who was let in has to go. */
  ended(hub: HubName, principal: Principal): Failure | undefined {
    const message = 'The token does not count any more. Connect with a new one.';
    const isCurrent = this.isCurrent(hub, principal);
    if (isCurrent === false) return failure('UNAUTHENTICATED', { message });
    if (isCurrent === undefined) return failure('UNAVAILABLE', notKnown);
    return this.#isUnsure(hub, principal) ? failure('UNAVAILABLE', cutOff) : undefined;
  }

  /** It may have been revoked, and this node could not hear of that. */
  #isUnsure(hub: HubName, { provider, issuedAtMs }: Principal): boolean {
    const mostMs = limits.cutOffTokenMs;
    if (provider === undefined || this.hubs.unheardMs(hub) <= mostMs) return false;
    return issuedAtMs === undefined || this.ports.clock.wallMs() - issuedAtMs > mostMs;
  }

  /** False once its time is over, it was revoked, its account is another, or its provider is none of the hub's any more;
   *  `undefined` where the hub's settings or people are not known, or entries of them are lost. */
  isCurrent(
    hub: HubName,
    { actor, provider, expiresAtMs, issuedAtMs, account }: Principal,
  ): boolean | undefined {
    if (provider === undefined) return true;
    if (expiresAtMs !== undefined && expiresAtMs <= this.ports.clock.wallMs()) return false;
    const view = this.hubs.viewOf(hub);
    if (!view) return undefined;
    const revokedMs = view.revoked.get(actor);
    // One that does not say when it was issued may be older.
    const isRevoked = revokedMs !== undefined && (issuedAtMs === undefined || issuedAtMs <= revokedMs);
    if (isRevoked || !view.providers.has(provider)) return false;
    return account === undefined || this.people?.tokens.isCurrent(hub, actor, account);
  }
}

const notKnown = {
  message: 'Whether the token still counts is not known here at the moment. Come back with it.',
  retryAfterMs: 1_000,
};

const cutOff = {
  message: 'This node cannot hear whether the token still counts: it is cut off. Try another node.',
  retryAfterMs: 1_000,
};

function noTickets(): Result<never, Failure> {
  return err(failure('UNSUPPORTED', { message: 'This node gives no tickets.' }));
}

/** A provider is somebody else's program: what it says is checked like anything from outside. */
function principalOf(hub: HubName, { provider, identity }: Identified): Result<Principal, Failure> {
  const { user, permissions, metadata, expiresAtMs, issuedAtMs, account } = identity;
  if (!isUserId(user))
    return refused(`a user has 1 to ${limits.userIdBytesMax} bytes, no "$" first and no control characters`);
  const granted = permissions === undefined ? ok({}) : checkPermissions(permissions);
  if (!granted.ok) return refused(granted.error);
  if (metadata !== undefined) {
    const bytes = utf8(metadata);
    if (bytes.length > limits.metadataBytesMax || !isNestedWithin(limits.metadataDepthMax, bytes))
      return refused(
        `metadata has at most ${limits.metadataBytesMax} bytes and ${limits.metadataDepthMax} levels`,
      );
  }
  return ok({
    actor: user,
    authenticated: true,
    admin: false,
    hub,
    provider,
    grants: new Grants(granted.value),
    ...(metadata === undefined ? {} : { metadata }),
    ...(expiresAtMs === undefined ? {} : { expiresAtMs }),
    ...(issuedAtMs === undefined ? {} : { issuedAtMs }),
    ...(account === undefined ? {} : { account }),
  });
}

function refused(why: string): Result<never, Failure> {
  return err(failure('UNAUTHENTICATED', { message: `What the hub’s provider says cannot be used: ${why}` }));
}
