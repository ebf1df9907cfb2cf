/** What is kept of the sessions of a hub so that they can be restored: the fold over its `$sessions`. A key restores at most one
 *  session, and once: the first entry that shows it has it, in the order of the log.
 *
 *  The time is that of the log. Its beginning is trimmed, so a fold may begin anywhere: what it finds of a session that it does
 *  not know counts only where everything that could have ended that session lies behind its beginning (`last`). */
import { utf8 } from '../base/bytes.js';
import { limits } from '../base/limits.js';
import { planted } from '../base/planted.js';
import { type Permissions, checkPermissions } from '../channels/grants.js';
import { type Fold, type FoldedEntry, type Outcome, payloadObject } from './fold.js';

/** Who a session is; `user` is empty where nobody is known. */
export interface KeptIdentity {
  readonly user: string;
  readonly provider?: string;
  readonly permissions?: Permissions;
  /** JSON. */
  readonly metadata?: string;
  readonly expiresAtMs?: number;
  readonly issuedAtMs?: number;
  readonly account?: string;
}

/** A channel, and what the client says of itself there. */
export type KeptSubscription = readonly [channel: string, presence?: string];

export interface KeptSession {
  readonly id: string;
  /** How often it was restored. */
  readonly epoch: number;
  /** Rises with everything its node writes in this epoch. */
  readonly revision: number;
  /** Hash of the key that restores it. */
  readonly key: string;
  readonly identity: KeptIdentity;
  readonly subscriptions: readonly KeptSubscription[];
  /** Log time of the last entry of it. */
  readonly atMs: number;
  /** Log time of the last one that says all that is kept, which a restoration does not. */
  readonly wholeAtMs: number;
}

export interface KeepChange {
  readonly type: 'keep';
  readonly id: string;
  readonly epoch: number;
  readonly revision: number;
  readonly key: string;
  /** Log time of what the writing node knew last of the session; 0 for a new one. */
  readonly last: number;
  readonly identity: KeptIdentity;
  readonly subscriptions: readonly KeptSubscription[];
}

export type SessionChange =
  | KeepChange
  /** `used` is the hash of the key that is shown, `next` that of the one that follows. */
  | { readonly type: 'restore'; readonly id: string; readonly used: string; readonly next: string }
  | { readonly type: 'end'; readonly id: string; readonly epoch: number };

export class KeptSessions implements Fold {
  readonly isOfTrimmed = true;
  /** The longest unwritten first. */
  readonly #sessions = new Map<string, KeptSession & { readonly bytes: number }>();
  readonly #ended = new Map<string, { readonly epoch: number; readonly atMs: number }>();
  readonly #users = new Map<string, number>();
  #restored: string[] = [];
  #bytes = 0;
  #nowMs = 0;
  #lackedMs = 0;

  apply({ event, payload, unixMs }: FoldedEntry): Outcome {
    this.#nowMs = Math.max(this.#nowMs, unixMs);
    this.#forgetOld();
    const change = decodeSessionChange(event, payload);
    if (!change) return isVoid('The entry is no change of kept sessions.');
    switch (change.type) {
      case 'keep':
        return this.#keep(change);
      case 'restore':
        return this.#restore(change.id, change.used, change.next);
      case 'end':
        return this.#end(change.id, change.epoch);
    }
  }

  /** What is missing may have used any key. */
  lacks(): void {
    this.#lackedMs = this.#nowMs;
    for (const id of this.#sessions.keys()) this.#remove(id);
  }

  find(id: string): KeptSession | undefined {
    return this.#sessions.get(id);
  }

  /** Sessions that were restored since this was asked last. */
  takeRestored(): readonly string[] {
    const restored = this.#restored;
    this.#restored = [];
    return restored;
  }

  get size(): number {
    return this.#sessions.size;
  }

  #keep(change: KeepChange): Outcome {
    const { id, epoch, revision, key, identity, subscriptions } = change;
    const known = this.#sessions.get(id);
    const refused = known ? overtaken(known, change) : this.#refusal(change);
    if (refused) return refused;
    const bytes = bytesOf(change);
    const tooMany = this.#tooMany(identity.user, bytes - (known?.bytes ?? 0), known);
    if (tooMany) return tooMany;
    this.#remove(id);
    const [atMs, wholeAtMs] = [this.#nowMs, this.#nowMs];
    this.#put({ id, epoch, revision, key, identity, subscriptions, atMs, wholeAtMs, bytes });
    return done;
  }

  /** Of one that is not known here. */
  #refusal({ id, epoch, last }: KeepChange): Outcome | undefined {
    const ended = this.#ended.get(id);
    if (ended && ended.epoch >= epoch) return isVoid('The session has ended.');
    const isNew = last === 0 && epoch === 0;
    // Long unheard of, it may have been restored and ended meanwhile, where nobody remembers.
    const sinceMs = Math.max(this.#nowMs - limits.sessionKeptMs, this.#lackedMs);
    return isNew || last > sinceMs ? undefined : isVoid('The session is too old.');
  }

  #tooMany(user: string, bytes: number, known: KeptSession | undefined): Outcome | undefined {
    if (this.#bytes + bytes > limits.keptHubBytesMax)
      return isVoid('As much is kept of sessions in this hub as may be.');
    if (known?.identity.user === user) return undefined;
    const most = user === '' ? limits.keptAnonymousMax : limits.keptPerUserMax;
    if (this.#sessions.size < limits.keptSessionsMax && (this.#users.get(user) ?? 0) < most) return undefined;
    return isVoid('As many sessions are kept as may be, in this hub or of this user.');
  }

  #restore(id: string, used: string, next: string): Outcome {
    const known = this.#sessions.get(id);
    if (!known || (known.key !== used && !planted('restored-twice')))
      return isVoid('The key restores no session.');
    this.#remove(id);
    this.#put({ ...known, epoch: known.epoch + 1, revision: 0, key: next, atMs: this.#nowMs });
    this.#restored.push(id);
    return done;
  }

  #end(id: string, epoch: number): Outcome {
    const known = this.#sessions.get(id);
    if (known && known.epoch !== epoch) return isVoid(elsewhere);
    this.#remove(id);
    // An end names its epoch, and takes back nothing of a later one: whether it was restored meanwhile may lie before the
    // beginning of the log.
    const last = Math.max(epoch, this.#ended.get(id)?.epoch ?? 0);
    this.#ended.delete(id);
    this.#ended.set(id, { epoch: last, atMs: this.#nowMs });
    if (this.#ended.size > limits.endedSessionsMax) this.#ended.delete(this.#ended.keys().next().value!);
    return done;
  }

  #put(session: KeptSession & { readonly bytes: number }): void {
    const { user } = session.identity;
    this.#sessions.set(session.id, session);
    this.#users.set(user, (this.#users.get(user) ?? 0) + 1);
    this.#bytes += session.bytes;
  }

  #remove(id: string): void {
    const session = this.#sessions.get(id);
    if (!session) return;
    const { user } = session.identity;
    this.#sessions.delete(id);
    this.#bytes -= session.bytes;
    const left = this.#users.get(user)! - 1;
    if (left > 0) this.#users.set(user, left);
    else this.#users.delete(user);
  }

