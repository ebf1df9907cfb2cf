/** May this client do that on this channel? Administrators may do everything; others what the channel's rules allow. */
import { type Failure, failure } from '../protocol/errors.js';
import { kindOf } from './kinds.js';
import type { RuleSet } from './rules.js';

export type Action = 'publish' | 'subscribe';

export interface Asker {
  readonly authenticated: boolean;
  readonly admin: boolean;
}

/** `undefined` when allowed. */
export function refusal(asker: Asker, action: Action, channel: string, rules: RuleSet): Failure | undefined {
  const kind = kindOf(channel);
  if (kind === 'notification' || kind === 'user') return failure('UNSUPPORTED', { channel });
  if (kind === 'system' && action === 'publish') {
    return failure('DENIED', {
      channel,
      message: 'Channels that start with "$" are written by the system only.',
    });
  }
  if (asker.admin) return undefined;
  if (kind === 'system') return failure('DENIED', { channel });
  if (!asker.authenticated && !rules.allowAnonymous) return failure('UNAUTHENTICATED', { channel });
  const allowed = action === 'publish' ? rules.clientPublish : rules.public;
  return allowed ? undefined : failure('DENIED', { channel });
}
