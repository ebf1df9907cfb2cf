/** Channels that this node holds entries of and is no home of any more: what of them their homes lack is brought to them.
 *  It may have been acknowledged here alone before the ring changed. Nothing is deleted here by that. */
import { type ChannelRef, type NodeId, channelKey } from '../../base/ids.js';
import { limits } from '../../base/limits.js';
import { planted } from '../../base/planted.js';
import type { Vector } from '../../log/entry.js';
import { runOf } from '../../log/run-bytes.js';
import type { EnginePorts, LogStore } from '../ports.js';
import { allChannels } from './all-channels.js';
import type { Adopted, Orphan } from './peer-messages.js';

export interface OrphansParts {
  readonly ports: EnginePorts;
  readonly store: LogStore;
  /** Every interval is held here: nothing can be an orphan. */
  readonly holdsAll: () => boolean;
  readonly isHeld: (ref: ChannelRef) => boolean;
  /** Those that can be reached, whoever acts first. */
  readonly homesOf: (ref: ChannelRef) => readonly NodeId[];
  tell(peer: NodeId, message: Orphan): void;
  failed(error: unknown): void;
}

export class Orphans {
  readonly #parts: OrphansParts;
  /** Channels brought to their homes since this start. */
  adopted = 0;
  #lastId = 0;
  #asked:
    | { readonly id: number; readonly peer: NodeId; readonly answer: (have?: Vector) => void }
    | undefined;
  #isRunning = false;
  #isStopped = false;
  #cancel: (() => void) | undefined;

  constructor(parts: OrphansParts) {
    this.#parts = parts;
  }

  /** The node has started, or another version of the ring is in use. */
  look(afterMs: number = limits.orphansLookMs): void {
    this.#cancel?.();
    if (this.#isStopped || planted('orphans-left')) return;
    this.#cancel = this.#parts.ports.timers.after(afterMs, () => void this.#run());
  }

  received(peer: NodeId, { id, have }: Adopted): void {
    if (this.#asked?.id === id && this.#asked.peer === peer) this.#asked.answer(have);
  }

  unlinked(peer: NodeId): void {
    if (this.#asked?.peer === peer) this.#asked.answer();
  }

  stop(): void {
    this.#isStopped = true;
    this.#cancel?.();
    this.#asked?.answer();
  }

  async #run(): Promise<void> {
    if (this.#isRunning) return this.look(limits.orphansRetryMs);
    this.#isRunning = true;
    try {
      if (!(await this.#bringAll())) this.look(limits.orphansRetryMs);
    } catch (error) {
      if (!this.#isStopped) this.#parts.failed(error);
    }
    this.#isRunning = false;
  }

  /** Whether nothing is left. */
  async #bringAll(): Promise<boolean> {
    const { store, holdsAll, isHeld } = this.#parts;
    let isDone = true;
    if (holdsAll()) return true;
    for await (const ref of allChannels(store)) {
      if (this.#isStopped) return true;
      if (!isHeld(ref) && !(await this.#bring(ref))) isDone = false;
    }
    return isDone;
  }

  /** Whether a home has all of it that can be read here. */
  async #bring(ref: ChannelRef): Promise<boolean> {
    const { store, homesOf, isHeld } = this.#parts;
    const [home] = homesOf(ref);
    if (home === undefined) return false;
    const log = await store.open(ref);
    try {
      let runs: readonly Uint8Array[] = [];
      for (let lacking = Infinity; ;) {
        const have = await this.#ask(home, ref, runs);
        if (!have || this.#isStopped || isHeld(ref)) return false;
        const ranges = log.lacking(have);
        const left = ranges.reduce((sum, { count }) => sum + count, 0);
        if (left === 0) {
          if (runs.length > 0) this.adopted++;
          return true;
        }
        const { slices } = await store.read(ref, ranges, limits.peerReadBytes);
        if (left >= lacking || slices.length === 0) return this.#stuck(ref, home, left);
        lacking = left;
        runs = slices.map((slice) => runOf({ ref, ...slice }));
      }
    } finally {
      store.release(ref);
    }
  }

  #stuck(ref: ChannelRef, home: NodeId, left: number): false {
    const message = `${channelKey(ref)}: node ${home} lacks ${left} entries held here, which is no home of it, and does not take them.`;
    this.#parts.ports.observer.observe({ type: 'alarm', code: 'ORPHANS_LEFT', message });
    return false;
  }

  #ask(peer: NodeId, ref: ChannelRef, runs: readonly Uint8Array[]): Promise<Vector | undefined> {
    return new Promise((resolve) => {
      const id = ++this.#lastId;
      const cancel = this.#parts.ports.timers.after(limits.peerQuestionMs, () => this.#asked?.answer());
      const answer = (have?: Vector): void => {
        cancel();
        this.#asked = undefined;
        resolve(have);
      };
      this.#asked = { id, peer, answer };
      this.#parts.tell(peer, { type: 'orphan', id, ref, runs });
    });
  }
}
