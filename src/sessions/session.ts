/** One client connection: takes frames in, keeps its subscriptions, its queue and its heartbeat, and asks its host for
 *  everything that concerns the log. Synchronous; time comes in as a parameter. */
import type { ChannelName, HubName } from '../base/ids.js';
import { limits } from '../base/limits.js';
import type { Result } from '../base/result.js';
import { decodeClientFrame } from '../protocol/client-decoder.js';
import {
  type ErrorCode,
  type Failure,
  type FailureDetails,
  closeCodeOf,
  failure,
} from '../protocol/errors.js';
import type {
  ClientMessage,
  Encoding,
  PublishMessage,
  Request,
  ServerMessage,
  SessionRestoreMessage,
  SubscribeChannel,
} from '../protocol/messages.js';
import { encodeServerFrame } from '../protocol/server-encoder.js';
import { type Authenticated, type SessionPrincipal, authResultOf, entries } from './authentication.js';
import { HeldFrames, restoredFirst } from './held-frames.js';
import { AckRange, type Accepted, type Reached } from './ack-range.js';
import { Outbox } from './outbox.js';
import { MessageRates } from './message-rates.js';
import type { AuthMessage, KeyMessage, SessionOptions } from './session-options.js';
import type { FrameSink, SessionFrame, Subscriber } from './subscriber.js';
import type { Subscription } from './subscription.js';
import { type Wanted, addWanted } from './wanted.js';

/** What a session asks of its node. Answers come back through the session's own methods. */
export interface SessionHost {
  /** Calls `done` once, at once where nobody has to be asked. */
  authenticate(session: Session, token: string, done: Authenticated): void;
  /** A token of its hub's own for who it is, where there can be one. */
  tokenOf(session: Session): string | undefined;
  /** The client is another by now: what it has no right to is cut. */
  identified(session: Session): void;
  /** Whether its hub serves clients that do not authenticate. */
  anonymousAllowed(session: Session): boolean;
  /** Takes a message of what its hub and its user may send; 0, or the milliseconds to wait. */
  take(session: Session, nowMs: number): number;
  publish(session: Session, requestId: number, message: PublishMessage): void;
  /** Answers once, and says when it is done. */
  request(session: Session, requestId: number, message: Request): void;
  /** Keeps the session from now on, so that it can be restored. */
  keep(session: Session, requestId: number): void;
  /** Makes it the session that the key is of, if it is of one; calls `done` once that is answered. */
  restore(session: Session, requestId: number, message: KeyMessage, done: (nowMs: number) => void): void;
  /** Opens subscriptions that were added to the session; answers the request once. */
  subscribe(session: Session, requestId: number, wanted: readonly WantedSubscription[]): void;
  unsubscribed(subscription: Subscription<Session>): void;
  /** Something is due to the connection: to be written with the answers of this commit. */
  touched(session: Session): void;
  /** The same, outside of a commit: to be written at the end of this turn. */
  flushSoon(session: Session): void;
  /** The session ended, and said so with that close code. */
  disconnected(session: Session, code: number): void;
  /** Cursor of a subscription as far as it was written. */
  cursorOf(subscription: Subscription<Session>): Uint8Array | undefined;
  sessionInfo(session: Session): ServerMessage;
  /** The client may be here: what only those are told is due. */
  admitted(session: Session): void;
}

export type WantedSubscription = Wanted<Session>;

export class Session implements Subscriber {
  /** Another once it was restored. */
  id: string;
  readonly hub: HubName;
  readonly encoding: Encoding;
  principal: SessionPrincipal;
  publisher: { readonly id: string; readonly epoch: number } | undefined;
  readonly subscriptions = new Map<string, Subscription<Session>>();
  closed = false;
  /** Another connection of this node has its id: it is in the channels still. */
  isMoved = false;
  readonly isLocal: boolean;
  readonly remote: string;
  /** Version of what it was told of other nodes. */
  nodesTold = 0;
  /** Some subscription is replaying or opening: the engine's replay looks at this session. */
  hasReplay = false;
  /** Already on the list of sessions to write this turn. */
  flushQueued = false;
  readonly outbox = new Outbox<SessionFrame>();
  readonly #sink: FrameSink;
  readonly #host: SessionHost;
  readonly #options: SessionOptions;
  readonly #rates: MessageRates;
  #acks: AckRange | undefined;
  #heardMs: number;
  #pingedMs: number;
  #closing = false;
  #refusedInARow = 0;
  #requestsOpen = 0;
  #isVerifying = false;
  /** What waits for an authentication that is under way. */
  #held: HeldFrames | undefined;