  #forgetOld(): void {
    const sinceMs = this.#nowMs - limits.sessionKeptMs;
    for (const { id, atMs } of this.#sessions.values()) {
      if (atMs > sinceMs) break;
      this.#remove(id);
    }
    for (const [id, { atMs }] of this.#ended) {
      if (atMs > sinceMs) break;
      this.#ended.delete(id);
    }
  }
}

const done: Outcome = { isVoid: false };
const elsewhere = 'The session was restored elsewhere.';

function isVoid(reason: string): Outcome {
  return { isVoid: true, reason };
}

function overtaken(known: KeptSession, change: KeepChange): Outcome | undefined {
  if (known.epoch !== change.epoch || known.key !== change.key) return isVoid(elsewhere);
  return change.revision > known.revision ? undefined : isVoid('What is kept of the session is newer.');
}

/** Of its names and what it says of itself, and something for each. */
function bytesOf({ identity, subscriptions }: KeepChange): number {
  let bytes = 512 + 2 * JSON.stringify(identity).length;
  for (const [channel, presence = ''] of subscriptions) bytes += 64 + channel.length + 2 * presence.length;
  return bytes;
}

export function encodeSessionChange({ type, ...rest }: SessionChange): {
  readonly event: string;
  readonly payload: Uint8Array;
} {
  return { event: type, payload: utf8(JSON.stringify(rest)) };
}

/** `undefined` for what is none: written by a later version, or by nobody of us. */
function decodeSessionChange(event: string | undefined, payload: Uint8Array): SessionChange | undefined {
  const value = payloadObject(payload);
  if (!value) return undefined;
  const { id, epoch, revision, key, last, used, next, identity, subscriptions } = value;
  if (typeof id !== 'string' || !/^[0-9a-f]{24}$/.test(id)) return undefined;
  if (event === 'restore') return isText(used) && isText(next) ? { type: event, id, used, next } : undefined;
  if (!isCount(epoch)) return undefined;
  if (event === 'end') return { type: event, id, epoch };
  if (event !== 'keep' || !isCount(revision) || !isCount(last) || !isText(key)) return undefined;
  const who = identityOf(identity);
  const kept = subscriptionsOf(subscriptions);
  return who && kept
    ? { type: event, id, epoch, revision, key, last, identity: who, subscriptions: kept }
    : undefined;
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== '';
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function identityOf(value: unknown): KeptIdentity | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { user, provider, permissions, metadata, expiresAtMs, issuedAtMs, account } = value as Record<
    string,
    unknown
  >;
  const granted = permissions === undefined ? undefined : checkPermissions(permissions);
  const isWell =
    typeof user === 'string' &&
    [provider, metadata, account].every((each) => each === undefined || isText(each)) &&
    [expiresAtMs, issuedAtMs].every((each) => each === undefined || isCount(each)) &&
    granted?.ok !== false;
  return isWell ? (value as KeptIdentity) : undefined;
}

function subscriptionsOf(value: unknown): readonly KeptSubscription[] | undefined {
  if (!Array.isArray(value) || value.length > limits.keptSubscriptionsMax) return undefined;
  const isWell = value.every(
    (each: unknown) =>
      Array.isArray(each) && isText(each[0]) && (each.length === 1 || (each.length === 2 && isText(each[1]))),
  );
  return isWell ? (value as readonly KeptSubscription[]) : undefined;
}
