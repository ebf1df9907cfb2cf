/** Which counters of one sender were heard: each is taken once, in any order within the window (RFC 4303 §3.4.3). */
import { limits } from '../base/limits.js';

export class ReplayWindow {
  #newest = -1;
  /** One bit a counter, by its remainder. */
  readonly #bits = new Uint32Array(limits.replayWindowPackets / 32);

  /** False for one that was taken before, or is too old to tell. */
  take(counter: number): boolean {
    const size = limits.replayWindowPackets;
    if (counter <= this.#newest - size) return false;
    if (counter > this.#newest) {
      if (counter - this.#newest >= size) this.#bits.fill(0);
      else for (let skipped = this.#newest + 1; skipped <= counter; skipped++) this.#set(skipped, false);
      this.#newest = counter;
    } else if (this.#has(counter)) return false;
    this.#set(counter, true);
    return true;
  }

  #has(counter: number): boolean {
    const at = counter % limits.replayWindowPackets;
    return (this.#bits[at >>> 5]! & (1 << (at & 31))) !== 0;
  }

  #set(counter: number, isHeard: boolean): void {
    const at = counter % limits.replayWindowPackets;
    if (isHeard) this.#bits[at >>> 5]! |= 1 << (at & 31);
    else this.#bits[at >>> 5]! &= ~(1 << (at & 31));
  }
}
