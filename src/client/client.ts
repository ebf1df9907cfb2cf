/** The client as an application holds it: publishes, subscriptions and history over one connection that comes back by
 *  itself. */
import { toBase64Url } from '../base/bytes.js';
import { type ChannelName, type HubName, channelNameFor } from '../base/ids.js';
import { wireLimits } from '../base/wire-limits.js';
import { jsonPatchType } from '../protocol/content-type.js';
import { failure } from '../protocol/errors.js';
import type { PublishedKind, ServerEvent, SessionInfo } from '../protocol/messages.js';
import { hubOf, webSocketUrl } from './address.js';
import { jsonText, nameOf } from './arguments.js';
import { type CallOptions, callOf } from './call.js';
import { Direct } from './direct.js';
import { Emitter, type Listener } from './emitter.js';
import type { ClientEvents, ClientState } from './events.js';
import { RinglogError, ownError, serverError } from './error.js';
import {
  type DocumentOptions,
  DocumentSnapshot,
  type PatchOperation,
  type PatchOptions,
  conditionHeaders,
  documentQuestion,
} from './documents.js';
import { History, type HistoryOptions } from './history.js';
import { type Identity, IdentityKeeper } from './identity.js';
import { Link } from './link.js';
import { dataOf } from './message.js';
import {
  type ConnectOptions,
  type Limits,
  type PublishOptions,
  defaults,
  limitsOf,
  publisherOf,
} from './options.js';
import { type Platform, systemPlatform } from './platform.js';
import { PublishQueue } from './publish-queue.js';
import { type Keep, type PublishCall, requestOf } from './publish-request.js';
import type { Published } from './published.js';
import { Reading } from './reading.js';
import { Restoring } from './restoring.js';
import { type AnswerTo, type Question, Requests } from './requests.js';
import { type StartOption, startOf } from './start.js';
import type { SubscribeOptions } from './subscribe-options.js';
import { Subscription } from './subscription.js';
import { Subscriptions } from './subscriptions.js';

export type { ClientEvents, ClientState, PresenceEvent } from './events.js';
export type { SubscribeOptions } from './subscribe-options.js';

/** Never throws for reasons of the network; throws RinglogError for options that can never work. */
export function connect(options: string | ConnectOptions): Client {
  return new Client(typeof options === 'string' ? { url: options } : options);
}

export class Client {
  readonly hub: string;
  readonly #limits: Limits;
  /** @internal */
  readonly platform: Platform;
  readonly #events: Emitter<ClientEvents>;
  readonly #link: Link;
  readonly #queue: PublishQueue;
  readonly #subscriptions: Subscriptions;
  readonly #requests = new Requests();
  readonly #keyPrefix: string;
  /** @internal */
  readonly publisherId: string;
  #keys = 0;
  #token: ConnectOptions['token'];
  #session: SessionInfo | undefined;
  #state: ClientState = 'connecting';
  #closing: Promise<void> | undefined;
  #settled: (() => void) | undefined;
  readonly #keeper = new IdentityKeeper();
  readonly #restore: Restoring;
  readonly #direct: Direct;

