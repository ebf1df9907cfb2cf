/** Everything about hubs in one place: what goes in each, who its clients are, and its people. */
import { type ChannelRef, type HubName, parseHubName, systemHub } from '../../base/ids.js';
import { type Result, err, ok } from '../../base/result.js';
import { ownerOf } from '../../channels/user-channels.js';
import type { Change, SettingsDocument } from '../../hubs/change.js';
import type { HubQuotas } from '../../hubs/checks.js';
import { checkUserRequest, isUserAction, userActions } from '../../people/requests.js';
import { type Failure, failure } from '../../protocol/errors.js';
import type { PeopleAnswer, Principal } from '../api.js';
import type { EngineOptions } from '../options.js';
import { People, noPeople } from '../people/people.js';
import type { PersonKeysHost } from '../people/person-keys.js';
import type { EnginePorts } from '../ports.js';
import { Restoring } from '../restoring/restoring.js';
import { Hubs } from './hubs.js';
import { Identifying } from './identifying.js';
import { Quotas } from './quotas.js';
import { type SystemFoldHost, writeSystem } from './system-fold.js';

export interface TenantsHost extends Omit<SystemFoldHost, 'ports'>, Pick<PersonKeysHost, 'newest'> {
  /** What goes for the hub is another. */
  hubChanged(hub: HubName): void;
  /** A session is not in that channel any more. */
  left(ref: ChannelRef, session: string): void;
  /** Somebody's account is. */
  peopleChanged(hub: HubName): void;
}

export class Tenants {
  readonly hubs: Hubs;
  readonly clients: Identifying;
  readonly quotas: Quotas;
  readonly restoring: Restoring;
  readonly #people: People | undefined;

  constructor(ports: EnginePorts, options: EngineOptions, host: TenantsHost) {
    const folds: SystemFoldHost = { ...host, ports };
    const { createOnUse } = options.hubs ?? { createOnUse: false };
    this.hubs = new Hubs(
      { ...folds, changed: (hub) => host.hubChanged(hub) },
      { config: options.rules, isKept: options.hubs !== undefined, createOnUse },
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
    };
    this.#people = ports.secrets && new People(people, ports.secrets);
    this.clients = new Identifying(ports, options, viewOf, this.#people);
    this.restoring = new Restoring({
      ...folds,
      ports,
      isCurrent: async (hub, principal) => {
        if (principal.account !== undefined) await this.#people?.ready(hub);
        return this.clients.isCurrent(hub, principal);
      },
      left: (ref, session) => host.left(ref, session),
    });
  }

  start(): void {
    this.hubs.start();
  }

  stop(): void {
    this.hubs.stop();
    this.#people?.stop();
    this.restoring.stop();
  }

  /** `used`: hubs that somebody is in. */
  tick(used: () => ReadonlySet<HubName>, nowMs: number): void {
    this.quotas.tick(nowMs);
    this.restoring.tick();
    if (!this.hubs.isKept) return;
    const hubs = used();
    this.hubs.tick(hubs);
    this.#people?.tick(hubs);
  }

  /** Why nobody can be written to in this channel of a user's. */
  recipient({ hub, channel }: ChannelRef): Failure | undefined {
    const user = ownerOf(channel);
    const message = 'A user’s own channel is "u:" and its id, percent-encoded as one segment.';
    return user === undefined
      ? failure('BAD_NAME', { channel, message })
      : this.#people?.recipient(hub, channel, user);
  }

  // What administrators ask.

  async createHub(hub: string, actor: string): Promise<Result<boolean, Failure>> {
    const name = parseHubName(hub);
    if (!name.ok || name.value === systemHub)
      return err(failure('BAD_NAME', { message: name.ok ? 'That hub is the system’s.' : name.error }));
    return this.hubs.exists(name.value) ? ok(false) : this.hubs.create(name.value, actor);
  }

  async changeSettings(hub: string, change: Change, actor: string): Promise<Result<void, Failure>> {
    const name = parseHubName(hub);
    return name.ok ? this.hubs.change(name.value, change, actor) : badName(name.error);
  }

  async settings(hub: string): Promise<Result<SettingsDocument, Failure>> {
    const name = parseHubName(hub);
    return name.ok ? this.hubs.document(name.value) : badName(name.error);
  }

  async users(
    hub: string,
    { after, limit }: { readonly after: string; readonly limit: number },
  ): Promise<Result<PeopleAnswer, Failure>> {
    const name = parseHubName(hub);
    if (!name.ok) return badName(name.error);
    const ready = await this.hubs.ready(name.value);
    return ready.ok ? (this.#people ?? noPeople).list(name.value, after, limit) : ready;
  }

  /** What anybody asks who may be in the hub, as it came. */
  async asked(
    principal: Principal,
    hub: HubName,
    action: string,
    request: unknown,
    remote: string,
  ): Promise<Result<PeopleAnswer, Failure>> {
    if (!isUserAction(action)) return invalid(`What people ask is ${userActions.join(', ')}.`);
    const checked = checkUserRequest(request);
    if (!checked.ok) return invalid(checked.error);
    return (this.#people ?? noPeople).request(hub, action, checked.value, { principal, remote });
  }
}

const unlimited: HubQuotas = {};

function invalid(message: string): Result<never, Failure> {
  return err(failure('INVALID', { message }));
}

function badName(message: string): Result<never, Failure> {
  return err(failure('BAD_NAME', { message }));
}
