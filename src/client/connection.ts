/** One connection that comes back by itself: a pure machine. Events and the time go in, duties come out.
 *
 *      connecting ── socket, then SessionInfo and the answer to Auth ──▶ open
 *          ▲  │ failed, refused, too slow                                 │ lost, or silent for too long
 *          │  ▼                                                          ▼
 *       waiting ◀──────────────────────────────────────────────────── (backoff)
 *
 *  `closed` is reached from each and never left: by the program, or by a close code that says not to come back. */
import type { Random } from '../base/random.js';
import { failure, isErrorCode } from '../protocol/errors.js';
import type { ClientMessage, ServerEvent, SessionInfo, SessionRestoreMessage } from '../protocol/messages.js';
import { RinglogError, ownError, serverError } from './error.js';
import { KnownAddresses } from './known-addresses.js';
import { Silence, type SilenceOptions } from './silence.js';

export interface ConnectionOptions extends SilenceOptions {
  readonly urls: readonly string[];
  readonly hub: string;
  readonly publisher: { readonly id: string; readonly epoch: number };
  /** A refused token may be replaced by a new one. */
  readonly canRenewToken: boolean;
  readonly connectTimeoutMs: number;
  readonly reconnectMinMs: number;
  readonly reconnectMaxMs: number;
}

export type ConnectionState =
  | {
      readonly name: 'connecting';
      readonly step: 'token' | 'socket' | 'greeting';
      readonly deadlineMs: number;
      readonly session?: SessionInfo;
      readonly authenticated: boolean;
      /** A key was shown: `asked`, until it is known what came of it. */
      readonly restoring?: 'asked' | 'restored' | 'refused';
    }
  | {
      readonly name: 'open';
      readonly session: SessionInfo;
      readonly sinceMs: number;
    }
  | { readonly name: 'waiting'; readonly untilMs: number; readonly error: RinglogError }
  | { readonly name: 'closed'; readonly error?: RinglogError };

/** What the owner of the machine must do, in this order. */
export type Duty =
  | { readonly type: 'fetch-token' }
  | { readonly type: 'open-socket'; readonly url: string }
  | { readonly type: 'close-socket'; readonly code: number; readonly reason: string }
  | { readonly type: 'send'; readonly requestId: number; readonly message: ClientMessage }
  | { readonly type: 'opened'; readonly session: SessionInfo }
  /** Whatever was under way on this connection has no answer. */
  | { readonly type: 'lost' }
  | { readonly type: 'closed'; readonly error?: RinglogError };

/** The id of Auth on every connection; other requests have higher ones. */
export const authRequestId = 1;
/** That of the key that brings a session back, where there is one. */
export const restoreRequestId = 2;
export const firstRequestId = 3;

/** For a server that does not say how often it pings. */
const pingIntervalDefaultMs = 25_000;
/** A connection that held this long is a success: the next failure is the first again. */
const stableMs = 10_000;
const normalClosure = 1000;
const noAnswerCode = 4000;

export class Connection {
  #state: ConnectionState = { name: 'waiting', untilMs: 0, error: ownError('UNREACHABLE') };
  readonly #addresses: KnownAddresses;
  /** Of the open connection. */
  readonly silence: Silence;
  #attempt = 0;
  #token: string | undefined;
  #refusedToken: string | undefined;
  /** The close code a server announced, in case its close frame does not arrive. */
  #announced: { readonly code: number; readonly reason: string } | undefined;

  constructor(
    readonly options: ConnectionOptions,
    readonly random: Random,
  ) {
    this.#addresses = new KnownAddresses(options.urls, options.hub);
    this.silence = new Silence(options);
  }

  get state(): ConnectionState {
    return this.#state;
  }

