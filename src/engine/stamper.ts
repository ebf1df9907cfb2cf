/** Makes entries of what waits: one run a channel and commit. Decides repeats and refusals, by the keys and numbers that
 *  publishers gave. */
import type { Dot, HubName } from '../base/ids.js';
import { limits } from '../base/limits.js';
import { type Content, isNumbered } from '../log/entry.js';
import { parentsWithVoids } from '../log/deletion.js';
import { trimmedCount } from '../log/floors.js';
import type { HybridClock } from '../log/hybrid-clock.js';
import type { KeyRow, RunSummary } from '../log/run.js';
import { RunWriter } from '../log/run-writer.js';
import { countersPerMs, timestampFromUnixMs } from '../log/timestamp.js';
import { entryKindOf } from '../hubs/system-channels.js';
import { type Failure, failure } from '../protocol/errors.js';
import type { ActiveChannel } from './active-channel.js';
import { outOfOrder } from './numbered.js';
import type { Stamped, Stamping } from './ordering.js';
import {
  type ForcedTrim,
  type Pending,
  type PendingMerge,
  type PendingGap,
  type PendingPublish,
  type PendingTrim,
  nothingWritten,
  refuseUnwritten,
} from './pending.js';
import { decodeContent, encodeContent } from '../log/entry-wire.js';
import { HubRoom } from './hubs/hub-room.js';
import type { FoldKinds } from './folds/fold-kinds.js';
import type { FoldedEntry } from './folds/folding.js';
import type { OpenFold } from './folds/open-fold.js';
import { type Judged, type Taken, createsParents, judge } from './judged.js';
import type { LogStore } from './ports.js';
import { unredactable } from './redacting.js';
import type { WriterId } from '../base/ids.js';
import { planted } from '../base/planted.js';

/** What waited in one channel when a commit was cut. */
export interface Group {
  readonly channel: ActiveChannel;
  readonly items: Pending[];
}

export interface StamperOptions {
  readonly store: LogStore;
  readonly clock: HybridClock;
  readonly physicalMs: () => number;
  readonly writer: WriterId;
  readonly folds: FoldKinds;
  /** What a hub's channels may hold here. */
  readonly bytesMaxOf: (hub: HubName) => number;
}

type StampedEntry = Omit<FoldedEntry, 'writer'> & {
  /** Behind it, where that is known. */
  readonly fold?: unknown;
  readonly bytes?: number;
};

type Allowed = Extract<Stamping, { as: 'owner' | 'degraded' }>;

export class Stamper {
  readonly #options: StamperOptions;
  readonly runs = new RunWriter();
  readonly #hubRoom: HubRoom;
  duplicates = 0;
  #nowMs = 0;
  /** Of the channel being stamped. */
  #allowed: Allowed | undefined;
  #isBegun = false;
  /** What its hub may still store, and how much was stamped when that was looked at; not looked at yet. */
  #room: { readonly left: number; readonly from: number } | undefined;
  /** What that channel comes to, where it is of such a kind and that is known as far as its log goes. */
  #open: OpenFold<unknown> | undefined;

  constructor(options: StamperOptions) {
    this.#options = options;
    this.#hubRoom = new HubRoom(options.store, options.bytesMaxOf);
  }

