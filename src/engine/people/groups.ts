/** What people ask of the groups of hubs, and who is in one. */
import type { ChannelRef, HubName } from '../../base/ids.js';
import { limits } from '../../base/limits.js';
import { planted } from '../../base/planted.js';
import { type Result, err, ok } from '../../base/result.js';
import { groupChannelOf, groupOf } from '../../channels/group-channels.js';
import type { Members } from '../../channels/rules.js';
import { userChannelOf } from '../../channels/user-channels.js';
import type { HubView } from '../../hubs/settings.js';
import { groupsRef } from '../../hubs/system-channels.js';
import { type GroupChange, encodeGroupChange } from '../../people/group-changes.js';
import type { GroupAction, GroupRequest } from '../../people/group-requests.js';
import { Groups } from '../../people/groups.js';
import { type Failure, failure } from '../../protocol/errors.js';
import type { PeopleAnswer, Principal } from '../api.js';
import { HubFolds } from '../hubs/hub-folds.js';
import type { SystemFoldHost } from '../hubs/system-fold.js';

export interface HubGroupsHost extends SystemFoldHost {
  viewOf(hub: HubName): HubView | undefined;
  /** Whoever is known in the hub may list its groups. */
  mayList(hub: HubName): boolean;
  /** Why a user is nobody, as far as the hub knows its users. */
  nobody(hub: HubName, channel: string, user: string): Failure | undefined;
  /** Somebody is in a group no longer. */
  changed(hub: HubName): void;
}

type Answer = Result<PeopleAnswer, Failure>;
type Changing = Exclude<GroupAction, 'list' | 'members'>;

export class HubGroups {
  readonly #folds: HubFolds<Groups>;
  /** Losses that were told. */
  readonly #told = new WeakMap<Groups, number>();

