/** One node: publish → authorize → stamp → commit → deliver, history, subscriptions. It composes the pure parts and
 *  awaits only its ports. See docs/architecture.md for the path of a message. */
import { type ChannelName, type ChannelRef, type HubName, parseHubName } from '../base/ids.js';
import { limits } from '../base/limits.js';
import { planted } from '../base/planted.js';
import { type Result, err, ok } from '../base/result.js';
import { type ChannelRules, closedRules, defaultRules } from '../channels/rules.js';
import { type Failure, failure } from '../protocol/errors.js';
import type { ActiveChannel } from './active-channel.js';
import { uncommittedIn } from './channel-table.js';
import type {
  ClusterApi,
  NodeApi,
  NodeStatus,
  OpenSession,
  PeopleAnswer,
  Principal,
  SessionHandle,
} from './api.js';
import type { Cluster } from './cluster/cluster.js';
import { clusterApi } from './cluster/cluster-api.js';
import { publishBatch } from './publish-batch.js';
import { type Core, startCore } from './core.js';
import { coreStatus } from './core-status.js';
import { documentChanges, documentState } from './documents/reading.js';
import { writeLastSnapshots } from './folds/last-snapshots.js';
import { reaches } from './cluster/reaching.js';
import { Admission, anonymous } from './hubs/admission.js';
import { refusedCall } from './hubs/calls.js';
import { HubDeletion } from './hubs/hub-deletion.js';
import { Tenants } from './hubs/tenants.js';
import { notificationPage } from './notifications/reading.js';
import { NodeTime } from './node-time.js';
import { newestKey } from './people/person-keys.js';
import { RemoteUnavailableError } from './cluster/followed-channel.js';
import { heldChannels, heldHubs, listedChannels } from './held-channels.js';
import { historyPage } from './history.js';
import { channelDigest, queryLog } from './log-query.js';
import { Maintenance } from './maintenance.js';
import { type EnginePorts, StoreClosedError, StoreFailedError } from './ports.js';
import { type PresenceService, startPresence } from './presence/service.js';
import { Publishing } from './publishing.js';
import type { EngineOptions } from './options.js';
import { mayBeRedacted } from './redacting.js';
import { scanOf } from './scan.js';
import { Sessions } from './sessions.js';
import { entryBeyond } from './waiting.js';
import { StoreForgotError, StoreTwiceError, tellOf } from './store-doubt.js';

type State = NodeStatus['state'];
/** Action, request, and the address it comes from. */
type Asked = [action: string, request: unknown, remote: string];

export class Engine implements NodeApi {
  readonly #ports: EnginePorts;
  readonly #options: EngineOptions;
  readonly #sessions: Sessions;
  readonly #tenants: Tenants;
  readonly #admission: Admission;
  readonly #startedUnixMs: number;
  readonly #time: NodeTime;
  #state: State = 'reopening';
  #core: Core | undefined;
  #cluster: Cluster | undefined;
  /** Outlives incarnations of the log. */
  #presence: PresenceService | undefined;
  #publishing: Publishing | undefined;
  #maintenance: Maintenance | undefined;
  #reopens = 0;
  /** It stops, and others take over: until they have, what comes here still finds its way. */
  #isHandingOver = false;

