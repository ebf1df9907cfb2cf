/** How long a worker has said nothing, as the node that asks it sees it. Pure. Time in which the node itself did not run counts for
 *  no more than a look does: whoever stood still together with its workers, as all do on a machine that was paused, blames none. */

/** Looks in the time after which somebody is told, and after how many times that a worker is ended. */
const looks = 5;
export const endAfter = 3;

export class WorkerSilence {
  readonly #stuckMs: number;
  #silentMs = 0;
  #hasSpoken = false;
  /** Somebody was told. */
  isStuck = false;

  constructor(stuckMs: number) {
    this.#stuckMs = stuckMs;
  }

  /** Between two looks. */
  static lookEveryMs(stuckMs: number): number {
    return Math.ceil(stuckMs / looks);
  }

  /** It said something; whether it was stuck before. Before the first time it loads its program. */
  heard(): boolean {
    const wasStuck = this.isStuck;
    this.#hasSpoken = true;
    this.#silentMs = 0;
    this.isStuck = false;
    return wasStuck;
  }

  /** A look, so long after the last one: what is to be done now. */
  look(sinceMs: number): 'tell' | 'end' | undefined {
    if (!this.#hasSpoken) return undefined;
    const everyMs = WorkerSilence.lookEveryMs(this.#stuckMs);
    this.#silentMs += Math.min(sinceMs, 2 * everyMs);
    if (this.#silentMs > endAfter * this.#stuckMs) {
      this.#silentMs = 0;
      return 'end';
    }
    if (this.isStuck || this.#silentMs <= this.#stuckMs) return undefined;
    this.isStuck = true;
    return 'tell';
  }
}
