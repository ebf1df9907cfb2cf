/** What channels of one kind come to at a node: folded when somebody asks, kept in memory within a bound, and at the node
 *  that stamps always as far as the next entry needs that is judged there, before it is in the log: a patch, or what was
 *  read. */
import { assert } from '../../base/assert.js';
import type { ChannelRef, Dot, WriterId } from '../../base/ids.js';
import { limits } from '../../base/limits.js';
import { type ChannelKind, kindOf } from '../../channels/kinds.js';
import { type Failure, failure } from '../../protocol/errors.js';
import type { ActiveChannel } from '../active-channel.js';
import type { Pending } from '../pending.js';
import { type Logs, StoreFailedError } from '../ports.js';
import type { Readable } from '../scan.js';
import type { Folding } from './folding.js';
import {
  FoldBrokenError,
  FoldUnreadableError,
  type FoldedLog,
  type Visited,
  foldAhead,
  foldOn,
  foldStart,
  foldable,
  newestSnapshot,
} from './log-fold.js';
import { type Folded, OpenFold } from './open-fold.js';

/** How often a fold is taken on to a log that grows meanwhile, before whoever waits is told to come back. */
const triesMax = 64;
/** Folds under way that one use looks at: where nothing is committed for long, all of them are. */
const underWayMax = 16;

/** Of the committer: what waits in a channel is tried again, or refused. */
export interface Waiting {
  resume(channel: ActiveChannel): void;
  refuseUnjudged(channel: ActiveChannel, failed?: Failure): void;
}

export interface FoldsHooks {
  /** Of the store. */
  failed(error: unknown): void;
  /** A bug that the entries of one channel run into. */
  broken(ref: ChannelRef, error: unknown): void;
}

/** Whether what waits in a channel may be stamped: `merge` first where the log has several heads. */
export type Readiness = 'ready' | 'loading' | 'merge';

export class Folds<F> {
  readonly #logs: Readable['logs'];
  readonly #moving = new Map<ActiveChannel, Promise<void>>();
  readonly #preparing = new Set<ActiveChannel>();
  /** How often in a row that did not make them ready. */
  readonly #tries = new WeakMap<ActiveChannel, number>();
  /** In order of use, with what they weigh. */
  readonly #kept = new Map<ActiveChannel, number>();
  #keptBytes = 0;

  constructor(
    readonly kind: ChannelKind,
    readonly folding: Folding<F>,
    logs: Logs,
    readonly writer: WriterId,
    readonly hooks: FoldsHooks,
  ) {
    this.#logs = foldable(logs);
  }

  // What the committer asks.

  /** Before items are stamped behind `parents`; prepares the fold where one that is judged waits for that. */
  readiness(
    channel: ActiveChannel,
    items: readonly Pending[],
    parents: readonly Dot[] | undefined,
  ): Readiness {
    if (!items.some(isJudged)) return 'ready';
    if (this.at(channel, parents)) {
      this.#tries.delete(channel);
      return 'ready';
    }
    return isMergeDue(parents, channel.log.heads()) ? 'merge' : 'loading';
  }

  /** What an entry with these parents follows, if it is known. */
  at(channel: ActiveChannel, parents: readonly Dot[] | undefined): OpenFold<F> | undefined {
    if (kindOf(channel.ref.channel) !== this.kind) return undefined;
    const known = this.#known(channel);
    if (known?.isBefore(parents, this.writer)) {
      this.#weigh(channel, known);
      return known;
    }
    known?.forgetAhead();
    return undefined;
  }

