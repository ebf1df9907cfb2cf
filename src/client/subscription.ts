/** One channel as an application reads it: listen to events, or iterate. Survives every connection. */
import type { Dot } from '../base/ids.js';
import type { Failure } from '../protocol/errors.js';
import { DocumentSnapshot } from './documents.js';
import type {
  DeliveredEntry,
  DeliveredSignal,
  DocumentState,
  Gap,
  NotificationInfo,
  Start,
  SubscribedEvent,
} from '../protocol/messages.js';
import { Emitter, type Listener } from './emitter.js';
import { type BufferLimits, EntryBuffer } from './entry-buffer.js';
import { type RinglogError, ownError, serverError } from './error.js';
import { Message, SignalMessage } from './message.js';
import { type GapNotice, type Reading, badCursor } from './reading.js';

export interface SubscriptionEvents {
  /** Each entry once, in the channel's order; patches of a document as often as they apply to what it is at the cursor: after a
   *  gap `lost` some come again. While somebody listens, iterating gets nothing. */
  readonly entry: Message;
  readonly signal: SignalMessage;
  /** Entries that will not come, told at their place. */
  readonly gap: GapNotice;
  /** The content of the message that it `redacts` was taken out: told once, at its place among the entries. Take away what you have of
   *  that; whoever reads it later gets it without its data, and marked as `redacted`. */
  readonly redacted: Message;
  /** Of a document, told at its place among the entries: patches came in an order that did not last. This is what it is here;
   *  patches that follow apply to it. */
  readonly rebase: DocumentSnapshot;
  /** Of a notification channel: what is not read, at first and whenever it changes; see `ringlog/notifications`. */
  readonly unread: UnreadCount;
  /** The server delivers from here on; `resumed` after an interruption. */
  readonly subscribed: { readonly cursor: string; readonly resumed: boolean };
  /** The iterating reader is behind and its buffer full: the server was told to stop, nothing is lost. */
  readonly paused: { readonly buffered: number };
  /** The buffer has room again. */
  readonly continued: { readonly buffered: number };
  /** The end, for a reason. */
  readonly error: RinglogError;
  readonly closed: { readonly error?: RinglogError };
}

export interface UnreadCount {
  readonly unread: number;
  /** How many count: those that are not expired, trimmed or too old. */
  readonly total: number;
}

/** `wanted`: to be asked for. `asked`: not answered yet. `paused`: not asked for while the buffer is full. */
export type SubscriptionState = 'wanted' | 'asked' | 'live' | 'paused' | 'closed';

/** What a subscription asks of its client. */
export interface SubscriptionHost {
  wanted(subscription: Subscription): void;
  unwanted(subscription: Subscription): void;
  /** Its buffer is full: it wants to be asked at the end of the turn. */
  full(subscription: Subscription): void;
  closed(subscription: Subscription): void;
  report(error: unknown): void;
}

interface Place {
  readonly item: Message | GapNotice | DocumentSnapshot;
  readonly bytes: number;
  /** The reader's heads once it has had this. */
  heads: readonly Dot[];
}

interface Waiter {
  resolve(result: IteratorResult<Message, undefined>): void;
  reject(error: unknown): void;
}

/** Answers to Subscribe after which asking again helps. */
const retried = new Set<string>(['RATE_LIMITED', 'OVERLOADED', 'UNAVAILABLE', 'SHUTTING_DOWN', 'INTERNAL']);
const retryAfterDefaultMs = 1_000;
/** Of an entry in memory beside its payload. */
const entryBytes = 256;

export class Subscription implements AsyncIterable<Message> {
  readonly channel: string;
  /** @internal */
  presence: string | undefined;
  /** @internal It was said apart from subscribing: what the server has of it may be older. */
  hasSaid = false;
  readonly #host: SubscriptionHost;
  readonly #reading: Reading;
  readonly #events: Emitter<SubscriptionEvents>;
  readonly #buffer: EntryBuffer<Place>;
  readonly #waiters: Waiter[] = [];
  #state: SubscriptionState = 'wanted';
  #wasLive = false;
  #consumed: readonly Dot[] | undefined;
  #error: RinglogError | undefined;

