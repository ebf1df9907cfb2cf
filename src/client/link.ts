/** Runs the connection machine: does its duties on real sockets and timers, packs what is due into frames, and tells
 *  its owner what arrives. The owner decides what to say; this decides nothing. */
import { ByteWriter } from '../base/bytes.js';
import type { HubName } from '../base/ids.js';
import { wireLimits } from '../base/wire-limits.js';
import { putClientEnvelope } from '../protocol/client-encoder-protobuf.js';
import type { ClientMessage, ServerEvent, SessionInfo, SessionRestoreMessage } from '../protocol/messages.js';
import { decodeProtobufEvents } from '../protocol/server-decoder-protobuf.js';
import { subprotocols } from '../protocol/version.js';
import { Connection, type ConnectionOptions, type Duty, firstRequestId } from './connection.js';
import type { RinglogError } from './error.js';
import type { Platform, Socket } from './platform.js';

export interface LinkOwner {
  /** The token for the next connection. */
  token(): string | undefined | Promise<string | undefined>;
  /** What brings the session before back, for a new connection. */
  restoring(): SessionRestoreMessage | undefined;
  opened(session: SessionInfo): void;
  /** Nothing that was sent on this connection will be answered any more. */
  lost(): void;
  received(requestId: number, event: ServerEvent): void;
  /** Says what is due by `send`, at the end of a turn. */
  fill(): void;
  /** Whether anything that was said is unanswered. */
  isWaiting(): boolean;
  tick(nowMs: number): void;
  nextDeadline(): number;
  /** The last word. */
  closed(error: RinglogError | undefined): void;
  /** After any event: the state may have changed. */
  changed(): void;
}

/** A frame is sent once it is this large, so that the server starts while the rest is packed. */
const frameBytesGoal = 65_536;
/** Room for a message of the largest size beside others. */
const frameBytesRoom = 4_096;

export class Link {
  readonly connection: Connection;
  readonly #platform: Platform;
  readonly #hub: HubName;
  readonly #owner: LinkOwner;
  readonly #frame = new ByteWriter(16_384);
  #envelopes = 0;
  #socket: Socket | undefined;
  #nextRequestId = firstRequestId;
  #fillsSoon = false;
  #bytesReceived: number | undefined;
  #timer: { readonly atMs: number; readonly cancel: () => void } | undefined;

  constructor(platform: Platform, options: ConnectionOptions, hub: HubName, owner: LinkOwner) {
    this.#platform = platform;
    this.#hub = hub;
    this.#owner = owner;
    this.connection = new Connection(options, platform.random);
  }

  get isOpen(): boolean {
    return this.connection.state.name === 'open';
  }

  get nowMs(): number {
    return this.#platform.nowMs();
  }

  start(): void {
    this.#do(this.connection.start(this.nowMs));
  }

  close(): void {
    this.#do(this.connection.close());
  }

  renewToken(token: string): void {
    this.#do(this.connection.renewToken(token));
  }

  /** The owner has something to say: it is asked at the end of this turn. */
  fillSoon(): void {
    this.#arm();
    if (this.#fillsSoon || !this.isOpen) return;
    this.#fillsSoon = true;
    this.#platform.soon(() => {
      this.#fillsSoon = false;
      if (!this.isOpen) return;
      this.#owner.fill();
      this.#flush();
      this.connection.silence.waits(this.#owner.isWaiting(), this.nowMs);
      this.#arm();
    });
  }

  /** The id the next message will have. */
  get nextRequestId(): number {
    return this.#nextRequestId;
  }

  /** Packs a message; returns its id. Only while open. */
  send(message: ClientMessage): number {
    const requestId = this.#nextRequestId++;
    this.#pack(requestId, message);
    return requestId;
  }

  #pack(requestId: number, message: ClientMessage): void {
    const frame = this.#frame;
    const start = frame.length;
    putClientEnvelope(frame, requestId, message);
    this.#envelopes++;
    if (start > 0 && frame.length > wireLimits.frameBytesMax - frameBytesRoom) this.#splitAt(start);
    if (frame.length >= frameBytesGoal || this.#envelopes >= wireLimits.envelopesPerFrameMax) this.#flush();
  }