  constructor(readonly host: HubGroupsHost) {
    this.#folds = new HubFolds(host, {
      refOf: groupsRef,
      empty: () => new Groups(),
      changed: (hub) => host.changed(hub),
      recheckMs: limits.membershipsRecheckMs,
      isDue: (_hub, state) => this.#hasNews(state),
    });
  }

  stop(): void {
    this.#folds.stop();
  }

  /** Lets groups go of hubs that nobody uses. */
  tick(used: ReadonlySet<HubName>): void {
    this.#folds.tick(used);
  }

  /** Who is in the group of a channel, whenever it is asked. */
  membersOf({ hub, channel }: ChannelRef): Members {
    const group = groupOf(channel);
    return { has: (user) => this.#known(hub)?.isIn(group, user) };
  }

  /** Why nobody can be written to in this channel of a group's. */
  unwritable({ hub, channel }: ChannelRef): Failure | undefined {
    const groups = this.#known(hub);
    if (!groups) return unknown(channel);
    if (groups.find(groupOf(channel))) return undefined;
    return failure('NOT_FOUND', { channel, message: noGroup });
  }

  /** Resolves once they are known, or that takes too long. */
  async ready(hub: HubName): Promise<void> {
    await this.#folds.use(hub).ready();
  }

  async request(
    hub: HubName,
    action: GroupAction,
    request: GroupRequest,
    principal: Principal,
  ): Promise<Answer> {
    if (!principal.authenticated) return err(failure('UNAUTHENTICATED'));
    await this.ready(hub);
    const groups = this.#known(hub);
    if (!groups) return err(unknown());
    if (action === 'list') return this.#list(hub, groups, request, principal);
    if (action === 'members') return membersAnswer(groups, request, principal);
    const change = this.#changeOf(hub, action, request, principal);
    return change.ok ? this.#change(hub, change.value, principal.actor) : change;
  }

  /** An administrator goes on without what is lost; whether anything was. */
  acceptLosses(hub: HubName, actor: string): Promise<Result<boolean, Failure>> {
    return this.#folds.acceptLosses(hub, actor);
  }

  /** The user's account is being deleted. */
  async leaves(hub: HubName, user: string): Promise<Answer> {
    await this.ready(hub);
    return this.#known(hub) ? this.#change(hub, { type: 'gone', user }, user) : err(unknown());
  }

  /** What may have been a loss is missing: nobody is in any group. */
  #known(hub: HubName): Groups | undefined {
    const { state } = this.#folds.use(hub);
    return state?.isWhole === true ? state : undefined;
  }

  #hasNews(groups: Groups): boolean {
    const before = this.#told.get(groups);
    this.#told.set(groups, groups.losses);
    return before !== groups.losses || !groups.isWhole;
  }

  async #change(hub: HubName, change: GroupChange, actor: string): Promise<Answer> {
    const answer = 'group' in change ? { group: change.group } : {};
    // What is so already is written again: this node may be behind, and it may be so no more.
    const before = this.#known(hub)?.judge(change);
    if (before?.isVoid) return refusedAs(before);
    const outcome = await this.#folds.use(hub).change(encodeGroupChange(change), actor);
    if (!outcome.ok) return outcome;
    return outcome.value.isVoid && !planted('groups-by-look') ? refusedAs(outcome.value) : ok(answer);
  }

  #changeOf(
    hub: HubName,
    action: Changing,
    { group, open, user, owner }: GroupRequest,
    { admin, actor }: Principal,
  ): Result<GroupChange, Failure> {
    if (group === undefined) return invalid('The request names a "group".');
    const of = admin ? { group } : { group, by: actor };
    switch (action) {
      case 'create': {
        if (!admin && this.host.viewOf(hub)?.groups === false)
          return denied('Only administrators make groups in this hub.');
        const first = this.#who(hub, owner, admin, actor, 'owner');
        return first.ok ? ok({ type: 'create', ...of, owner: first.value, isOpen: open === true }) : first;
      }
      case 'join':
      case 'leave': {
        const self = this.#who(hub, user, admin, actor, 'user');
        return self.ok ? ok({ type: action, ...of, user: self.value }) : self;
      }
      case 'invite': {
        const guest = this.#who(hub, user, true, actor, 'user');
        return guest.ok ? ok({ type: 'invite', ...of, user: guest.value }) : guest;
      }
      case 'remove':
        return user === undefined
          ? invalid('The request names a "user".')
          : ok({ type: 'leave', ...of, user });
      case 'change':
        if (open === undefined && owner === undefined) return invalid('A change has "open", or an "owner".');
        return ok({
          type: 'change',
          ...of,
          ...(open === undefined ? {} : { isOpen: open }),
          ...(owner === undefined ? {} : { owner }),
        });
      case 'delete':
        return ok({ type: 'delete', ...of });
    }
  }

  /** Who it is about: who asks, or whom somebody names that may speak for others. */
  #who(
    hub: HubName,
    named: string | undefined,
    mayName: boolean,
    actor: string,
    member: 'user' | 'owner',
  ): Result<string, Failure> {
    if (!mayName) {
      const isOther = named !== undefined && named !== actor;
      return isOther ? denied(`A user speaks for itself: leave "${member}" out.`) : ok(actor);
    }
    if (named === undefined) return invalid(`The request names a "${member}".`);
    const nobody = this.host.nobody(hub, userChannelOf(named), named);
    return nobody ? err(nobody) : ok(named);
  }

  #list(hub: HubName, groups: Groups, request: GroupRequest, { admin, actor }: Principal): Answer {
    const { after = '', user, all = admin && user === undefined } = request;
    if (user !== undefined && user !== actor && !admin)
      return denied('Which groups others are in is theirs.');
    if (all && !admin && !this.host.mayList(hub)) return denied('In this hub groups are not listed.');
    const limit = pageLimit(request);
    const of = user ?? actor;
    const page = groups.list(after, limit, all ? undefined : of);
    const shown = page.map(({ name, isOpen, count, sinceMs }) => {
      const role = groups.membership(name, of)?.role;
      const since = new Date(sinceMs).toISOString();
      return { group: name, open: isOpen, members: count, since, ...(role === undefined ? {} : { role }) };
    });
    return ok({ groups: shown, ...(page.length === limit ? { next: page.at(-1)!.name } : {}) });
  }
}

function membersAnswer(groups: Groups, request: GroupRequest, { admin, actor }: Principal): Answer {
  const { group = '', after = '' } = request;
  if (!admin && !groups.isIn(group, actor)) return denied('Only members see who is in the group.');
  if (!groups.find(group)) return err(failure('NOT_FOUND', { message: noGroup }));
  const limit = pageLimit(request);
  const page = groups.members(group, after, limit);
  const shown = page.map(({ user, role, sinceMs }) => ({
    user,
    role,
    since: new Date(sinceMs).toISOString(),
  }));
  const next = page.length === limit ? { next: page.at(-1)!.user } : {};
  return ok({ channel: groupChannelOf(group), members: shown, ...next });
}

const noGroup = 'There is no such group.';

function pageLimit({ limit = limits.groupsPageMax }: GroupRequest): number {
  return Math.min(limit, limits.groupsPageMax);
}

function refusedAs({
  code = 'INVALID',
  reason,
}: {
  readonly code?: Failure['code'];
  readonly reason: string;
}): Answer {
  return err(failure(code, { message: reason }));
}

function unknown(channel?: string): Failure {
  const message = 'The groups of this hub are not known yet.';
  return failure('UNAVAILABLE', {
    message,
    retryAfterMs: 200,
    ...(channel === undefined ? {} : { channel }),
  });
}

function denied(message: string): Result<never, Failure> {
  return err(failure('DENIED', { message }));
}

function invalid(message: string): Result<never, Failure> {
  return err(failure('INVALID', { message }));
}
