/** Who may ask what of which hub, before anything is read or written there. */
import { type ChannelRef, type HubName, parseChannelName, parseHubName, systemHub } from '../../base/ids.js';
import { type Result, err, ok } from '../../base/result.js';
import type { Action } from '../../channels/grants.js';
import { refusal } from '../../channels/permissions.js';
import { type Failure, failure } from '../../protocol/errors.js';
import type { Principal } from '../api.js';
import type { Tenants } from './tenants.js';

export const anonymous: Principal = { actor: '', authenticated: false, admin: false };

export class Admission {
  constructor(
    readonly tenants: Tenants,
    /** Whether the node serves clients that do not authenticate. */
    readonly anonymous: boolean,
  ) {}

  hub(hub: string): Result<HubName, Failure> {
    const name = parseHubName(hub);
    if (!name.ok) return err(failure('BAD_NAME', { message: name.error }));
    return this.tenants.hubs.exists(name.value) ? name : err(this.tenants.hubs.missing(name.value));
  }

  channel(hub: string, channel: string): Result<ChannelRef, Failure> {
    const name = this.hub(hub);
    return name.ok ? refOf(name.value, channel) : name;
  }

  /** `mayComeLater`: who is asked for a token may still show one. */
  client(principal: Principal, hub: string, mayComeLater = false): Result<HubName, Failure> {
    if (!principal.authenticated && !this.anonymous && !mayComeLater) return err(failure('UNAUTHENTICATED'));
    const name = this.hub(hub);
    if (!name.ok) return name;
    // A hub of the system is nobody else's business, and neither is a client of another hub this one's.
    const isForeign = principal.hub !== undefined && principal.hub !== name.value;
    if ((name.value === systemHub && !principal.admin) || isForeign) return err(failure('HUB_NOT_FOUND'));
    const { clients, hubs } = this.tenants;
    const ended = clients.ended(name.value, principal);
    if (ended) return err(ended);
    const isOpen = hubs.view(name.value)?.anonymous !== false;
    return principal.authenticated || isOpen || mayComeLater ? name : err(failure('UNAUTHENTICATED'));
  }

  /** Counts one request in what the hub and the user may ask; why it is too many. */
  count(principal: Principal, hub: string): Failure | undefined {
    const name = parseHubName(hub);
    return name.ok ? this.tenants.tooManyAsked(name.value, principal) : undefined;
  }

  /** For whoever is known in the hub. */
  async ticket(
    principal: Principal,
    hub: string,
    origin: string | undefined,
  ): Promise<Result<string, Failure>> {
    const name = this.client(principal, hub);
    return name.ok ? this.tenants.clients.ticketFor(name.value, principal, origin) : name;
  }

  async redeem(hub: string, ticket: string, origin: string | undefined): Promise<Result<Principal, Failure>> {
    const name = parseHubName(hub);
    if (!name.ok) return err(failure('BAD_NAME', { message: name.error }));
    const ready = await this.tenants.hubs.ready(name.value);
    return ready.ok ? this.tenants.clients.byTicket(name.value, ticket, origin) : ready;
  }

  /** Who reads a channel may subscribe to it. */
  async reader(
    principal: Principal,
    hub: string,
    channel: string,
    action: Action = 'subscribe',
  ): Promise<Result<ChannelRef, Failure>> {
    const name = this.client(principal, hub);
    if (!name.ok) return name;
    const ref = refOf(name.value, channel);
    if (!ref.ok) return ref;
    const { hubs } = this.tenants;
    await this.tenants.ready(ref.value);
    const rules = this.tenants.rulesOf(ref.value);
    const refused = rules ? refusal(principal, action, ref.value.channel, rules) : hubs.missing(name.value);
    return refused ? err(refused) : ref;
  }
}

function refOf(hub: HubName, channel: string): Result<ChannelRef, Failure> {
  const name = parseChannelName(channel);
  return name.ok
    ? ok({ hub, channel: name.value })
    : err(failure('BAD_NAME', { channel, message: name.error }));
}
