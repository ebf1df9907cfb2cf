/** Everything about hubs in one place: what goes in each, who its clients are, and its people. */
import {
  type ChannelName,
  type ChannelRef,
  type HubName,
  parseChannelName,
  parseHubName,
  systemHub,
} from '../../base/ids.js';
import { limits } from '../../base/limits.js';
import { type Result, err, ok } from '../../base/result.js';
import { kindOf } from '../../channels/kinds.js';
import { refusal } from '../../channels/permissions.js';
import { receiptsOf } from '../../channels/receipt-channels.js';
import { type ChannelRules, type RuleSet, namespaceRules } from '../../channels/rules.js';
import { ownerOf } from '../../channels/user-channels.js';
import type { Change, SettingsDocument } from '../../hubs/change.js';
import type { HubQuotas } from '../../hubs/checks.js';
import { checkGroupRequest, groupActions, isGroupAction } from '../../people/group-requests.js';
import { checkReceiptRequest } from '../../people/receipts.js';
import {
  checkChannelRequest,
  checkPageRequest,
  checkUserRequest,
  isUserAction,
  userActions,
} from '../../people/requests.js';
import { type Failure, failure } from '../../protocol/errors.js';
import type { PublishMessage } from '../../protocol/messages.js';
import type { PeopleAnswer, Principal } from '../api.js';
import type { ListPage, ListedChannels } from '../cluster/listing.js';
import type { EngineOptions } from '../options.js';
import { HubGroups } from '../people/groups.js';
import { type ReceiptsHost, markReceipt } from '../people/receipts.js';
import { type Asking, People, noPeople } from '../people/people.js';
import { signatureFault } from '../people/signatures.js';
import type { PersonKeysHost } from '../people/person-keys.js';
import type { Clock, EnginePorts, Secrets } from '../ports.js';
import type { PublishingHubs } from '../publishing-hubs.js';
import type { Scan } from '../scan.js';
import { Restoring } from '../restoring/restoring.js';
import { Calls } from './calls.js';
import { Hubs, type HubsHost } from './hubs.js';
import { Identifying } from './identifying.js';
import { Quotas } from './quotas.js';
import { type SystemFoldHost, writeSystem } from './system-fold.js';

export interface TenantsHost
  extends Omit<SystemFoldHost, 'ports'>, Pick<PersonKeysHost, 'newest'>, Pick<HubsHost, 'reaches'> {
  document: ReceiptsHost['document'];
  /** Those of the whole ring, by name. */
  channels(hub: HubName, page: ListPage): Promise<Result<ListedChannels, Failure>>;
  /** What goes for the hub is another. */
  hubChanged(hub: HubName): void;
  /** A session is not in that channel any more. */
  left(ref: ChannelRef, session: string): void;
  /** Somebody's account is, or somebody is in a group no longer. */
  peopleChanged(hub: HubName): void;
}

export class Tenants implements PublishingHubs {
  readonly hubs: Hubs;
  readonly clients: Identifying;
  readonly quotas: Quotas;
  readonly restoring: Restoring;
  readonly calls: Calls;
  readonly #people: People | undefined;
  readonly #configured: EngineOptions['rules']['hubs'];
  /** `undefined` where nothing is kept of hubs. */
  readonly #groups: HubGroups | undefined;
  readonly #host: TenantsHost;
  readonly #receipts: ReceiptsHost;
  readonly #secrets: Secrets | undefined;
  readonly #clock: Clock;
  /** Whether the node serves clients that do not authenticate. */
  readonly #anonymous: boolean;
  #requests = 0;

