/** A document as several hold it at once: the server's order of it, and one's own changes on top of that until the order has
 *  them. A change shows at once; what others change meanwhile moves below it, and what turns out not to apply is taken back. */
import { Fault } from '../documents/faults.js';
import { type Fold, foldChange, foldEntry } from '../documents/fold.js';
import { applyPatch, find } from '../documents/apply.js';
import { diff } from '../documents/diff.js';
import { readJsonText } from '../documents/json-reader.js';
import { type Patch, readPatch } from '../documents/patch.js';
import { readPointer } from '../documents/pointer.js';
import { type Json, Text, canonical } from '../documents/value.js';
import { type Dot, type WriterId, dotText } from '../base/ids.js';
import type { Client } from './client.js';
import type { DocumentSnapshot, PatchOperation, PatchOptions } from './documents.js';
import { Emitter, type Listener } from './emitter.js';
import { RinglogError, ownError } from './error.js';
import type { History, HistoryOptions } from './history.js';
import type { Message } from './message.js';
import type { Published } from './published.js';
import type { GapNotice } from './reading.js';
import type { Subscription } from './subscription.js';

export interface SharedDocumentEvents {
  /** The value is another one: by whom, and at which version of the order. */
  readonly change: { readonly version: number; readonly isOwn: boolean };
  /** An own change was taken back: it was refused, is void where the order has it, or LOST after it was acknowledged below
   *  quorum. */
  readonly refused: RinglogError;
  /** The end, for a reason. */
  readonly error: RinglogError;
}

export interface SharedDocumentOptions<T> {
  /** Makes a value of the type, or throws; without it any JSON is one. */
  readonly parse?: (value: unknown) => T;
}

/** Not in the order yet, as far as this client has it. */
interface OwnChange {
  readonly key: string;
  readonly patch: Patch;
  /** Once it is acknowledged. */
  dot?: Dot | undefined;
  /** Nobody says what became of it, to whoever may not ask: it is taken as it was acknowledged. */
  isUnknowable?: boolean;
}

const undoMax = 100;
/** More than that comes sooner with the document itself. */
const waitingMax = 4_096;
/** What is acknowledged comes within that, where nothing is in the way. */
const unheardMs = 2_000;

export class SharedDocument<T = unknown> {
  readonly channel: string;
  readonly #client: Client;
  readonly #parse: (value: unknown) => T;
  readonly #events: Emitter<SharedDocumentEvents>;
  readonly #subscription: Subscription;
  /** What the order gives, as far as it was delivered. */
  #base: Fold | undefined;
  #own: OwnChange[] = [];
  #view: Json = null;
  #value: { readonly value: T } | undefined;
  /** Delivered while the document is being fetched: behind the place it is fetched of. */
  #waiting: Message[] | undefined = [];
  /** Of which the last one counts. */
  #fetches = 0;
  /** Retention went past the place it was fetched of: it is fetched of the next one. */
  #isPlaceGone = false;
  /** Patches came late: what was made of them is none of the document's versions. */
  #isStale = false;
  /** Of the patches since the document was told whole: what several wrote the order may have otherwise in the end, and to a
   *  connection that stands that is told. */
  readonly #writers = new Set<WriterId>();
  /** Own changes that took effect: the document before and behind each. */
  readonly #undo: { readonly before: Json; readonly after: Json }[] = [];
  /** Ends the wait for an own change that was acknowledged; there while one is waited or asked for. */
  #stopWaiting: (() => void) | undefined;
  readonly #opened: Promise<void>;
  #isThere = (): void => undefined;
  #ended: (error: RinglogError) => void = () => undefined;