  constructor(host: SessionHost, options: SessionOptions) {
    this.#host = host;
    this.#options = options;
    this.id = options.id;
    this.hub = options.hub;
    this.encoding = options.encoding;
    this.#sink = options.sink;
    this.isLocal = options.isLocal;
    this.remote = options.remote;
    this.principal = options.principal;
    this.#rates = new MessageRates(options.messagesPerSecondMax);
    this.#heardMs = options.nowMs;
    this.#pingedMs = options.nowMs;
  }

  get admitted(): boolean {
    return this.principal.authenticated || this.#host.anonymousAllowed(this);
  }

  /** Sends what every session begins with. */
  open(): void {
    this.send(0, this.#host.sessionInfo(this));
    this.#host.admitted(this);
  }

  // --- in

  receive(frame: Uint8Array, nowMs: number): void {
    if (this.closed) return;
    this.#heardMs = nowMs;
    if (this.#held) this.#hold(frame, 0);
    else this.#receive(frame, nowMs, 0);
  }

  /** Before it is known who the client is nothing else of it counts: what was sent behind Auth waits for its answer. */
  #hold(frame: Uint8Array, from: number): void {
    if (this.#held!.add(frame, from)) return;
    const message = 'Wait for the answer to Auth before sending this much.';
    this.failAndClose('OVERLOADED', { message });
  }

  /** `from`: the first of its envelopes that counts. */
  #receive(frame: Uint8Array, nowMs: number, from: number): void {
    if (frame.length > limits.frameBytesMax) return this.failAndClose('FRAME_TOO_LARGE');
    const decoded = decodeClientFrame(this.encoding, frame);
    if (!decoded.ok) return this.failAndClose('BAD_FRAME', decoded.error);
    for (let i = from; i < decoded.value.length; i++) {
      const envelope = decoded.value[i]!;
      if (this.closed) return;
      if (this.#held) return this.#hold(frame, i);
      const waitMs = this.#rates.take(envelope, nowMs, () => this.#host.take(this, nowMs));
      if (waitMs > 0) this.#refuseFlood(envelope.requestId, waitMs);
      else if ('error' in envelope) this.fail(envelope.requestId, envelope.error);
      else this.#handle(envelope.requestId, envelope.message);
    }
  }

  #refuseFlood(requestId: number, waitMs: number): void {
    // A client that never looks at refusals would make us write more than it may send.
    if (++this.#refusedInARow > limits.refusalsInARowMax) return this.failAndClose('FLOODING');
    this.fail(requestId, failure('RATE_LIMITED', { retryAfterMs: waitMs }));
  }

  #handle(requestId: number, message: ClientMessage): void {
    this.#refusedInARow = 0;
    // Whoever has no token yet gets one of the hub's directory.
    if (!this.admitted && !entries.has(message.type)) {
      return this.failAndClose(
        'UNAUTHENTICATED',
        { message: 'Send Auth with a valid token first.' },
        requestId,
      );
    }
    switch (message.type) {
      case 'publish':
        return this.#host.publish(this, requestId, message);
      case 'ping':
        return this.send(requestId, { type: 'pong' });
      case 'pong':
        return;
      case 'auth':
        return this.#authenticate(requestId, message);
      case 'subscribe':
        return this.#begin(requestId) ? this.#subscribe(requestId, message.channels) : undefined;
      case 'unsubscribe':
        return this.#unsubscribe(requestId, message.channels);
      case 'sessionRestore':
        return this.#restore(requestId, message);
      case 'history':
      case 'documentGet':
      case 'notifications':
      case 'user':
      case 'presence':
      case 'presenceUpdate':
      case 'occupancy':
      case 'rpc':
        return this.#begin(requestId) ? this.#host.request(this, requestId, message) : undefined;
      case 'close':
        return this.end(1000, message.reason ?? 'closed by the client');
    }
  }

  /** Counts a request that may read the disk; the host says when it is done. */
  #begin(requestId: number): boolean {
    if (this.#requestsOpen < limits.requestsInFlightMax) {
      this.#requestsOpen++;
      return true;
    }
    const message = `At most ${limits.requestsInFlightMax} requests may be under way. Wait for their answers.`;
    this.fail(requestId, failure('RATE_LIMITED', { message, retryAfterMs: 100 }));
    return false;
  }