  constructor(host: SubscriptionHost, channel: string, reading: Reading, limits: BufferLimits) {
    this.channel = channel;
    this.#host = host;
    this.#reading = reading;
    this.#events = new Emitter((error) => host.report(error));
    this.#buffer = new EntryBuffer(limits);
    this.#consumed = reading.heads;
  }

  get state(): SubscriptionState {
    return this.#state;
  }

  /** The place of this reader, everything it was handed included: give it as `start: { cursor }`, here or in another
   *  process. `undefined` until the server has said where a new subscription begins. */
  get cursor(): string | undefined {
    return this.#consumed && this.#reading.cursorOf(this.#consumed);
  }

  /** Returns what ends it. */
  on<K extends keyof SubscriptionEvents>(name: K, listener: Listener<SubscriptionEvents[K]>): () => void {
    const off = this.#events.on(name, listener);
    if (name === 'entry') while (this.#hand(this.#buffer.shift()));
    return off;
  }

  /** Ends the subscription; iterations end. */
  close(): void {
    this.#end(undefined);
  }

  /** Leaving the loop closes the subscription. */
  [Symbol.asyncIterator](): AsyncIterator<Message, undefined> {
    return {
      next: () => this.#next(),
      return: () => {
        this.close();
        return Promise.resolve({ done: true, value: undefined });
      },
    };
  }

  // --- what the client tells

  /** @internal */
  get start(): Start {
    return this.#reading.start;
  }

  /** @internal */
  asked(): void {
    this.#state = 'asked';
  }

  /** @internal The connection is gone. */
  lost(): void {
    if (this.#state === 'asked' || this.#state === 'live') this.#state = 'wanted';
  }

  /** @internal What others see of this client there, also when it is asked for anew. */
  say(presence: string | undefined): void {
    this.presence = presence;
    this.hasSaid = true;
  }

  /** @internal Returns after how many milliseconds to ask again, if that helps. */
  subscribed(result: SubscribedEvent): number | undefined {
    if (this.#state !== 'asked') return undefined;
    if (result.error) return this.refused(result.error);
    if (!this.#reading.begun(result.cursor)) {
      this.#end(badCursor(this.channel));
      return undefined;
    }
    const heads = this.#reading.heads ?? [];
    if (this.#buffer.length === 0) this.#consumed = heads;
    this.#state = 'live';
    const resumed = this.#wasLive;
    this.#wasLive = true;
    this.#events.emit('subscribed', { cursor: this.#reading.cursorOf(heads), resumed });
    const { retained, notifications } = result;
    if (notifications) this.counted(notifications);
    if (retained && !resumed) this.#place(new Message(this.channel, retained.entry, false, true), heads);
    return undefined;
  }

  /** @internal As `subscribed`. */
  refused(error: Failure): number | undefined {
    if (this.#state !== 'asked') return undefined;
    if (retried.has(error.code)) {
      this.#state = 'wanted';
      return error.retryAfterMs ?? retryAfterDefaultMs;
    }
    this.#end(serverError({ ...error, channel: this.channel }));
    return undefined;
  }

  /** @internal */
  delivered(entries: readonly DeliveredEntry[]): void {
    for (const { entry, late } of entries) {
      // Paused, or closed by a listener: what is not taken now comes again, or is not wanted.
      if (this.#state !== 'live') return;
      const taken = this.#reading.take(entry);
      if (taken === 'repeated') continue;
      const heads = this.#reading.heads ?? [];
      if (taken === 'shown') this.#place(new Message(this.channel, entry, late, false), heads);
      else if (taken === 'hidden') this.#pass(heads);
      else this.#place(taken, heads);
      if (this.#buffer.isOverfull) this.#pause();
    }
    if (this.#buffer.isFull) this.#host.full(this);
  }

  /** @internal The turn is over: a reader that is still behind now is slow. */
  pauseIfFull(): void {
    if (this.#state === 'live' && this.#buffer.isFull) this.#pause();
  }

  /** @internal */
  signalled(signals: readonly DeliveredSignal[]): void {
    if (this.#state !== 'live') return;
    for (const signal of signals) this.#events.emit('signal', new SignalMessage(signal));
  }

  /** @internal */
  counted({ unread, total }: NotificationInfo): void {
    if (this.#state === 'live') this.#events.emit('unread', { unread, total });
  }

  /** @internal */
  rebase(state: DocumentState): void {
    if (this.#state === 'live') this.#place(new DocumentSnapshot(state), this.#reading.heads ?? []);
  }

  /** @internal */
  gap(gap: Gap): void {
    if (this.#state !== 'live') return;
    const { channel, reason, ranges, cursor } = gap;
    if (!this.#reading.moveTo(cursor)) return this.#end(badCursor(channel));
    this.#place({ channel, reason, ranges }, this.#reading.heads ?? []);
  }

  /** @internal The server ended it, or the client did. */
  fail(error: RinglogError): void {
    this.#end(error);
  }

  // --- to the application

  #place(item: Place['item'], heads: readonly Dot[]): void {
    const bytes = entryBytes + bytesOf(item);
    const place = { item, bytes, heads };
    if (this.#events.has('entry') && this.#buffer.length === 0) {
      this.#hand(place);
      return;
    }
    this.#buffer.push(place);
    this.#serve();
  }

  /** An entry nobody is shown: it moves the cursor of whoever has had everything before it. */
  #pass(heads: readonly Dot[]): void {
    const { last } = this.#buffer;
    if (last) last.heads = heads;
    else this.#consumed = heads;
  }

  /** To listeners; false when there is nothing. */
  #hand(place: Place | undefined): boolean {
    if (!place) return false;
    this.#consumed = place.heads;
    const { item } = place;
    if (item instanceof Message) this.#events.emit(item.redacts ? 'redacted' : 'entry', item);
    else if (item instanceof DocumentSnapshot) this.#events.emit('rebase', item);
    else this.#events.emit('gap', item);
    this.#continueIfDrained();
    return true;
  }

  #next(): Promise<IteratorResult<Message, undefined>> {
    return new Promise((resolve, reject) => {
      this.#waiters.push({ resolve, reject });
      this.#serve();
    });
  }

  /** Gives waiting iterations what there is. */
  #serve(): void {
    while (this.#waiters.length > 0) {
      const place = this.#buffer.shift();
      if (!place) break;
      this.#consumed = place.heads;
      if (place.item instanceof Message) {
        if (place.item.redacts) this.#events.emit('redacted', place.item);
        else this.#waiters.shift()!.resolve({ done: false, value: place.item });
      } else if (place.item instanceof DocumentSnapshot) {
        this.#events.emit('rebase', place.item);
      } else if (this.#events.has('gap')) {
        this.#events.emit('gap', place.item);
      } else {
        // Nobody would be told: what is missing must not look like what never was.
        return this.#end(ownError('GAP', 'rejected', this.channel));
      }
    }
    this.#continueIfDrained();
    if (this.#state !== 'closed' || this.#buffer.length > 0) return;
    for (const waiter of this.#waiters.splice(0)) {
      if (this.#error) waiter.reject(this.#error);
      else waiter.resolve({ done: true, value: undefined });
    }
  }

  #pause(): void {
    this.#state = 'paused';
    this.#host.unwanted(this);
    this.#events.emit('paused', { buffered: this.#buffer.length });
  }

  #continueIfDrained(): void {
    if (this.#state !== 'paused' || !this.#buffer.isDrained) return;
    this.#state = 'wanted';
    this.#host.wanted(this);
    this.#events.emit('continued', { buffered: this.#buffer.length });
  }

  #end(error: RinglogError | undefined): void {
    if (this.#state === 'closed') return;
    const wasOpen = this.#state === 'asked' || this.#state === 'live';
    this.#state = 'closed';
    this.#error = error;
    // What a reader has not had by its own end it does not want; what an error leaves behind it may still have.
    if (!error) this.#buffer.clear();
    if (wasOpen) this.#host.unwanted(this);
    this.#host.closed(this);
    if (error) this.#events.emit('error', error);
    this.#events.emit('closed', error ? { error } : {});
    this.#serve();
  }
}

function bytesOf(item: Place['item']): number {
  if (item instanceof Message) return item.bytes.length;
  return item instanceof DocumentSnapshot ? item.size : 0;
}