  constructor(ports: EnginePorts, options: EngineOptions, host: TenantsHost) {
    this.#host = host;
    this.#secrets = ports.secrets;
    this.#clock = ports.clock;
    this.#anonymous = options.anonymous;
    const folds: SystemFoldHost = { ...host, ports };
    this.#configured = options.rules.hubs;
    this.#receipts = {
      ports,
      rulesOf: (ref) => this.rulesOf(ref),
      document: host.document,
      patch: (ref, content, actor) => writeSystem(folds, ref, content, actor, 'patch'),
    };
    const { createOnUse = false, providers } = options.hubs ?? {};
    this.hubs = new Hubs(
      { ...folds, changed: (hub) => host.hubChanged(hub), reaches: (ref) => host.reaches(ref) },
      { config: options.rules, isKept: options.hubs !== undefined, createOnUse, providers },
    );
    this.quotas = new Quotas((hub) => this.hubs.view(hub)?.quotas ?? unlimited);
    const viewOf = (hub: HubName) => this.hubs.view(hub);
    const people = {
      ...folds,
      write: (...[ref, content, actor]: Parameters<PersonKeysHost['write']>) =>
        writeSystem(folds, ref, content, actor),
      newest: host.newest,
      viewOf,
      changed: (hub: HubName) => host.peopleChanged(hub),
      mayList: (hub: HubName) => this.#mayList(hub, 'u'),
      leaves: async (hub: HubName, user: string) => this.#groups?.leaves(hub, user) ?? ok(undefined),
    };
    this.#people = ports.secrets && new People(people, ports.secrets);
    const groups = {
      ...folds,
      viewOf,
      changed: (hub: HubName) => host.peopleChanged(hub),
      mayList: (hub: HubName) => this.#mayList(hub, 'g'),
      nobody: (...[hub, channel, user]: Parameters<People['recipient']>) =>
        this.#people?.recipient(hub, channel, user),
    };
    this.#groups = this.hubs.isKept ? new HubGroups(groups) : undefined;
    const unheardMs = (hub: HubName) => this.hubs.unheardMs(hub);
    this.clients = new Identifying(ports, options, { viewOf, unheardMs }, this.#people);
    this.calls = new Calls({ ports, viewOf, missing: (hub) => this.hubs.missing(hub) });
    this.restoring = new Restoring({
      ...folds,
      ports,
      isCurrent: async (hub, principal) => {
        if (principal.account !== undefined) await this.#people?.ready(hub);
        await this.#people?.tokens.ready(hub);
        return this.clients.isCurrent(hub, principal) === true;
      },
      ready: (ref) => this.ready(ref),
      left: (ref, session) => host.left(ref, session),
    });
  }

  start(): void {
    this.hubs.start();
  }

  stop(): void {
    this.hubs.stop();
    this.#people?.stop();
    this.#groups?.stop();
    this.restoring.stop();
    this.calls.stop();
  }

  /** `used`: hubs that somebody is in. */
  tick(used: () => ReadonlySet<HubName>, nowMs: number): void {
    this.quotas.tick(nowMs);
    this.restoring.tick();
    if (!this.hubs.isKept) return;
    const hubs = used();
    this.hubs.tick(hubs);
    this.#people?.tick(hubs);
    this.#groups?.tick(hubs);
  }

  /** What goes for a channel; `undefined` where it is not known. */
  rulesOf(ref: ChannelRef): ChannelRules | undefined {
    const rules = this.hubs.rulesOf(ref);
    return rules && this.withMembers(ref, rules);
  }

