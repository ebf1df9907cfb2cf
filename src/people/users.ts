/** The people of a hub: the fold over its `$users`. What is known of a person is sealed under a key of its own, which is kept
 *  elsewhere and can be destroyed; a name is taken by whoever registered it first in the order of the log, for ever. */
import { fromBase64, utf8 } from '../base/bytes.js';
import { limits } from '../base/limits.js';
import { SortedTexts } from '../base/sorted-texts.js';
import { type Fold, type FoldedEntry, type Outcome, payloadObject } from '../hubs/fold.js';
import { areAccepted, nothingMissing } from './losses.js';

export interface User {
  readonly name: string;
  /** Of the person's key; never used again. */
  readonly id: string;
  readonly sinceMs: number;
  /** Rises with every change: a change is of the version it was made from. */
  readonly version: number;
  /** Rises where tokens of before shall no longer count. */
  readonly generation: number;
  /** Absent once the account was deleted; the name stays taken. */
  readonly sealed: Uint8Array | undefined;
}

export interface SigningKey {
  readonly id: string;
  readonly secret: Uint8Array;
  readonly sinceMs: number;
}

export interface UsersBounds {
  readonly users: number;
  /** With those of deleted accounts. */
  readonly names: number;
}

export type UserChange =
  | {
      readonly type: 'register';
      readonly name: string;
      readonly id: string;
      readonly sealed: string;
      /** Who is there counts, not who was; absent in entries of before, which mean what they meant. */
      readonly living?: true;
    }
  | {
      readonly type: 'change';
      readonly name: string;
      readonly id: string;
      readonly version: number;
      readonly sealed: string;
      /** Tokens of before no longer count. */
      readonly ends: boolean;
    }
  | { readonly type: 'delete'; readonly name: string; readonly id: string }
  /** `after`: the one it comes after, '' for the first. */
  | { readonly type: 'key'; readonly id: string; readonly secret: string; readonly after?: string };

/** Names of people and groups are names in channels too, and no two look alike. */
export const namePattern = /^[a-z0-9][a-z0-9._-]{0,63}$/;

export class Users implements Fold {
  readonly #users = new Map<string, User>();
  /** Of accounts that are there. */
  readonly #names = new SortedTexts();
  /** By the ids of their keys: who is there, and who is not: deleted, or somebody else had the name. */
  readonly #there = new Set<string>();
  readonly #gone = new Set<string>();
  #keys: readonly SigningKey[] = [];
  /** Somebody may have registered what is missing: nobody registers, and nobody is let in. */
  isWhole = true;

  constructor(
    readonly bounds: UsersBounds = { users: limits.usersPerHubMax, names: limits.namesPerHubMax },
  ) {}