  /** Sends what stands before the newest message. */
  #splitAt(start: number): void {
    const newest = this.#frame.bytes().slice(start);
    this.#frame.length = start;
    this.#flush();
    this.#frame.raw(newest);
    this.#envelopes = 1;
  }

  #flush(): void {
    if (this.#frame.length === 0) return;
    // A copy: the socket may keep what it was given.
    this.#socket?.send(this.#frame.bytes().slice());
    this.connection.silence.sent(this.#frame.length);
    this.#frame.clear();
    this.#envelopes = 0;
  }

  #do(duties: readonly Duty[]): void {
    for (const duty of duties) this.#doOne(duty);
    this.#flush();
    this.#owner.changed();
    this.#arm();
  }

  #doOne(duty: Duty): void {
    switch (duty.type) {
      case 'fetch-token':
        return this.#fetchToken();
      case 'open-socket':
        return this.#openSocket(duty.url);
      case 'close-socket': {
        const socket = this.#socket;
        this.#flush();
        this.#socket = undefined;
        return socket?.close(duty.code, duty.reason);
      }
      case 'send':
        return this.#pack(duty.requestId, duty.message);
      case 'opened':
        this.#owner.opened(duty.session);
        return this.fillSoon();
      case 'lost':
        this.#frame.clear();
        this.#envelopes = 0;
        return this.#owner.lost();
      case 'closed':
        return this.#owner.closed(duty.error);
    }
  }

  #fetchToken(): void {
    const { state } = this.connection;
    // A later attempt asks again: this answer is not its answer.
    const ifStillAsked = (duties: () => Duty[]) => () => {
      if (this.connection.state === state) this.#do(duties());
    };
    Promise.resolve()
      .then(() => this.#owner.token())
      .then(
        (token) => ifStillAsked(() => this.connection.tokenFetched(token))(),
        () => ifStillAsked(() => this.connection.tokenFailed(this.nowMs))(),
      );
  }

  #openSocket(url: string): void {
    this.#nextRequestId = firstRequestId;
    this.#frame.clear();
    const ifCurrent = (action: () => void): void => {
      // Not `undefined`: what a socket says after it was closed concerns nobody.
      if (this.#socket === socket) action();
    };
    const socket = this.#platform.openSocket(url, subprotocols.protobuf, {
      opened: () => ifCurrent(() => this.#do(this.connection.socketOpened(this.#owner.restoring()))),
      received: (frame) => ifCurrent(() => this.#received(frame)),
      closed: (code, reason) =>
        ifCurrent(() => {
          this.#socket = undefined;
          this.#do(this.connection.socketClosed(code, reason, this.nowMs));
        }),
    });
    this.#socket = socket;
  }

  #received(frame: Uint8Array): void {
    const socket = this.#socket;
    const envelopes = decodeProtobufEvents(frame, this.#hub);
    if (!envelopes) return this.#do(this.connection.garbled(this.nowMs));
    this.#hasReceived();
    const nowMs = this.nowMs;
    for (const { requestId, event } of envelopes) {
      const duties = this.connection.received(requestId, event, nowMs);
      if (duties.length > 0) this.#do(duties);
      // A listener or the server may have ended this connection meanwhile.
      if (this.#socket !== socket) return;
      this.#owner.received(requestId, event);
    }
    this.fillSoon();
  }

  /** One timer for whatever is due next. It is set anew only when something is due earlier. */
  #arm(): void {
    const atMs = Math.min(this.connection.nextDeadline(), this.#owner.nextDeadline());
    if (this.#timer && this.#timer.atMs <= atMs) return;
    this.#timer?.cancel();
    this.#timer = undefined;
    if (atMs === Infinity) return;
    const cancel = this.#platform.after(Math.max(0, atMs - this.nowMs), () => {
      this.#timer = undefined;
      const nowMs = this.nowMs;
      this.#owner.tick(nowMs);
      // Whoever is still sending a long message is there, though no message comes.
      if (this.#hasReceived()) this.connection.silence.heard(nowMs, false);
      this.#do(this.connection.tick(nowMs));
      this.fillSoon();
    });
    this.#timer = { atMs, cancel };
  }

  /** Whether bytes arrived since the last look, as far as that can be known. */
  #hasReceived(): boolean {
    const before = this.#bytesReceived;
    this.#bytesReceived = this.#socket?.bytesReceived?.();
    return this.#bytesReceived !== before;
  }

  /** Nothing is due any more. */
  disarm(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }
}
