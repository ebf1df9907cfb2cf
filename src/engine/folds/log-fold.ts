/** Folds what a channel's log has: from the nearest snapshot on, in bounded reads. */
import type { ChannelRef, Dot } from '../../base/ids.js';
import { limits } from '../../base/limits.js';
import { planted } from '../../base/planted.js';
import type { ChannelLog } from '../../log/channel-log.js';
import type { Entry } from '../../log/entry.js';
import { RecordWalk, decodeEntry, placeOf } from '../../log/entry-wire.js';
import { type Place, recordKind } from '../../log/record-layout.js';
import { LogReader } from '../../log/reader.js';
import { RemoteUnavailableError } from '../cluster/followed-channel.js';
import { type ScanItem, inOrder, partsBackward, scanParts } from '../history.js';
import { isNowhere } from '../missing.js';
import type { Failure } from '../../protocol/errors.js';
import type { Gap } from '../../protocol/messages.js';
import type { MissingRange, RecordSlice } from '../ports.js';
import type { Readable } from '../scan.js';
import type { Folding, Step } from './folding.js';
import { type Ahead, type Folded, foldCost } from './open-fold.js';

/** What a fold stands on cannot be read here now, or was trimmed. */
export class FoldUnreadableError extends Error {
  override readonly name = 'FoldUnreadableError';

  constructor(
    message: string,
    /** It will not be read later either. */
    readonly isGone = false,
  ) {
    super(message);
  }
}

/** Its entries run into a bug, which was told of. */
export class FoldBrokenError extends FoldUnreadableError {
  constructor(readonly failure: Failure) {
    super(failure.message);
  }
}

/** Read as `foldable` has it. */
export interface FoldedLog<F> extends Readable {
  readonly folding: Folding<F>;
  broken(error: unknown): Failure;
}

/** Throws FoldBrokenError where that throws. */
function contained<T>(at: FoldedLog<unknown>, use: () => T): T {
  try {
    return use();
  } catch (error) {
    throw new FoldBrokenError(at.broken(error));
  }
}

/** What no home that can be reached has now cannot be folded now: nothing else is wrong. */
export function foldable(logs: Readable['logs']): Readable['logs'] {
  return {
    read: async (...asked) => {
      try {
        return await logs.read(...asked);
      } catch (error) {
        if (!(error instanceof RemoteUnavailableError)) throw error;
        throw new FoldUnreadableError('An entry cannot be read now.');
      }
    },
  };
}

/** What an entry of the order did. */
export interface Visited<F> extends Step<F> {
  readonly entry: Entry;
  readonly position: number;
}

/** From the newest snapshot through `position` that counts, else from the beginning. */
export async function foldStart<F>(at: FoldedLog<F>, position: number): Promise<Folded<F>> {
  const { log, folding } = at;
  const { firstPosition } = log;
  const snapshot = await newestSnapshot(at, 0, position);
  if (snapshot) return { ...snapshot, snapshotAt: snapshot.position, costSince: 0 };
  const { start } = log.generation;
  if (firstPosition > start && !folding.startsAnywhere) throw await lacking(at, position);
  return begun(folding, Math.max(firstPosition, start));
}

function begun<F>({ empty }: Folding<F>, position: number): Folded<F> {
  return { fold: empty, position, snapshotAt: undefined, costSince: 0 };
}

/** The newest snapshot at a position from `first` through `last` that counts: it is what the order before it gives. */
export async function newestSnapshot<F>(
  at: FoldedLog<F>,
  first: number,
  last: number,
): Promise<{ readonly fold: F; readonly position: number } | undefined> {
  const { log, ref, folding } = at;
  // In parts: what is passed over on the way is most of what opening reads, and each entry alone would take longer than folding it.
  for await (const part of partsBackward(at, Math.min(last + 1, log.endPosition))) {
    const snapshots = part.type === 'records' ? snapshotsIn(part.slice) : [];
    for (const item of snapshots.reverse()) {
      const position = part.position + item.seq - item.slice.firstSeq;
      if (position < first) return undefined;
      if (isNothing(log, item)) continue;
      if (!log.isOnChain(position) && !planted('snapshot-anywhere')) continue;
      const { content } = entryOf(ref, item);
      const fold = content && contained(at, () => folding.readSnapshot(content));
      if (fold) return { fold, position };
    }
    if (part.position < first) return undefined;
  }
  return undefined;
}

type StoredRecord = Pick<RecordItem, 'slice' | 'seq' | 'bodyStart' | 'end'>;

function snapshotsIn(slice: RecordSlice): StoredRecord[] {
  const { records } = slice;
  const found: StoredRecord[] = [];
  let seq = slice.firstSeq;
  for (const walk = new RecordWalk(records); walk.next(); seq++) {
    const { bodyStart, end } = walk;
    if (recordKind(records, bodyStart, end) === 'snapshot') found.push({ slice, seq, bodyStart, end });
  }
  return found;
}

/** What the order before `position` gave is gone only where a snapshot behind it says so. A home that took over what others
 *  had trimmed has none yet: retention leaves one, and it comes. */
async function lacking<F>(at: FoldedLog<F>, position: number): Promise<FoldUnreadableError> {
  return (await newestSnapshot(at, position + 1, at.log.endPosition))
    ? new FoldUnreadableError('The log does not go back that far.', true)
    : new FoldUnreadableError('What it is made of is not here yet.');
}

