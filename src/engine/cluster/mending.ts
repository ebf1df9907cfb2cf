/** What becomes of entries that cannot be read here while other homes may have them: a client's read waits for them, so a gap
 *  is told only of what no home has; and all that is stored is read through in the background. */
import { type ChannelRef, type WriterId, channelKey } from '../../base/ids.js';
import { limits } from '../../base/limits.js';
import type { LogStore, MissingRange, ReadRange, ReadResult, Timers } from '../ports.js';
import { RemoteUnavailableError } from './followed-channel.js';

export interface MendingOptions {
  readonly store: Pick<LogStore, 'read' | 'peek' | 'scrub' | 'damaged' | 'digest' | 'waiting'>;
  readonly timers: Timers;
  /** Has an entry that cannot be read looked for elsewhere. */
  readonly examine: (ref: ChannelRef, writer: WriterId, seq: number) => Promise<void>;
  /** Has the other homes asked what is committed of a channel, which nobody may use. */
  readonly learn: (ref: ChannelRef) => Promise<void>;
  /** Whether it may still be found. */
  readonly mayMend: (ref: ChannelRef, writer: WriterId, seq: number) => boolean;
  readonly failed: (error: unknown) => void;
}

export class Mending {
  readonly #options: MendingOptions;
  readonly #waiting = new Map<string, Set<() => void>>();
  /** Channels of which something cannot be read, here or at a home that was compared with. */
  readonly #damaged = new Map<string, ChannelRef>();
  #cancel: (() => void) | undefined;
  /** Ends the rest after all was read through. */
  #cancelRest: (() => void) | undefined;
  #isStopped = false;

  constructor(options: MendingOptions) {
    this.#options = options;
  }

  /** As `LogStore.read`, but what can be read is given before what cannot be is waited for. Rejects with
   *  RemoteUnavailableError when that takes long. */
  async read(ref: ChannelRef, ranges: readonly ReadRange[], bytesMax: number): Promise<ReadResult> {
    const { store, examine, mayMend } = this.#options;
    const started = await store.read(ref, ranges, bytesMax);
    const first = this.#wanted(ref, started)[0];
    if (!first) return started;
    await examine(ref, first.writer, first.fromSeq);
    const before = slicesBefore(started, first, ranges);
    if (before.length > 0) return { slices: before, missing: [] };
    if (mayMend(ref, first.writer, first.fromSeq)) await this.#changed(ref);
    const result = await store.read(ref, ranges, bytesMax);
    const left = this.#wanted(ref, result).find(({ writer, fromSeq }) => mayMend(ref, writer, fromSeq));
    if (!left) return result;
    const some = slicesBefore(result, left, ranges);
    if (some.length > 0) return { slices: some, missing: [] };
    throw new RemoteUnavailableError(`entries of ${ref.channel} are damaged here and with no other home now`);
  }

  /** Reads on through about this part of what is stored, unless all of it was read just now, takes up some of what was found
   *  damaged, and asks for what upkeep waits for. */
  async mend(scrubPart: number): Promise<void> {
    const { store, examine, learn } = this.#options;
    for (const ref of store.waiting(limits.mendsAtOnce)) await learn(ref);
    if (!this.#cancelRest && (await store.scrub(scrubPart))) this.#rest();
    for (const { ref, writer, firstSeq } of store.damaged(limits.mendsAtOnce))
      await examine(ref, writer, firstSeq);
  }

  /** A comparison of homes came upon something that cannot be read: what of it is damaged here is looked for elsewhere, one
   *  channel after another. What finds no room is found again in the next comparison. */
  damaged(ref: ChannelRef): void {
    if (this.#damaged.size < limits.damagedChannelsMax) this.#damaged.set(channelKey(ref), ref);
    this.#lookSoon();
  }

  stop(): void {
    this.#isStopped = true;
    this.#cancel?.();
    this.#cancelRest?.();
  }

  /** A small store would be read through again every second. */
  #rest(): void {
    if (this.#isStopped) return;
    this.#cancelRest = this.#options.timers.after(limits.scrubRestMs, () => {
      this.#cancelRest = undefined;
    });
  }

  #lookSoon(): void {
    if (this.#cancel || this.#isStopped || this.#damaged.size === 0) return;
    this.#cancel = this.#options.timers.after(limits.mendEveryMs, () => void this.#look());
  }

  async #look(): Promise<void> {
    const { store, examine, failed } = this.#options;
    const [next] = this.#damaged;
    const [key, ref] = next!;
    this.#damaged.delete(key);
    try {
      const { missing = [] } = (await store.digest(ref)) ?? {};
      for (const { writer, fromSeq } of missing.slice(0, limits.mendsAtOnce))
        await examine(ref, writer, fromSeq);
    } catch (error) {
      if (!this.#isStopped) failed(error);
    }
    this.#cancel = undefined;
    this.#lookSoon();
  }

  /** Something of the channel was stored again, or is in no home. */
  changed(ref: ChannelRef): void {
    for (const wake of this.#waiting.get(channelKey(ref)) ?? []) wake();
  }

  #wanted(ref: ChannelRef, { missing }: ReadResult): readonly MissingRange[] {
    const log = this.#options.store.peek(ref);
    // What was trimmed meanwhile is not missed.
    return missing.filter(
      ({ writer, fromSeq, toSeq }) =>
        toSeq > (log?.floors.get(writer) ?? 0) && log?.isGivenUp(writer, fromSeq, toSeq) !== true,
    );
  }

  #changed(ref: ChannelRef): Promise<void> {
    const key = channelKey(ref);
    return new Promise((resolve) => {
      const waiting = this.#waiting.get(key) ?? new Set();
      this.#waiting.set(key, waiting);
      const wake = (): void => {
        cancel();
        waiting.delete(wake);
        if (waiting.size === 0) this.#waiting.delete(key);
        resolve();
      };
      const cancel = this.#options.timers.after(limits.mendWaitMs, wake);
      waiting.add(wake);
    });
  }
}

/** What was read before the first entry that is missing, in the order asked for. */
function slicesBefore(
  { slices }: ReadResult,
  missing: MissingRange,
  ranges: readonly ReadRange[],
): ReadResult['slices'] {
  const rank = (writer: WriterId, seq: number): number =>
    ranges.findIndex(
      (range) => range.writer === writer && range.firstSeq <= seq && seq < range.firstSeq + range.count,
    );
  const limit = rank(missing.writer, missing.fromSeq);
  return slices.filter(({ writer, firstSeq }) => {
    const at = rank(writer, firstSeq);
    return at < limit || (at === limit && firstSeq < missing.fromSeq);
  });
}
