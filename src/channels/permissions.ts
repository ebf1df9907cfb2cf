/** May this client do that on this channel? Administrators may do everything; others what the channel's rules allow, and
 *  what their authentication grants them. */
import { type Failure, failure } from '../protocol/errors.js';
import type { Action, Grants } from './grants.js';
import { kindOf } from './kinds.js';
import { mayHaveReceipts, receiptsOf } from './receipt-channels.js';
import type { ChannelRules, RuleSet } from './rules.js';
import { isOwnChannel } from './user-channels.js';

export interface Asker {
  /** Its user, once it is authenticated. */
  readonly actor: string;
  readonly authenticated: boolean;
  readonly admin: boolean;
  /** What its authentication lets it do beside what the rules allow. */
  readonly grants?: Grants | undefined;
}

/** Who may call a service's methods beside administrators and those who were granted them. */
export type OpenTo = 'users' | 'everybody';

const notified =
  "Notifications are created by services and administrators: with an administrator's token, or one whose publish " +
  'permissions name the channel by a pattern that begins with "notification:".';

/** `undefined` when allowed. */
export function refusal(
  asker: Asker,
  action: Action,
  channel: string,
  rules: ChannelRules,
): Failure | undefined {
  const kind = kindOf(channel);
  if (kind === 'system' && action !== 'subscribe') {
    return failure('DENIED', {
      channel,
      message: 'Channels that start with "$" are written by the system only.',
    });
  }
  const receiptsOfChannel = receiptsOf(channel);
  if (receiptsOfChannel !== undefined)
    return receiptsRefusal(asker, action, channel, receiptsOfChannel, rules);
  if (asker.admin) return undefined;
  if (kind === 'system') return failure('DENIED', { channel });
  if (!asker.authenticated && !rules.allowAnonymous) return failure('UNAUTHENTICATED', { channel });
  if (kind === 'user') return userRefusal(asker, action, channel, rules);
  if (kind === 'group') return groupRefusal(asker, action, channel, rules);
  if (kind === 'notification' && (action === 'publish' || action === 'notify'))
    return asker.grants?.allows('notify', channel)
      ? undefined
      : failure('DENIED', { channel, message: notified });
  const allowed = action === 'publish' ? rules.clientPublish : action !== 'delete' && rules.public;
  return allowed || asker.grants?.allows(action, channel) ? undefined : failure('DENIED', { channel });
}

/** Of a call; `openTo`: as the service says that has the method. `undefined` when allowed. */
export function callRefusal(asker: Asker, method: string, openTo: OpenTo | undefined): Failure | undefined {
  if (asker.admin || openTo === 'everybody') return undefined;
  if (!asker.authenticated) return failure('UNAUTHENTICATED');
  if (openTo === 'users' || asker.grants?.allows('call', method)) return undefined;
  return failure('DENIED', { message: 'This client is not allowed to call this method.' });
}

/** A user's own channel is read by that user alone. Who writes to it is always known. */
function userRefusal(asker: Asker, action: Action, channel: string, rules: RuleSet): Failure | undefined {
  if (!asker.authenticated) return failure('UNAUTHENTICATED', { channel });
  const isOwn = isOwnChannel(channel, asker.actor);
  const allowed = action === 'publish' ? rules.clientPublish : action !== 'delete' && isOwn;
  if (allowed || asker.grants?.allows(action, channel)) return undefined;
  const message = 'A user reads its own channel alone: "u:" and its id.';
  return failure('DENIED', action === 'subscribe' ? { channel, message } : { channel });
}

/** A group's channel is its members' alone, to read and to write. */
function groupRefusal(
  asker: Asker,
  action: Action,
  channel: string,
  rules: ChannelRules,
): Failure | undefined {
  if (!asker.authenticated) return failure('UNAUTHENTICATED', { channel });
  if (asker.grants?.allows(action, channel)) return undefined;
  if (action === 'delete') return failure('DENIED', { channel });
  const message = 'The channel of a group is its members’ alone.';
  if (!rules.members) return failure('DENIED', { channel, message });
  const isMember = rules.members.has(asker.actor);
  if (isMember === undefined)
    return failure('UNAVAILABLE', {
      channel,
      message: 'Who is in this group is not known yet.',
      retryAfterMs: 200,
    });
  if (!isMember) return failure('DENIED', { channel, message });
  return action === 'publish' && !rules.clientPublish ? failure('DENIED', { channel }) : undefined;
}

/** `rules` are those of the channel that the receipts are of. Who reads it sees them, and who writes to it. */
function receiptsRefusal(
  asker: Asker,
  action: Action,
  channel: string,
  of: string,
  rules: ChannelRules,
): Failure | undefined {
  if (action === 'delete' && asker.admin) return undefined;
  if (action !== 'subscribe')
    return failure('DENIED', {
      channel,
      message: 'Receipts are written by whoever reads, as "receipts/mark".',
    });
  if (!mayHaveReceipts(of) || !rules.receipts)
    return failure('DENIED', { channel, message: 'Receipts of this channel are not kept.' });
  const refused = refusal(asker, 'subscribe', of, rules);
  return refused && refusal(asker, 'publish', of, rules) ? { ...refused, channel } : undefined;
}