/** Goes on from `from` up to position `to` of the committed order. */
export async function foldOn<F>(
  at: FoldedLog<F>,
  from: Folded<F>,
  to: number,
  visit?: (visited: Visited<F>) => boolean,
): Promise<Folded<F>> {
  const { log, ref, folding } = at;
  const { start } = log.generation;
  if (from.position < start && to > start)
    return await foldOn(at, visit ? begun(folding, start) : await foldStart(at, to), to, visit);
  let { fold, position, snapshotAt, costSince } = from;
  const first = Math.max(log.firstPosition, log.generation.start);
  if (position < first && folding.startsAnywhere) position = first;
  if (position < first) {
    // Trimmed meanwhile. What the entries between did can be shown to nobody.
    if (visit) throw new FoldUnreadableError('The log does not go back that far.', true);
    return await foldOn(at, await foldStart(at, to), to);
  }
  if (position >= to) return from;
  const reader = LogReader.atPosition(log, position);
  for await (const part of scanParts(at, reader)) {
    if (part.type === 'gap') position += givenUp(log, part.gap);
    else {
      reader.advance(part.step);
      for (const { entry, bytes } of entriesOf(ref, part.slice)) {
        if (position >= to) break;
        const here = position++;
        if (isGivenUp(log, entry)) continue;
        const before = fold;
        const step = contained(at, () => folding.step(before, entry, () => log.pastOf(entry)));
        fold = step.fold;
        costSince += foldCost(bytes);
        if (entry.kind === 'snapshot' && log.isOnChain(here)) {
          snapshotAt = here;
          costSince = 0;
        }
        if (visit && !visit({ ...step, entry, position: here }))
          return { fold, position, snapshotAt, costSince };
      }
    }
    if (position >= to) break;
  }
  return { fold, position, snapshotAt, costSince };
}

/** What lies beyond the committed order, in the order through `head`. */
export async function foldAhead<F>(at: FoldedLog<F>, from: Folded<F>, head: Dot): Promise<Ahead<F>[]> {
  const { logs, ref, log, folding } = at;
  const ahead: Ahead<F>[] = [];
  let { fold } = from;
  for (const { writer, firstSeq, count } of log.generation.present(log.provisional(head))) {
    let next = firstSeq;
    while (next < firstSeq + count) {
      const range = { writer, firstSeq: next, count: firstSeq + count - next };
      const { slices, missing } = await logs.read(ref, [range], limits.replayChunkBytes);
      const parts = inOrder(slices, missing);
      if (parts.length === 0) throw new FoldUnreadableError('An entry cannot be read.');
      for (const { seq, entry } of parts.flatMap((part) => [...entriesIn(log, ref, part)])) {
        const before = fold;
        if (entry) ({ fold } = contained(at, () => folding.step(before, entry, () => log.pastOf(entry))));
        ahead.push({ writer, seq, fold });
        next = seq + 1;
      }
    }
  }
  return ahead;
}

type RecordItem = Extract<ScanItem, { type: 'record' }>;

/** Throws FoldUnreadableError. */
export function entryOf(
  ref: ChannelRef,
  { slice, bodyStart, end }: Pick<RecordItem, 'slice' | 'bodyStart' | 'end'>,
  place = placeIn(ref, slice),
): Entry {
  const entry = decodeEntry(slice.records.subarray(bodyStart, end), place);
  if (entry.ok) return entry.value;
  throw new FoldUnreadableError(`An entry is ${entry.error}.`);
}

interface Counted {
  readonly seq: number;
  /** `undefined` for one that is no change. */
  readonly entry: Entry | undefined;
}

function* entriesIn(log: ChannelLog, ref: ChannelRef, part: RecordSlice | MissingRange): Generator<Counted> {
  if ('records' in part) {
    for (const { entry } of entriesOf(ref, part))
      yield { seq: entry.seq, entry: isGivenUp(log, entry) ? undefined : entry };
    return;
  }
  const { writer, fromSeq, toSeq } = part;
  for (let seq = fromSeq; seq <= toSeq; seq++) {
    if (!isGivenUp(log, { writer, seq })) throw new FoldUnreadableError('An entry cannot be read.');
    yield { seq, entry: undefined };
  }
}

function placeIn(ref: ChannelRef, { writer, round }: RecordSlice): Place {
  return placeOf(ref, writer, round);
}

/** Throws FoldUnreadableError. */
function* entriesOf(ref: ChannelRef, slice: RecordSlice): Generator<{ entry: Entry; bytes: number }> {
  const place = placeIn(ref, slice);
  const walk = new RecordWalk(slice.records);
  while (walk.next()) {
    const { start, bodyStart, end } = walk;
    yield { entry: entryOf(ref, { slice, bodyStart, end }, place), bytes: end - start };
  }
  if (walk.malformed) throw new FoldUnreadableError('A record is cut.');
}

/** No change, also where a copy can be read: homes that have none fold to the same. */
export function isNothing(
  log: ChannelLog,
  { slice: { writer }, seq }: Pick<RecordItem, 'slice' | 'seq'>,
): boolean {
  return isGivenUp(log, { writer, seq });
}

function isGivenUp(log: ChannelLog, { writer, seq }: Dot): boolean {
  return log.isGivenUp(writer, seq, seq);
}

/** How many entries they are that no home has any more, which is no change, and the same for all. What only this one cannot
 *  read is waited for: throws FoldUnreadableError. */
function givenUp(log: ChannelLog, { ranges, reason }: Gap): number {
  let count = 0;
  for (const range of ranges) {
    const { writer, fromSeq, toSeq } = range;
    // A home may have heard already that it is deleted; then this log is behind, and goes on soon.
    const isDeleted = reason === 'deleted' && log.generation.isDeleted({ writer, seq: toSeq });
    if (!isDeleted && !isNowhere(log, range)) throw new FoldUnreadableError('An entry cannot be read.');
    count += toSeq - fromSeq + 1;
  }
  return count;
}
