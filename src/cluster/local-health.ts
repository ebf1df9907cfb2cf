/** How far this node trusts itself: Lifeguard's local health multiplier (Dadgar et al. 2018, §III-A).
 *
 *  0 is healthy. The score rises when probes fail, when helpers that should at least say "no answer" are silent, when we
 *  are accused, and when we were paused; it falls with each probe that succeeds. Intervals and timeouts are multiplied by
 *  score + 1, so a node in trouble takes longer to accuse others. */
export class LocalHealth {
  readonly #max: number;
  #score = 0;

  constructor(max: number) {
    this.#max = max;
  }

  get score(): number {
    return this.#score;
  }

  get multiplier(): number {
    return this.#score + 1;
  }

  change(by: number): void {
    this.#score = Math.min(this.#max, Math.max(0, this.#score + by));
  }
}