  withMembers(ref: ChannelRef, rules: RuleSet): ChannelRules {
    const { hub, channel } = ref;
    const of = (receiptsOf(channel) ?? channel) as ChannelName;
    if (!this.#groups || kindOf(of) !== 'group') return rules;
    return { ...rules, members: this.#groups.membersOf({ hub, channel: of }) };
  }

  /** Before it is looked who may do something there: for whoever asks once, and does not come again. */
  async ready({ hub, channel }: { readonly hub: HubName; readonly channel: string }): Promise<void> {
    if (kindOf(receiptsOf(channel) ?? channel) === 'group') await this.#groups?.ready(hub);
  }

  /** The same before something is published, by somebody whose key is to be known then. */
  async prepared(
    hub: HubName,
    principal: Principal,
    messages: readonly { readonly channel: string }[],
  ): Promise<void> {
    const channels = new Set(messages.map(({ channel }) => channel));
    for (const channel of channels) {
      const isOfGroup = kindOf(channel) === 'group';
      if (isOfGroup) await this.ready({ hub, channel });
      const rules = this.hubs.rulesOf({ hub, channel: channel as ChannelName });
      const isSigned = rules?.signed === true && principal.account !== undefined;
      if (isSigned) await this.#people?.publicKeys.find(hub, principal.actor);
    }
  }

  // What a publish has to ask.

  missing(hub: HubName): Failure {
    return this.hubs.missing(hub);
  }

  isDeleted(hub: HubName): boolean {
    return this.hubs.deleting.has(hub);
  }

  unsigned(ref: ChannelRef, principal: Principal, message: PublishMessage): Failure | undefined {
    const keyOf = (name: string) => (this.#people ? this.#people.publicKeys.known(ref.hub, name) : null);
    const isSignature: Secrets['isSignature'] = (...signature) =>
      this.#secrets?.isSignature(...signature) === true;
    return signatureFault(ref, principal, message, { keyOf, isSignature });
  }

  /** Why one more message, or request, of theirs is too many for the hub or the user. */
  tooManyAsked(hub: HubName, principal: Principal): Failure | undefined {
    const retryAfterMs = this.quotas.take(hub, principal, this.#clock.monotonicMs());
    return retryAfterMs === 0 ? undefined : failure('RATE_LIMITED', { retryAfterMs });
  }

  /** Why no more is published to a channel that takes so much a second. */
  tooMany(ref: ChannelRef, principal: Principal, most: number): Failure | undefined {
    const retryAfterMs = this.quotas.takeFor(ref, principal, most, this.#clock.monotonicMs());
    if (retryAfterMs === 0) return undefined;
    const message = `Clients publish at most ${most} messages a second to this channel. Wait.`;
    return failure('RATE_LIMITED', { channel: ref.channel, message, retryAfterMs });
  }

  /** Why no further channel begins in a hub that begins so many a second. */
  tooManyNew({ hub, channel }: ChannelRef): Failure | undefined {
    const retryAfterMs = this.quotas.takeNew(hub, this.#clock.monotonicMs());
    if (retryAfterMs === 0) return undefined;
    const message = 'This hub begins too many new channels at once. Wait, or write to one that is there.';
    return failure('RATE_LIMITED', { channel, message, retryAfterMs });
  }

  /** Why nobody can be written to in this channel of a user's or a group's. */
  recipient(ref: ChannelRef): Failure | undefined {
    const { hub, channel } = ref;
    if (kindOf(channel) === 'group') return this.#groups?.unwritable(ref);
    const user = ownerOf(channel);
    const message = 'A user’s own channel is "u:" and its id, percent-encoded as one segment.';
    return user === undefined
      ? failure('BAD_NAME', { channel, message })
      : this.#people?.recipient(hub, channel, user);
  }

  /** The owner of a person's key comes by it. */
  async keyPassed(ref: ChannelRef, scan: () => Promise<Scan>): Promise<void> {
    if (!this.hubs.deleting.has(ref.hub)) await this.#people?.keyRemoval.look(ref, scan);
  }

  // What administrators ask.

  async createHub(hub: string, actor: string): Promise<Result<boolean, Failure>> {
    const name = parseHubName(hub);
    if (!name.ok || name.value === systemHub)
      return err(failure('BAD_NAME', { message: name.ok ? 'That hub is the system’s.' : name.error }));
    return this.hubs.exists(name.value) ? ok(false) : this.hubs.create(name.value, actor);
  }

  async deleteHub(hub: string, actor: string): Promise<Result<void, Failure>> {
    const name = parseHubName(hub);
    if (!name.ok || name.value === systemHub)
      return badName(name.ok ? 'That hub is the system’s.' : name.error);
    return this.hubs.delete(name.value, actor);
  }

  /** Of the configuration, and made at run time. */
  get knownHubs(): ReadonlySet<HubName> {
    return new Set([...(Object.keys(this.#configured) as HubName[]), ...this.hubs.made]);
  }

  /** Those that can be used; `stored`: those of which something is held here. */
  hubNames(stored: readonly HubName[]): readonly HubName[] {
    return [...new Set([...this.knownHubs, ...stored])].filter((hub) => !this.hubs.deleting.has(hub)).sort();
  }

  async changeSettings(hub: string, change: Change, actor: string): Promise<Result<void, Failure>> {
    const name = parseHubName(hub);
    return name.ok ? this.hubs.change(name.value, change, actor) : badName(name.error);
  }

  async settings(hub: string): Promise<Result<SettingsDocument, Failure>> {
    const name = parseHubName(hub);
    return name.ok ? this.hubs.document(name.value) : badName(name.error);
  }

  /** What anybody asks who may be in the hub, as it came. */
  async asked(
    principal: Principal,
    hub: HubName,
    action: string,
    request: unknown,
    remote: string,
  ): Promise<Result<PeopleAnswer, Failure>> {
    if (this.#requests >= limits.peopleRequestsMax) return err(failure('OVERLOADED', { retryAfterMs: 500 }));
    this.#requests++;
    try {
      return await this.#ask({ principal, remote }, hub, action, request);
    } finally {
      this.#requests--;
    }
  }

  async #ask(asking: Asking, hub: HubName, action: string, request: unknown) {
    if (isUserAction(action)) {
      const checked = checkUserRequest(request);
      if (!checked.ok) return invalid(checked.error);
      return (this.#people ?? noPeople).request(hub, action, checked.value, asking);
    }
    if (action === 'losses/accept') return this.#acceptLosses(asking.principal, hub);
    if (action === 'channels/list') return this.#channels(asking.principal, hub, request);
    if (action === 'channels/metadata') return this.#metadata(asking.principal, hub, request);
    if (action === 'receipts/mark') return this.#mark(asking.principal, hub, request);
    const [, groupAction = ''] = action.split('groups/');
    if (!isGroupAction(groupAction))
      return invalid(
        `What people ask is ${[...userActions, ...groupActions.map((each) => `groups/${each}`)].join(', ')}, channels/list, channels/metadata, receipts/mark.`,
      );
    const checked = checkGroupRequest(request);
    if (!checked.ok) return invalid(checked.error);
    if (!this.#groups) return err(failure('UNSUPPORTED', { message: 'This node keeps no groups.' }));
    return this.#groups.request(hub, groupAction, checked.value, asking.principal);
  }

  /** Answers of what something was missing. */
  async #acceptLosses({ admin, actor }: Principal, hub: HubName): Promise<Result<PeopleAnswer, Failure>> {
    if (!admin)
      return err(failure('DENIED', { message: 'Only administrators answer for entries that are lost.' }));
    const users = (await this.#people?.acceptLosses(hub, actor)) ?? ok(false);
    const groups = users.ok ? ((await this.#groups?.acceptLosses(hub, actor)) ?? ok(false)) : users;
    return groups.ok ? ok({ users: users.ok && users.value, groups: groups.value }) : groups;
  }

  /** Names that the client may know. A page may be short of what was asked for. */
  async #channels(
    principal: Principal,
    hub: HubName,
    request: unknown,
  ): Promise<Result<PeopleAnswer, Failure>> {
    const checked = checkPageRequest(request);
    if (!checked.ok) return invalid(checked.error);
    if (!principal.authenticated) return err(failure('UNAUTHENTICATED'));
    await this.#groups?.ready(hub);
    const { after = '', limit: most = limits.channelsPageMax } = checked.value;
    const limit = Math.min(most, limits.channelsPageMax);
    const page = await this.#host.channels(hub, { after, limit });
    if (!page.ok) return page;
    const { names, more, isPartial } = page.value;
    const channels = names.filter((channel) => {
      const rules = this.rulesOf({ hub, channel });
      const isListed = principal.admin || rules?.list === true;
      return rules && isListed && !refusal(principal, 'subscribe', channel, rules);
    });
    const next = more ? names.at(-1) : undefined;
    return ok({
      channels,
      ...(next === undefined ? {} : { next }),
      ...(isPartial ? { partial: true } : {}),
    });
  }

  /** For whoever may subscribe to the channel, whether it has entries or not. */
  async #metadata(
    principal: Principal,
    hub: HubName,
    request: unknown,
  ): Promise<Result<PeopleAnswer, Failure>> {
    const checked = checkChannelRequest(request);
    if (!checked.ok) return invalid(checked.error);
    const name = parseChannelName(checked.value.channel);
    if (!name.ok) return err(failure('BAD_NAME', { message: name.error }));
    const ref = { hub, channel: name.value };
    await this.ready(ref);
    const view = this.hubs.view(hub);
    const rules = this.rulesOf(ref);
    if (!view || !rules) return err(this.hubs.missing(hub));
    const isOpen = this.#anonymous && view.anonymous;
    if (!principal.authenticated && !isOpen) return err(failure('UNAUTHENTICATED'));
    const refused = refusal(principal, 'subscribe', ref.channel, rules);
    if (refused) return err(refused);
    const metadata = view.metadata.get(ref.channel);
    return ok({ channel: ref.channel, ...(metadata === undefined ? {} : { metadata }) });
  }

  async #mark(principal: Principal, hub: HubName, request: unknown): Promise<Result<PeopleAnswer, Failure>> {
    const checked = checkReceiptRequest(request);
    if (!checked.ok) return invalid(checked.error);
    await this.ready({ hub, channel: checked.value.channel });
    return markReceipt(this.#receipts, hub, checked.value, principal);
  }

  #mayList(hub: HubName, namespace: string): boolean {
    const view = this.hubs.view(hub);
    return view !== undefined && namespaceRules(view.rules, hub, namespace)?.list === true;
  }
}

const unlimited: HubQuotas = {};

function invalid(message: string): Result<never, Failure> {
  return err(failure('INVALID', { message }));
}

function badName(message: string): Result<never, Failure> {
  return err(failure('BAD_NAME', { message }));
}
