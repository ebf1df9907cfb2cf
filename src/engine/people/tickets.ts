/** Tickets for connections that cannot send a token: good once, soon, in one hub, from the page that asked for them. */
import type { HubName } from '../../base/ids.js';
import { limits } from '../../base/limits.js';
import { type Result, err, ok } from '../../base/result.js';
import type { TokenClaims } from '../../people/tokens.js';
import { type Failure, failure } from '../../protocol/errors.js';
import type { Principal } from '../api.js';
import type { Identified } from '../ports.js';
import type { HubTokens } from './hub-tokens.js';
import { OneUse } from './one-use.js';
import type { Tallies } from './tallies.js';

interface Ticket {
  /** Where a page asked for it. */
  readonly origin?: string;
  /** An administrator. */
  readonly admin?: string;
  readonly client?: TokenClaims;
}

export type Ticketed = { readonly admin: string } | Identified;

export class Tickets {
  readonly #oneUse: OneUse<Ticket>;

  constructor(
    readonly tokens: HubTokens,
    tallies: Pick<Tallies, 'use'>,
  ) {
    this.#oneUse = new OneUse(tokens, tallies, { use: 'ticket', lifeMs: limits.ticketMs });
  }

  async give(
    hub: HubName,
    principal: Principal,
    origin: string | undefined,
  ): Promise<Result<string, Failure>> {
    const client = this.tokens.claimsOf(principal);
    if (!principal.admin && !client) return err(failure('UNAUTHENTICATED'));
    const whose = client ? { client } : { admin: principal.actor };
    const ticket = await this.#oneUse.give(hub, { ...whose, ...(origin === undefined ? {} : { origin }) });
    if (!ticket.ok || ticket.value.length <= limits.ticketCharsMax) return ticket;
    const message = 'What this client may takes more than an address can hold. Send the token instead.';
    return err(failure('TOO_LARGE', { message }));
  }

  /** Whoever tried a ticket has used it up, also where it is of another page. */
  async redeem(hub: HubName, text: string, origin: string | undefined): Promise<Result<Ticketed, Failure>> {
    const read = text.length <= limits.ticketCharsMax ? await this.#oneUse.read(hub, text) : ok(undefined);
    if (!read.ok) return read;
    if (!read.value) return notGood();
    const ticket = read.value;
    const taken = await this.#oneUse.take(ticket);
    if (!taken.ok) return taken;
    const isFromThere = ticket.origin === undefined || ticket.origin === origin;
    if (!taken.value || !isFromThere) return notGood();
    const { admin, client } = ticket;
    if (admin !== undefined) return ok({ admin });
    return client ? this.tokens.identified(hub, client) : notGood();
  }
}

function notGood(): Result<never, Failure> {
  const message = 'The ticket is unknown, used or too old. Ask for a new one.';
  return err(failure('UNAUTHENTICATED', { message }));
}
