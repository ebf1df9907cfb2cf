/** What arrived at a peer while this home was away, or while a link was lost, comes here: the peer names it page by page, in
 *  the order in which it arrived there, what is lacking of a page is pulled, and once all of it is held and synced a
 *  checkpoint is written and the next page asked for. So channels that nobody has in memory converge, at the cost of what
 *  was missed. Where nobody knows how far this home is, all that both hold is compared by ranges, and what differs is pulled
 *  in the same way. */
import { Agenda } from '../base/agenda.js';
import { type ChannelRef, type NodeId, type StoreId, channelKey } from '../base/ids.js';
import { limits } from '../base/limits.js';
import { planted } from '../base/planted.js';
import type { Vector } from '../log/entry.js';
import { type Checkpoint, checkpointNoteOf, decodeCheckpoint, encodeCheckpoint } from './catch-up-notes.js';
import { Pulls } from './catch-up-pulls.js';
import type { Channel } from './channel.js';
import type { Context } from './context.js';
import type { Arrived, IntervalId, State } from './messages.js';
import type { PeerStores } from './peer-stores.js';
import type { Statements } from './statements.js';
import { timing } from './timing.js';

/** What this home learned of a peer by comparing all that both hold. */
export interface Learned {
  /** Channels of which the peer may have something that is lacking here. */
  readonly refs: readonly ChannelRef[];
  /** Everything that arrived at the store of the peer through this one was compared. */
  readonly arrival: number;
  /** The comparison came to its end. */
  readonly isWhole: boolean;
}

/** What is under way with one peer: a page, or a comparison. */
interface Page {
  /** The checkpoint once all of it is here. */
  readonly store: StoreId;
  through: number;
  readonly more: boolean;
  /** `undefined` where a comparison found them. */
  readonly named: ReadonlyMap<string, Vector> | undefined;
  /** Intervals that are compared. */
  readonly compared: readonly IntervalId[];
  /** Everything is named, and the logs are open. */
  isListed: boolean;
  /** Whose logs are open. */
  refs: readonly ChannelRef[];
  /** What comes after these. */
  left: readonly ChannelRef[];
  /** Nothing was left out of it. */
  isWhole: boolean;
}

/** How far this home is in what arrived at one peer. */
class Track {
  /** Applied and synced here; its note may still wait for a commit. */
  checkpoint: Checkpoint | undefined;
  /** As the note says. */
  durable: Checkpoint | undefined;
  /** Of the question under way. */
  asked: { readonly session: number; readonly after: number } | undefined;
  page: Page | undefined;
  /** Intervals that both became homes of since the checkpoint. */
  readonly uncompared = new Set<IntervalId>();
  /** When everything was last compared. */
  comparedAt = -Infinity;
  isLinked = false;
  /** Since the link stands. */
  isAnswered = false;
  /** To be asked (again) then. */
  askAt = Infinity;

  constructor(
    readonly peer: NodeId,
    checkpoint: Checkpoint | undefined,
  ) {
    this.checkpoint = checkpoint;
    this.durable = checkpoint;
  }
}

export class CatchUp {
  readonly #context: Context;
  readonly #statements: Statements;
  readonly #stores: PeerStores;
  readonly #pulls: Pulls;
  readonly #tracks = new Map<NodeId, Track>();
  readonly #due = new Agenda<Track>(({ askAt }) => askAt);
  /** Logs that are being opened, and for which page. */
  readonly #opening = new Map<number, { readonly track: Track; readonly page: Page }>();
  readonly #comparing = new Map<number, { readonly track: Track; readonly page: Page }>();
  #lastSession = 0;

  constructor(context: Context, statements: Statements, stores: PeerStores) {
    this.#context = context;
    this.#statements = statements;
    this.#stores = stores;
    this.#pulls = new Pulls(context, (peer, now) => this.#settle(peer, now));
  }

  // Links.