  /** Forgets the runs before; returns a new bound of the clock, which is to become durable in the same commit as the first
   *  stamps above the old one. */
  begin(): number | undefined {
    const { clock, physicalMs } = this.#options;
    this.#nowMs = physicalMs();
    const bound = clock.boundNeeded(this.#nowMs);
    if (bound !== undefined) clock.raiseBound(bound);
    this.runs.clear();
    this.#hubRoom.begin();
    return bound;
  }

  /** Stamps and encodes what is new; answers what is refused. */
  stamp({ channel, items }: Group, allowed: Allowed): Stamped {
    this.#allowed = allowed;
    this.#isBegun = false;
    this.#room = undefined;
    this.#open = this.#options.folds.of(channel)?.at(channel, allowed.parents);
    let kept = 0;
    for (const item of items) if (this.#take(channel, item)) items[kept++] = item;
    items.length = kept;
    let run: RunSummary | undefined;
    if (this.#isBegun) run = this.runs.end();
    if (run) this.#hubRoom.added(channel.ref, run.recordBytes);
    return { channel, items, run };
  }

  #take(channel: ActiveChannel, item: Pending): boolean {
    switch (item.kind) {
      case 'publish':
        return this.#publish(channel, item);
      case 'trim':
        return this.#trim(channel, item);
      case 'merge':
        return this.#merge(channel, item);
      case 'snapshot':
        return this.#snapshot(channel);
      case 'gap':
        return this.#gap(channel, item);
    }
  }

  /** The parents due, on the first entry of a run. */
  #begin(channel: ActiveChannel): readonly Dot[] | undefined {
    if (this.#isBegun) return undefined;
    this.#isBegun = true;
    const { as, round, parents } = this.#allowed!;
    const { writer } = this.#options;
    this.runs.begin(channel.ref, writer, round, channel.seq + 1, channel.checksum);
    const voids = as === 'owner' ? channel.log.generation.voidsDue() : [];
    if (voids.length === 0) return parents;
    // What is taken in of an older generation is said to be that before anything else stands on it.
    channel.forgetKeys();
    const timestamp = this.#options.clock.stamp(this.#nowMs);
    const over = parentsWithVoids({ writer, seq: channel.seq }, parents, voids);
    const seq = this.runs.append({ timestamp, kind: 'delete', voids, parents: over });
    this.#stamped(channel, { seq, timestamp, kind: 'delete' });
    return undefined;
  }

  #publish(channel: ActiveChannel, item: PendingPublish): boolean {
    if (item.deletes) return this.#delete(channel, item);
    if (item.redacts) return this.#redact(channel, item, item.redacts);
    if (item.forces) return this.#force(channel, item, item.forces);
    const { scope, idempotencyKey, publisher, contentHash } = item;
    if (idempotencyKey !== undefined) {
      const timestamp = this.#logTime();
      const verdict = channel.keys.check({ scope, key: idempotencyKey, timestamp, contentHash });
      if (verdict === 'conflict')
        return refuse(item, failure('KEY_CONFLICT', { channel: channel.ref.channel }));
      // `unknown` was looked up before: the index does not have it either.
      if (typeof verdict === 'object') return this.#repeat(channel, item, verdict.duplicateOf);
    }
    if (this.#allowed!.as === 'degraded' && !item.degrade) {
      refuseUnwritten(item);
      return false;
    }
    const misnumbered = isNumbered(publisher) && outOfOrder(channel, scope, publisher);
    if (misnumbered) return refuse(item, misnumbered);
    if (!this.#hasRoom(channel, item)) return refuse(item, this.#hubRoom.full(channel.ref));
    // Behind one that was not taken it would be judged without what it builds on.
    const taken = item.judged && this.#judge(channel, item, item.judged);
    if (taken === false) return false;
    if (isNumbered(publisher)) channel.publishers.add(scope, publisher.epoch, publisher.seq);
    const parents = this.#begin(channel);
    item.timestamp = this.#options.clock.stamp(this.#nowMs);
    const kind = item.judged?.kind ?? entryKindOf(channel.ref.channel);
    const createParents = createsParents(item.judged);
    const seq = this.runs.append({
      timestamp: item.timestamp,
      kind,
      actor: item.actor === '' ? undefined : item.actor,
      publisher,
      idempotencyKey,
      parents,
      retain: item.retain,
      push: item.push,
      createParents,
      content: item.content,
    });
    const { timestamp, content: encoded } = item;
    this.#stamped(channel, {
      seq,
      timestamp,
      kind,
      bytes: encoded.length,
      fold: taken?.fold,
      content: item.judged && this.#open ? contentOf(encoded) : undefined,
      createParents,
    });
    item.version = taken?.version;
    item.dot = { writer: this.#options.writer, seq };
    if (idempotencyKey !== undefined) {
      const { dot, timestamp } = item;
      channel.keys.add({ ref: channel.ref, scope, key: idempotencyKey, dot, timestamp, contentHash });
    }
    return true;
  }

  /** What is marked as read is the end of something, and no more than was notified. */
  #hasRoom({ ref }: ActiveChannel, { content, judged }: PendingPublish): boolean {
    if (judged?.kind === 'read') return true;
    this.#room ??= { left: this.#hubRoom.left(ref), from: this.runs.byteLength };
    const { left, from } = this.#room;
    return left === Infinity || this.runs.byteLength - from + content.length <= left;
  }

