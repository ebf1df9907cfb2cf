/** All sessions of a node, and what they ask of it: the glue between connections and the log. */
import { toHex } from '../base/bytes.js';
import type { HubName } from '../base/ids.js';
import { parseChannelName } from '../base/ids.js';
import { limits } from '../base/limits.js';
import { isLoopback } from '../base/loopback.js';
import { type Result, err, ok } from '../base/result.js';
import { encodeCursor } from '../log/cursor.js';
import { timestampFromUnixMs } from '../log/timestamp.js';
import { type ErrorCode, type Failure, failure } from '../protocol/errors.js';
import type {
  DocumentGetMessage,
  HistoryMessage,
  PublishMessage,
  ServerMessage,
} from '../protocol/messages.js';
import { protocolVersion } from '../protocol/version.js';
import { refusal } from '../channels/permissions.js';
import { rulesFor } from '../channels/rules.js';
import {
  Session,
  type SessionHost,
  type SessionPrincipal,
  type WantedSubscription,
} from '../sessions/session.js';
import type { Subscription } from '../sessions/subscription.js';
import type { ActiveChannel } from './active-channel.js';
import { documentState, rebase } from './documents/reading.js';
import type { OpenSession, SessionHandle } from './api.js';
import type { Core } from './core.js';
import type { EngineOptions } from './options.js';
import { RemoteUnavailableError } from './cluster/followed-channel.js';
import { historyPage } from './history.js';
import { NodesTold } from './nodes-told.js';
import { type EnginePorts, StoreFailedError } from './ports.js';
import type { Publishing } from './publishing.js';
import { Replay } from './replay.js';
import { scanOf } from './scan.js';
import { openSubscriptions } from './subscribing.js';

export interface Parts {
  readonly core: Core;
  readonly publishing: Publishing;
}

/** The node as its sessions see it. */
export interface SessionsNode {
  /** Everything needed to serve, while the node does. */
  serving(): Parts | undefined;
  /** The incarnation there is, also while it is being stopped. */
  core(): Core | undefined;
  storeFailed(error: unknown): void;
  /** Where clients find the other nodes that are there. */
  otherNodes(): readonly string[];
}

export class Sessions implements SessionHost {
  readonly #sessions = new Set<Session>();
  readonly #nodes = new NodesTold();
  #touched: Session[] = [];
  #flushPlanned = false;
  #replay: { readonly core: Core; readonly replay: Replay } | undefined;

  constructor(
    readonly ports: EnginePorts,
    readonly options: EngineOptions,
    readonly node: SessionsNode,
  ) {}

  get count(): number {
    return this.#sessions.size;
  }