  /** There is a socket, or soon will be. */
  get #isConnected(): boolean {
    return this.#state.name === 'connecting' || this.#state.name === 'open';
  }

  start(nowMs: number): Duty[] {
    return this.#connect(nowMs);
  }

  /** `fetch-token` is answered. */
  tokenFetched(token: string | undefined): Duty[] {
    const state = this.#state;
    if (state.name !== 'connecting' || state.step !== 'token') return [];
    if (token !== undefined && token === this.#refusedToken) return this.#end(unauthenticated());
    this.#token = token;
    this.#state = { ...state, step: 'socket' };
    return [{ type: 'open-socket', url: this.#addresses.next(this.#attempt) }];
  }

  tokenFailed(nowMs: number): Duty[] {
    const { name } = this.#state;
    return name === 'connecting' ? this.#wait(nowMs, unreachable('No token could be fetched.')) : [];
  }

  /** `restore`: what brings the session before back. */
  socketOpened(restore?: SessionRestoreMessage): Duty[] {
    const state = this.#state;
    if (state.name !== 'connecting' || state.step !== 'socket') return [];
    this.#state = { ...state, step: 'greeting', ...(restore && { restoring: 'asked' }) };
    // First, since who is nobody without it may not be let in.
    const first = restore && ({ type: 'send', requestId: restoreRequestId, message: restore } as const);
    return [...(first ? [first] : []), this.#auth()];
  }

  /** A new token for the connection there is. */
  renewToken(token: string): Duty[] {
    this.#token = token;
    return this.#state.name === 'open' ? [this.#auth()] : [];
  }

  received(requestId: number, event: ServerEvent, nowMs: number): Duty[] {
    if (!this.#isConnected) return [];
    if (this.#state.name === 'open') this.silence.heard(nowMs, event.type !== 'pong');
    switch (event.type) {
      case 'ping':
        return [{ type: 'send', requestId, message: { type: 'pong' } }];
      case 'sessionInfo':
        return this.#greeted({ session: event }, nowMs);
      case 'auth':
        return requestId === authRequestId ? this.#greeted({ authenticated: true }, nowMs) : [];
      case 'sessionRestored':
        return this.#greeted({ restoring: 'restored', sessionId: event.sessionId }, nowMs);
      case 'nodes':
        this.#addresses.tell(event.urls, event.spreadMs);
        return [];
      case 'close':
        this.#announced = { code: event.code, reason: event.reason };
        return [];
      case 'error':
        if (requestId === restoreRequestId) return this.#greeted({ restoring: 'refused' }, nowMs);
        return requestId === authRequestId && event.error.code === 'UNAUTHENTICATED'
          ? [{ type: 'close-socket', code: normalClosure, reason: '' }, ...this.#refused(nowMs)]
          : [];
      default:
        return [];
    }
  }

  socketClosed(code: number, reason: string, nowMs: number): Duty[] {
    if (!this.#isConnected) return [];
    // Without a close frame, what the server said before is the better reason.
    const end = code >= 4000 ? { code, reason } : (this.#announced ?? { code, reason });
    if (end.code === 4401) return this.#refused(nowMs);
    const text = end.reason === '' ? `The connection ended (${end.code}).` : end.reason;
    if (end.code >= 4400 && end.code < 4500) return this.#end(finalError(text));
    return this.#wait(nowMs, unreachable(text));
  }

  /** What arrives cannot be read: the connection is not worth keeping. */
  garbled(nowMs: number): Duty[] {
    return this.#isConnected ? this.#drop(nowMs, 'What arrived cannot be read.') : [];
  }

  close(): Duty[] {
    if (this.#state.name === 'closed') return [];
    const isOpen = this.#state.name === 'open';
    const isInUse = this.#isInUse;
    const hasSocket = isOpen || (this.#state.name === 'connecting' && this.#state.step !== 'token');
    this.#state = { name: 'closed' };
    return [
      ...(isOpen ? [{ type: 'send', requestId: 0, message: { type: 'close' } } as const] : []),
      ...(hasSocket ? [{ type: 'close-socket', code: normalClosure, reason: '' } as const] : []),
      ...(isInUse ? [{ type: 'lost' } as const] : []),
      { type: 'closed' },
    ];
  }

  /** When `tick` is due; Infinity when nothing is. */
  nextDeadline(): number {
    const state = this.#state;
    switch (state.name) {
      case 'connecting':
        return state.deadlineMs;
      case 'waiting':
        return state.untilMs;
      case 'open':
        return this.silence.nextDeadline();
      case 'closed':
        return Infinity;
    }
  }

  tick(nowMs: number): Duty[] {
    const state = this.#state;
    if (nowMs < this.nextDeadline()) return [];
    switch (state.name) {
      case 'connecting':
        return this.#drop(nowMs, 'The server did not answer in time.');
      case 'waiting':
        return this.#connect(nowMs);
      case 'open':
        return this.silence.tick(nowMs) === 'lost'
          ? this.#drop(nowMs, 'The connection fell silent.')
          : [{ type: 'send', requestId: 0, message: { type: 'ping' } }];
      case 'closed':
        return [];
    }
  }

  #connect(nowMs: number): Duty[] {
    const deadlineMs = nowMs + this.options.connectTimeoutMs;
    this.#announced = undefined;
    this.#state = { name: 'connecting', step: 'token', deadlineMs, authenticated: false };
    return [{ type: 'fetch-token' }];
  }

  #auth(): Duty {
    const { publisher } = this.options;
    const token = this.#token === undefined ? undefined : { token: this.#token };
    return { type: 'send', requestId: authRequestId, message: { type: 'auth', publisher, ...token } };
  }

  /** Subscriptions go on already, or everything does. */
  get #isInUse(): boolean {
    const state = this.#state;
    return state.name === 'open' || (state.name === 'connecting' && state.restoring === 'restored');
  }

  /** A part of the greeting has come; open with all. */
  #greeted({ sessionId, ...part }: Greeting, nowMs: number): Duty[] {
    const state = this.#state;
    if (state.name !== 'connecting' || state.step !== 'greeting') return [];
    const next = { ...state, ...part };
    if (sessionId !== undefined && next.session) next.session = { ...next.session, sessionId };
    const { session } = next;
    if (session === undefined || !next.authenticated || next.restoring === 'asked') {
      this.#state = next;
      return [];
    }
    this.#refusedToken = undefined;
    this.silence.opened(intervalOf(session), nowMs);
    this.#state = { name: 'open', session, sinceMs: nowMs };
    return [{ type: 'opened', session }];
  }

  /** The token is not valid. Another one may be. */
  #refused(nowMs: number): Duty[] {
    // Not every node must know the token: only those that the program named have the last word.
    if (this.#addresses.forget()) return this.#wait(nowMs, unauthenticated());
    if (!this.options.canRenewToken) return this.#end(unauthenticated());
    this.#refusedToken = this.#token;
    return this.#wait(nowMs, unauthenticated());
  }

  #drop(nowMs: number, message: string): Duty[] {
    const close = { type: 'close-socket', code: noAnswerCode, reason: message } as const;
    return [close, ...this.#wait(nowMs, unreachable(message))];
  }

  #wait(nowMs: number, error: RinglogError): Duty[] {
    const state = this.#state;
    const wasOpen = state.name === 'open';
    const wasInUse = this.#isInUse;
    const isStable = wasOpen && nowMs - state.sinceMs >= stableMs;
    const moved = this.#addresses.hasMoves;
    if (wasOpen) this.#addresses.lost(this.random);
    const isUntried = state.name === 'connecting' && state.step === 'token';
    // One that fails says nothing of the others that were told; without a token none of them is tried.
    if (isStable) this.#attempt = 0;
    else if (wasOpen || !moved || isUntried) this.#attempt++;
    this.#state = { name: 'waiting', untilMs: nowMs + this.random.next() * this.#mostMs(), error };
    return wasInUse ? [{ type: 'lost' }] : [];
  }

  /** Full jitter: clients that lost the same server do not come back in step. Where others are known to be there, all that
   *  matters is that not everybody arrives at once, which the lost node has judged. */
  #mostMs(): number {
    const { reconnectMinMs, reconnectMaxMs } = this.options;
    const backoffMs = reconnectMinMs * 2 ** Math.min(this.#attempt, 30);
    const isMove = this.#addresses.hasMoves && this.#attempt === 0;
    return Math.min(reconnectMaxMs, isMove ? this.#addresses.spreadMs : backoffMs);
  }

  #end(error: RinglogError): Duty[] {
    const wasInUse = this.#isInUse;
    this.#state = { name: 'closed', error };
    return [...(wasInUse ? [{ type: 'lost' } as const] : []), { type: 'closed', error }];
  }
}

interface Greeting {
  readonly session?: SessionInfo;
  readonly authenticated?: boolean;
  readonly restoring?: 'restored' | 'refused';
  /** Of what was restored. */
  readonly sessionId?: string;
}

function intervalOf(session: SessionInfo): number {
  return session.pingIntervalMs > 0 ? session.pingIntervalMs : pingIntervalDefaultMs;
}

function unauthenticated(): RinglogError {
  const message = 'The token is missing or not valid. Connect with another one.';
  return new RinglogError({ code: 'UNAUTHENTICATED', outcome: 'rejected', message });
}

function unreachable(message: string): RinglogError {
  return new RinglogError({ code: 'UNREACHABLE', outcome: 'rejected', message });
}

/** The reason of a final close begins with a code of the catalogue, alone or with a sentence. */
function finalError(reason: string): RinglogError {
  const code = /^[A-Z_]+/.exec(reason)?.[0] ?? '';
  const known = isErrorCode(code) ? code : 'BAD_FRAME';
  return serverError(reason === code ? failure(known) : failure(known, { message: reason }));
}
