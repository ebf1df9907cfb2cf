/** What people ask of the groups of a hub, checked: the same by WebSocket and over HTTP. */
import type { Result } from '../base/result.js';
import { isUserId } from '../hubs/provider.js';
import { isGroupName } from './group-changes.js';
import { type Check, type PageRequest, checkRequest, pageChecks } from './requests.js';

export const groupActions = [
  'create',
  'join',
  'leave',
  'invite',
  'remove',
  'change',
  'delete',
  'list',
  'members',
] as const;
export type GroupAction = (typeof groupActions)[number];

export interface GroupRequest extends PageRequest {
  readonly group?: string;
  /** Anybody who is known may join. */
  readonly open?: boolean;
  readonly user?: string;
  readonly owner?: string;
  /** Lists all groups, not one's own alone. */
  readonly all?: boolean;
}

const flag: Check = (value) => (typeof value === 'boolean' ? undefined : 'is true or false');
const user: Check = (value) => (isUserId(value) ? undefined : 'is the id of a user');

const checks: Readonly<Record<keyof GroupRequest, Check>> = {
  group: (value) =>
    isGroupName(value) ? undefined : 'has 1 to 64 of a-z, 0-9 and "._-", and begins with a letter or digit',
  open: flag,
  user,
  owner: user,
  all: flag,
  ...pageChecks,
};

export function isGroupAction(text: string): text is GroupAction {
  return (groupActions as readonly string[]).includes(text);
}

export function checkGroupRequest(value: unknown): Result<GroupRequest, string> {
  return checkRequest<GroupRequest>(value, checks);
}
