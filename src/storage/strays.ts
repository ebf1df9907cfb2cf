/** Runs salvaged from damage wait here until their place in the log is known. A block that strayed brings runs which belong
 *  elsewhere, so only whole commits say what must be there: when one needs entries that were not seen, what was salvaged
 *  of them is taken in first, and only the rest is marked as lost. */
import { InvariantError, assert } from '../base/assert.js';
import { type WriterId, channelKey } from '../base/ids.js';
import { ChannelLog, type Refusal } from '../log/channel-log.js';
import type { LostRange, Vector } from '../log/entry.js';
import type { RunSummary } from '../log/run.js';
import type { StoredAt } from './applier.js';

export interface Stray {
  readonly run: RunSummary;
  readonly at: StoredAt;
}

export interface FitOptions {
  readonly strays: Strays;
  /** Takes in a stray, which the log accepts now. */
  readonly apply: (stray: Stray) => void;
  /** Told what had to be marked as lost. */
  readonly lost: (range: LostRange) => void;
}

export class Strays {
  /** By channel and writer. */
  readonly #strays = new Map<string, Stray[]>();

  add(stray: Stray): void {
    const key = keyOf(stray.run);
    const list = this.#strays.get(key) ?? [];
    this.#strays.set(key, list);
    list.push(stray);
    list.sort((a, b) => a.run.firstSeq - b.run.firstSeq);
  }

  /** Removes and returns the first stray of a writer that begins no later than `seq`. */
  take(run: Pick<RunSummary, 'ref'>, writer: WriterId, seq: number): Stray | undefined {
    const list = this.#strays.get(keyOf({ ref: run.ref, writer }));
    const first = list?.[0];
    return first && first.run.firstSeq <= seq ? list.shift() : undefined;
  }

  /** Whether one of the same channel and writer comes behind the run. */
  hasBehind(run: RunSummary): boolean {
    return this.#strays.get(keyOf(run))?.some((stray) => stray.run.firstSeq > run.firstSeq) ?? false;
  }

  /** Removes and returns any of those left. */
  takeAny(): Stray | undefined {
    for (const list of this.#strays.values()) {
      const stray = list.shift();
      if (stray) return stray;
    }
    return undefined;
  }
}

/** Whether a stray that nothing asked for has a place at the end of the order. Another was never acknowledged: the first
 *  entry of a later writer would have named it. Tried on a copy, since what a log took in stays in. */
export function hasPlace(log: ChannelLog, run: RunSummary): boolean {
  const copy = ChannelLog.decode(log.ref, log.encode());
  assert(copy.ok, 'a log reads what it wrote');
  const refusal = fit(copy.value, run, { strays: new Strays(), apply: () => {}, lost: () => {} });
  // Whoever takes it in tells why not.
  if (refusal) return true;
  copy.value.apply(run);
  return copy.value.canCommitThrough({ writer: run.writer, seq: run.firstSeq + run.count - 1 });
}

/** Makes a run found at start acceptable, or returns why it must be left out. */
export function fit(log: ChannelLog, run: RunSummary, options: FitOptions): Refusal | undefined {
  // Each round settles one kind of refusal, and a run names few writers.
  for (let round = 0; round < 4; round++) {
    const accepted = log.accepts(run);
    if (accepted.ok) return undefined;
    const refusal = accepted.error;
    if (refusal.type === 'gap') settle(log, run.writer, run.firstSeq - 1, options);
    else if (refusal.type === 'parents') {
      for (const { writer, seq } of refusal.missing) settle(log, writer, seq, options);
    } else return refusal;
  }
  throw new InvariantError('a run is acceptable once all it needs was found or marked as lost');
}

/** Takes in what floors are about to remove, and what stands behind that in the same runs: a run that is partly below the
 *  floors is not taken any more. */
export function takeBelow(log: ChannelLog, floors: Vector, options: FitOptions): void {
  for (const [writer, floor] of floors) takeThrough(log, writer, floor, options);
}

function takeThrough(log: ChannelLog, writer: WriterId, seq: number, options: FitOptions): void {
  for (;;) {
    const stray = options.strays.take(log, writer, seq);
    if (!stray) return;
    if (!fit(log, stray.run, options)) options.apply(stray);
  }
}

/** Lets the log have everything of a writer through `seq`. */
function settle(log: ChannelLog, writer: WriterId, seq: number, options: FitOptions): void {
  takeThrough(log, writer, seq, options);
  const fromSeq = log.have(writer) + 1;
  if (fromSeq > seq) return;
  const range = { writer, fromSeq, toSeq: seq };
  log.lose(range);
  options.lost(range);
}

function keyOf({ ref, writer }: Pick<RunSummary, 'ref' | 'writer'>): string {
  return `${channelKey(ref)} ${writer}`;
}
