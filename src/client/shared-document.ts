/** A document as several hold it at once: the server's order of it, and one's own changes on top of that until the order has
 *  them. A change shows at once; what others change meanwhile moves below it, and what turns out not to apply is taken back. */
import { Fault } from '../documents/faults.js';
import { type Fold, foldEntry } from '../documents/fold.js';
import { applyPatch } from '../documents/apply.js';
import { readJsonText } from '../documents/json-reader.js';
import { readPatch } from '../documents/patch.js';
import { type Json, canonical } from '../documents/value.js';
import type { WriterId } from '../base/ids.js';
import type { Client } from './client.js';
import { errorOf } from './document-error.js';
import { DocumentView } from './document-view.js';
import type { DocumentOptions, DocumentSnapshot, PatchOperation, PatchOptions } from './documents.js';
import { Emitter, type Listener } from './emitter.js';
import { RinglogError, lostError } from './error.js';
import type { Message } from './message.js';
import { OnTheirWay, type Order } from './on-their-way.js';
import { type OwnChange, UnheardChanges, idOf, isWithin } from './own-changes.js';
import { OwnVerdicts, type Verdicts } from './own-verdicts.js';
import { Opening } from './opening.js';
import { type PathChange, PathWatches } from './path-watches.js';
import type { Published } from './published.js';
import { ChangeQueue, type QueuedChanges } from './queued-changes.js';
import type { GapNotice } from './reading.js';
import { type Reverted, revert } from './reverting.js';
import type { SharedDocumentEvents, SharedDocumentOptions } from './shared-document-options.js';
import type { Subscription } from './subscription.js';
import { UndoHistory } from './undo-history.js';

/** More than that comes sooner with the document itself. */
const waitingMax = 4_096;

export class SharedDocument<T = unknown> {
  readonly channel: string;
  readonly #client: Client;
  readonly #events: Emitter<SharedDocumentEvents>;
  readonly #watches: PathWatches;
  readonly #subscription: Subscription;
  readonly #unheard: UnheardChanges;
  readonly #verdicts: OwnVerdicts;
  /** The rule, as far as it is known. */
  #createParents = false;
  /** What the order gives, as far as it was delivered. */
  #base: Fold | undefined;
  /** Not in the order yet, as far as this client has it. */
  readonly #own = new OnTheirWay();
  readonly #view: DocumentView<T>;
  /** Delivered while the document is being fetched: behind the place it is fetched of. */
  #waiting: Message[] | undefined = [];
  /** What that comes to meanwhile, on top of what was there before, and the own changes among it: to be shown. */
  #meanwhile: { fold: Fold; readonly keys: Set<string> } | undefined;
  #isTentative = false;
  /** Of which the last one counts. */
  #fetches = 0;
  /** Retention went past the place it was fetched of: it is fetched of the next one. */
  #isPlaceGone = false;
  /** Patches came late: what was made of them is none of the document's versions. */
  #isStale = false;
  /** Of the patches since the document was told whole: what several wrote the order may have otherwise in the end, and to a
   *  connection that stands that is told. */
  readonly #writers = new Set<WriterId>();
  readonly #history = new UndoHistory();
  readonly #queue: ChangeQueue;
  readonly #opening = new Opening();
  #isPlaying = false;

