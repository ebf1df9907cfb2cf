/** All sessions of a node, and what they ask of it: the glue between connections and the log. */
import { toHex } from '../base/bytes.js';
import type { ChannelName, HubName } from '../base/ids.js';
import { limits } from '../base/limits.js';
import { isLoopback } from '../base/loopback.js';
import { type Result, err, ok } from '../base/result.js';
import { encodeCursor } from '../log/cursor.js';
import { type ErrorCode, type Failure, failure } from '../protocol/errors.js';
import type { PublishMessage, Request, ServerMessage, SubscribedChannel } from '../protocol/messages.js';
import { Session, type SessionHost, type WantedSubscription } from '../sessions/session.js';
import { SessionSet } from '../sessions/session-set.js';
import type { Authenticated } from '../sessions/authentication.js';
import type { Subscription } from '../sessions/subscription.js';
import { rebase } from './documents/reading.js';
import type { OpenSession, Principal, SessionHandle, SessionSink } from './api.js';
import type { Core } from './core.js';
import type { EngineOptions } from './options.js';
import { RemoteUnavailableError } from './cluster/followed-channel.js';
import { tellInfo } from './notifications/notifications.js';
import { NodesTold } from './nodes-told.js';
import { OwnChannels } from './own-channels.js';
import { type EnginePorts, StoreClosedError, StoreFailedError } from './ports.js';
import { Replay } from './replay.js';
import { Requests } from './requests.js';
import type { Opener } from './restoring/restoring.js';
import { sessionInfo } from './session-info.js';
import type { SessionsNode } from './sessions-node.js';
import { cutRefused, openSubscriptions } from './subscribing.js';

const anyChannel = 'any' as ChannelName;
const reader: Principal = { actor: '', authenticated: true, admin: true };

export class Sessions implements SessionHost {
  readonly #sessions = new SessionSet<Session>();
  /** The node's own, by which it reads what it goes by. */
  readonly #readers = new Set<Session>();
  readonly #nodes = new NodesTold();
  readonly #ownChannels: OwnChannels;
  readonly #requests: Requests;
  #touched: Session[] = [];
  #flushPlanned = false;
  #replay: { readonly core: Core; readonly replay: Replay } | undefined;