  constructor(ports: EnginePorts, options: EngineOptions) {
    this.#ports = ports;
    this.#options = options;
    this.#startedUnixMs = ports.clock.wallMs();
    this.#time = new NodeTime(ports.clock, ports.observer);
    this.#sessions = new Sessions(ports, options, {
      serving: () => this.#parts(),
      core: () => this.#core,
      otherNodes: () => this.#cluster?.clientAddresses() ?? [],
      storeFailed: (error) => void this.#storeFailed(error),
      rulesOf: (ref) => this.#rulesOrNot(ref),
      identify: (hub, token, sessionId) => this.#tenants.clients.identify(hub, token, sessionId),
      tokenOf: (hub, principal) => this.#tenants.clients.tokenOf(hub, principal),
      people: ({ hub, principal, remote }, action, request) =>
        this.#tenants.asked(principal, hub, action, request, remote),
      quotas: () => this.#tenants.quotas,
      presence: () => this.#presence!,
      calls: () => this.#tenants.calls,
      restoring: () => this.#tenants.restoring,
      ended: (hub, principal) => this.#tenants.clients.ended(hub, principal),
      anonymousAllowed: (hub) => options.anonymous && this.#tenants.hubs.view(hub)?.anonymous !== false,
    });
    this.#tenants = new Tenants(ports, options, {
      open: (ref, sink) => (this.#parts() ? this.#sessions.openReader(ref.hub, sink) : undefined),
      publish: (ref, content, actor, origin, kind) => {
        const parts = this.#parts();
        if (parts) parts.publishing.system(ref, content, actor, origin, kind);
        else origin.publishFailed(0, this.#unavailable());
      },
      newest: ({ hub, channel }) => this.queryLog(hub, channel, newestKey),
      document: (ref) =>
        this.#withLog(ref, (core, channel) =>
          documentState(core, channel, { type: 'documentGet', channel: ref.channel }),
        ),
      channels: (hub, page) => listedChannels(this.#parts()?.core, hub, page),
      reaches: (ref) => reaches(this.#cluster, ref),
      uncommitted: (ref, among) => uncommittedIn(this.#core?.channels, ref, among),
      hubChanged: (hub) => this.#hubChanged(hub),
      left: (ref, session) => this.#presence?.gone(ref, session),
      peopleChanged: (hub) => this.#sessions.recheck(hub),
    });
    this.#admission = new Admission(this.#tenants, options.anonymous);
  }

  async start(): Promise<void> {
    await this.#openCore();
    this.#tenants.start();
  }

  /** Refuses what waits, finishes the commit under way, closes every session with its cursors, and the store. */
  async stop(): Promise<void> {
    if (this.#state === 'stopping') return;
    this.#state = 'stopping';
    this.#maintenance?.stop();
    const core = this.#core;
    this.#isHandingOver = core?.cluster !== undefined;
    if (core) await writeLastSnapshots(core, this.#ports.timers);
    await core?.cluster?.leave();
    this.#isHandingOver = false;
    await core?.side?.answered();
    if (core) await core.committer.drained();
    this.#tenants.stop();
    this.#sessions.closeAll('SHUTTING_DOWN');
    if (core) this.#endCore(core);
    this.#cluster?.stop();
    this.#presence?.stop();
    this.#core = undefined;
    await core?.store.close();
  }

  async #openCore(): Promise<void> {
    const hooks = {
      rulesOf: (hub: HubName, channel: ChannelName) =>
        this.#tenants.rulesOf({ hub, channel }) ?? this.#tenants.withMembers({ hub, channel }, defaultRules),
      bytesMaxOf: (hub: HubName) => this.#tenants.quotas.bytesMax(hub),
      flusher: this.#sessions,
      flush: () => this.#sessions.flush(),
      failed: (error: unknown) => void this.#storeFailed(error),
    };
    const core = await startCore(this.#ports, this.#options, hooks, this.#time, this.#cluster);
    this.#core = core;
    this.#cluster = core.cluster;
    this.#presence ??= startPresence(
      { ...this.#ports, self: this.#options.nodeId, sessions: this.#sessions },
      (ref) => this.#rulesOrNot(ref),
      core.cluster,
    );
    const { side } = core;
    const rulesOf = (hub: HubName, channel: ChannelName) => this.#tenants.rulesOf({ hub, channel });
    const publishing = new Publishing(core, rulesOf, side, this.#tenants);
    this.#publishing = publishing;
    const { hubs } = this.#tenants;
    const hubDeletion = new HubDeletion(core, hubs, this.#options.nodeId, {
      deleteChannel: (ref) => publishing.deleted(ref, ''),
    });
    this.#maintenance = new Maintenance(core, this.#ports, hubs, this.#options.maintenanceIntervalMs, {
      tick: () => {
        this.#sessions.tick();
        this.#tenants.tick(() => this.#sessions.hubs, this.#ports.clock.monotonicMs());
        this.#time.watch();
        core.notifications.tick(publishing, core.physicalMs());
      },
      remove: () => hubDeletion.step(),
      keyPassed: (...of) => this.#tenants.keyPassed(...of),
      failed: (error) => void this.#storeFailed(error),
    });
    this.#maintenance.start();
    this.#state = 'serving';
    side?.serve(publishing);
    if (side && core.table) core.cluster?.attach(side, core.table);
  }

  /** A store that failed is closed and opened anew, once for each failure; a disk that fails again ends the node. */
  async #storeFailed(error: unknown): Promise<void> {
    if (this.#state !== 'serving') return;
    this.#state = 'reopening';
    const message = error instanceof Error ? error.message : String(error);
    tellOf(error, message, this.#ports.observer);
    const core = this.#core;
    this.#maintenance?.stop();
    core?.committer.refuseWaiting();
    this.#sessions.closeAll('INTERNAL');
    if (core) this.#endCore(core);
    this.#core = undefined;
    if (error instanceof StoreForgotError) await core?.store.rename().catch(() => undefined);
    await core?.store.close().catch(() => undefined);
    // A disk that failed once cannot be trusted to report the next time; one that was full can.
    const mayReopen =
      error instanceof StoreFailedError ? error.reason === 'full' : !(error instanceof StoreTwiceError);
    if (!mayReopen || this.#reopens++ >= limits.storeReopensMax) return this.#fail(message);
    try {
      await this.#openCore();
      this.#ports.observer.observe({ type: 'store-reopened' });
    } catch (reopenError) {
      this.#fail(reopenError instanceof Error ? reopenError.message : String(reopenError));
    }
  }

  /** Whoever waits for this incarnation waits no longer. */
  #endCore({ channels, committer, ordering, side, cluster }: Core): void {
    cluster?.detach();
    channels.wakeWaiters();
    committer.refuseWaiting();
    side?.stop();
    ordering.stop();
    this.#sessions.flush();
  }

  #fail(message: string): void {
    this.#state = 'failed';
    this.#cluster?.stop();
    this.#ports.observer.observe({ type: 'node-failed', message });
  }

  #parts() {
    const [core, publishing] = [this.#core, this.#publishing];
    const isServing = (this.#state === 'serving' && this.#cluster?.isLooking !== true) || this.#isHandingOver;
    return core && publishing && isServing ? { core, publishing } : undefined;
  }

  #rulesOrNot(ref: ChannelRef): ChannelRules | Failure {
    return this.#tenants.rulesOf(ref) ?? this.#tenants.hubs.missing(ref.hub);
  }

  #hubChanged(hub: HubName): void {
    for (const channel of this.#core?.channels.of(hub) ?? [])
      channel.changeRules(this.#tenants.rulesOf(channel.ref) ?? closedRules);
    if (!planted('rights-outlive')) this.#sessions.recheck(hub);
  }

  // --- NodeApi

  authenticate(token: string | undefined): Result<Principal, Failure> {
    if (token === undefined) return ok(anonymous);
    return this.#tenants.clients.administrator(token);
  }

  async enter(
    hub: string,
    token: string | undefined,
    sessionId?: string,
  ): Promise<Result<Principal, Failure>> {
    if (!this.#parts()) return err(this.#unavailable());
    const name = parseHubName(hub);
    if (!name.ok) return err(failure('BAD_NAME', { message: name.error }));
    const ready = await this.#tenants.hubs.ready(name.value);
    if (!ready.ok) return ready;
    return token === undefined ? ok(anonymous) : this.#tenants.clients.identify(name.value, token, sessionId);
  }

  ticket: NodeApi['ticket'] = (...request) => this.#admission.ticket(...request);
  count: NodeApi['count'] = (...request) => this.#admission.count(...request);
  redeem: NodeApi['redeem'] = (...request) => this.#admission.redeem(...request);

  async people(principal: Principal, hub: string, ...asked: Asked): Promise<Result<PeopleAnswer, Failure>> {
    if (!this.#parts()) return err(this.#unavailable());
    const name = this.#admission.client(principal, hub, true);
    return name.ok ? this.#tenants.asked(principal, name.value, ...asked) : name;
  }

  call: NodeApi['call'] = (principal, hub, message) => {
    const name = this.#admission.client(principal, hub);
    if (!name.ok || !this.#parts()) return refusedCall(name.ok ? this.#unavailable() : name.error);
    const refused = this.#tenants.tooManyAsked(name.value, principal);
    return refused ? refusedCall(refused) : this.#tenants.calls.call({ hub: name.value, principal }, message);
  };

  openSession(request: OpenSession): Result<SessionHandle, Failure> {
    if (this.#state !== 'serving' || !this.#parts()) return err(this.#unavailable());
    const hub = this.#admission.client(request.principal, request.hub, true);
    if (!hub.ok) return hub;
    return this.#tenants.hubs.view(hub.value)
      ? this.#sessions.open(hub.value, request)
      : err(this.#tenants.hubs.missing(hub.value));
  }

  publish: NodeApi['publish'] = async (principal, hub, messages) => {
    const name = this.#admission.client(principal, hub);
    if (name.ok) await this.#tenants.prepared(name.value, principal, messages);
    const parts = this.#parts();
    const refused = !parts ? this.#unavailable() : name.ok ? undefined : name.error;
    if (refused || !parts || !name.ok) return messages.map(() => err(refused!));
    if (messages.length === 0) return [];
    const asked = { hub: name.value, principal, messages };
    return publishBatch(parts.publishing, this.#tenants.quotas, this.#ports.clock.monotonicMs(), asked);
  };

  deleteChannel: NodeApi['deleteChannel'] = async (principal, hub, channel) => {
    const ref = await this.#admission.reader(principal, hub, channel, 'delete');
    if (!ref.ok) return ref;
    return (await this.#parts()?.publishing.deleted(ref.value, principal.actor)) ?? err(this.#unavailable());
  };

  redact: NodeApi['redact'] = async (principal, hub, channel, of) => {
    const ref = await this.#admission.reader(principal, hub, channel, 'delete');
    if (!ref.ok) return ref;
    const found = await this.#withLog(ref.value, (core, active) => mayBeRedacted(scanOf(core, active), of));
    const done = found.ok ? await this.#parts()?.publishing.redacted(ref.value, principal.actor, of) : found;
    return done ?? err(this.#unavailable());
  };

  trimChannel: NodeApi['trimChannel'] = async (hub, channel, keep, actor) => {
    const ref = this.#admission.channel(hub, channel);
    if (!ref.ok) return ref;
    return (await this.#parts()?.publishing.trimmed(ref.value, keep, actor)) ?? err(this.#unavailable());
  };

  history: NodeApi['history'] = (principal, hub, request) =>
    this.#asReader(principal, hub, request.channel, (core, channel) =>
      historyPage(scanOf(core, channel), request),
    );

  document: NodeApi['document'] = (principal, hub, request) =>
    this.#asReader(principal, hub, request.channel, (core, channel) => documentState(core, channel, request));

  notifications: NodeApi['notifications'] = (principal, hub, request) =>
    this.#asReader(principal, hub, request.channel, (core, channel) =>
      notificationPage(core, channel, request),
    );

  documentChanges: NodeApi['documentChanges'] = (principal, hub, channel, query) =>
    this.#asReader(principal, hub, channel, (core, active) => documentChanges(core, active, query));

  presence: NodeApi['presence'] = (principal, hub, channel, { after = '', limit }) =>
    this.#asMember([principal, hub, channel], (presence, ref) => presence.page(ref, after, limit));

  occupancy: NodeApi['occupancy'] = (principal, hub, channel) =>
    this.#asMember([principal, hub, channel], (presence, ref) => presence.occupancy(ref));

  queryLog: NodeApi['queryLog'] = async (hub, channel, query) => {
    const ref = this.#admission.channel(hub, channel);
    return ref.ok ? this.#withLog(ref.value, (core, active) => queryLog(scanOf(core, active), query)) : ref;
  };

  async waitForMore(hub: string, channel: string, cursor: Uint8Array, waitMs: number): Promise<void> {
    const ref = this.#admission.channel(hub, channel);
    const parts = this.#parts();
    if (!ref.ok || !parts) return;
    await entryBeyond(parts.core, this.#ports.timers, ref.value, cursor, waitMs);
  }

  async hubs(): Promise<readonly HubName[]> {
    const core = this.#core;
    return this.#tenants.hubNames(core ? await heldHubs(core, this.#tenants.knownHubs) : []);
  }

  createHub: NodeApi['createHub'] = (...request) => this.#tenants.createHub(...request);
  deleteHub: NodeApi['deleteHub'] = (...request) => this.#tenants.deleteHub(...request);
  changeSettings: NodeApi['changeSettings'] = (...request) => this.#tenants.changeSettings(...request);
  settings: NodeApi['settings'] = (hub) => this.#tenants.settings(hub);

  async channels(hub: string, options: { after?: string; limit: number }) {
    const name = this.#admission.hub(hub);
    if (!name.ok) return name;
    const parts = this.#parts();
    return parts ? ok(await heldChannels(parts.core, name.value, options)) : err(this.#unavailable());
  }

  digest: NodeApi['digest'] = async (hub, channel) => {
    const ref = this.#admission.channel(hub, channel);
    if (!ref.ok) return ref;
    return this.#withLog(ref.value, (core, active) =>
      channelDigest(scanOf(core, active), this.#ports.hashing),
    );
  };

  status(): NodeStatus {
    const { nodeId, version } = this.#options;
    const { count: sessions, subscriptionCount: subscriptions } = this.#sessions;
    const own = { nodeId, version, state: this.#state, startedUnixMs: this.#startedUnixMs };
    const counted = { ...this.#publishing?.counters, ...this.#tenants.calls.counters };
    return { ...own, sessions, subscriptions, ...coreStatus(this.#core, counted) };
  }

  get cluster(): ClusterApi | undefined {
    return this.#cluster && clusterApi(this.#cluster);
  }

  // --- helpers

  async #asReader<T>(
    principal: Principal,
    hub: string,
    channel: string,
    use: (core: Core, channel: ActiveChannel) => Promise<Result<T, Failure>>,
  ): Promise<Result<T, Failure>> {
    const ref = await this.#admission.reader(principal, hub, channel);
    return ref.ok ? this.#withLog(ref.value, use) : ref;
  }

  /** What is kept of who is in a channel needs no log. */
  async #asMember<T>(
    asked: [principal: Principal, hub: string, channel: string],
    use: (presence: PresenceService, ref: ChannelRef) => Promise<Result<T, Failure>>,
  ): Promise<Result<T, Failure>> {
    const ref = await this.#admission.reader(...asked);
    if (ref.ok && !this.#parts()) return err(this.#unavailable());
    return ref.ok ? use(this.#presence!, ref.value) : ref;
  }

  async #withLog<T>(
    ref: ChannelRef,
    use: (core: Core, channel: ActiveChannel) => Promise<Result<T, Failure>>,
  ): Promise<Result<T, Failure>> {
    const parts = this.#parts();
    if (!parts) return err(this.#unavailable());
    const { channels } = parts.core;
    try {
      const active = channels.use(ref);
      await channels.readable(active);
      return await use(parts.core, active);
    } catch (error) {
      if (error instanceof RemoteUnavailableError) return err(failure('UNAVAILABLE', { retryAfterMs: 1000 }));
      if (error instanceof StoreClosedError) return err(this.#unavailable());
      if (!(error instanceof StoreFailedError)) throw error;
      void this.#storeFailed(error);
      return err(this.#unavailable());
    }
  }

  #unavailable(): Failure {
    return this.#state === 'stopping'
      ? failure('SHUTTING_DOWN')
      : failure('UNAVAILABLE', { retryAfterMs: 1000 });
  }
}
