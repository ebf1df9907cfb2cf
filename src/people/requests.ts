/** What people ask of a hub's directory, checked: the same by WebSocket and over HTTP. */
import { fromBase64, utf8 } from '../base/bytes.js';
import { channelNameBytesMax } from '../base/ids.js';
import { limits } from '../base/limits.js';
import { type Result, err, ok } from '../base/result.js';
import { namePattern } from './users.js';

export const userActions = [
  'register',
  'challenge',
  'login',
  'profile',
  'change',
  'delete',
  'list',
  'key',
] as const;
export type UserAction = (typeof userActions)[number];

/** What is known of a person, sealed in the log. */
export interface Person {
  /** As it is kept: parameters, salt and hash. */
  readonly password?: string;
  /** Raw Ed25519, base64url. */
  readonly publicKey?: string;
  readonly email?: string;
  readonly metadata?: unknown;
}

/** Of what is listed in parts. */
export interface PageRequest {
  readonly after?: string;
  readonly limit?: number;
}

/** Members that are not known here are refused, so that a misspelt one does not pass for one left out. */
export interface UserRequest extends PageRequest {
  readonly name?: string;
  readonly password?: string;
  /** To prove who asks, where password or key are changed; a signed challenge does as well. */
  readonly currentPassword?: string;
  readonly publicKey?: string;
  readonly email?: string | null;
  readonly metadata?: unknown;
  readonly challenge?: string;
  readonly signature?: string;
}

/** What is wrong with a value, behind its name. */
export type Check = (value: unknown) => string | undefined;

const password: Check = (value) =>
  typeof value === 'string' && value.length >= 8 && utf8(value).length <= limits.passwordBytesMax
    ? undefined
    : `has 8 characters to ${limits.passwordBytesMax} bytes`;

const bytesOf =
  (length: number): Check =>
  (value) =>
    typeof value === 'string' && fromBase64(value)?.length === length
      ? undefined
      : `is ${length} bytes as base64url`;

export const pageChecks: Readonly<Record<keyof PageRequest, Check>> = {
  after: (value) =>
    typeof value === 'string' && value.length <= channelNameBytesMax ? undefined : 'is a text',
  limit: (value) =>
    Number.isSafeInteger(value) && (value as number) >= 1 ? undefined : 'is a number from 1 on',
};

const checks: Readonly<Record<keyof UserRequest, Check>> = {
  name: (value) =>
    typeof value === 'string' && namePattern.test(value)
      ? undefined
      : 'has 1 to 64 of a-z, 0-9 and "._-", and begins with a letter or digit',
  password,
  currentPassword: (value) =>
    typeof value === 'string' && value.length <= limits.passwordBytesMax ? undefined : 'is a text',
  publicKey: bytesOf(32),
  // More than that is for the letter that asks whether it is one.
  email: (value) =>
    value === null ||
    (typeof value === 'string' && value.length <= 254 && /^[^\s@\p{Cc}]+@[^\s@\p{Cc}]+$/u.test(value))
      ? undefined
      : 'is an e-mail address, or null',
  metadata: (value) =>
    utf8(JSON.stringify(value) ?? '').length <= limits.metadataBytesMax
      ? undefined
      : `has at most ${limits.metadataBytesMax} bytes`,
  challenge: (value) =>
    typeof value === 'string' && value.length <= limits.challengeCharsMax ? undefined : 'is a text',
  signature: bytesOf(64),
  ...pageChecks,
};

export function isUserAction(text: string): text is UserAction {
  return (userActions as readonly string[]).includes(text);
}

export function checkUserRequest(value: unknown): Result<UserRequest, string> {
  return checkRequest<UserRequest>(value, checks);
}

export function checkPageRequest(value: unknown): Result<PageRequest, string> {
  return checkRequest<PageRequest>(value, pageChecks);
}

export function checkRequest<T extends object>(
  value: unknown,
  checks: Readonly<Record<keyof T & string, Check>>,
): Result<T, string> {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return err('The request is an object.');
  for (const [member, item] of Object.entries(value)) {
    if (!Object.hasOwn(checks, member))
      return err(`The request has "${member.slice(0, 32)}", which is not known here.`);
    const problem = checks[member as keyof T & string](item);
    if (problem !== undefined) return err(`"${member}" ${problem}.`);
  }
  return ok(value as T);
}

/** What concerns one channel. */
export function checkChannelRequest(value: unknown): Result<{ readonly channel: string }, string> {
  const checked = checkRequest<{ readonly channel: string }>(value, {
    channel: (text) =>
      typeof text === 'string' && text.length <= channelNameBytesMax ? undefined : 'is the name of a channel',
  });
  return !checked.ok || checked.value.channel !== undefined ? checked : err('It is of a "channel".');
}

/** What is signed to log in: of this use alone, so that no other signature of the same key can be taken for it. */
export function challengeText(hub: string, name: string, challenge: string): Uint8Array {
  return utf8(`ringlog login v1\n${hub}\n${name}\n${challenge}`);
}