  constructor(
    readonly ports: EnginePorts,
    readonly options: EngineOptions,
    readonly node: SessionsNode,
  ) {
    this.#requests = new Requests(node, (...failed) => this.#failed(...failed));
    this.#ownChannels = new OwnChannels({
      timers: ports.timers,
      rulesOf: node.rulesOf,
      open: (session, ...asked) => this.#open(session, 0, ...asked),
    });
  }

  get count(): number {
    return this.#sessions.size;
  }

  get subscriptionCount(): number {
    let count = 0;
    for (const session of this.#sessions) count += session.subscriptions.size;
    return count;
  }

  [Symbol.iterator](): IterableIterator<Session> {
    return this.#sessions[Symbol.iterator]();
  }

  open(hub: HubName, request: OpenSession): Result<SessionHandle, Failure> {
    if (this.#sessions.size >= limits.sessionsMax)
      return err(
        failure('TOO_MANY', {
          message: 'The node serves as many connections as it can. Try another node, or later.',
        }),
      );
    const refused = this.node.quotas().begins(hub, request.principal);
    if (refused) return err(refused);
    const session = this.#make(hub, request);
    this.#sessions.add(session);
    session.open();
    this.#ownChannels.enter(session);
    return ok({
      id: session.id,
      receive: (frame) => session.receive(frame, this.#nowMs()),
      drained: () => this.#kick(session),
      disconnected: () => {
        session.ended();
        this.#gone(session, undefined);
      },
    });
  }

  #make(hub: HubName, request: Omit<OpenSession, 'hub'>): Session {
    const { encoding, principal, sink, remote, id } = request;
    return new Session(this, {
      id: id ?? toHex(this.ports.random.bytes(12)),
      hub,
      encoding,
      principal,
      sink,
      isLocal: isLoopback(remote),
      remote: remote ?? '',
      ...this.options.session,
      nowMs: this.#nowMs(),
    });
  }

  /** A session of the node's own: may read everything, and is told nothing but what it asks for. */
  openReader(hub: HubName, sink: SessionSink): Session {
    const session = this.#make(hub, { encoding: 'protobuf', principal: reader, sink });
    this.#readers.add(session);
    return session;
  }

  closeAll(code: ErrorCode): void {
    for (const session of [...this.#sessions, ...this.#readers]) session.failAndClose(code);
    this.flush();
  }

  /** What goes for a hub is another: who has lost a right is told, and has it no longer. */
  recheck(hub: HubName): void {
    const rules = this.node.rulesOf({ hub, channel: anyChannel });
    if ('code' in rules && rules.code === 'HUB_NOT_FOUND') return this.#sendAway(hub, rules);
    for (const session of this.#sessions.of(hub)) this.#recheck(session);
  }

  /** The hub is no more. */
  #sendAway(hub: HubName, { code, message }: Failure): void {
    for (const session of this.#sessions.of(hub)) session.failAndClose(code, { message });
  }

  #recheck(session: Session): void {
    const { hub, principal } = session;
    const ended = session.admitted ? this.node.ended(hub, principal) : failure('UNAUTHENTICATED');
    if (ended) return session.failAndClose(ended.code, ended);
    cutRefused(session, this.node.rulesOf);
    this.node.presence().recheck(session);
    this.#ownChannels.enter(session);
  }

  /** Those that somebody is in. */
  get hubs(): ReadonlySet<HubName> {
    return this.#sessions.hubs;
  }

  tick(): void {
    const nowMs = this.#nowMs();
    this.#nodes.look(this.node.otherNodes(), this.#sessions.size);
    for (const session of this.#sessions) {
      const { hub, principal } = session;
      const ended = principal.expiresAtMs === undefined ? undefined : this.node.ended(hub, principal);
      if (ended) session.failAndClose(ended.code, ended);
      session.tick(nowMs);
      this.#tellNodes(session);
    }
    for (const session of this.#readers) session.tick(nowMs);
  }

  // --- writing

  touched(session: Session): void {
    if (session.flushQueued) return;
    session.flushQueued = true;
    this.#touched.push(session);
  }

  flushSoon(session: Session): void {
    this.touched(session);
    this.planFlush();
  }

  planFlush(): void {
    if (this.#flushPlanned) return;
    this.#flushPlanned = true;
    this.ports.timers.soon(() => {
      this.#flushPlanned = false;
      this.flush();
    });
  }

  /** Writes all that is due, one write a connection. */
  flush(): void {
    this.node.serving()?.core.delivery.handOutSignals();
    const touched = this.#touched;
    this.#touched = [];
    for (const session of touched) {
      session.flushQueued = false;
      try {
        if (!session.closed) session.writeDue();
      } catch (error) {
        this.broken(session, error);
      }
      if (session.hasReplay) this.#kick(session);
    }
  }

  /** A bug that one session runs into ends that session, and nobody else's. Those of a store that was closed have ended. */
  broken(session: Session, error: unknown): void {
    if (error instanceof StoreClosedError) return;
    const message = error instanceof Error ? (error.stack ?? error.message) : String(error);
    this.ports.observer.observe({ type: 'alarm', code: 'INTERNAL', message });
    session.failAndClose('INTERNAL');
  }

  disconnected(session: Session, code: number): void {
    this.#gone(session, code);
  }

  #gone(session: Session, code: number | undefined): void {
    this.node.restoring().ended(session, code);
    if (this.#sessions.delete(session)) this.node.quotas().ended(session.hub);
    this.#readers.delete(session);
    this.node.presence().ended(session);
    this.node.calls().ended(session);
  }

  // --- what a session asks

  take({ hub, principal }: Session, nowMs: number): number {
    return this.node.quotas().take(hub, principal, nowMs);
  }

  authenticate(session: Session, token: string, done: Authenticated): void {
    const found = this.node.identify(session.hub, token, session.id);
    if (!(found instanceof Promise)) return done(found, this.#nowMs());
    void this.#answerOnce(session, found, done);
  }

  async #answerOnce(
    session: Session,
    found: Promise<Result<Principal, Failure>>,
    done: Authenticated,
  ): Promise<void> {
    let result: Result<Principal, Failure>;
    try {
      result = await found;
    } catch {
      result = err(failure('UNAVAILABLE', { retryAfterMs: 1000 }));
    }
    try {
      done(result, this.#nowMs());
    } catch (error) {
      this.broken(session, error);
    }
  }

  tokenOf({ hub, principal }: Session): string | undefined {
    return this.node.tokenOf(hub, principal);
  }

  identified(session: Session): void {
    this.#recheck(session);
    this.node.restoring().changed(session);
  }

  anonymousAllowed({ hub }: Session): boolean {
    return this.node.anonymousAllowed(hub);
  }

  publish(session: Session, requestId: number, message: PublishMessage): void {
    const parts = this.node.serving();
    if (!parts) return session.fail(requestId, failure('UNAVAILABLE', { retryAfterMs: 1000 }));
    const { hub, principal, publisher } = session;
    parts.publishing.publish({ origin: session, requestId, hub, principal, publisher, message });
    // Acks of signals, and refusals, are due now; acks of entries come with their commit.
    if (session.hasAcks) this.flushSoon(session);
  }

  request(session: Session, requestId: number, message: Request): void {
    this.#requests.take(session, requestId, message);
  }

  subscribe(session: Session, requestId: number, wanted: readonly WantedSubscription[]): void {
    void this.#open(session, requestId, wanted, (results) =>
      session.answer(requestId, { type: 'subscribe', results }),
    ).finally(() => session.requestDone());
  }

  async #open(
    session: Session,
    requestId: number,
    wanted: readonly WantedSubscription[],
    answer: (results: readonly SubscribedChannel[]) => void,
  ): Promise<void> {
    const parts = this.node.serving();
    if (!parts) {
      for (const want of wanted) if ('subscription' in want) session.drop(want.subscription);
      return session.fail(requestId, failure('UNAVAILABLE', { retryAfterMs: 1000 }));
    }
    const opened = (subscription: Subscription<Session>): void => {
      if (!this.#sessions.has(session)) return;
      this.node.presence().entered(subscription);
      this.node.restoring().changed(session);
    };
    try {
      await openSubscriptions(parts.core, this.node.rulesOf, session, wanted, answer, opened);
      this.#kick(session);
    } catch (error) {
      this.#failed(error, session, requestId);
    }
  }

  keep(session: Session, requestId: number): void {
    this.node.restoring().keep(session, requestId);
  }

  restore(...[session, requestId, message, done]: Parameters<SessionHost['restore']>): void {
    const opener: Opener = (wanted, answer) => this.#open(session, requestId, wanted, answer);
    void this.node
      .restoring()
      .restore(session, requestId, message, opener)
      .catch((error: unknown) => this.#failed(error, session, requestId))
      .finally(() => {
        this.#ownChannels.again(session);
        done(this.#nowMs());
      });
  }

  unsubscribed(subscription: Subscription<Session>): void {
    this.node.presence().left(subscription);
    this.node.restoring().changed(subscription.session);
    const channel = this.node.core()?.channels.find(subscription.session.hub, subscription.channel);
    if (!channel?.hasListeners || subscription.slot < 0) return;
    channel.fanOut.remove(subscription);
    if (!channel.hasListeners) this.node.core()?.side?.unlisten(channel.ref);
  }

  cursorOf(subscription: Subscription<Session>): Uint8Array | undefined {
    const { hub } = subscription.session;
    const channel = this.node.core()?.channels.find(hub, subscription.channel);
    const { state } = subscription.state;
    if (!channel?.isLoaded || state === 'opening' || state === 'ended') return undefined;
    return encodeCursor(channel.ref, subscription.heads(channel.log));
  }

  sessionInfo(session: Session): ServerMessage {
    return sessionInfo(this.options, session, this.anonymousAllowed(session), this.ports.clock.wallMs());
  }

  /** Clients that may be here learn of the other nodes, as they are now: this one may be lost before its next tick. */
  admitted(session: Session): void {
    this.#nodes.look(this.node.otherNodes(), this.#sessions.size);
    this.#tellNodes(session);
  }

  // --- helpers

  #tellNodes(session: Session): void {
    if (this.#nodes.tell(session)) this.flushSoon(session);
  }

  #kick(session: Session): void {
    const core = this.node.core();
    if (!core) return;
    if (this.#replay?.core !== core) {
      this.#replay = {
        core,
        replay: new Replay(core.channels, {
          flushSoon: (s) => this.flushSoon(s),
          failed: (session, error) => this.#failed(error, session, 0),
          retryLater: (session) => this.#retryLater(session),
          rebase: (session, channel, position) => rebase(core, session, channel, position),
          info: (_session, subscription) => tellInfo(core.channels, subscription),
        }),
      };
    }
    this.#replay.replay.kick(session);
  }

  #retryLater(session: Session): void {
    this.ports.timers.after(limits.replayRetryMs, () => {
      session.hasReplay = true;
      this.#kick(session);
    });
  }

  #failed(error: unknown, session: Session, requestId: number): void {
    if (requestId !== 0) session.fail(requestId, failure('UNAVAILABLE', { retryAfterMs: 1000 }));
    if (error instanceof StoreFailedError) return this.node.storeFailed(error);
    if (error instanceof RemoteUnavailableError && requestId !== 0) return;
    this.broken(session, error);
  }

  #nowMs(): number {
    return this.ports.clock.monotonicMs();
  }
}
