/** The groups of a hub's people: the fold over its `$groups`. Whoever made a name first in the order of the log has it, for ever:
 *  its channel keeps what was said in it, and is nobody else's once the group is gone. Who may do what is judged at an entry's
 *  place in the order: it may be another than when it was asked. */
import { limits } from '../base/limits.js';
import { SortedTexts } from '../base/sorted-texts.js';
import type { Fold, FoldedEntry, Outcome } from '../hubs/fold.js';
import { type GroupChange, decodeGroupChange } from './group-changes.js';
import { areAccepted, nothingMissing } from './losses.js';

/** Invited is not in the group yet. */
export type Role = 'owner' | 'member' | 'invited';

export interface Membership {
  readonly role: Role;
  readonly sinceMs: number;
}

export interface Group {
  readonly name: string;
  readonly sinceMs: number;
  /** Anybody who is known may join; else whoever is invited. */
  readonly isOpen: boolean;
  /** How many are in it. */
  readonly count: number;
}

interface Kept {
  readonly name: string;
  readonly sinceMs: number;
  isOpen: boolean;
  count: number;
  /** In the order in which they came. */
  readonly members: Map<string, Membership>;
  readonly users: SortedTexts;
}

interface OfUser {
  /** It is in them, or invited. */
  readonly groups: SortedTexts;
  /** It is in. */
  inside: number;
  made: number;
}

/** What a change comes to; `holds`: what it asks for is so already. */
export type Verdict =
  | Exclude<Outcome, { isVoid: false }>
  | { readonly isVoid: false; readonly holds: boolean };

export class Groups implements Fold {
  /** `undefined`: gone. */
  readonly #groups = new Map<string, Kept | undefined>();
  readonly #names = new SortedTexts();
  readonly #users = new Map<string, OfUser>();
  #memberships = 0;
  #losses = 0;
  /** Somebody may have left in what is missing: nobody is known to be in a group. */
  isWhole = true;

  apply({ event, payload, unixMs }: FoldedEntry): Outcome {
    if (areAccepted(event)) return this.#accept();
    const change = decodeGroupChange(event, payload);
    if (!change) return { isVoid: true, reason: 'The entry is no change of groups.' };
    const verdict = this.judge(change);
    if (verdict.isVoid) return verdict;
    if (!verdict.holds) this.#make(change, unixMs);
    return { isVoid: false };
  }

  lacks(): void {
    this.isWhole = false;
  }