  /** Takes the fold to where the next entry is judged, then lets the committer go on. */
  prepare(channel: ActiveChannel, waiting: Waiting): void {
    if (this.#preparing.has(channel)) return;
    this.#preparing.add(channel);
    const tries = (this.#tries.get(channel) ?? 0) + 1;
    this.#tries.set(channel, tries);
    void (
      tries > triesMax
        ? Promise.reject(new FoldUnreadableError('It changes all the time.'))
        : this.#prepare(channel)
    )
      .then(
        () => waiting.resume(channel),
        (error: unknown) => {
          this.#tries.delete(channel);
          waiting.refuseUnjudged(channel, error instanceof FoldBrokenError ? error.failure : undefined);
          if (error instanceof StoreFailedError) this.hooks.failed(error);
        },
      )
      .finally(() => this.#preparing.delete(channel));
  }

  async #prepare(channel: ActiveChannel): Promise<void> {
    for (let i = 0; i < triesMax; i++) {
      const open = await this.#atEnd(channel);
      const { log, folded } = open;
      const [head, other] = log.heads();
      if (!head || other || open.isAhead || log.committedSeq(head.writer) >= head.seq) return;
      open.isMoving = true;
      const ahead = await foldAhead(this.#folded(channel), folded, head).finally(
        () => (open.isMoving = false),
      );
      const [now, another] = log.heads();
      const isSame = !another && now?.writer === head.writer && now.seq === head.seq;
      if (isSame && channel.fold === open && open.folded === folded && open.isAtEnd)
        return open.moveAhead(ahead);
    }
  }

  // What readers ask.

  /** What the committed order through now folds to. */
  async current(channel: ActiveChannel): Promise<Folded<F>> {
    return (await this.#atEnd(channel)).folded;
  }

  /** The same where nothing has to be read for it. */
  inMemory(channel: ActiveChannel): Folded<F> | undefined {
    if (kindOf(channel.ref.channel) !== this.kind) return undefined;
    const open = this.#known(channel);
    if (!open || open.isMoving) return undefined;
    open.settle();
    return open.isAtEnd ? open.folded : undefined;
  }

  /** What the order before `position` folds to. Throws FoldUnreadableError. */
  async before(channel: ActiveChannel, position: number): Promise<F> {
    if (position < channel.log.generation.start) throw new FoldUnreadableError('It was deleted since.', true);
    const isNow = position >= channel.log.endPosition;
    const open = isNow ? await this.#atEnd(channel) : this.#known(channel);
    open?.settle();
    const fold = open?.foldAt(position);
    if (fold) return fold;
    const at = this.#folded(channel);
    return (await foldOn(at, await foldStart(at, position), position)).fold;
  }

  /** Where the newest snapshot that counts stands, from position `first` through `last`. Throws FoldUnreadableError. */
  async snapshotWithin(channel: ActiveChannel, first: number, last: number): Promise<number | undefined> {
    return (await newestSnapshot(this.#folded(channel), first, last))?.position;
  }

  /** Shows what the entries of the order from `position` on did, until `visit` has enough. */
  async visit(
    channel: ActiveChannel,
    position: number,
    visit: (visited: Visited<F>) => boolean,
  ): Promise<void> {
    const at = this.#folded(channel);
    const from = await foldOn(at, await foldStart(at, position), position);
    await foldOn(at, from, at.log.endPosition, visit);
  }

  /** Tells of a bug that the entries of a channel run into; what whoever asked for something is told. */
  broken(ref: ChannelRef, error: unknown): Failure {
    this.hooks.broken(ref, error);
    return failure('INTERNAL', { channel: ref.channel, outcome: 'rejected' });
  }

  #folded({ ref, log }: ActiveChannel): FoldedLog<F> {
    const broken = (error: unknown): Failure => this.broken(ref, error);
    return { folding: this.folding, logs: this.#logs, ref, log, broken };
  }

  #known(channel: ActiveChannel): OpenFold<F> | undefined {
    const { fold } = channel;
    // A channel that is followed may have got another node's log; and what is of another kind says nothing here.
    if (fold && (fold.log !== channel.log || fold.folding !== this.folding)) channel.fold = undefined;
    return channel.fold as OpenFold<F> | undefined;
  }

  async #atEnd(channel: ActiveChannel): Promise<OpenFold<F>> {
    for (let i = 0; i < triesMax; i++) {
      const open = this.#known(channel) ?? this.#open(channel);
      open.settle();
      if (open.isAtEnd && !open.isMoving) {
        this.#use(channel, open);
        return open;
      }
      const moving = this.#moving.get(channel) ?? this.#move(channel, open);
      await moving;
    }
    throw new FoldUnreadableError('It changes faster than it is read.');
  }

  /** Channels whose fold is in memory. */
  get open(): Iterable<ActiveChannel> {
    return this.#kept.keys();
  }

  #open(channel: ActiveChannel): OpenFold<F> {
    assert(kindOf(channel.ref.channel) === this.kind, 'a channel is folded as what it is');
    const open = new OpenFold<F>(channel.log, this.folding);
    channel.fold = open;
    return open;
  }

  #move(channel: ActiveChannel, open: OpenFold<F>): Promise<void> {
    const { log, folded } = open;
    open.isMoving = true;
    open.forgetAhead();
    const to = log.endPosition;
    const at = this.#folded(channel);
    const isFar = folded.position === 0 || to - folded.position > limits.documentCatchUpEntries;
    const start = isFar || folded.position < log.firstPosition ? foldStart(at, to) : Promise.resolve(folded);
    const moving = start
      .then(async (found) => {
        const isApart = found.position > folded.position;
        open.moveTo(await foldOn(at, isApart ? found : folded, to), isApart);
      })
      .finally(() => {
        open.isMoving = false;
        this.#moving.delete(channel);
      });
    this.#moving.set(channel, moving);
    return moving;
  }

  /** It may weigh more than when it was used last: what was stamped is in it. Others are let go when one is used. */
  #weigh(channel: ActiveChannel, open: OpenFold<F>): void {
    const before = this.#kept.get(channel);
    if (before === undefined) return;
    const weight = open.weight + limits.foldWeightMin;
    this.#kept.set(channel, weight);
    this.#keptBytes += weight - before;
  }