  private constructor(client: Client, channel: string, options: SharedDocumentOptions<T>) {
    this.channel = channel;
    this.#client = client;
    this.#parse = options.parse ?? ((value) => value as T);
    this.#events = new Emitter((error) => this.#report(error));
    this.#subscription = client.subscribe(channel);
    let isOpen = false;
    this.#opened = new Promise((resolve, reject) => {
      this.#isThere = () => {
        isOpen = true;
        resolve();
      };
      this.#ended = (error) => {
        if (!isOpen) reject(error);
        this.#events.emit('error', error);
      };
    });
    this.#subscription.on('subscribed', ({ cursor, resumed }) => {
      if (!resumed || this.#isStale || this.#writers.size > 1) void this.#fetch(cursor);
    });
    this.#subscription.on('error', (error) => this.#ended(error));
    this.#subscription.on('entry', (message) => this.#received(message));
    this.#subscription.on('rebase', (state) => {
      // What was delivered before is in it.
      this.#waiting = undefined;
      this.#rebased(state);
    });
    this.#subscription.on('gap', (gap) => {
      this.#passed(gap);
      void this.#fetch(this.#subscription.cursor);
    });
    this.#subscription.on('closed', () => this.#stopWaiting?.());
  }

  /** Follows the document from now on. */
  static async open<T = unknown>(
    client: Client,
    channel: string,
    options: SharedDocumentOptions<T> = {},
  ): Promise<SharedDocument<T>> {
    const document = new SharedDocument<T>(client, channel, options);
    await document.#opened;
    return document;
  }

  /** The document with the own changes that are on their way. Throws what `parse` throws. */
  get value(): T {
    this.#value ??= { value: this.#parse(JSON.parse(canonical(this.#view))) };
    return this.#value.value;
  }

  /** The same as canonical JSON. */
  get json(): string {
    return canonical(this.#view);
  }

  /** Of the order, own changes on their way not counted. */
  get version(): number {
    return this.#base?.version ?? 0;
  }

  /** Own changes on their way. */
  get pending(): number {
    return this.#own.length;
  }

  /** A text in it, without making a value of everything; `undefined` where there is none. */
  text(path: string): string | undefined {
    const pointer = readPointer(path);
    const value = pointer instanceof Fault ? pointer : find(this.#view, pointer);
    return typeof value === 'string' || value instanceof Text ? String(value) : undefined;
  }

  on<K extends keyof SharedDocumentEvents>(name: K, listener: Listener<SharedDocumentEvents[K]>): () => void {
    return this.#events.on(name, listener);
  }

  /** Shows at once; resolves when the order has it. Throws RinglogError for what does not apply to what is shown. */
  change(operations: readonly PatchOperation[], options: PatchOptions = {}): Promise<Published> {
    const patch = readPatch(JSON.stringify(operations));
    const next = patch instanceof Fault ? patch : applyPatch(this.#view, patch);
    if (patch instanceof Fault || next instanceof Fault) throw errorOf(this.channel, next as Fault);
    const key = options.idempotencyKey ?? this.#client.newKey();
    const own: OwnChange = { key, patch };
    this.#own.push(own);
    this.#show(next, true);
    return this.#client.patch(this.channel, operations, { ...options, idempotencyKey: key }).then(
      (published) => {
        own.dot = published.dot;
        this.#waitForOwn();
        return published;
      },
      (error: unknown) => {
        this.#takeBack(own, error);
        throw error;
      },
    );
  }

  /** Changes part of a text; positions in UTF-16 units. */
  splice(path: string, at: number, remove: number, insert: string): Promise<Published> {
    return this.change([{ op: 'splice', path, at, remove, insert }]);
  }

  /** Takes the newest own change back that took effect, by another change; `undefined` without one. What others did since
   *  stays, and may make that impossible: it then throws as `change` does. */
  undo(): Promise<Published> | undefined {
    const last = this.#undo.pop();
    return last && this.change(JSON.parse(diff(last.after, last.before)) as PatchOperation[]);
  }

  close(): void {
    this.#subscription.close();
  }

  // What comes.

  /** The document as it is at `cursor`, the place of what was delivered so far. One that does not come within the client's
   *  time is asked for again, and one that retention has removed meanwhile, as soon as more was delivered; any other refusal
   *  is the end. */
  async #fetch(cursor: string | undefined): Promise<void> {
    const number = ++this.#fetches;
    this.#waiting = [];
    this.#isPlaceGone = false;
    try {
      const state = await this.#client.document(this.channel, cursor === undefined ? {} : { at: cursor });
      if (number === this.#fetches) this.#rebased(state);
    } catch (error) {
      if (number !== this.#fetches || this.#subscription.state === 'closed') return;
      const code = error instanceof RinglogError ? error.code : undefined;
      const next = this.#subscription.cursor ?? cursor;
      if (code === 'TIMEOUT' || (code === 'NOT_FOUND' && next !== cursor)) return this.#fetch(next);
      if (code === 'NOT_FOUND') {
        this.#isPlaceGone = true;
        return;
      }
      this.close();
      this.#ended(error as RinglogError);
    }
  }

  #received(message: Message): void {
    if (this.#isPlaceGone) return void this.#fetch(this.#subscription.cursor);
    if (message.kind !== 'patch') return;
    if (this.#waiting) {
      this.#waiting.push(message);
      if (this.#waiting.length > waitingMax) void this.#fetch(this.#subscription.cursor);
      return;
    }
    this.#isStale ||= message.late;
    this.#writers.add(message.entry.writer);
    const before = this.#base!;
    const isOwn = this.#settled(message.idempotencyKey);
    if (!this.#isStale) {
      const { fold, fault } = foldEntry(before, message.entry);
      this.#base = fold;
      if (isOwn && fault) this.#events.emit('refused', errorOf(this.channel, fault));
      else if (isOwn) this.#remember(before.document, fold.document);
    }
    this.#show(this.#replayed(), isOwn);
  }

  #remember(before: Json, after: Json): void {
    this.#undo.push({ before, after });
    if (this.#undo.length > undoMax) this.#undo.shift();
  }

  #rebased(state: DocumentSnapshot): void {
    const document = readJsonText(state.text);
    if (document instanceof Fault) return this.#report(new Error(document.message));
    const { version, voids } = state;
    this.#base = { document, version, voids };
    this.#writers.clear();
    this.#isStale = false;
    this.#isPlaceGone = false;
    // A fetch that is under way is of a place before this one.
    this.#fetches++;
    const waiting = this.#waiting ?? [];
    this.#waiting = undefined;
    this.#show(this.#replayed(), false);
    this.#isThere();
    for (const message of waiting) this.#received(message);
  }

  /** The order has it now. */
  #settled(key: string | undefined): boolean {
    const at = key === undefined ? -1 : this.#own.findIndex((own) => own.key === key);
    if (at >= 0) this.#own.splice(at, 1);
    return at >= 0;
  }

  #takeBack(own: OwnChange, error: unknown): void {
    if (!this.#settled(own.key)) return;
    this.#show(this.#replayed(), true);
    if (error instanceof RinglogError) this.#events.emit('refused', error);
  }

  /** What the order has of them is in what is fetched now. */
  #passed({ reason, ranges }: GapNotice): void {
    for (const own of this.#own.filter(({ dot }) => isWithin(dot, ranges))) {
      if (reason === 'lost') this.#takeBack(own, ownError('LOST', 'indeterminate', this.channel));
      else this.#settled(own.key);
    }
  }

  // Own changes that do not come: one that a node acknowledged alone goes with its disk, and nobody tells of what they never had.

  get #unheard(): OwnChange | undefined {
    return this.#own.find(({ dot, isUnknowable }) => dot && !isUnknowable);
  }

  #waitForOwn(): void {
    if (!this.#unheard || this.#stopWaiting || this.#subscription.state === 'closed') return;
    this.#stopWaiting = this.#client.platform.after(unheardMs, () => {
      void this.#lookForOwn().finally(() => {
        this.#stopWaiting = undefined;
        this.#waitForOwn();
      });
    });
  }

  /** Asks for one after the other, up to one that the order has and that comes. */
  async #lookForOwn(): Promise<void> {
    for (let own = this.#unheard; own && this.#subscription.state !== 'closed'; own = this.#unheard) {
      try {
        if (await this.#isLost(own)) this.#takeBack(own, ownError('LOST', 'indeterminate', this.channel));
        else if (await this.#isPassed(own)) this.#leave(own);
        else if (this.#own.includes(own)) return;
      } catch (error) {
        if (error instanceof RinglogError && error.code === 'TIMEOUT') return;
        own.isUnknowable = true;
      }
    }
  }

  async #isLost(own: OwnChange): Promise<boolean> {
    const { gaps } = await this.#historyWith(own, { first: 'newest', limit: 1 }).page();
    return gaps.some(({ reason, ranges }) => reason === 'lost' && isWithin(own.dot, ranges));
  }

  /** Whether it does not come from here on: then it is in what the document was told to be. */
  async #isPassed(own: OwnChange): Promise<boolean> {
    const { cursor } = this.#subscription;
    if (cursor === undefined || this.#waiting) return false;
    const history = this.#historyWith(own, { cursor });
    while (history.more) {
      const { entries } = await history.page();
      if (entries.some(({ idempotencyKey }) => idempotencyKey === own.key)) return false;
    }
    return true;
  }

  #historyWith({ dot }: OwnChange, query: HistoryOptions): History {
    return this.#client.history(this.channel, { ...query, including: { id: dot && dotText(dot) } });
  }

  #leave({ key }: OwnChange): void {
    if (this.#settled(key)) this.#show(this.#replayed(), true);
  }

  /** Own changes on top of the order; one that does not apply now is left out, and judged by the server. */
  #replayed(): Json {
    let fold = this.#base!;
    for (const { patch } of this.#own) {
      const next = foldChange(fold, { patch, ifVersion: undefined });
      if (!next.fault) ({ fold } = next);
    }
    return fold.document;
  }

  #show(view: Json, isOwn: boolean): void {
    if (view === this.#view) return;
    this.#view = view;
    this.#value = undefined;
    this.#events.emit('change', { version: this.version, isOwn });
  }

  #report(error: unknown): void {
    if (error instanceof RinglogError) this.#events.emit('error', error);
    else this.#client.platform.report(error);
  }
}

function isWithin(dot: Dot | undefined, ranges: GapNotice['ranges']): boolean {
  return ranges.some(
    ({ writer, fromSeq, toSeq }) => dot?.writer === writer && fromSeq <= dot.seq && dot.seq <= toSeq,
  );
}

function errorOf(channel: string, { code: reason, message, operation }: Fault): RinglogError {
  const details = { channel, reason, ...(operation === undefined ? undefined : { operation }) };
  return new RinglogError({ code: 'PATCH_FAILED', outcome: 'rejected', message, ...details });
}
