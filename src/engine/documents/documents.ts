/** The documents of a node: folded when somebody asks, kept in memory within a bound, and at the node that stamps always
 *  as far as the next patch needs, since whether a patch applies is decided there, before it is in the log. */
import { utf8 } from '../../base/bytes.js';
import type { Dot, WriterId } from '../../base/ids.js';
import { limits } from '../../base/limits.js';
import { kindOf } from '../../channels/kinds.js';
import type { Fold } from '../../documents/fold.js';
import { canonical, sizeOf } from '../../documents/value.js';
import type { DocumentInfo } from '../../protocol/messages.js';
import type { ActiveChannel } from '../active-channel.js';
import type { Pending } from '../pending.js';
import { type Hashing, type Logs, StoreFailedError } from '../ports.js';
import {
  DocumentUnreadableError,
  type FoldedLog,
  type Visited,
  foldAhead,
  foldOn,
  foldStart,
} from './log-fold.js';
import { type Folded, OpenDocument } from './open-document.js';

/** How often a document is taken on to a log that grows meanwhile, before whoever waits is told to come back. */
const triesMax = 64;

/** Of the committer: what waits in a channel is tried again, or refused. */
export interface Waiting {
  resume(channel: ActiveChannel): void;
  refusePending(channel: ActiveChannel): void;
}

export interface DocumentsHooks {
  failed(error: unknown): void;
}

/** Whether what waits in a channel may be stamped: `merge` first where the log has several heads. */
export type Readiness = 'ready' | 'loading' | 'merge';

export class Documents {
  readonly #moving = new Map<ActiveChannel, Promise<void>>();
  readonly #preparing = new Set<ActiveChannel>();
  /** How often in a row that did not make them ready. */
  readonly #tries = new WeakMap<ActiveChannel, number>();
  /** In order of use, with what they weigh. */
  readonly #kept = new Map<ActiveChannel, number>();
  #keptBytes = 0;
  readonly #infos = new WeakMap<Fold, DocumentInfo>();

  constructor(
    readonly logs: Logs,
    readonly writer: WriterId,
    readonly hashing: Hashing,
    readonly hooks: DocumentsHooks,
  ) {}

  // What the committer asks.

  /** Before items are stamped behind `parents`; prepares the document where patches wait for that. */
  readiness(
    channel: ActiveChannel,
    items: readonly Pending[],
    parents: readonly Dot[] | undefined,
  ): Readiness {
    if (!items.some(isPatch)) return 'ready';
    if (this.at(channel, parents)) {
      this.#tries.delete(channel);
      return 'ready';
    }
    // The writer's own last entry may be a head that parents do not name.
    const isMergeDue = parents !== undefined && (parents.length > 1 || channel.log.heads().length > 1);
    return isMergeDue ? 'merge' : 'loading';
  }

  /** The document that an entry with these parents follows, if it is known. */
  at(channel: ActiveChannel, parents: readonly Dot[] | undefined): OpenDocument | undefined {
    if (kindOf(channel.ref.channel) !== 'document') return undefined;
    const known = this.#known(channel);
    if (known?.isBefore(parents, this.writer)) return known;
    known?.forgetAhead();
    return undefined;
  }