  /** Within the bound those used longest ago are let go; one that is being written is folded as it goes. */
  #use(channel: ActiveChannel, open: OpenFold<F>): void {
    this.#keptBytes -= this.#kept.get(channel) ?? 0;
    this.#kept.delete(channel);
    const weight = open.weight + limits.foldWeightMin;
    this.#kept.set(channel, weight);
    this.#keptBytes += weight;
    let underWay = 0;
    for (const [oldest, bytes] of this.#kept) {
      if (this.#keptBytes <= this.folding.cacheBytes || oldest === channel || underWay === underWayMax)
        return;
      this.#kept.delete(oldest);
      if (oldest.fold && !oldest.fold.isAtRest()) {
        // It is needed, counts until it is not, and is looked at again after the others.
        this.#kept.set(oldest, bytes);
        underWay++;
        continue;
      }
      this.#keptBytes -= bytes;
      oldest.fold = undefined;
    }
  }
}

/** Notifications too, which go by nothing before them: who orders them knows what they come to, and so when a snapshot is due. */
function isJudged(item: Pending): boolean {
  return item.kind === 'publish' && item.judged !== undefined;
}

/** A snapshot is due once folding on from the last takes several times what reading one does: neither opening nor what
 *  readers get of snapshots grows with how much was written. `share`: of that. */
export function isSnapshotDue<F>({ folded, tip, folding }: OpenFold<F>, share = 1): boolean {
  const due = Math.max(limits.snapshotAfterCost, limits.snapshotAfterSizes * folding.bytesOf(tip));
  return folded.costSince > due * share;
}

/** Whether an entry with these parents joins what they have with more: with another of them, or with the writer's own last
 *  entry, which no parents name. */
function isMergeDue(parents: readonly Dot[] | undefined, [head, other]: readonly Dot[]): boolean {
  if (parents === undefined || !head) return false;
  const [parent] = parents;
  return (
    parents.length > 1 || other !== undefined || parent?.writer !== head.writer || parent.seq !== head.seq
  );
}
