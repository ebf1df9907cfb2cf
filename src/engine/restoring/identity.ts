/** Who a session is, as it is kept, and back. */
import { Grants } from '../../channels/grants.js';
import type { KeptIdentity } from '../../hubs/kept-sessions.js';
import type { Principal } from '../api.js';

/** `undefined` for those whose sessions are not kept: what administrators may do is not left lying about, and who is known
 *  otherwise than by a provider of the hub cannot be looked at anew. */
export function keptIdentityOf(principal: Principal): KeptIdentity | undefined {
  const { actor, authenticated, admin, provider, grants, metadata } = principal;
  if (!authenticated) return { user: '' };
  if (admin || provider === undefined) return undefined;
  const { expiresAtMs, issuedAtMs, account } = principal;
  return {
    user: actor,
    provider,
    ...(grants === undefined ? {} : { permissions: grants.permissions }),
    ...(metadata === undefined ? {} : { metadata }),
    ...(expiresAtMs === undefined ? {} : { expiresAtMs }),
    ...(issuedAtMs === undefined ? {} : { issuedAtMs }),
    ...(account === undefined ? {} : { account }),
  };
}

export function principalOf(hub: string, { user, permissions, ...rest }: KeptIdentity): Principal {
  if (user === '') return { actor: '', authenticated: false, admin: false };
  return {
    actor: user,
    authenticated: true,
    admin: false,
    hub,
    grants: new Grants(permissions ?? {}),
    ...rest,
  };
}