  requestDone(): void {
    this.#requestsOpen--;
  }

  #authenticate(requestId: number, message: AuthMessage): void {
    if (message.token === undefined) {
      if (!this.admitted) return this.failAndClose('UNAUTHENTICATED', {}, requestId);
      return this.#authenticated(requestId, message);
    }
    if (this.#isVerifying) {
      const text = 'Another authentication is under way. Wait for its answer.';
      return this.fail(requestId, failure('RATE_LIMITED', { message: text, retryAfterMs: 100 }));
    }
    this.#isVerifying = true;
    this.#host.authenticate(this, message.token, (result, nowMs) =>
      this.#verified(requestId, message, result, nowMs),
    );
    // Who is known already goes on as who it was.
    if (this.#isVerifying && !this.principal.authenticated) this.#held = new HeldFrames();
  }

  #verified(
    requestId: number,
    message: AuthMessage,
    result: Result<SessionPrincipal, Failure>,
    nowMs: number,
  ): void {
    this.#isVerifying = false;
    if (this.closed) return;
    if (result.ok) {
      this.principal = result.value;
      this.#authenticated(requestId, message);
      this.#host.identified(this);
    } else {
      const { code, message: text } = result.error;
      // Whoever cannot be asked has not said no.
      if (this.principal.authenticated && code !== 'UNAUTHENTICATED') this.fail(requestId, result.error);
      else return this.failAndClose(code, { message: text }, requestId);
    }
    this.#release(nowMs);
  }

  #release(nowMs: number): void {
    const held = this.#held;
    this.#held = undefined;
    for (const { frame, from } of held?.frames ?? []) {
      if (this.closed) return;
      // One of them may have to be waited for in its turn.
      if (this.#held) this.#hold(frame, from);
      else this.#receive(frame, nowMs, from);
    }
  }

  #authenticated(requestId: number, message: AuthMessage): void {
    if (message.publisher) this.publisher = message.publisher;
    this.answer(requestId, authResultOf(this.principal, this.#host.tokenOf(this)));
    this.#host.admitted(this);
  }

  /** What is sent behind a key waits: it is of the session that comes back. */
  #restore(requestId: number, { key, ...message }: SessionRestoreMessage): void {
    if (!key) {
      if (!this.admitted) return this.failAndClose('UNAUTHENTICATED', {}, requestId);
      return this.#host.keep(this, requestId);
    }
    const own = [...this.subscriptions.values()];
    const isLate = this.#isVerifying || own.some(({ isAutomatic }) => !isAutomatic);
    if (isLate) return this.fail(requestId, failure('INVALID', { message: restoredFirst }));
    // Of the session that it is now.
    for (const subscription of own) this.drop(subscription);
    this.#held = new HeldFrames();
    this.#host.restore(this, requestId, { ...message, key }, (nowMs) => this.#release(nowMs));
  }

  /** From now on it is the one that was restored. */
  restored(principal: SessionPrincipal): void {
    this.principal = principal;
    this.send(0, authResultOf(principal, this.#host.tokenOf(this)));
    this.#host.admitted(this);
  }

  #subscribe(requestId: number, channels: readonly SubscribeChannel[]): void {
    this.#host.subscribe(this, requestId, addWanted<Session>(this, channels));
  }

  #unsubscribe(requestId: number, channels: readonly string[]): void {
    const results = channels.map((channel) => {
      const subscription = this.subscriptions.get(channel);
      if (!subscription) return { channel, error: failure('NOT_SUBSCRIBED', { channel }) };
      this.drop(subscription);
      return { channel };
    });
    this.answer(requestId, { type: 'unsubscribe', results });
  }

  /** Ends one subscription of this session. */
  drop(subscription: Subscription<Session>): void {
    if (this.subscriptions.get(subscription.channel) !== subscription) return;
    this.subscriptions.delete(subscription.channel);
    subscription.end();
    this.#host.unsubscribed(subscription);
  }

  /** The client has lost the right to it, and is told: of one that is still being opened by the answer to its request. */
  cut(subscription: Subscription<Session>, error: Failure): void {
    subscription.refused = { ...error, channel: subscription.channel };
    if (subscription.state.state !== 'opening') this.fail(0, subscription.refused);
    this.drop(subscription);
  }

  // --- out

  /** An answer to a request: only to one that wants it. */
  answer(requestId: number, message: ServerMessage): void {
    if (requestId !== 0) this.send(requestId, message);
  }

  fail(requestId: number, error: Failure): void {
    this.send(requestId, { type: 'error', error });
  }

  send(requestId: number, message: ServerMessage): void {
    if (this.closed) return;
    this.push({ bytes: encodeServerFrame(this.encoding, [{ requestId, message }]) });
    this.#host.flushSoon(this);
    if (!this.#closing && this.outbox.isOverflowing(this.#sink.bufferedBytes))
      this.failAndClose('SLOW_READER');
  }

  /** Queues a frame; the caller sees to the flush. */
  push(frame: SessionFrame): void {
    if (!this.closed) this.outbox.push(frame);
  }

  publishAccepted(accepted: Accepted, reached: Reached): void {
    if (accepted.requestId === 0 || this.closed) return;
    const acks = (this.#acks ??= new AckRange());
    if (acks.isEmpty) this.#host.touched(this);
    if (acks.extend(accepted, reached)) return;
    this.#flushAcks();
    acks.start(accepted, reached);
  }

  publishFailed(requestId: number, error: Failure): void {
    this.fail(requestId, error);
  }

  get hasAcks(): boolean {
    return this.#acks !== undefined && !this.#acks.isEmpty;
  }

  /** Writes everything due, acks first gathered into ranges. */
  writeDue(): void {
    this.#flushAcks();
    if (!this.outbox.isEmpty) this.#sink.write(this.outbox.take());
  }

  #flushAcks(): void {
    const range = this.#acks?.take();
    if (range) this.push({ bytes: encodeServerFrame(this.encoding, [range]) });
  }

  isBehind(): boolean {
    return this.outbox.isBehind(this.#sink.bufferedBytes);
  }

  // --- time

  /** About once a second: heartbeat, authentication deadline, slow readers. */
  tick(nowMs: number): void {
    if (this.closed) return;
    const { pingIntervalMs, pongTimeoutMs, authTimeoutMs } = this.#options;
    const { bufferedBytes } = this.#sink;
    if (!this.admitted && nowMs - this.#options.nowMs >= authTimeoutMs)
      return this.failAndClose('UNAUTHENTICATED');
    if (this.outbox.isStalled(bufferedBytes, nowMs) || this.outbox.isOverflowing(bufferedBytes)) {
      return this.failAndClose('SLOW_READER');
    }
    if (nowMs - this.#heardMs >= pingIntervalMs + pongTimeoutMs) return this.failAndClose('IDLE');
    if (nowMs - this.#heardMs >= pingIntervalMs && nowMs - this.#pingedMs >= pingIntervalMs) {
      this.#pingedMs = nowMs;
      this.send(0, { type: 'ping' });
    }
  }

  // --- end

  /** Closes with the code of the catalogue, the reason, and the cursor of every subscription. */
  failAndClose(code: ErrorCode, details: FailureDetails = {}, requestId = 0): void {
    if (this.#closing) return;
    this.#closing = true;
    const error = failure(code, details);
    const cursors = [...this.subscriptions.values()].flatMap((subscription) => {
      const cursor = this.#host.cursorOf(subscription);
      return cursor ? [{ channel: subscription.channel as ChannelName, cursor }] : [];
    });
    const closeCode = closeCodeOf(code);
    this.fail(requestId, error);
    this.send(0, { type: 'close', code: closeCode, reason: code, cursors });
    this.end(closeCode, code);
  }

  /** Ends the session; what is queued is still written. */
  end(code: number, reason: string): void {
    if (this.closed) return;
    this.writeDue();
    this.#sink.close(code, reason);
    this.#host.disconnected(this, code);
    this.ended();
  }

  /** The connection is gone: releases everything. */
  ended(): void {
    if (this.closed) return;
    this.closed = true;
    for (const subscription of this.subscriptions.values()) {
      subscription.end();
      this.#host.unsubscribed(subscription);
    }
    this.subscriptions.clear();
  }
}