  constructor(options: ConnectOptions) {
    const urls = typeof options.url === 'string' ? [options.url] : options.url;
    this.hub = hubOf(urls[0] ?? '', options.hub, defaults.hub);
    this.#limits = limitsOf(options);
    this.platform = options.platform ?? systemPlatform(options.webSocket);
    this.#token = options.token;
    this.#events = new Emitter((error) => this.platform.report(error));
    this.#queue = new PublishQueue(this.#limits, this.platform.random);
    this.#keyPrefix = toBase64Url(this.platform.random.bytes(9));
    const publisher = publisherOf(options, this.platform);
    this.publisherId = publisher.id;
    this.#link = new Link(
      this.platform,
      {
        ...this.#limits,
        urls: urls.map((url) => webSocketUrl(url, this.hub)),
        hub: this.hub,
        publisher,
        canRenewToken: typeof options.token === 'function',
      },
      this.hub as HubName,
      {
        token: () => (typeof this.#token === 'function' ? this.#token() : this.#token),
        restoring: () => this.#restore.message,
        opened: (session) => {
          this.#session = session;
          this.#restore.opened();
        },
        lost: () => this.#lost(),
        received: (requestId, event) => this.#received(requestId, event),
        fill: () => this.#fill(),
        isWaiting: () => this.#queue.isWaiting || this.#requests.isWaiting || this.#subscriptions.isWaiting,
        tick: (nowMs) => this.#tick(nowMs),
        nextDeadline: () => this.#nextDeadline(),
        closed: (error) => this.#closed(error),
        changed: () => this.#changed(),
      },
    );
    this.#subscriptions = new Subscriptions(this.#link, (error) => this.platform.report(error));
    const parts = { link: this.#link, subscriptions: this.#subscriptions, events: this.#events };
    this.#direct = new Direct({ ...parts, make: (channel) => this.#make(nameOf(channel)) });
    this.#restore = new Restoring(options.restore, {
      ...parts,
      ask: (message) => void this.ask(message).catch(() => undefined),
    });
    this.#link.start();
  }

  get state(): ClientState {
    return this.#state;
  }

  /** What the server said of itself and of this session; of the last one while there is none. */
  get session(): SessionInfo | undefined {
    return this.#session;
  }

  /** Who the server takes this client for; of the last session while there is none. */
  get identity(): Identity | undefined {
    return this.#keeper.identity;
  }

  /** What brings this session back, once: `restore` for another process, or another page. `undefined` while it is not kept. */
  get restoreKey(): string | undefined {
    return this.#restore.notice?.key;
  }

  /** Publishes without an outcome yet. */
  get pending(): number {
    return this.#queue.size;
  }

  /** Returns what ends it. */
  on<K extends keyof ClientEvents>(name: K, listener: Listener<ClientEvents[K]>): () => void {
    return this.#events.on(name, listener);
  }

  /** Resolves once the client is connected; rejects only when it is closed before. */
  ready(): Promise<void> {
    if (this.#state === 'open') return Promise.resolve();
    if (this.#state === 'closed') return Promise.reject(this.#endError());
    return new Promise((resolve, reject) => {
      const off = this.on('state', ({ state }) => {
        if (state === 'open') resolve();
        else if (state === 'closed') reject(this.#endError());
        else return;
        off();
      });
    });
  }

  /** Resolves when the server has it, as safe as asked for; retried until then, or until the timeout. Rejects with
   *  RinglogError: `outcome` says whether it may still appear. */
  publish(
    channel: string,
    data?: unknown,
    options: PublishOptions = {},
    /** @internal */
    kind?: PublishedKind,
    /** @internal */
    keep?: Keep,
  ): Promise<Published> {
    return new Promise((resolve, reject) => {
      const refused = this.#publish({ channel, data, options, kind, keep }, resolve, reject);
      if (refused) reject(refused);
      else this.#link.fillSoon();
    });
  }

  /** Changes a document, all operations or none; the node that orders the channel decides whether they apply. Rejects with
   *  RinglogError: PATCH_FAILED names the operation. */
  patch(
    channel: string,
    patch: readonly PatchOperation[],
    options: PatchOptions = {},
    /** @internal */
    keep?: Keep,
  ): Promise<Published> {
    const { ifVersion, ifHash, ...rest } = options;
    const headers = conditionHeaders(ifVersion, ifHash);
    return this.publish(channel, patch, { ...rest, ...headers, contentType: jsonPatchType }, 'patch', keep);
  }

  /** @internal What is kept for this channel ends as any publish from now on. */
  letGo(channel: string): void {
    const { nowMs } = this.#link;
    this.#queue.letGo(channelNameFor(channel), nowMs + this.#limits.publishTimeoutMs);
    this.#link.fillSoon();
  }

  /** A document as it is, or as it was. */
  async document(channel: string, options: DocumentOptions = {}): Promise<DocumentSnapshot> {
    const { at, timeoutMs } = options;
    return new DocumentSnapshot(await this.ask(documentQuestion(channel, at), timeoutMs));
  }

  /** Delivers the channel from `start` on (`live` by default) until it is closed. One subscription a channel. Throws
   *  RinglogError for a name or cursor that is none, and for a channel that has a subscription. */
  subscribe(channel: string, options: SubscribeOptions = {}): Subscription {
    const subscription = this.#make(this.#checkSubscribe(channel), options.start);
    subscription.presence = jsonText(options.presence);
    if (options.onGap) subscription.on('gap', options.onGap);
    if (options.onSignal) subscription.on('signal', options.onSignal);
    if (options.onEntry) subscription.on('entry', options.onEntry);
    this.#subscriptions.add(subscription);
    return subscription;
  }

  #make(channel: ChannelName, start: StartOption = 'live'): Subscription {
    const reading = Reading.from({ hub: this.hub as HubName, channel }, startOf(channel, start));
    if (!reading.ok) throw reading.error;
    return new Subscription(this.#subscriptions, channel, reading.value, this.#limits);
  }

  /** Of this user's own channel, where the server has subscribed to it by itself: for gaps, or to close it. */
  get direct(): Subscription | undefined {
    return this.#direct.subscription;
  }

  /** Ends the channel's subscription, if there is one. */
  unsubscribe(channel: string): void {
    this.#subscriptions.get(channelNameFor(channel))?.close();
  }

  /** What is stored, by pages or by iterating. Throws RinglogError on a cursor that is none. */
  history(channel: string, options: HistoryOptions = {}): History {
    const { timeoutMs = defaults.historyTimeoutMs } = options;
    return new History(channelNameFor(channel), options, (message) => this.ask(message, timeoutMs));
  }

  /** @internal */
  ask<Q extends Question>(message: Q, timeoutMs: number = defaults.historyTimeoutMs): Promise<AnswerTo<Q>> {
    if (this.#state === 'closed') return Promise.reject(this.#endError());
    const answer = this.#requests.add(message, this.#link.nowMs + timeoutMs);
    this.#link.fillSoon();
    return answer;
  }

  /** Calls a method of a service of the hub, once, and gives what it answers, as `data` of a message. Rejects with RinglogError:
   *  CALL_REFUSED with the service's own code as `reason`; NO_ANSWER where it may have taken effect. */
  async call(method: string, data?: unknown, options: CallOptions = {}): Promise<unknown> {
    if (this.#isEnding) throw this.#endError();
    const answer = await this.ask(callOf(method, data, options), options.timeoutMs);
    return dataOf(answer.contentType ?? '', answer.payload);
  }

  /** Asks the hub's directory; `ringlog/people` knows how. */
  async askDirectory(action: string, request: object, timeoutMs?: number): Promise<unknown> {
    if (this.#isEnding) throw this.#endError();
    const { answer } = await this.ask({ type: 'user', action, request }, timeoutMs);
    return JSON.parse(answer) as unknown;
  }

  /** @internal What a subscription says of this client, also when it is made anew. */
  sayIn(channel: string, presence: string | undefined): void {
    this.#subscriptions.get(channel)?.say(presence);
  }

  /** @internal An idempotency key that nobody else has. */
  newKey(): string {
    return `${this.#keyPrefix}-${(this.#keys++).toString(36)}`;
  }

  /** A new token, for the connection there is and those to come. */
  setToken(token: NonNullable<ConnectOptions['token']>): void {
    this.#token = token;
    if (typeof token === 'string') this.#link.renewToken(token);
  }

  /** Takes no more publishes, waits for those under way (5 s at most by default), then ends. */
  close(options: { readonly timeoutMs?: number } = {}): Promise<void> {
    return (this.#closing ??= this.#close(options.timeoutMs ?? defaults.closeTimeoutMs));
  }

  async #close(timeoutMs: number): Promise<void> {
    if (this.#state !== 'closed' && this.#queue.size > 0 && timeoutMs > 0) {
      await new Promise<void>((resolve) => {
        const cancel = this.platform.after(timeoutMs, resolve);
        this.#settled = () => {
          cancel();
          resolve();
        };
      });
    }
    this.#link.close();
  }

  #checkSubscribe(channel: string): ChannelName {
    if (this.#isEnding) throw ownError('CLOSED', 'rejected', channel);
    const name = nameOf(channel);
    this.#direct.giveWay(name);
    if (this.#subscriptions.get(name)) throw serverError(failure('ALREADY_SUBSCRIBED', { channel }));
    return name;
  }

  get #isEnding(): boolean {
    return this.#closing !== undefined || this.#state === 'closed';
  }

  /** Queues a publish, or returns why not. */
  #publish(
    call: PublishCall,
    accept: (published: Published) => void,
    refused: (error: RinglogError) => void,
  ): RinglogError | undefined {
    if (this.#isEnding) return this.#endError();
    const request = requestOf(call, {
      messageBytesMax: this.#session?.messageBytesMax ?? wireLimits.messageBytesMax,
      timeoutMs: this.#limits.publishTimeoutMs,
      newKey: () => this.newKey(),
      accept,
      refused,
      settled: () => this.#settle(),
      fill: () => this.#link.fillSoon(),
    });
    return request instanceof RinglogError ? request : this.#queue.add(request, this.#link.nowMs);
  }

  /** A publish has its outcome: `close` may be waiting for the last. */
  #settle(): void {
    if (this.#queue.size === 0) this.#settled?.();
  }

  // --- what the link tells

  #fill(): void {
    this.#restore.fill();
    this.#subscriptions.fill();
    this.#requests.fill(this.#link.nowMs, (message) => this.#link.send(this.#subscriptions.asOfNow(message)));
    const now = { nowMs: this.#link.nowMs, unixMs: this.platform.unixMs() };
    for (;;) {
      const message = this.#queue.take(this.#link.nextRequestId, now);
      if (!message) return;
      this.#link.send(message);
    }
  }

  #received(requestId: number, event: ServerEvent): void {
    const { nowMs } = this.#link;
    if (event.type === 'sessionInfo') this.#keeper.greeted(event, nowMs);
    else if (event.type === 'auth') this.#keeper.answered(event, nowMs);
    else if (this.#restore.received(requestId, event) || this.#direct.received(requestId, event)) return;
    else if (event.type === 'ack') this.#queue.acked(requestId, event);
    else if (event.type === 'join' || event.type === 'leave') this.#events.emit('presence', event);
    else if (event.type === 'occupancy' && requestId === 0) this.#events.emit('presence', event);
    else if (this.#subscriptions.received(requestId, event)) return;
    else if (this.#requests.received(requestId, event, nowMs)) return;
    else if (event.type === 'error' && !this.#queue.failed(requestId, event.error, nowMs)) {
      // Nobody's: the reason of a close that follows, or for the application to see.
      this.#events.emit('error', serverError(event.error));
    }
  }

  #lost(): void {
    this.#restore.lost();
    this.#queue.disconnected();
    this.#subscriptions.lost();
    this.#requests.lost();
    this.#keeper.lost();
  }

  /** Before the token there is ends; the server would end the session, and it would have to be opened anew. */
  #renew(nowMs: number): void {
    const token = this.#token;
    if (typeof token !== 'function') return this.#keeper.lost();
    this.#keeper.asked(nowMs);
    Promise.resolve()
      .then(token)
      .then(
        (renewed) => {
          if (renewed !== undefined && this.#link.isOpen) this.#link.renewToken(renewed);
        },
        (error: unknown) => this.platform.report(error),
      );
  }

  #tick(nowMs: number): void {
    this.#queue.tick(nowMs);
    this.#requests.tick(nowMs);
    if (this.#link.isOpen && nowMs >= this.#keeper.renewAtMs) this.#renew(nowMs);
  }

  #nextDeadline(): number {
    const { isOpen } = this.#link;
    const subscriptions = isOpen ? this.#subscriptions.nextDeadline() : Infinity;
    const renewal = isOpen ? this.#keeper.renewAtMs : Infinity;
    const { askAtMs } = this.#restore;
    return Math.min(
      this.#queue.nextDeadline(),
      this.#requests.nextDeadline(),
      subscriptions,
      renewal,
      askAtMs,
    );
  }

  #closed(error: RinglogError | undefined): void {
    const reason = error ?? ownError('CLOSED');
    this.#queue.close(reason);
    this.#requests.close(reason);
    this.#subscriptions.close(error);
    this.#link.disarm();
  }

  #changed(): void {
    const { state } = this.#link.connection;
    const previous = this.#state;
    if (state.name === previous) return;
    this.#state = state.name;
    this.#events.emit('state', { state: state.name, previous });
    if ('error' in state && state.error) this.#events.emit('error', state.error);
  }

  #endError(): RinglogError {
    const { state } = this.#link.connection;
    return (state.name === 'closed' ? state.error : undefined) ?? ownError('CLOSED');
  }
}
