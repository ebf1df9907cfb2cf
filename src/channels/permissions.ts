/** May this client do that on this channel? Administrators may do everything; others what the channel's rules allow, and
 *  what their authentication grants them. */
import { type Failure, failure } from '../protocol/errors.js';
import type { Action, Grants } from './grants.js';
import { kindOf } from './kinds.js';
import type { RuleSet } from './rules.js';

export interface Asker {
  readonly authenticated: boolean;
  readonly admin: boolean;
  /** What its authentication lets it do beside what the rules allow. */
  readonly grants?: Grants | undefined;
}

/** `undefined` when allowed. */
export function refusal(asker: Asker, action: Action, channel: string, rules: RuleSet): Failure | undefined {
  const kind = kindOf(channel);
  if ((kind === 'notification' || kind === 'user') && action !== 'delete')
    return failure('UNSUPPORTED', { channel });
  if (kind === 'system' && action !== 'subscribe') {
    return failure('DENIED', {
      channel,
      message: 'Channels that start with "$" are written by the system only.',
    });
  }
  if (asker.admin) return undefined;
  if (kind === 'system') return failure('DENIED', { channel });
  if (!asker.authenticated && !rules.allowAnonymous) return failure('UNAUTHENTICATED', { channel });
  const allowed = { publish: rules.clientPublish, subscribe: rules.public, delete: false }[action];
  return allowed || asker.grants?.allows(action, channel) ? undefined : failure('DENIED', { channel });
}