  private constructor(
    client: Client,
    channel: string,
    { parse }: SharedDocumentOptions<T>,
    then: DocumentSnapshot | undefined,
  ) {
    this.channel = channel;
    this.#client = client;
    this.#view = new DocumentView(parse);
    this.#events = new Emitter((error) => this.#report(error));
    this.#watches = new PathWatches((error) => this.#report(error));
    this.#subscription = client.subscribe(channel, then && { start: { cursor: then.cursor } });
    this.#unheard = new UnheardChanges(client, this.#subscription, {
      own: () => this.#own.all,
      isFetching: () => this.#waiting !== undefined,
      lost: (own) => this.#takeBack(own, lostError(channel, idOf(own))),
      passed: (own) => {
        if (!this.#own.settled(own.key)) return;
        this.#history.passedOver(own);
        this.#show(this.#replayed(), true);
      },
    });
    this.#verdicts = new OwnVerdicts(client, channel, (voids) => this.#voided(voids));
    this.#queue = new ChangeQueue(client, this.#subscription, {
      change: (operations, options) => this.#change(operations, options),
      refused: (error) => this.#events.emit('refused', error),
    });
    this.#subscription.on('subscribed', ({ cursor, resumed }) => {
      if (then && !resumed) {
        this.#rebased(then);
        // Who opens it in its past watches it before what came since is played.
        client.platform.soon(() => this.#play());
      } else if (!resumed || this.#isStale || this.#writers.size > 1) void this.#fetch(cursor);
    });
    this.#subscription.on('error', (error) => this.#ended(error));
    this.#subscription.on('closed', () => this.#own.end());
    if (!then) this.#play();
    this.#subscription.on('rebase', (state) => {
      this.#play();
      this.#passOver(this.#waiting);
      this.#waiting = undefined;
      this.#rebased(state);
    });
    this.#subscription.on('gap', (gap) => {
      this.#passed(gap);
      void this.#fetch(this.#subscription.cursor);
    });
  }

  /** Follows the document from now on, or from an earlier place. */
  static async open<T = unknown>(
    client: Client,
    channel: string,
    options: SharedDocumentOptions<T> = {},
  ): Promise<SharedDocument<T>> {
    const { at } = options;
    const then = at === undefined ? undefined : await client.document(channel, { at });
    const document = new SharedDocument<T>(client, channel, options, then);
    await document.#opening.done;
    return document;
  }

  /** The document with the own changes that are on their way. Throws what `parse` throws. */
  get value(): T {
    return this.#view.value;
  }

  /** The same as canonical JSON. */
  get json(): string {
    return canonical(this.#view.json);
  }

  /** Of the order, own changes on their way not counted. */
  get version(): number {
    return this.#base?.version ?? 0;
  }

  /** Own changes on their way. */
  get pending(): number {
    return this.#own.all.length;
  }

  /** What is shown is what was delivered so far, and may be no version of the document: what came in between is not known.
   *  It is asked for until a node can tell it. */
  get isTentative(): boolean {
    return this.#isTentative;
  }

  /** A text in it, without making a value of everything; `undefined` where there is none. */
  text(path: string): string | undefined {
    return this.#view.text(path);
  }

  on<K extends keyof SharedDocumentEvents>(name: K, listener: Listener<SharedDocumentEvents[K]>): () => void {
    return this.#events.on(name, listener);
  }

  /** Tells when the value at a path is another one; returns what ends it. Throws RinglogError on what is no path. */
  watch(path: string, listener: (change: PathChange) => void): () => void {
    const end = this.#watches.add(path, listener);
    if (end instanceof Fault) throw errorOf(this.channel, end);
    return end;
  }

  /** Shows at once; resolves when the order has it. Throws RinglogError for what does not apply to what is shown, and what
   *  `parse` throws of what would come of it, unless it throws of what is shown, too. */
  change(operations: readonly PatchOperation[], options: PatchOptions = {}): Promise<Published> {
    return this.#change(operations, options);
  }

  #change(
    operations: readonly PatchOperation[],
    options: PatchOptions,
    about: Pick<OwnChange, 'undoes' | 'isAttempt'> = {},
  ): Promise<Published> {
    const text = JSON.stringify(operations);
    const patch = readPatch(text);
    const next = patch instanceof Fault ? patch : applyPatch(this.#view.json, patch, this.#createParents);
    if (patch instanceof Fault || next instanceof Fault) throw errorOf(this.channel, next as Fault);
    this.#view.check(next);
    const key = options.idempotencyKey ?? this.#client.newKey();
    const { queued, keep } = this.#queue.kept(key, text, options);
    const own: OwnChange = { key, patch, ...about, queued };
    this.#own.add(own);
    this.#history.made(own);
    this.#show(next, true);
    const keyed = { ...options, idempotencyKey: key };
    return this.#client.patch(this.channel, operations, keyed, keep).then(
      (published) => {
        own.dot = published.dot;
        own.level = published.level;
        if (own.isTaken) this.#verdicts.taken(own);
        else this.#unheard.wait();
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

  /** Takes the newest own change back, by another change, which is none that is undone; `undefined` without one. What others
   *  did since stays. Where they changed the same it throws PATCH_FAILED, or rejects with it, with the reason `test-failed`, and
   *  the change is the newest still. */
  undo(): Promise<Published> | undefined {
    const isSettled = this.#own.all.length === 0 && !this.#isTentative;
    const undo = this.#history.next(this.#view.json, this.#own.shown(this.#order), isSettled);
    if (undo instanceof Fault) throw errorOf(this.channel, undo);
    if (!undo) return undefined;
    const { patch, isAtVersion, undoes } = undo;
    const options = isAtVersion ? { ifVersion: this.version } : {};
    return this.#change(JSON.parse(patch) as PatchOperation[], options, { undoes });
  }

  /** Makes the document what it was then, by another change, once no own change is on its way; `undefined` where it is that. It
   *  holds for the version alone that is shown then, and is made anew where somebody was first: five times, then it rejects with
   *  VERSION_MISMATCH. */
  async revert(at: NonNullable<DocumentOptions['at']>): Promise<Published | undefined> {
    const then = readJsonText((await this.#client.document(this.channel, { at })).text);
    if (then instanceof Fault) throw errorOf(this.channel, then);
    return revert(this.#reverted, then);
  }

  /** Own changes that have no outcome yet, for the application to store before it closes the client. */
  queued(): QueuedChanges {
    return this.#queue.queued(this.#own.all);
  }

  /** Makes those again that the log does not have, once that is known; resolves with how many. The client must be of the same
   *  user and `publisherId`. `refused` tells of those that do not apply any more, and of which nobody can say. */
  restore(queued: QueuedChanges): Promise<number> {
    return this.#queue.restore(queued);
  }

  close(): void {
    this.#subscription.close();
  }

  // What comes.

  /** Until then the subscription keeps what comes. */
  #play(): void {
    if (this.#isPlaying) return;
    this.#isPlaying = true;
    this.#subscription.on('entry', (message) => this.#received(message));
  }

  /** The document as it is at `cursor`, the place of what was delivered so far. One that does not come within the client's
   *  time is asked for again, and one that retention has removed meanwhile, as soon as more was delivered; any other refusal
   *  is the end. */
  async #fetch(cursor: string | undefined): Promise<void> {
    const number = ++this.#fetches;
    this.#passOver(this.#waiting);
    this.#waiting = [];
    this.#isPlaceGone = false;
    this.#tell();
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
    if (this.#isPlaceGone) {
      this.#pass(message);
      return void this.#fetch(this.#subscription.cursor);
    }
    if (message.kind !== 'patch') return;
    if (this.#waiting) return this.#wait(this.#waiting, message);
    this.#isStale ||= message.late;
    if (this.#isStale) return this.#pass(message);
    this.#writers.add(message.entry.writer);
    this.#createParents = message.entry.createParents === true;
    const before = this.#base!;
    const own = this.#own.settled(message.idempotencyKey);
    const { fold, fault } = foldEntry(before, message.entry);
    this.#base = fold;
    // It may come before its acknowledgement.
    if (own) own.dot ??= message.entry;
    if (!fault) this.#history.took(before.document, message.entry, own);
    if (own && fault) {
      this.#history.dropped(own);
      this.#events.emit('refused', errorOf(this.channel, fault, own));
    } else if (own) this.#verdicts.taken(own);
    this.#show(this.#replayed(), own !== undefined);
  }

  #wait(waiting: Message[], message: Message): void {
    waiting.push(message);
    this.#glimpse(message);
    if (waiting.length > waitingMax) void this.#fetch(this.#subscription.cursor);
  }

  /** Of a place that no node can tell of now it may be long: what comes is shown as well as it goes. */
  #glimpse({ idempotencyKey: key, entry }: Message): void {
    if (!this.#base) return;
    this.#meanwhile ??= { fold: this.#base, keys: new Set() };
    this.#meanwhile.fold = foldEntry(this.#meanwhile.fold, entry).fold;
    const isOwn = this.#own.all.some((own) => own.key === key);
    if (isOwn) this.#meanwhile.keys.add(key!);
    this.#show(this.#replayed(), isOwn);
  }

  /** It is in what the document is told to be next. */
  #pass(message: Message): void {
    this.#glimpse(message);
    this.#passOver([message]);
    this.#tell();
  }

  #passOver(waiting: readonly Message[] = []): void {
    for (const { idempotencyKey } of waiting) {
      const own = this.#own.settled(idempotencyKey);
      if (!own) continue;
      this.#history.passedOver(own);
      this.#verdicts.taken(own);
    }
  }

  #rebased(state: DocumentSnapshot): void {
    const document = readJsonText(state.text);
    if (document instanceof Fault) return this.#report(new Error(document.message));
    const { version, voids, cursor, createParents } = state;
    if (this.#base) this.#history.jumped(this.#base.document, document);
    this.#base = { document, version, voids };
    this.#createParents = createParents;
    this.#verdicts.judge({ fold: this.#base, cursor }, this.#own.all);
    this.#meanwhile = undefined;
    this.#writers.clear();
    this.#isStale = false;
    this.#isPlaceGone = false;
    // A fetch that is under way is of a place before this one.
    this.#fetches++;
    const waiting = this.#waiting ?? [];
    this.#waiting = undefined;
    this.#show(this.#replayed(), false);
    this.#opening.there();
    for (const message of waiting) this.#received(message);
    this.#tell();
  }

  /** They are nothing where the order has them, whatever they did here. */
  #voided(voids: Verdicts): void {
    if (voids.size === 0) return;
    for (const own of voids.keys()) {
      this.#history.dropped(own);
      this.#own.settled(own.key);
    }
    this.#show(this.#replayed(), true);
    for (const [own, fault] of voids) {
      const error = fault ? errorOf(this.channel, fault, own) : lostError(this.channel, idOf(own));
      this.#events.emit('refused', error);
    }
  }

  #takeBack(own: OwnChange, error: unknown): void {
    if (!this.#own.settled(own.key)) return;
    this.#history.dropped(own);
    this.#show(this.#replayed(), true);
    if (error instanceof RinglogError && !own.isAttempt) this.#events.emit('refused', error);
  }

  /** What the order has of them is in what is fetched now. */
  #passed({ reason, ranges }: GapNotice): void {
    const isGone = reason === 'lost' || reason === 'damaged';
    for (const own of this.#own.all.filter(({ dot }) => isWithin(dot, ranges))) {
      if (isGone) this.#takeBack(own, lostError(this.channel, idOf(own)));
      else if (this.#own.settled(own.key)) this.#history.passedOver(own);
    }
    if (isGone) this.#voided(this.#verdicts.lost(ranges));
  }

  get #reverted(): Reverted {
    return {
      channel: this.channel,
      platform: this.#client.platform,
      shown: () => ({ view: this.#view.json, version: this.version }),
      settled: () => this.#own.none(),
      onChange: (listener) => this.on('change', listener),
      change: (operations, ifVersion) => this.#change(operations, { ifVersion }, { isAttempt: true }),
    };
  }

  #replayed(): Json {
    return this.#own.replayed(this.#order);
  }

  get #order(): Order {
    return { base: this.#base!, meanwhile: this.#meanwhile, createParents: this.#createParents };
  }

  #show(view: Json, isOwn: boolean): void {
    const before = this.#view.json;
    if (view === before) return;
    this.#view.json = view;
    const about = { version: this.version, isOwn };
    this.#events.emit('change', about);
    this.#watches.changed(before, view, about);
  }

  #tell(): void {
    const isTentative = this.#base !== undefined && (this.#waiting !== undefined || this.#isStale);
    if (isTentative === this.#isTentative) return;
    this.#isTentative = isTentative;
    this.#events.emit('tentative', isTentative);
  }

  #ended(error: RinglogError): void {
    this.#opening.ended(error);
    this.#events.emit('error', error);
  }

  #report(error: unknown): void {
    if (error instanceof RinglogError) this.#events.emit('error', error);
    else this.#client.platform.report(error);
  }
}