  connected(peer: NodeId, now: number): void {
    if (!this.#context.options.arrivals || planted('no-catch-up')) return;
    const track = this.#track(peer);
    track.isLinked = true;
    track.isAnswered = false;
    this.#begin(track, now);
  }

  disconnected(peer: NodeId): void {
    const track = this.#tracks.get(peer);
    if (!track) return;
    track.isLinked = false;
    this.#drop(track);
  }

  /** What the peer said is void: it has another store. */
  forgetStore(peer: NodeId, now: number): void {
    const track = this.#tracks.get(peer);
    if (!track?.isLinked) return;
    track.isAnswered = false;
    this.#drop(track);
    this.#begin(track, now);
  }

  /** Before another version of the ring is used: what is under way was asked for under the last one. */
  ringEnds(): void {
    for (const track of this.#tracks.values()) this.#drop(track);
  }

  /** Under the new one. `isNew`: whether this node and the peer were not both homes of all of the interval before. */
  ringBegins(isNew: (interval: IntervalId, peer: NodeId) => boolean, now: number): void {
    for (const track of this.#tracks.values()) {
      const shared = this.#sharedWith(track.peer);
      const uncompared = shared.filter((id) => track.uncompared.has(id) || isNew(id, track.peer));
      track.uncompared.clear();
      for (const id of uncompared) track.uncompared.add(id);
      if (track.isLinked) this.#begin(track, now);
    }
  }

  // Asking.

  #track(peer: NodeId): Track {
    let track = this.#tracks.get(peer);
    if (track) return track;
    const { notes } = this.#context.options.arrivals!;
    track = new Track(peer, decodeCheckpoint(notes.get(checkpointNoteOf(peer))));
    this.#tracks.set(peer, track);
    const { checkpoint } = track;
    if (checkpoint && checkpoint.ringVersion !== this.#context.ringVersion)
      for (const id of this.#sharedWith(peer)) track.uncompared.add(id);
    return track;
  }

  #sharedWith(peer: NodeId): IntervalId[] {
    const shared: IntervalId[] = [];
    for (const { id, others } of this.#context.intervals.values()) if (others.includes(peer)) shared.push(id);
    return shared;
  }

  #begin(track: Track, now: number): void {
    this.#drop(track);
    if (this.#sharedWith(track.peer).length === 0) return;
    const { checkpoint } = track;
    if (checkpoint && track.uncompared.size > 0)
      this.#compareWith(track, checkpoint.store, checkpoint.arrival, now);
    else this.#ask(track, now);
  }

  #ask(track: Track, now: number): void {
    const { peer, checkpoint } = track;
    const after = checkpoint?.arrival ?? 0;
    const session = ++this.#lastSession;
    track.asked = { session, after };
    this.#askAt(track, now + timing.arrivalsAnswerMs);
    const store = checkpoint ? { store: checkpoint.store } : {};
    const others = this.#statements.startsOf(peer, now);
    this.#context.outbox.to(peer).other({ type: 'askArrived', session, ...store, after, others });
  }

  #askAt(track: Track, at: number): void {
    track.askAt = at;
    this.#due.changed(track);
  }

  /** Ends what is under way; the checkpoint stays. */
  #drop(track: Track): void {
    const { peer, page } = track;
    track.asked = undefined;
    track.page = undefined;
    this.#askAt(track, Infinity);
    this.#pulls.drop(peer);
    if (page) this.#close(page.refs);
  }