  /** Takes the document to where the next patch is judged, then lets the committer go on. */
  prepare(channel: ActiveChannel, waiting: Waiting): void {
    if (this.#preparing.has(channel)) return;
    this.#preparing.add(channel);
    const tries = (this.#tries.get(channel) ?? 0) + 1;
    this.#tries.set(channel, tries);
    void (
      tries > triesMax
        ? Promise.reject(new DocumentUnreadableError('It changes all the time.'))
        : this.#prepare(channel)
    )
      .then(
        () => waiting.resume(channel),
        (error: unknown) => {
          this.#tries.delete(channel);
          waiting.refusePending(channel);
          if (error instanceof StoreFailedError) this.hooks.failed(error);
        },
      )
      .finally(() => this.#preparing.delete(channel));
  }

  async #prepare(channel: ActiveChannel): Promise<void> {
    for (let i = 0; i < triesMax; i++) {
      const document = await this.#atEnd(channel);
      const { log, folded } = document;
      const [head, other] = log.heads();
      if (!head || other || document.isAhead || log.committedSeq(head.writer) >= head.seq) return;
      document.isMoving = true;
      const ahead = await foldAhead(this.#folded(channel), folded, head).finally(
        () => (document.isMoving = false),
      );
      const [now, another] = log.heads();
      const isSame = !another && now?.writer === head.writer && now.seq === head.seq;
      if (isSame && channel.document === document && document.folded === folded && document.isAtEnd)
        return document.moveAhead(ahead);
    }
  }

  // What readers ask.

  /** A fold as it is told. */
  describe(fold: Fold): { readonly info: DocumentInfo; readonly value: Uint8Array } {
    const value = utf8(canonical(fold.document));
    return { info: this.#infoOf(fold, value), value };
  }

  info(fold: Fold): DocumentInfo {
    return this.#infos.get(fold) ?? this.describe(fold).info;
  }

  /** Many may ask for that of one fold. */
  #infoOf(fold: Fold, value: Uint8Array): DocumentInfo {
    const known = this.#infos.get(fold);
    if (known) return known;
    const { version, voids } = fold;
    const info = { version, voids, hash: this.hashing.sha256(value), size: value.length };
    this.#infos.set(fold, info);
    return info;
  }

  /** What the committed order through now folds to. */
  async current(channel: ActiveChannel): Promise<Folded> {
    return (await this.#atEnd(channel)).folded;
  }

  /** What the order before `position` folds to. Throws DocumentUnreadableError. */
  async before(channel: ActiveChannel, position: number): Promise<Fold> {
    if (position < channel.log.generation.start)
      throw new DocumentUnreadableError('The document was deleted since.', true);
    const isNow = position >= channel.log.endPosition;
    const document = isNow ? await this.#atEnd(channel) : this.#known(channel);
    document?.settle();
    const fold = document?.foldAt(position);
    if (fold) return fold;
    const at = this.#folded(channel);
    return (await foldOn(at, await foldStart(at, position), position)).fold;
  }

  /** Shows what the entries of the order from `position` on did, until `visit` has enough. */
  async visit(channel: ActiveChannel, position: number, visit: (visited: Visited) => boolean): Promise<void> {
    const at = this.#folded(channel);
    const from = await foldOn(at, await foldStart(at, position), position);
    await foldOn(at, from, at.log.endPosition, visit);
  }

  #folded({ ref, log }: ActiveChannel): FoldedLog {
    return { logs: this.logs, ref, log };
  }

  #known(channel: ActiveChannel): OpenDocument | undefined {
    const { document } = channel;
    // A channel that is followed may have got another node's log.
    if (document && document.log !== channel.log) channel.document = undefined;
    return channel.document;
  }

  async #atEnd(channel: ActiveChannel): Promise<OpenDocument> {
    for (let i = 0; i < triesMax; i++) {
      const document = this.#known(channel) ?? (channel.document = new OpenDocument(channel.log));
      document.settle();
      if (document.isAtEnd && !document.isMoving) {
        this.#use(channel, document);
        return document;
      }
      const moving = this.#moving.get(channel) ?? this.#move(channel, document);
      await moving;
    }
    throw new DocumentUnreadableError('The document changes faster than it is read.');
  }

  #move(channel: ActiveChannel, document: OpenDocument): Promise<void> {
    const { log, folded } = document;
    document.isMoving = true;
    document.forgetAhead();
    const to = log.endPosition;
    const at = this.#folded(channel);
    const isFar = folded.position === 0 || to - folded.position > limits.documentCatchUpEntries;
    const start = isFar || folded.position < log.firstPosition ? foldStart(at, to) : Promise.resolve(folded);
    const moving = start
      .then((found) => foldOn(at, found.position > folded.position ? found : folded, to))
      .then((moved) => document.moveTo(moved))
      .finally(() => {
        document.isMoving = false;
        this.#moving.delete(channel);
      });
    this.#moving.set(channel, moving);
    return moving;
  }

  /** Within the bound those used longest ago are let go; one that is being written is folded as it goes. */
  #use(channel: ActiveChannel, document: OpenDocument): void {
    this.#keptBytes -= this.#kept.get(channel) ?? 0;
    this.#kept.delete(channel);
    const weight = limits.documentWeight * document.bytes + limits.documentWeightMin;
    this.#kept.set(channel, weight);
    this.#keptBytes += weight;
    for (const [oldest, bytes] of this.#kept) {
      if (this.#keptBytes <= limits.documentCacheBytes || oldest === channel) return;
      this.#kept.delete(oldest);
      this.#keptBytes -= bytes;
      if (oldest.document && !oldest.document.isMoving && !oldest.document.isAhead)
        oldest.document = undefined;
    }
  }
}

function isPatch(item: Pending): boolean {
  return item.kind === 'publish' && item.change !== undefined;
}

/** A snapshot is due once as much was written since the last as it takes to read one, several times over: what readers
 *  get of snapshots is a small part of what they get. */
export function isSnapshotDue({ folded, tip, isSnapshotAsked }: OpenDocument): boolean {
  const due = Math.max(limits.snapshotAfterBytes, limits.snapshotAfterSizes * sizeOf(tip.document));
  return !isSnapshotAsked && folded.bytesSince > due;
}