  get subscriptionCount(): number {
    let count = 0;
    for (const session of this.#sessions) count += session.subscriptions.size;
    return count;
  }

  [Symbol.iterator](): IterableIterator<Session> {
    return this.#sessions.values();
  }

  open(hub: HubName, request: OpenSession): Result<SessionHandle, Failure> {
    if (this.#sessions.size >= limits.sessionsMax)
      return err(
        failure('TOO_MANY', {
          message: 'The node serves as many connections as it can. Try another node, or later.',
        }),
      );
    const session = new Session(this, {
      id: toHex(this.ports.random.bytes(12)),
      hub,
      encoding: request.encoding,
      principal: request.principal,
      sink: request.sink,
      isLocal: isLoopback(request.remote),
      anonymousAllowed: this.options.anonymous,
      ...this.options.session,
      nowMs: this.#nowMs(),
    });
    this.#sessions.add(session);
    session.open();
    return ok({
      id: session.id,
      receive: (frame) => session.receive(frame, this.#nowMs()),
      drained: () => this.#kick(session),
      disconnected: () => {
        session.ended();
        this.#sessions.delete(session);
      },
    });
  }

  closeAll(code: ErrorCode): void {
    for (const session of this.#sessions) session.failAndClose(code);
    this.flush();
  }

  tick(): void {
    const nowMs = this.#nowMs();
    this.#nodes.look(this.node.otherNodes(), this.#sessions.size);
    for (const session of this.#sessions) {
      session.tick(nowMs);
      this.admitted(session);
    }
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

  /** A bug that one session runs into ends that session, and nobody else's. */
  broken(session: Session, error: unknown): void {
    const message = error instanceof Error ? (error.stack ?? error.message) : String(error);
    this.ports.observer.observe({ type: 'alarm', code: 'INTERNAL', message });
    session.failAndClose('INTERNAL');
  }

  disconnected(session: Session): void {
    this.#sessions.delete(session);
  }

  // --- what a session asks

  authenticate(token: string): SessionPrincipal | undefined {
    return token.length <= limits.tokenBytesMax ? this.options.verifyToken(token) : undefined;
  }

  publish(session: Session, requestId: number, message: PublishMessage): void {
    const parts = this.node.serving();
    if (!parts) return session.fail(requestId, failure('UNAVAILABLE', { retryAfterMs: 1000 }));
    const { hub, principal, publisher } = session;
    parts.publishing.publish({ origin: session, requestId, hub, principal, publisher, message });
    // Acks of signals, and refusals, are due now; acks of entries come with their commit.
    if (session.hasAcks) this.flushSoon(session);
  }

  history(session: Session, requestId: number, message: HistoryMessage): void {
    void this.#answer(session, requestId, message.channel, async (core, channel) => {
      const page = await historyPage(scanOf(core, channel), message);
      return page.ok ? ok({ type: 'history', ...page.value }) : page;
    }).finally(() => session.requestDone());
  }

  document(session: Session, requestId: number, message: DocumentGetMessage): void {
    void this.#answer(session, requestId, message.channel, async (core, channel) => {
      const state = await documentState(core, channel, message);
      return state.ok ? ok({ type: 'document', ...state.value }) : state;
    }).finally(() => session.requestDone());
  }

  async #answer(
    session: Session,
    requestId: number,
    name: string,
    read: (core: Core, channel: ActiveChannel) => Promise<Result<ServerMessage, Failure>>,
  ): Promise<void> {
    const parts = this.node.serving();
    const channel = parseChannelName(name);
    if (!channel.ok)
      return session.fail(requestId, failure('BAD_NAME', { channel: name, message: channel.error }));
    const rules = rulesFor(this.options.rules, session.hub, channel.value);
    const refused = rules && refusal(session.principal, 'subscribe', channel.value, rules);
    if (refused) return session.fail(requestId, refused);
    if (!parts) return session.fail(requestId, failure('UNAVAILABLE', { retryAfterMs: 1000 }));
    const { channels } = parts.core;
    try {
      const active = channels.use({ hub: session.hub, channel: channel.value });
      await channels.readable(active);
      const answer = await read(parts.core, active);
      if (answer.ok) session.answer(requestId, answer.value);
      else session.fail(requestId, answer.error);
    } catch (error) {
      this.#failed(error, session, requestId);
    }
  }

  subscribe(session: Session, requestId: number, wanted: readonly WantedSubscription[]): void {
    const parts = this.node.serving();
    if (!parts) {
      for (const want of wanted) if ('subscription' in want) session.drop(want.subscription);
      session.requestDone();
      return session.fail(requestId, failure('UNAVAILABLE', { retryAfterMs: 1000 }));
    }
    void openSubscriptions(parts.core, this.options.rules, session, requestId, wanted)
      .then(
        () => this.#kick(session),
        (error: unknown) => this.#failed(error, session, requestId),
      )
      .finally(() => session.requestDone());
  }

  unsubscribed(subscription: Subscription<Session>): void {
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
    const { options } = this;
    return {
      type: 'sessionInfo',
      sessionId: session.id,
      hub: session.hub,
      nodeId: options.nodeId,
      serverVersion: options.version,
      protocolVersion,
      authenticated: session.principal.authenticated,
      anonymousAllowed: options.anonymous,
      pingIntervalMs: options.session.pingIntervalMs,
      messageBytesMax: limits.messageBytesMax,
      frameBytesMax: limits.frameBytesMax,
      subscriptionsMax: limits.subscriptionsPerSessionMax,
      time: timestampFromUnixMs(Math.floor(this.ports.clock.wallMs())),
    };
  }

  /** Clients that may be here learn of the other nodes, and of every change among them. */
  admitted(session: Session): void {
    const { version } = this.#nodes;
    if (session.nodesTold === version || session.closed || !session.admitted) return;
    session.nodesTold = version;
    session.push(this.#nodes.frame(session.encoding, session.isLocal));
    this.flushSoon(session);
  }

  // --- helpers

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