  apply({ event, payload, unixMs }: FoldedEntry): Outcome {
    if (areAccepted(event)) return this.#accept();
    const change = decodeUserChange(event, payload);
    if (!change) return { isVoid: true, reason: 'The entry is no change of users.' };
    if (change.type === 'register') return this.#register(change, unixMs);
    if (change.type === 'key') return this.#key(change, unixMs);
    const user = this.#users.get(change.name);
    if (!user?.sealed || user.id !== change.id) return { isVoid: true, reason: 'There is no such user.' };
    if (change.type === 'delete') {
      this.#users.set(user.name, { ...user, sealed: undefined, generation: user.generation + 1 });
      this.#names.delete(user.name);
      this.#there.delete(user.id);
      this.#gone.add(user.id);
      return done;
    }
    if (change.version !== user.version)
      return { isVoid: true, reason: 'The account was changed by somebody else meanwhile. Try again.' };
    this.#users.set(user.name, {
      ...user,
      version: user.version + 1,
      generation: user.generation + (change.ends ? 1 : 0),
      sealed: fromBase64(change.sealed)!,
    });
    return done;
  }

  lacks(): void {
    this.isWhole = false;
  }

  /** What is missing may have ended somebody's tokens, so no token of before counts. */
  #accept(): Outcome {
    if (this.isWhole) return nothingMissing;
    this.isWhole = true;
    for (const [name, user] of this.#users)
      if (user.sealed) this.#users.set(name, { ...user, generation: user.generation + 1 });
    return done;
  }

  find(name: string): User | undefined {
    return this.#users.get(name);
  }

  /** Whether what was sealed for that person is nobody's, for good. */
  isGone(id: string): boolean {
    return this.#gone.has(id) && !this.#there.has(id);
  }

  /** Newest first. */
  get keys(): readonly SigningKey[] {
    return this.#keys;
  }

  /** Why nobody registers that name. `living`: as in the entry. */
  refused(name: string, living?: true): (Outcome & { readonly isVoid: true }) | undefined {
    if (this.#users.has(name)) return { isVoid: true, reason: 'The name is taken.', code: 'NAME_TAKEN' };
    const { users, names } = this.bounds;
    const count = living ? this.#there.size : this.#users.size;
    if (count >= users) return tooMany(`A hub has at most ${users} users.`);
    return this.#users.size >= names
      ? tooMany(`A hub has at most ${names} names, those of deleted accounts too, which stay taken.`)
      : undefined;
  }

  /** An account that is there, by any number; `undefined` where there is none. */
  some(number: number): User | undefined {
    const name = this.#names.at(number % Math.max(1, this.#names.size));
    return name === undefined ? undefined : this.#users.get(name);
  }

  /** Accounts that are there, by name, after `after`. */
  list(after: string, limit: number): readonly User[] {
    return this.#names.behind(after, limit).map((name) => this.#users.get(name)!);
  }

  /** Nodes that find the last one old at once make one each: all but the first would push out those that still sign for somebody. */
  #key({ id, secret, after }: UserChange & { type: 'key' }, unixMs: number): Outcome {
    if (after !== undefined && after !== (this.#keys[0]?.id ?? ''))
      return { isVoid: true, reason: 'There is a new key already.' };
    const key = { id, secret: fromBase64(secret)!, sinceMs: unixMs };
    this.#keys = [key, ...this.#keys].slice(0, limits.signingKeysKept);
    return done;
  }

  #register(change: UserChange & { type: 'register' }, unixMs: number): Outcome {
    const { name, id, sealed, living } = change;
    const refused = this.refused(name, living);
    if (refused) {
      this.#gone.add(id);
      return refused;
    }
    const user = { name, id, sinceMs: unixMs, version: 1, generation: 1, sealed: fromBase64(sealed)! };
    this.#users.set(name, user);
    this.#names.add(name);
    this.#there.add(id);
    return done;
  }
}

const done: Outcome = { isVoid: false };

function tooMany(reason: string) {
  return { isVoid: true, reason, code: 'TOO_MANY' } as const;
}

export function encodeUserChange(change: UserChange): {
  readonly event: string;
  readonly payload: Uint8Array;
} {
  const { type, ...rest } = change;
  return { event: type, payload: utf8(JSON.stringify(rest)) };
}

/** `undefined` for what is none: written by a later version, or by nobody of us. */
function decodeUserChange(event: string | undefined, payload: Uint8Array): UserChange | undefined {
  const value = payloadObject(payload);
  if (!value) return undefined;
  const { name, id, sealed, secret, after, version, ends, living } = value;
  const isText = (text: unknown): text is string => typeof text === 'string' && text !== '';
  const isBytes = (text: unknown): text is string => isText(text) && fromBase64(text) !== undefined;
  if (!isText(id) || !/^[0-9a-f]{24}$/.test(id)) return undefined;
  if (event === 'key' && isBytes(secret))
    return { type: 'key', id, secret, ...(typeof after === 'string' ? { after } : undefined) };
  if (!isText(name) || !namePattern.test(name)) return undefined;
  if (event === 'delete') return { type: 'delete', name, id };
  if (!isBytes(sealed)) return undefined;
  if (event === 'register')
    return { type: 'register', name, id, sealed, ...(living === true ? { living } : undefined) };
  return event === 'change' && Number.isSafeInteger(version) && typeof ends === 'boolean'
    ? { type: 'change', name, id, version: version as number, sealed, ends }
    : undefined;
}
