/** Channels that were found to differ from another home's, until they were compared with it entry by entry. A few at a time:
 *  their logs are opened here and there, and what one lacks is read from the other's disk. */
import { type ChannelRef, type NodeId, channelKey } from '../../base/ids.js';
import { limits } from '../../base/limits.js';
import type { Timers } from '../ports.js';

export interface DifferingParts {
  readonly timers: Timers;
  /** Opens them and asks the peer what it has of each. */
  compare(refs: readonly ChannelRef[], peer: NodeId): Promise<void>;
  isLinked(peer: NodeId): boolean;
  failed(error: unknown): void;
}

export class Differing {
  readonly #parts: DifferingParts;
  readonly #waiting = new Map<NodeId, Map<string, ChannelRef>>();
  #count = 0;
  #isWorking = false;
  #isStopped = false;

  constructor(parts: DifferingParts) {
    this.#parts = parts;
  }

  /** What finds no room is found again in the next comparison. */
  add(peer: NodeId, refs: readonly ChannelRef[]): void {
    let waiting = this.#waiting.get(peer);
    if (!waiting) this.#waiting.set(peer, (waiting = new Map()));
    for (const ref of refs) {
      if (this.#count >= limits.scrubDifferingMax) break;
      const key = channelKey(ref);
      if (!waiting.has(key)) this.#count++;
      waiting.set(key, ref);
    }
    if (!this.#isWorking && this.#count > 0) void this.#work();
  }

  stop(): void {
    this.#isStopped = true;
  }

  async #work(): Promise<void> {
    this.#isWorking = true;
    try {
      for (;;) {
        const [next] = this.#waiting;
        if (!next || this.#isStopped) break;
        const [peer, waiting] = next;
        // The next turn is another peer's.
        this.#waiting.delete(peer);
        const refs = this.#take(waiting);
        if (waiting.size > 0 && this.#parts.isLinked(peer)) this.#waiting.set(peer, waiting);
        else this.#count -= waiting.size;
        if (this.#parts.isLinked(peer)) await this.#parts.compare(refs, peer);
        await new Promise<void>((resolve) => {
          this.#parts.timers.after(limits.scrubDifferingRestMs, resolve);
        });
      }
    } catch (error) {
      if (!this.#isStopped) this.#parts.failed(error);
    }
    this.#isWorking = false;
  }

  #take(waiting: Map<string, ChannelRef>): ChannelRef[] {
    const refs: ChannelRef[] = [];
    for (const [key, ref] of waiting) {
      if (refs.length >= limits.parallelOpensMax) break;
      refs.push(ref);
      waiting.delete(key);
    }
    this.#count -= refs.length;
    return refs;
  }
}
