/** Physical time for the hybrid clock: the monotonic clock plus an offset that follows the wall clock slowly, so a wall
 *  clock that is set wrongly does not drag timestamps with it. Pure: both clocks are read by the caller.
 *
 *  - A difference of at most 100 ms is slewed away, 0.5 ms a second at most.
 *  - A greater one is a step. It is adopted at once where the other nodes say so, never while they deny it, and by a
 *    node that has nobody to ask once it has persisted for 2 s: a resumed virtual machine must find its way back. */

const slewPerMs = 500e-6;
const stepMs = 100;
const stepPersistsMs = 2_000;

/** Whether most nodes heard of lately confirm a wall clock that is `stepMs` off this node's physical time (negative:
 *  behind it); `undefined` where there is nobody to ask. */
export type PeersAgree = (stepMs: number) => boolean | undefined;

export class PhysicalClock {
  readonly #peersAgree: PeersAgree;
  #offsetMs: number;
  #monotonicMs: number;
  #step: { readonly offsetMs: number; readonly sinceMs: number } | undefined;
  #adoptedSteps = 0;

  constructor(wallMs: number, monotonicMs: number, peersAgree: PeersAgree = () => undefined) {
    this.#offsetMs = wallMs - monotonicMs;
    this.#monotonicMs = monotonicMs;
    this.#peersAgree = peersAgree;
  }

  /** How often a step was adopted: a reading may be below an earlier one only where this has grown between them. */
  get adoptedSteps(): number {
    return this.#adoptedSteps;
  }

  /** Unix milliseconds, with a fraction. */
  read(wallMs: number, monotonicMs: number): number {
    const elapsedMs = Math.max(0, monotonicMs - this.#monotonicMs);
    this.#monotonicMs = Math.max(this.#monotonicMs, monotonicMs);
    const wallOffsetMs = wallMs - this.#monotonicMs;
    const shownMs = wallOffsetMs - this.#offsetMs;
    // The wall clock counts whole milliseconds: it may be up to one further than it shows.
    const differenceMs = shownMs > 0 ? shownMs : Math.min(0, shownMs + 1);
    if (Math.abs(differenceMs) <= stepMs) {
      this.#step = undefined;
      const slewMs = elapsedMs * slewPerMs;
      this.#offsetMs += Math.max(-slewMs, Math.min(slewMs, differenceMs));
    } else if (this.#mayStep(wallOffsetMs, differenceMs)) {
      this.#step = undefined;
      this.#offsetMs = wallOffsetMs;
      this.#adoptedSteps++;
    }
    return this.#monotonicMs + this.#offsetMs;
  }

  #mayStep(wallOffsetMs: number, differenceMs: number): boolean {
    const agreed = this.#peersAgree(differenceMs);
    if (agreed !== undefined) return agreed;
    // Another step meanwhile, in either direction, starts the wait anew.
    if (!this.#step || Math.abs(wallOffsetMs - this.#step.offsetMs) > stepMs) {
      this.#step = { offsetMs: wallOffsetMs, sinceMs: this.#monotonicMs };
    }
    return this.#monotonicMs - this.#step.sinceMs >= stepPersistsMs;
  }
}