  /** The same message under the same key: it gets the first one's dot. */
  #repeat(channel: ActiveChannel, item: PendingPublish, first: KeyRow): boolean {
    const { publisher, scope } = item;
    if (isNumbered(publisher)) channel.publishers.add(scope, publisher.epoch, publisher.seq);
    this.duplicates++;
    item.dot = first.dot;
    item.timestamp = first.timestamp;
    item.duplicate = true;
    return true;
  }

  /** Only under a claim: elsewhere others may go on without it. */
  #delete(channel: ActiveChannel, item: PendingPublish): boolean {
    const { as, round } = this.#allowed!;
    if (as !== 'owner') {
      refuseUnwritten(item);
      return false;
    }
    const { writer, clock } = this.#options;
    const parents = this.#begin(channel);
    const trim = channel.log.generation.endAt(writer, Math.max(channel.seq, channel.stampedSeq) + 1, round);
    const timestamp = clock.stamp(this.#nowMs);
    const actor = item.actor === '' ? undefined : item.actor;
    const seq = this.runs.append({ timestamp, kind: 'delete', actor, parents, trim });
    item.timestamp = timestamp;
    item.dot = { writer, seq };
    this.#stamped(channel, { seq, timestamp, kind: 'delete', fold: this.#open?.folding.empty });
    channel.forgetKeys();
    return true;
  }

  /** Only under a claim, as a deletion. Who asks again for the same is told of the first. */
  #redact(channel: ActiveChannel, item: PendingPublish, of: Dot): boolean {
    const { log } = channel;
    if (this.#allowed!.as !== 'owner') {
      refuseUnwritten(item);
      return false;
    }
    const [known] = log.redactions.of(of)?.by ?? [];
    if (known) {
      item.dot = known;
      item.duplicate = true;
      return true;
    }
    const failed = unredactable(log, of);
    if (failed) return refuse(item, failed);
    const parents = this.#begin(channel);
    const timestamp = this.#options.clock.stamp(this.#nowMs);
    const actor = item.actor === '' ? undefined : item.actor;
    const seq = this.runs.append({ timestamp, kind: 'redact', actor, parents, redacts: of });
    item.timestamp = timestamp;
    item.dot = { writer: this.#options.writer, seq };
    this.#stamped(channel, { seq, timestamp, kind: 'redact', redacts: of });
    return true;
  }

  #trim(channel: ActiveChannel, item: PendingTrim): boolean {
    const trim = this.#allowed!.as === 'owner' ? channel.log.trimAt(item.position) : undefined;
    if (!trim) {
      item.settled(false);
      return false;
    }
    const parents = this.#begin(channel);
    const timestamp = this.#options.clock.stamp(this.#nowMs);
    const seq = this.runs.append({ timestamp, kind: 'trim', trim, parents });
    this.#stamped(channel, { seq, timestamp, kind: 'trim', trim });
    return true;
  }

  /** Only under a claim, as any trim. Says where it ends, so that readers are told that it was forced. */
  #force(channel: ActiveChannel, item: PendingPublish, { position }: ForcedTrim): boolean {
    if (this.#allowed!.as !== 'owner') {
      refuseUnwritten(item);
      return false;
    }
    const removed = channel.log.trimAt(position);
    if (!removed) {
      // Another trim took as much meanwhile.
      item.origin.publishAccepted(item, nothingWritten);
      return false;
    }
    const forced = { through: removed.through, end: trimmedCount(removed.floors) };
    const trim = { ...removed, forced };
    const actor = item.actor === '' ? undefined : item.actor;
    const parents = this.#begin(channel);
    const timestamp = this.#options.clock.stamp(this.#nowMs);
    const seq = this.runs.append({ timestamp, kind: 'trim', actor, trim, parents });
    item.timestamp = timestamp;
    item.dot = { writer: this.#options.writer, seq };
    this.#stamped(channel, { seq, timestamp, kind: 'trim', trim });
    return true;
  }

  /** Only when no other entry of this run names what it would. */
  #merge(channel: ActiveChannel, { isNeeded }: PendingMerge): boolean {
    const { as, parents } = this.#allowed!;
    const isDue = parents !== undefined || channel.log.generation.voidsDue().length > 0;
    if ((as !== 'owner' && !isNeeded) || this.#isBegun || !isDue) return false;
    // Unless an entry about an older generation names them already.
    if (!this.#begin(channel)) return true;
    const timestamp = this.#options.clock.stamp(this.#nowMs);
    const seq = this.runs.append({ timestamp, kind: 'merge', parents });
    this.#stamped(channel, { seq, timestamp, kind: 'merge' });
    return true;
  }

  // What is judged.

  /** What it takes of the channel behind it; what makes no sense there is refused, and never written. */
  #judge(channel: ActiveChannel, item: PendingPublish, judged: Judged): Taken | false {
    const judgement = this.#options.folds.contained(channel, () =>
      judge(judged, {
        channel: channel.ref.channel,
        tip: this.#open?.tip,
        isOwner: this.#allowed!.as === 'owner',
        nowMs: this.#nowMs,
        hashOf: (fold) => this.#options.folds.documents.hashOf(fold),
      }),
    );
    const taken = judgement.ok ? judgement.value : judgement.error;
    if (taken && 'outcome' in taken) return refuse(item, taken);
    if (!taken) refuseUnwritten(item);
    return taken ?? false;
  }

  /** Only under a claim: elsewhere it would say what nothing else goes by. */
  #snapshot(channel: ActiveChannel): boolean {
    const open = this.#open;
    if (!open || this.#allowed!.as !== 'owner') return false;
    const content = this.#options.folds.contained(channel, () =>
      encodeContent(open.folding.snapshotOf(open.tip)),
    );
    if (!content.ok) {
      // It would be asked for with every entry.
      open.snapshotStamped();
      return false;
    }
    const parents = this.#begin(channel);
    const timestamp = this.#options.clock.stamp(this.#nowMs);
    const seq = this.runs.append({ timestamp, kind: 'snapshot', parents, content: content.value });
    this.#stamped(channel, { seq, timestamp, kind: 'snapshot' });
    open.snapshotStamped();
    return true;
  }

  #stamped(channel: ActiveChannel, { fold, bytes = 0, ...entry }: StampedEntry): void {
    channel.stampedSeq = entry.seq;
    const open = this.#open;
    if (!open) return;
    const { writer } = this.#options;
    // Behind all that is held: nothing it could stand on less than.
    const behind = this.#options.folds.contained(
      channel,
      () => fold ?? open.folding.step(open.tip, { writer, ...entry }).fold,
    );
    // It is in the log: what is judged behind it waits until it can be folded.
    if (!behind.ok) this.#open = channel.fold = undefined;
    else open.push({ writer, seq: entry.seq, fold: behind.value, isSnapshot: entry.kind === 'snapshot' });
    open.grew(bytes);
  }

  /** Unless an earlier one says the same. */
  #gap(channel: ActiveChannel, { lost }: PendingGap): boolean {
    const { writer, fromSeq, toSeq } = lost;
    if (this.#allowed!.as !== 'owner' || channel.log.isGivenUp(writer, fromSeq, toSeq)) return false;
    // What is held without its content can be read again since a redaction of it is held.
    if (channel.log.redactions.within(writer, fromSeq, toSeq).length > toSeq - fromSeq) return false;
    const parents = this.#begin(channel);
    const timestamp = this.#options.clock.stamp(this.#nowMs);
    const seq = this.runs.append({ timestamp, kind: 'gap', lost, parents });
    this.#stamped(channel, { seq, timestamp, kind: 'gap' });
    // Who says again what is given up is not told that it is there.
    channel.forgetKeys();
    return true;
  }

  // Keys.

  /** Looks up keys that memory cannot judge: they may have been taken before the channel was loaded. `undefined` when
   *  there are none, so that nothing is waited for. */
  lookUpKeys(batch: readonly Group[]): Promise<void> | undefined {
    const unknown: { channel: ActiveChannel; item: PendingPublish }[] = [];
    const timestamp = this.#logTime();
    for (const { channel, items } of batch) {
      for (const item of items) {
        if (item.kind !== 'publish' || item.idempotencyKey === undefined) continue;
        const { scope, idempotencyKey: key, contentHash } = item;
        if (channel.keys.check({ scope, key, timestamp, contentHash }) === 'unknown')
          unknown.push({ channel, item });
      }
    }
    return unknown.length > 0 && !planted('keys-in-memory') ? this.#find(unknown) : undefined;
  }

  async #find(unknown: readonly { channel: ActiveChannel; item: PendingPublish }[]): Promise<void> {
    const rows = unknown.map(({ channel, item }) => ({
      ref: channel.ref,
      scope: item.scope,
      key: item.idempotencyKey!,
    }));
    const [now, window] = [this.#logTime(), limits.idempotencyWindowMs * countersPerMs];
    const found = await this.#options.store.findKeys(rows, Math.max(0, now - window), now + window);
    unknown.forEach(({ channel }, i) => {
      const row = found[i];
      if (row && !isGone(channel, row.dot)) channel.keys.add(row);
    });
  }

  /** About what the next stamp will be, for judging the age of keys. */
  #logTime(): number {
    const { clock, physicalMs } = this.#options;
    return Math.max(clock.last, timestampFromUnixMs(Math.floor(physicalMs())));
  }
}

function contentOf(encoded: Uint8Array): Content | undefined {
  const content = decodeContent(encoded);
  return content.ok ? content.value : undefined;
}

/** The index may still have its key. */
function isGone({ log }: ActiveChannel, dot: Dot): boolean {
  return log.generation.isDeleted(dot) || log.isGivenUp(dot.writer, dot.seq, dot.seq);
}

function refuse(item: PendingPublish, error: Failure): false {
  item.origin.publishFailed(item.requestId, error);
  return false;
}
