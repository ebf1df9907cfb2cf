/** Keeps the key that brings this client's session back after a lost connection, and what would come back with it. */
import { fromBase64, toBase64Url } from '../base/bytes.js';
import type { Failure } from '../protocol/errors.js';
import type {
  PresenceUpdateMessage,
  ServerEvent,
  SessionKept,
  SessionRestoredEvent,
  SessionRestoreMessage,
} from '../protocol/messages.js';
import { restoreRequestId } from './connection.js';
import type { Emitter } from './emitter.js';
import { serverError } from './error.js';
import type { ClientEvents, SessionKeptNotice } from './events.js';
import type { Link } from './link.js';
import type { Subscriptions } from './subscriptions.js';

export interface RestoringHost {
  readonly link: Pick<Link, 'nowMs' | 'send' | 'fillSoon'>;
  readonly subscriptions: Pick<Subscriptions, 'cursors' | 'restored'>;
  readonly events: Pick<Emitter<ClientEvents>, 'emit'>;
  /** Nobody waits for the answer. */
  ask(message: PresenceUpdateMessage): void;
}

const askAgainMs = 1_000;

export class Restoring {
  readonly #host: RestoringHost;
  readonly #isWanted: boolean;
  readonly #channels = new Set<string>();
  #key: Uint8Array | undefined;
  #requestId: number | undefined;
  /** When this session asks to be kept; by the client's own clock. */
  askAtMs = Infinity;

  /** `restore`: whether sessions are kept, or the key of one. */
  constructor(restore: boolean | string | undefined, host: RestoringHost) {
    this.#host = host;
    this.#isWanted = restore !== undefined && restore !== false;
    if (typeof restore === 'string') this.#key = fromBase64(restore);
  }

  get notice(): SessionKeptNotice | undefined {
    return this.#key && { key: toBase64Url(this.#key), channels: [...this.#channels] };
  }

  /** What brings the session before back, for a new connection. */
  get message(): SessionRestoreMessage | undefined {
    const { cursors } = this.#host.subscriptions;
    return this.#key && { type: 'sessionRestore', key: this.#key, cursors };
  }

  /** There is a connection, and what it restored is known. */
  opened(): void {
    this.askAtMs = this.#isWanted && !this.#key ? this.#host.link.nowMs : Infinity;
  }

  lost(): void {
    this.askAtMs = Infinity;
    this.#requestId = undefined;
  }

  /** Asks where that is due. */
  fill(): void {
    const { link } = this.#host;
    if (link.nowMs < this.askAtMs) return;
    this.askAtMs = Infinity;
    this.#requestId = link.send({ type: 'sessionRestore', cursors: [] });
  }

  /** Whether the event was of this. */
  received(requestId: number, event: ServerEvent): boolean {
    switch (event.type) {
      case 'sessionKept':
        this.#kept(event);
        return true;
      case 'sessionRestored':
        this.#restored(event);
        return true;
      case 'error': {
        const isOwn = requestId === restoreRequestId || (requestId !== 0 && requestId === this.#requestId);
        if (isOwn) this.#refused(requestId, event.error);
        return isOwn;
      }
      default:
        return false;
    }
  }

  #kept({ key, added, dropped }: SessionKept): void {
    if (key) {
      this.#channels.clear();
      this.#key = key.slice();
    }
    for (const channel of added) this.#channels.add(channel);
    for (const channel of dropped) this.#channels.delete(channel);
    this.#tell();
  }

  #restored(event: SessionRestoredEvent): void {
    const { key, results, sessionId } = event;
    this.#channels.clear();
    for (const { channel } of results) this.#channels.add(channel);
    this.#key = key.slice();
    const own = this.#host.subscriptions.restored(event);
    for (const { channel, presence: metadata, hasSaid } of own) {
      // What it said last may not have been kept yet.
      const said = metadata === undefined ? undefined : { metadata };
      if (hasSaid) this.#host.ask({ type: 'presenceUpdate', channel, ...said });
    }
    const names = new Set(own.map(({ channel }) => channel));
    const subscriptions = results.map(({ channel, error }) => ({
      channel,
      isOwn: names.has(channel),
      ...(error === undefined ? undefined : { error: serverError(error) }),
    }));
    this.#host.events.emit('restored', { sessionId, subscriptions });
    this.#tell();
  }

  /** The session that is there goes on as it is. A key that was shown restores nothing, or nobody knows. */
  #refused(requestId: number, error: Failure): void {
    const { link, events } = this.#host;
    if (requestId === restoreRequestId) {
      this.#key = undefined;
      this.#channels.clear();
    } else if (error.retryAfterMs !== undefined) {
      this.askAtMs = link.nowMs + Math.max(error.retryAfterMs, askAgainMs);
      link.fillSoon();
    }
    events.emit('error', serverError(error));
  }

  #tell(): void {
    if (this.notice) this.#host.events.emit('kept', this.notice);
  }
}
