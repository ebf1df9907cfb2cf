/** Changes of groups as they stand in `$groups`. */
import { utf8, utf8Text } from '../base/bytes.js';
import { isUserId } from '../hubs/provider.js';
import { namePattern } from './users.js';

/** The user on whose word it is; left out: an administrator's. */
interface By {
  readonly by?: string;
}

export type GroupChange =
  | ({
      readonly type: 'create';
      readonly group: string;
      readonly owner: string;
      readonly isOpen: boolean;
    } & By)
  | ({ readonly type: 'join'; readonly group: string; readonly user: string } & By)
  /** Also: is removed, turns an invitation down, is no longer invited. */
  | ({ readonly type: 'leave'; readonly group: string; readonly user: string } & By)
  | ({ readonly type: 'invite'; readonly group: string; readonly user: string } & By)
  /** `owner`: a member that becomes one. */
  | ({
      readonly type: 'change';
      readonly group: string;
      readonly isOpen?: boolean;
      readonly owner?: string;
    } & By)
  | ({ readonly type: 'delete'; readonly group: string } & By)
  /** The account was deleted: in no group any more. */
  | { readonly type: 'gone'; readonly user: string };

export function encodeGroupChange({ type, ...rest }: GroupChange): {
  readonly event: string;
  readonly payload: Uint8Array;
} {
  return { event: type, payload: utf8(JSON.stringify(rest)) };
}

/** `undefined` for what is none: written by a later version, or by nobody of us. */
export function decodeGroupChange(event: string | undefined, payload: Uint8Array): GroupChange | undefined {
  let value: unknown;
  try {
    value = JSON.parse(utf8Text(payload));
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null) return undefined;
  const { group, user, owner, isOpen, by } = value as Readonly<Record<string, unknown>>;
  if (event === 'gone') return isUserId(user) ? { type: 'gone', user } : undefined;
  if (!isGroupName(group) || !(by === undefined || isUserId(by))) return undefined;
  const of = { group, ...(by === undefined ? {} : { by }) };
  switch (event) {
    case 'create':
      return isUserId(owner) && typeof isOpen === 'boolean'
        ? { type: 'create', ...of, owner, isOpen }
        : undefined;
    case 'join':
    case 'leave':
    case 'invite':
      return isUserId(user) ? { type: event, ...of, user } : undefined;
    case 'change': {
      const isRight =
        (owner === undefined || isUserId(owner)) && (isOpen === undefined || typeof isOpen === 'boolean');
      if (!isRight) return undefined;
      return {
        type: 'change',
        ...of,
        ...(isOpen === undefined ? {} : { isOpen }),
        ...(owner === undefined ? {} : { owner }),
      };
    }
    case 'delete':
      return { type: 'delete', ...of };
    default:
      return undefined;
  }
}

export function isGroupName(value: unknown): value is string {
  return typeof value === 'string' && namePattern.test(value);
}