  #accept(): Outcome {
    if (this.isWhole) return nothingMissing;
    this.isWhole = true;
    return { isVoid: false };
  }

  find(name: string): Group | undefined {
    return this.#groups.get(name);
  }

  membership(name: string, user: string): Membership | undefined {
    return this.#groups.get(name)?.members.get(user);
  }

  isIn(name: string, user: string): boolean {
    return isInside(this.membership(name, user));
  }

  /** Groups by name, after `after`: all of them, or those that a user is in or invited to. */
  list(after: string, limit: number, user?: string): readonly Group[] {
    const names = user === undefined ? this.#names : this.#users.get(user)?.groups;
    return (names?.behind(after, limit) ?? []).map((name) => this.#groups.get(name)!);
  }

  /** Members by their id, after `after`. */
  members(name: string, after: string, limit: number): readonly (Membership & { readonly user: string })[] {
    const group = this.#groups.get(name);
    return group?.users.behind(after, limit).map((user) => ({ user, ...group.members.get(user)! })) ?? [];
  }

  /** Rises when somebody is no longer in a group. */
  get losses(): number {
    return this.#losses;
  }

  judge(change: GroupChange): Verdict {
    if (change.type === 'create') return this.#judgeCreate(change);
    if (change.type === 'gone') return { isVoid: false, holds: !this.#users.has(change.user) };
    const group = this.#groups.get(change.group);
    if (!group) return refused('NOT_FOUND', 'There is no such group.');
    const { by } = change;
    const isOwn = by === undefined || group.members.get(by)?.role === 'owner';
    switch (change.type) {
      case 'join':
        return this.#judgeJoin(group, change);
      case 'leave':
        if (!isOwn && by !== change.user) return onlyOwners;
        return { isVoid: false, holds: !group.members.has(change.user) };
      case 'invite':
        return isOwn ? this.#judgeComing(group, change.user) : onlyOwners;
      case 'change':
        return isOwn ? judgeChange(group, change) : onlyOwners;
      case 'delete':
        return isOwn ? changes : onlyOwners;
    }
  }

  #judgeCreate({ group, owner, by }: GroupChange & { type: 'create' }): Verdict {
    if (this.#groups.has(group)) return refused('NAME_TAKEN', 'Somebody else has this name. Choose another.');
    if (this.#groups.size >= limits.groupsPerHubMax)
      return refused('TOO_MANY', `A hub has at most ${limits.groupsPerHubMax} groups.`);
    const user = this.#users.get(owner);
    if (by !== undefined && (user?.made ?? 0) >= limits.groupsMadePerUserMax)
      return refused('TOO_MANY', `A user makes at most ${limits.groupsMadePerUserMax} groups.`);
    return this.#judgeInside(owner) ?? this.#judgeRoom() ?? changes;
  }

  #judgeJoin(group: Kept, { user, by }: GroupChange & { type: 'join' }): Verdict {
    const membership = group.members.get(user);
    if (isInside(membership)) return holds;
    if (by !== undefined && !group.isOpen && !membership)
      return refused('DENIED', 'Who joins this group is invited by an owner.');
    return this.#judgeInside(user) ?? (membership ? changes : this.#judgeComing(group, user));
  }

  #judgeComing(group: Kept, user: string): Verdict {
    if (group.members.has(user)) return holds;
    if (group.members.size >= limits.groupMembersMax)
      return refused('TOO_MANY', `A group has at most ${limits.groupMembersMax} members and invitations.`);
    return this.#judgeRoom() ?? changes;
  }

  #judgeInside(user: string): Verdict | undefined {
    return (this.#users.get(user)?.inside ?? 0) < limits.groupsPerUserMax
      ? undefined
      : refused('TOO_MANY', `A user is in at most ${limits.groupsPerUserMax} groups.`);
  }

  #judgeRoom(): Verdict | undefined {
    return this.#memberships < limits.membershipsPerHubMax
      ? undefined
      : refused('TOO_MANY', `The groups of a hub have at most ${limits.membershipsPerHubMax} members.`);
  }

  /** What was judged to change something. */
  #make(change: GroupChange, unixMs: number): void {
    if (change.type === 'create') return this.#create(change, unixMs);
    if (change.type === 'gone') {
      for (const { name } of this.list('', Infinity, change.user))
        this.#leave(this.#groups.get(name)!, change.user);
      return;
    }
    const group = this.#groups.get(change.group)!;
    switch (change.type) {
      case 'join':
        return this.#put(group, change.user, { role: 'member', sinceMs: unixMs });
      case 'invite':
        return this.#put(group, change.user, { role: 'invited', sinceMs: unixMs });
      case 'leave':
        return this.#leave(group, change.user);
      case 'delete':
        return this.#end(group);
      case 'change': {
        const { isOpen = group.isOpen, owner } = change;
        group.isOpen = isOpen;
        if (owner !== undefined) promote(group, owner);
      }
    }
  }

  #create({ group: name, owner, isOpen, by }: GroupChange & { type: 'create' }, sinceMs: number): void {
    const group = { name, sinceMs, isOpen, count: 0, members: new Map(), users: new SortedTexts() };
    this.#groups.set(name, group);
    this.#names.add(name);
    this.#put(group, owner, { role: 'owner', sinceMs });
    if (by !== undefined) this.#users.get(owner)!.made++;
  }

  #put(group: Kept, user: string, membership: Membership): void {
    const of = this.#users.get(user) ?? { groups: new SortedTexts(), inside: 0, made: 0 };
    this.#users.set(user, of);
    of.groups.add(group.name);
    if (!group.members.delete(user)) this.#memberships++;
    group.members.set(user, membership);
    group.users.add(user);
    if (!isInside(membership)) return;
    of.inside++;
    group.count++;
  }

  /** A group always has an owner: the one that came first among those that are left. Without anybody it is gone. */
  #leave(group: Kept, user: string): void {
    this.#drop(group, user);
    if (group.count === 0) return this.#end(group);
    let first: string | undefined;
    for (const [each, { role }] of group.members) {
      if (role === 'owner') return;
      if (role === 'member') first ??= each;
    }
    if (first !== undefined) promote(group, first);
  }

  #end(group: Kept): void {
    for (const user of group.members.keys()) this.#drop(group, user);
    this.#groups.set(group.name, undefined);
    this.#names.delete(group.name);
  }

  #drop(group: Kept, user: string): void {
    const membership = group.members.get(user);
    const of = this.#users.get(user)!;
    group.members.delete(user);
    group.users.delete(user);
    of.groups.delete(group.name);
    this.#memberships--;
    if (isInside(membership)) {
      of.inside--;
      group.count--;
      this.#losses++;
    }
    if (of.made === 0 && of.groups.behind('', 1).length === 0) this.#users.delete(user);
  }
}

const changes: Verdict = { isVoid: false, holds: false };
const holds: Verdict = { isVoid: false, holds: true };
const onlyOwners = refused('DENIED', 'Only owners of the group may do that.');

function refused(code: 'NAME_TAKEN' | 'NOT_FOUND' | 'DENIED' | 'TOO_MANY', reason: string): Verdict {
  return { isVoid: true, code, reason };
}

function judgeChange(group: Kept, { isOpen, owner }: GroupChange & { type: 'change' }): Verdict {
  const membership = owner === undefined ? undefined : group.members.get(owner);
  if (owner !== undefined && !isInside(membership))
    return refused('NOT_FOUND', 'Who becomes an owner is a member first.');
  const isNews = (isOpen !== undefined && isOpen !== group.isOpen) || membership?.role === 'member';
  return isNews ? changes : holds;
}

function promote({ members }: Kept, user: string): void {
  members.set(user, { ...members.get(user)!, role: 'owner' });
}

function isInside(membership: Membership | undefined): boolean {
  return membership !== undefined && membership.role !== 'invited';
}
