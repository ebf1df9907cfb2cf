/** Users of runs in which nodes keep what users make. */
import type { Principal } from '../../src/engine/api.js';

const userToken = /^user ([a-z0-9]+)$/;

export function tokenOf(user: string): string {
  return `user ${user}`;
}

/** What nodes know users by. */
export function userOf(token: string): Principal | undefined {
  const actor = userToken.exec(token)?.[1];
  return actor === undefined ? undefined : { actor, authenticated: true, admin: false };
}