  #close(refs: readonly ChannelRef[]): void {
    if (refs.length > 0) this.#context.outbox.add({ type: 'close', refs });
  }

  // Pages.

  onArrived(from: NodeId, message: Arrived, now: number): void {
    const track = this.#tracks.get(from);
    const store = this.#stores.of(from);
    if (!track || !store || !isAnswer(track, message)) return;
    track.asked = undefined;
    this.#askAt(track, Infinity);
    const { statement, unknown } = message;
    if (statement.storeId !== store || !this.#statements.heard(from, statement, now)) {
      return this.#askAt(track, now + timing.arrivalsAnswerMs);
    }
    track.isAnswered = true;
    if (unknown) this.#unknown(track, store, message.through, now);
    else this.#take(track, store, message, now);
  }

  /** Its store is not listened to: it is asked who it is. */
  onVoid(from: NodeId, message: Arrived, now: number): void {
    const track = this.#tracks.get(from);
    if (track && isAnswer(track, message)) this.#statements.heardVoid(from, message.statement, now);
  }

  #take(track: Track, store: StoreId, { through, more, channels }: Arrived, now: number): void {
    const named = new Map(channels.map(({ ref, have }) => [channelKey(ref), have]));
    const refs = channels.map(({ ref }) => ref);
    const page = { ...pageOf(store, through, more), named, left: refs };
    track.page = page;
    if (planted('checkpoint-first')) this.#applied(track, page);
    this.#goOn(track, page, now);
  }

  /** Opens the logs of the next ones that were named. */
  #goOn(track: Track, page: Page, now: number): void {
    const refs = page.left.slice(0, limits.comparedAtOnce);
    page.left = page.left.slice(refs.length);
    page.refs = refs;
    page.isListed = refs.length === 0;
    if (page.isListed) return this.#settle(track.peer, now);
    const id = this.#context.nextId();
    this.#opening.set(id, { track, page });
    this.#context.outbox.add({ type: 'open', id, refs });
  }

  /** The logs of those are open. */
  opened(id: number, refs: readonly ChannelRef[], now: number): void {
    const opening = this.#opening.get(id);
    this.#opening.delete(id);
    if (!opening) return;
    const { track, page } = opening;
    if (track.page !== page) return this.#close(page.refs);
    for (const ref of refs) {
      const channel = this.#channelOf(track.peer, ref);
      const have = page.named?.get(channelKey(ref));
      if (channel && (have || !page.named)) this.#pulls.want(track.peer, channel, have, now);
    }
    page.isListed = true;
    this.#settle(track.peer, now);
    this.#pulls.pump(now);
  }

  /** The channel, where it lies in an interval that both are homes of. */
  #channelOf(peer: NodeId, ref: ChannelRef): Channel | undefined {
    const { options, intervals, channels } = this.#context;
    const id = options.intervalOf?.(ref) ?? channels.get(channelKey(ref))?.interval.id;
    const interval = id === undefined ? undefined : intervals.get(id);
    return interval?.others.includes(peer) ? this.#context.channel(interval, ref) : undefined;
  }

  /** Perhaps all that was named is here. */
  #settle(peer: NodeId, now: number): void {
    const track = this.#tracks.get(peer);
    const page = track?.page;
    if (!page?.isListed || this.#pulls.leftOf(peer) > 0) return;
    this.#close(page.refs);
    if (page.left.length > 0) return this.#goOn(track!, page, now);
    track!.page = undefined;
    // What it was too much for is looked for again.
    if (!page.isWhole) return this.#askAt(track!, now + timing.arrivalsMs);
    for (const id of page.compared) track!.uncompared.delete(id);
    this.#applied(track!, page);
    if (page.more || track!.uncompared.size > 0) return this.#begin(track!, now);
    this.#askAt(track!, now + timing.arrivalsMs);
  }

  /** Everything through the page is held and synced. */
  #applied(track: Track, { store, through }: Page): void {
    const { peer, durable } = track;
    const ringVersion = track.uncompared.size > 0 ? 0 : this.#context.ringVersion;
    const checkpoint = { store, arrival: through, ringVersion };
    track.checkpoint = checkpoint;
    if (durable && isSame(durable, checkpoint)) return;
    const value = encodeCheckpoint(checkpoint);
    this.#context.queue.duty({ type: 'keep', peer, name: checkpointNoteOf(peer), value, checkpoint });
  }

  /** The note is synced. */
  noted(peer: NodeId, checkpoint: Checkpoint): void {
    const track = this.#tracks.get(peer);
    if (track) track.durable = checkpoint;
  }

  // Comparing everything.

  /** The peer does not know the arrival asked about: not more often than now and then, whatever it says. */
  #unknown(track: Track, store: StoreId, arrival: number, now: number): void {
    const next = track.comparedAt + timing.arrivalsMs;
    if (now < next) return this.#askAt(track, next);
    track.comparedAt = now;
    for (const id of this.#sharedWith(track.peer)) track.uncompared.add(id);
    this.#compareWith(track, store, arrival, now);
  }

  /** What both became homes of since the checkpoint, or all they are homes of. */
  #compareWith(track: Track, store: StoreId, arrival: number, now: number): void {
    const { peer } = track;
    const page = { ...pageOf(store, arrival, true), compared: [...track.uncompared] };
    track.page = page;
    // A store without entries: there is nothing to compare.
    if (arrival === 0) return this.#goOn(track, page, now);
    const id = this.#context.nextId();
    this.#comparing.set(id, { track, page });
    this.#context.outbox.add({ type: 'reconcile', id, peer });
  }

  /** All that both hold was compared, or not. */
  reconciled(id: number, learned: Learned | undefined, now: number): void {
    const comparing = this.#comparing.get(id);
    this.#comparing.delete(id);
    if (!comparing) return;
    const { track, page } = comparing;
    if (track.page !== page) return;
    if (!learned) {
      track.page = undefined;
      return this.#askAt(track, now + timing.arrivalsMs);
    }
    const { refs, arrival, isWhole } = learned;
    page.through = Math.min(page.through, arrival);
    page.isWhole = isWhole;
    page.left = refs;
    this.#goOn(track, page, now);
  }

  // How far it is.

  /** Channels that were named by the peer and are not wholly here; `undefined` while it is not known what arrived there. */
  leftOf(peer: NodeId): number | undefined {
    const track = this.#tracks.get(peer);
    if (!track?.isLinked || !track.isAnswered || !track.checkpoint) return undefined;
    const { page, uncompared } = track;
    if (!page) return uncompared.size === 0 ? 0 : undefined;
    return page.compared.length > 0 && !page.isListed
      ? undefined
      : page.left.length + this.#pulls.leftOf(peer);
  }

  // Growing, and time.

  /** Something of the channel was synced. */
  grown(channel: Channel, now: number): void {
    this.#pulls.grown(channel, now);
  }

  onState(channel: Channel, from: NodeId, message: State, now: number): void {
    this.#pulls.onState(channel, from, message, now);
  }

  get deadline(): number {
    return Math.min(this.#due.next(), this.#pulls.deadline);
  }

  tick(now: number): void {
    for (const track of this.#due.take(now)) if (track.askAt <= now) this.#ask(track, now);
    if (now >= this.#pulls.deadline) this.#pulls.pump(now);
  }
}

function pageOf(store: StoreId, through: number, more: boolean): Page {
  return {
    store,
    through,
    more,
    named: undefined,
    compared: [],
    isListed: false,
    refs: [],
    left: [],
    isWhole: true,
  };
}

function isAnswer({ asked }: Track, { session, after, through, unknown }: Arrived): boolean {
  return asked?.session === session && asked.after === after && (unknown || through >= after);
}

function isSame(a: Checkpoint, b: Checkpoint): boolean {
  return a.store === b.store && a.arrival === b.arrival && a.ringVersion === b.ringVersion;
}
